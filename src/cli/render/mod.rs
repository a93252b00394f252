//! Values, host lists and results as text for people.

mod fold;
mod hosts;
mod table;
mod value;

pub use fold::{Folded, fold};
pub use hosts::compress;
pub use table::table;
pub use value::{value, visible};
