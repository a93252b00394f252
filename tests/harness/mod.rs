//! A real fleet for a test: a certificate authority, minions as processes of their own on
//! 127.0.0.1, port 0, in a temporary folder; all gone when the test ends.

mod cutting;
pub mod direct;
mod fleet;
mod gate;
mod minion;
mod modules;
mod processes;
mod project;
mod simulation;
mod skip;
mod wait;
mod way;

pub use cutting::Cutting;
pub use fleet::{Answer, Fleet};
pub use gate::Gate;
pub use minion::Minion;
pub use modules::{guest, shipped_modules};
pub use processes::{command_line as command_line_of, of_home as processes_of};
pub use project::project;
pub use simulation::Simulation;
pub(crate) use skip::skip;
pub use wait::until;
pub use way::Way;
