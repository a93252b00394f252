//! Values and results as text for people.

mod difference;
mod field;
mod fold;
mod rows;
mod table;
mod value;

pub(super) use difference::differences;
pub(super) use field::Field;
pub(super) use fold::{Folded, fold};
pub(super) use rows::{Order, rows};
pub(super) use table::table;
pub(super) use value::{clip, value, visible};

pub(super) use crate::fleet::compress;
