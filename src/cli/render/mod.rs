//! Values, host lists and results as text for people.

mod difference;
mod field;
mod fold;
mod hosts;
mod rows;
mod table;
mod value;

pub(super) use difference::differences;
pub(super) use field::Field;
pub(super) use fold::{Folded, fold};
pub(super) use hosts::compress;
pub(super) use rows::{Order, rows};
pub(super) use table::table;
pub(super) use value::{clip, value, visible};
