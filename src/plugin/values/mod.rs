//! XML-RPC values to component values and back, driven by the reflected type.
//!
//! | WIT | on the wire |
//! | --- | --- |
//! | `bool` | boolean; `"true"`, `"false"`, `"1"`, `"0"` are accepted |
//! | `s8` … `u64` | integer, range-checked; text that reads as one is accepted. A `u64` above `i64::MAX` is an error on the way out |
//! | `f32`, `f64` | double; an integer, or text that reads as a number, is accepted. NaN and the infinities are errors both ways, because XML-RPC cannot carry them |
//! | `char`, `string`, `enum` | string |
//! | `list<u8>` | base64; an array of small integers is accepted |
//! | `list<tuple<string, T>>`, `map<string, T>` | struct; a key that comes twice is an error |
//! | `map<K, T>` with other keys | array of pairs |
//! | other `list<T>`, `list<T, N>`, `tuple` | array |
//! | `record` | struct; an optional field may be missing, an unknown key is an error |
//! | `variant` | struct with one member, or the bare name of a case without a value |
//! | `flags` | array of strings |
//! | `option<T>` | nil, or the value itself; `option<option<T>>` is nil, `[]` or `[value]` |
//! | `result<T, E>` inside a value | struct with one member, `ok` or `err` |
//! | `minion:host/types.secret` | string, which is [sealed](crate::wire::Secret) first; on the way out always `[secret]` |
//! | `minion:host/values.value` | any value |
//!
//! Names that a module's author chose (fields, cases, flags) are written with `_` for `-`, and read
//! either way. The keys of dictionaries are data and stay as they are.

mod budget;
pub(super) mod dynamic;
mod lift;
mod lower;
mod mismatch;

pub(super) use budget::Budget;
pub(super) use lift::lift;
pub(super) use lower::lower;
pub(super) use mismatch::Mismatch;

use wasmtime::component::types::Type;

/// How deep arguments may nest. Results have a bound of their own, [`budget`], which is lower.
pub(super) const MAX_DEPTH: u32 = 64;

/// A name as the wire writes it.
pub(super) fn wire_name(name: &str) -> String {
    name.replace('-', "_")
}

/// Whether `given` on the wire means `name` in WIT. No allocation: this runs for each field.
fn same_name(name: &str, given: &str) -> bool {
    let plain = |b: u8| if b == b'-' { b'_' } else { b };
    name.len() == given.len() && name.bytes().zip(given.bytes()).all(|(a, b)| plain(a) == plain(b))
}

/// Whether nil is a value of the type already, so that an option around it must be written as an
/// array.
fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Option(_))
}

#[cfg(test)]
mod tests;
