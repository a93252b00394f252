//! From the wire into a component.

mod lists;
mod scalars;
mod shapes;

use wasmtime::component::{Val, types::Type};

use super::{MAX_DEPTH, Mismatch, dynamic, is_option, same_name, wire_name};
use crate::{
    plugin::signature::{self, wit},
    wire::Value,
};

type Result<T> = std::result::Result<T, Mismatch>;

/// The component's value for `value`, or where and why it does not fit.
pub(crate) fn lower(value: &Value, ty: &Type) -> Result<Val> {
    at_depth(value, ty, 0)
}

fn at_depth(value: &Value, ty: &Type, depth: u32) -> Result<Val> {
    if depth > MAX_DEPTH {
        return Err(Mismatch::new(format!("nested deeper than {MAX_DEPTH} levels")));
    }
    match ty {
        Type::Bool => scalars::boolean(value).map(Val::Bool),
        Type::S8 => scalars::integer(value, ty).map(Val::S8),
        Type::U8 => scalars::integer(value, ty).map(Val::U8),
        Type::S16 => scalars::integer(value, ty).map(Val::S16),
        Type::U16 => scalars::integer(value, ty).map(Val::U16),
        Type::S32 => scalars::integer(value, ty).map(Val::S32),
        Type::U32 => scalars::integer(value, ty).map(Val::U32),
        Type::S64 => scalars::integer(value, ty).map(Val::S64),
        Type::U64 => scalars::integer(value, ty).map(Val::U64),
        Type::Float32 => scalars::narrow(value, ty).map(Val::Float32),
        Type::Float64 => scalars::float(value, ty).map(Val::Float64),
        Type::Char => scalars::character(value).map(Val::Char),
        Type::String => match value {
            Value::String(text) => Ok(Val::String(text.clone())),
            _ => Err(Mismatch::wanted("string", value.kind())),
        },
        Type::List(list) => lists::list(value, ty, list, depth),
        Type::FixedLengthList(list) => lists::fixed(value, ty, list, depth),
        Type::Map(map) => lists::map(value, ty, map, depth),
        Type::Tuple(tuple) => lists::tuple(value, ty, tuple, depth),
        Type::Record(_) if dynamic::is_dynamic(ty) => dynamic::to_arena(value),
        Type::Record(shape) => shapes::record(value, ty, shape, depth),
        Type::Variant(shape) => shapes::variant(value, ty, shape, depth),
        Type::Enum(shape) => shapes::enumeration(value, shape),
        Type::Flags(shape) => shapes::flags(value, ty, shape),
        Type::Option(option) => shapes::optional(value, ty, option, depth),
        Type::Result(result) => shapes::outcome(value, result, depth),
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            Err(Mismatch::new("the type cannot travel"))
        }
    }
}

/// At most sixty characters of what was given, without control characters.
fn shown(text: &str) -> String {
    text.escape_debug().take(60).collect()
}
