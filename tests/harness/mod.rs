//! A real fleet for a test: a certificate authority, minions as processes of their own on
//! 127.0.0.1, port 0, in a temporary folder; all gone when the test ends.

mod cutting;
mod daemon;
mod delegation;
mod door;
mod dice;
pub mod direct;
mod fleet;
mod gate;
mod minion;
mod modules;
mod noise;
mod partition;
mod pretender;
mod processes;
mod programs;
mod project;
mod simulation;
mod seclusion;
mod skip;
mod terminal;
mod wait;
mod way;

pub use cutting::Cutting;
pub use daemon::{Daemon, exchange};
pub use delegation::SUB_OVERLORD;
pub use dice::Dice;
pub use door::Door;
pub use fleet::{Answer, Fleet};
pub use gate::Gate;
pub use minion::Minion;
pub use modules::{guest, shipped_modules};
pub use noise::noise;
pub use partition::Partition;
pub use pretender::Pretender;
pub use processes::{command_line, of_home as processes_of, with_word};
pub(crate) use programs::has;
pub use project::project;
pub(crate) use seclusion::secluded;
pub use simulation::Simulation;
pub(crate) use skip::{cannot, skip};
pub use terminal::Terminal;
pub use wait::until;
pub use way::Way;
