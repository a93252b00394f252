//! Files and flags into checked, plain data; no key is silently ignored.
//!
//! The structures of each daemon's file live with the daemon, which knows what its parts need. Here
//! are what they share: where things lie ([`Home`]), how a file is read ([`load`]) and written ([`save`]), and how people
//! write periods, ages and sizes.

mod age;
mod amend;
mod home;
mod listen;
mod load;
mod quantity;

pub use age::{age, passed};
pub use amend::{NotAmended, add_to_list, lines};
pub use home::Home;
pub use listen::{InvalidListen, Listen};
pub use load::{Error, load, load_or_default, parse, save};
pub use quantity::{ByteSize, InvalidQuantity, Period};
