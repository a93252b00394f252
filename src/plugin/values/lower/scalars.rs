//! Numbers, booleans, characters.

use wasmtime::component::types::Type;

use super::{Mismatch, Result, shown, wit};
use crate::wire::Value;

pub(super) fn boolean(value: &Value) -> Result<bool> {
    match value {
        Value::Bool(truth) => Ok(*truth),
        Value::String(text) => match text.trim() {
            "1" => Ok(true),
            "0" => Ok(false),
            word if word.eq_ignore_ascii_case("true") => Ok(true),
            word if word.eq_ignore_ascii_case("false") => Ok(false),
            other => Err(Mismatch::wanted("bool", format!("`{}`", shown(other)))),
        },
        _ => Err(Mismatch::wanted("bool", value.kind())),
    }
}

pub(super) fn integer<T: TryFrom<i128>>(value: &Value, ty: &Type) -> Result<T> {
    let number = match value {
        Value::Int(number) => i128::from(*number),
        Value::String(text) => {
            text.trim().parse().map_err(|_| Mismatch::wanted(wit(ty), format!("`{}`", shown(text))))?
        }
        _ => return Err(Mismatch::wanted(wit(ty), value.kind())),
    };
    T::try_from(number).map_err(|_| Mismatch::wanted(wit(ty), format!("{number}, which is out of its range")))
}

pub(super) fn float(value: &Value, ty: &Type) -> Result<f64> {
    let number = match value {
        Value::Double(number) => *number,
        #[expect(
            clippy::cast_precision_loss,
            reason = "an integer that a double cannot hold exactly is rounded, as everywhere"
        )]
        Value::Int(number) => *number as f64,
        Value::String(text) => {
            text.trim().parse().map_err(|_| Mismatch::wanted(wit(ty), format!("`{}`", shown(text))))?
        }
        _ => return Err(Mismatch::wanted(wit(ty), value.kind())),
    };
    if number.is_finite() { Ok(number) } else { Err(Mismatch::wanted("a finite number", number)) }
}

pub(super) fn narrow(value: &Value, ty: &Type) -> Result<f32> {
    #[expect(clippy::cast_possible_truncation, reason = "what f32 rounds is accepted, what it cannot reach is not")]
    let narrow = float(value, ty)? as f32;
    if narrow.is_finite() { Ok(narrow) } else { Err(Mismatch::new("out of the range of f32")) }
}

pub(super) fn character(value: &Value) -> Result<char> {
    let only = single(value.as_str());
    only.ok_or_else(|| Mismatch::wanted("char (a string of one character)", value.kind()))
}

fn single(text: Option<&str>) -> Option<char> {
    let mut chars = text?.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}
