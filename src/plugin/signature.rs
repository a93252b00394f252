//! Reflected types in words: WIT text, the wire's own words, and why a type cannot travel.

use wasmtime::component::types::{Record, Type};

use super::{secrecy::is_secret, values::dynamic};

/// The type as WIT text. The reflection does not keep the names of types, so a record is written
/// out, except for the three of the host's own that everybody knows.
pub(super) fn wit(ty: &Type) -> String {
    let join = |parts: Vec<String>| parts.join(", ");
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::Float32 => "f32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::List(list) => format!("list<{}>", wit(&list.ty())),
        Type::FixedLengthList(list) => format!("list<{}, {}>", wit(&list.ty()), list.len()),
        Type::Map(map) => format!("map<{}, {}>", wit(&map.key()), wit(&map.value())),
        Type::Record(_) if dynamic::is_dynamic(ty) => "value".to_owned(),
        Type::Record(record) if is_host_error(record) => "error".to_owned(),
        Type::Record(record) if is_secret(record) => "secret".to_owned(),
        Type::Record(record) => {
            let fields = record.fields().map(|field| format!("{}: {}", field.name, wit(&field.ty)));
            format!("record {{ {} }}", join(fields.collect()))
        }
        Type::Tuple(tuple) => format!("tuple<{}>", join(tuple.types().map(|ty| wit(&ty)).collect())),
        Type::Variant(variant) => {
            let cases = variant.cases().map(|case| match case.ty {
                Some(ty) => format!("{}({})", case.name, wit(&ty)),
                None => case.name.to_owned(),
            });
            format!("variant {{ {} }}", join(cases.collect()))
        }
        Type::Enum(names) => format!("enum {{ {} }}", join(names.names().map(str::to_owned).collect())),
        Type::Flags(names) => format!("flags {{ {} }}", join(names.names().map(str::to_owned).collect())),
        Type::Option(option) => format!("option<{}>", wit(&option.ty())),
        Type::Result(result) => match (result.ok(), result.err()) {
            (None, None) => "result".to_owned(),
            (Some(ok), None) => format!("result<{}>", wit(&ok)),
            (ok, Some(err)) => {
                format!("result<{}, {}>", ok.map_or_else(|| "_".to_owned(), |ok| wit(&ok)), wit(&err))
            }
        },
        Type::Own(_) => "own<resource>".to_owned(),
        Type::Borrow(_) => "borrow<resource>".to_owned(),
        Type::Future(_) => "future".to_owned(),
        Type::Stream(_) => "stream".to_owned(),
        Type::ErrorContext => "error-context".to_owned(),
    }
}

/// Whether this is `minion:host/types.error`, which is in the result of most methods and says nothing
/// new there.
fn is_host_error(record: &Record) -> bool {
    let names = record.fields().map(|field| field.name);
    names.eq(["kind", "message", "hint"])
        && record.fields().next().is_some_and(|kind| match kind.ty {
            Type::Enum(kinds) => kinds.names().next() == Some("denied"),
            _ => false,
        })
}

/// The type in the words of the wire's introspection: `int`, `string`, `boolean`, `float`, `hash`,
/// `list`, and `base64` and `any`, which the original did not need.
pub(super) fn wire(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "boolean",
        Type::S8 | Type::U8 | Type::S16 | Type::U16 | Type::S32 | Type::U32 | Type::S64 | Type::U64 => "int",
        Type::Float32 | Type::Float64 => "float",
        Type::List(list) if matches!(list.ty(), Type::U8) => "base64",
        Type::List(list) if dictionary(&list.ty()).is_some() => "hash",
        Type::List(_) | Type::FixedLengthList(_) | Type::Tuple(_) | Type::Flags(_) => "list",
        Type::Record(_) if dynamic::is_dynamic(ty) => "any",
        Type::Record(record) if is_secret(record) => "string",
        Type::Record(_) | Type::Map(_) | Type::Variant(_) | Type::Result(_) => "hash",
        Type::Option(option) => wire(&option.ty()),
        _ => "string",
    }
}

/// The values that an enum, or the elements of flags, may take, as the wire writes them.
pub(super) fn options(ty: &Type) -> Vec<String> {
    match ty {
        Type::Enum(names) => names.names().map(super::values::wire_name).collect(),
        Type::Flags(names) => names.names().map(super::values::wire_name).collect(),
        Type::Option(option) => options(&option.ty()),
        _ => Vec::new(),
    }
}

/// The smallest and largest integer that the type holds and the wire can carry.
pub(super) fn range(ty: &Type) -> Option<(i64, i64)> {
    Some(match ty {
        Type::S8 => (i8::MIN.into(), i8::MAX.into()),
        Type::U8 => (0, u8::MAX.into()),
        Type::S16 => (i16::MIN.into(), i16::MAX.into()),
        Type::U16 => (0, u16::MAX.into()),
        Type::S32 => (i32::MIN.into(), i32::MAX.into()),
        Type::U32 => (0, u32::MAX.into()),
        Type::S64 => (i64::MIN, i64::MAX),
        Type::U64 => (0, i64::MAX),
        Type::Option(option) => return range(&option.ty()),
        _ => return None,
    })
}

/// The type of the values in a `list<tuple<string, T>>`, given its element.
pub(super) fn dictionary(element: &Type) -> Option<Type> {
    let Type::Tuple(tuple) = element else { return None };
    let mut types = tuple.types();
    match (types.next(), types.next(), types.next()) {
        (Some(Type::String), Some(value), None) => Some(value),
        _ => None,
    }
}

/// Why values of this type cannot travel, if they cannot.
pub(super) fn unsupported(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Own(_) | Type::Borrow(_) => Some("it passes a resource"),
        Type::Future(_) => Some("it passes a future"),
        Type::Stream(_) => Some("it passes a stream"),
        Type::ErrorContext => Some("it passes an error context"),
        Type::List(list) => unsupported(&list.ty()),
        Type::FixedLengthList(list) => unsupported(&list.ty()),
        Type::Map(map) => unsupported(&map.key()).or_else(|| unsupported(&map.value())),
        Type::Record(record) => record.fields().find_map(|field| unsupported(&field.ty)),
        Type::Tuple(tuple) => tuple.types().find_map(|ty| unsupported(&ty)),
        Type::Variant(variant) => variant.cases().find_map(|case| case.ty.and_then(|ty| unsupported(&ty))),
        Type::Option(option) => unsupported(&option.ty()),
        Type::Result(result) => {
            let of = |ty: Option<Type>| ty.and_then(|ty| unsupported(&ty));
            of(result.ok()).or_else(|| of(result.err()))
        }
        _ => None,
    }
}
