//! Values, host lists and results as text for people.

mod fold;
mod hosts;
mod table;
mod value;

pub(super) use fold::fold;
pub(super) use hosts::compress;
pub(super) use table::table;
pub(super) use value::{clip, value, visible};
