//! From the wire into a component.

use std::collections::BTreeMap;

use wasmtime::component::{
    Val,
    types::{Record, Type, Variant},
};

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
    let wrong = || Err(Mismatch::wanted(wit(ty), value.kind()));
    match ty {
        Type::Bool => boolean(value).map(Val::Bool),
        Type::S8 => integer(value, ty).map(Val::S8),
        Type::U8 => integer(value, ty).map(Val::U8),
        Type::S16 => integer(value, ty).map(Val::S16),
        Type::U16 => integer(value, ty).map(Val::U16),
        Type::S32 => integer(value, ty).map(Val::S32),
        Type::U32 => integer(value, ty).map(Val::U32),
        Type::S64 => integer(value, ty).map(Val::S64),
        Type::U64 => integer(value, ty).map(Val::U64),
        Type::Float32 => {
            let number = float(value, ty)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "what f32 rounds is accepted, what it cannot reach is not"
            )]
            let narrow = number as f32;
            if narrow.is_finite() { Ok(Val::Float32(narrow)) } else { Err(Mismatch::new("out of the range of f32")) }
        }
        Type::Float64 => float(value, ty).map(Val::Float64),
        Type::Char => match single(value.as_str()) {
            Some(c) => Ok(Val::Char(c)),
            None => Err(Mismatch::wanted("char (a string of one character)", value.kind())),
        },
        Type::String => match value {
            Value::String(text) => Ok(Val::String(text.clone())),
            _ => wrong(),
        },
        Type::List(list) => match (value, list.ty()) {
            (Value::Bytes(bytes), Type::U8) => Ok(Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect())),
            (Value::Struct(members), element) => match signature::dictionary(&element) {
                Some(ty) => {
                    let pair = |(key, val)| Val::Tuple(vec![Val::String(key), val]);
                    Ok(Val::List(entries(members, &ty, depth)?.into_iter().map(pair).collect()))
                }
                None => wrong(),
            },
            (Value::Array(items), element) if signature::dictionary(&element).is_none() => {
                elements(items, &element, depth).map(Val::List)
            }
            _ => wrong(),
        },
        Type::FixedLengthList(list) => match value {
            Value::Array(items) if items.len() == list.len() as usize => {
                elements(items, &list.ty(), depth).map(Val::FixedLengthList)
            }
            Value::Array(items) => Err(Mismatch::wanted(wit(ty), format!("an array of {}", items.len()))),
            Value::Bytes(bytes) if matches!(list.ty(), Type::U8) && bytes.len() == list.len() as usize => {
                Ok(Val::FixedLengthList(bytes.iter().map(|byte| Val::U8(*byte)).collect()))
            }
            _ => wrong(),
        },
        Type::Map(map) => match (value, map.key()) {
            (Value::Struct(members), Type::String) => {
                let pair = |(key, val)| (Val::String(key), val);
                Ok(Val::Map(entries(members, &map.value(), depth)?.into_iter().map(pair).collect()))
            }
            (Value::Array(pairs), key) if !matches!(key, Type::String) => {
                self::pairs(pairs, &key, &map.value(), depth).map(Val::Map)
            }
            _ => wrong(),
        },
        Type::Record(_) if dynamic::is_dynamic(ty) => dynamic::to_arena(value),
        Type::Record(shape) => match value {
            Value::Struct(members) => record(members, shape, depth),
            _ => wrong(),
        },
        Type::Tuple(tuple) => match value {
            Value::Array(items) if items.len() == tuple.types().len() => {
                let parts = tuple.types().zip(items).enumerate();
                let lowered = parts.map(|(i, (ty, item))| at_depth(item, &ty, depth + 1).map_err(|e| e.at_index(i)));
                lowered.collect::<Result<_>>().map(Val::Tuple)
            }
            Value::Array(items) => Err(Mismatch::wanted(wit(ty), format!("an array of {}", items.len()))),
            _ => wrong(),
        },
        Type::Variant(shape) => variant(value, ty, shape, depth),
        Type::Enum(shape) => match value {
            Value::String(given) => match shape.names().find(|name| same_name(name, given)) {
                Some(name) => Ok(Val::Enum(name.to_owned())),
                None => Err(Mismatch::wanted(one_of(shape.names()), format!("`{}`", shown(given)))),
            },
            _ => Err(Mismatch::wanted(one_of(shape.names()), value.kind())),
        },
        Type::Flags(shape) => match value {
            Value::Array(items) => {
                let flag = |(i, item): (usize, &Value)| {
                    let given = item.as_str().unwrap_or_default();
                    let name = shape.names().find(|name| same_name(name, given)).map(str::to_owned);
                    name.ok_or_else(|| Mismatch::wanted(one_of(shape.names()), shown_value(item)).at_index(i))
                };
                items.iter().enumerate().map(flag).collect::<Result<_>>().map(Val::Flags)
            }
            _ => wrong(),
        },
        Type::Option(option) => optional(value, &option.ty(), ty, depth),
        Type::Result(result) => {
            let (name, payload) =
                one_member(value).ok_or_else(|| Mismatch::wanted("{ok: …} or {err: …}", value.kind()))?;
            let side = |ty: Option<Type>| match (ty, payload) {
                (Some(ty), payload) => at_depth(payload, &ty, depth + 1).map(|val| Some(Box::new(val))),
                (None, Value::Nil) => Ok(None),
                (None, other) => Err(Mismatch::wanted("nil", other.kind())),
            };
            match name {
                "ok" => side(result.ok()).map(|val| Val::Result(Ok(val))).map_err(|e| e.in_field("ok")),
                "err" => side(result.err()).map(|val| Val::Result(Err(val))).map_err(|e| e.in_field("err")),
                other => Err(Mismatch::wanted("{ok: …} or {err: …}", format!("`{}`", shown(other)))),
            }
        }
        Type::Own(_) | Type::Borrow(_) | Type::Future(_) | Type::Stream(_) | Type::ErrorContext => {
            Err(Mismatch::new("the type cannot travel"))
        }
    }
}

fn boolean(value: &Value) -> Result<bool> {
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

fn integer<T: TryFrom<i128>>(value: &Value, ty: &Type) -> Result<T> {
    let number = match value {
        Value::Int(number) => i128::from(*number),
        Value::String(text) => {
            text.trim().parse().map_err(|_| Mismatch::wanted(wit(ty), format!("`{}`", shown(text))))?
        }
        _ => return Err(Mismatch::wanted(wit(ty), value.kind())),
    };
    T::try_from(number).map_err(|_| Mismatch::wanted(wit(ty), format!("{number}, which is out of its range")))
}

fn float(value: &Value, ty: &Type) -> Result<f64> {
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

fn single(text: Option<&str>) -> Option<char> {
    let mut chars = text?.chars();
    let first = chars.next()?;
    chars.next().is_none().then_some(first)
}

fn elements(items: &[Value], ty: &Type, depth: u32) -> Result<Vec<Val>> {
    let lower = |(i, item)| at_depth(item, ty, depth + 1).map_err(|e| e.at_index(i));
    items.iter().enumerate().map(lower).collect()
}

fn entries(members: &BTreeMap<String, Value>, ty: &Type, depth: u32) -> Result<Vec<(String, Val)>> {
    let lower = |(key, item): (&String, _)| match at_depth(item, ty, depth + 1) {
        Ok(val) => Ok((key.clone(), val)),
        Err(error) => Err(error.in_key(key)),
    };
    members.iter().map(lower).collect()
}

fn pairs(items: &[Value], key: &Type, value: &Type, depth: u32) -> Result<Vec<(Val, Val)>> {
    let mut pairs = Vec::<(Val, Val)>::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let Value::Array(pair) = item else {
            return Err(Mismatch::wanted("an array of key and value", item.kind()).at_index(i));
        };
        let [k, v] = &pair[..] else {
            return Err(
                Mismatch::wanted("an array of key and value", format!("an array of {}", pair.len())).at_index(i)
            );
        };
        let k = at_depth(k, key, depth + 1).map_err(|e| e.at_index(0).at_index(i))?;
        let v = at_depth(v, value, depth + 1).map_err(|e| e.at_index(1).at_index(i))?;
        if pairs.iter().any(|(seen, _)| *seen == k) {
            return Err(Mismatch::new("the key comes twice").at_index(i));
        }
        pairs.push((k, v));
    }
    Ok(pairs)
}

fn record(members: &BTreeMap<String, Value>, shape: &Record, depth: u32) -> Result<Val> {
    let mut used = 0;
    let mut fields = Vec::with_capacity(shape.fields().len());
    for field in shape.fields() {
        let given = members
            .get(field.name)
            .or_else(|| field.name.contains('-').then(|| members.get(&wire_name(field.name))).flatten());
        let val = match given {
            Some(value) => {
                used += 1;
                at_depth(value, &field.ty, depth + 1).map_err(|e| e.in_field(field.name))?
            }
            None if is_option(&field.ty) => Val::Option(None),
            None => return Err(Mismatch::new(format!("is missing; wanted {}", wit(&field.ty))).in_field(field.name)),
        };
        fields.push((field.name.to_owned(), val));
    }
    if used != members.len() {
        let known = |key: &str| shape.fields().any(|field| same_name(field.name, key));
        let unknown = members.keys().find(|key| !known(key));
        let names = || shape.fields().map(|field| wire_name(field.name)).collect::<Vec<_>>().join(", ");
        return Err(match unknown {
            Some(key) => Mismatch::new(format!("is not a field; the fields are {}", names())).in_key(key),
            None => Mismatch::new("a field is given twice, with `-` and with `_`"),
        });
    }
    Ok(Val::Record(fields))
}

fn variant(value: &Value, ty: &Type, shape: &Variant, depth: u32) -> Result<Val> {
    let (given, payload) = match value {
        Value::String(name) => (name.as_str(), None),
        _ => match one_member(value) {
            Some((name, payload)) => (name, Some(payload)),
            None => return Err(Mismatch::wanted(wit(ty), value.kind())),
        },
    };
    let Some(case) = shape.cases().find(|case| same_name(case.name, given)) else {
        return Err(Mismatch::wanted(one_of(shape.cases().map(|case| case.name)), format!("`{}`", shown(given))));
    };
    let payload = match (case.ty, payload) {
        (None, None | Some(Value::Nil)) => None,
        (None, Some(other)) => return Err(Mismatch::wanted("nil", other.kind()).in_field(case.name)),
        (Some(ty), Some(payload)) => {
            Some(Box::new(at_depth(payload, &ty, depth + 1).map_err(|e| e.in_field(case.name))?))
        }
        (Some(ty), None) => {
            return Err(
                Mismatch::new(format!("needs a value: {{{}: {}}}", wire_name(case.name), wit(&ty))).in_field(case.name)
            );
        }
    };
    Ok(Val::Variant(case.name.to_owned(), payload))
}

fn optional(value: &Value, inner: &Type, ty: &Type, depth: u32) -> Result<Val> {
    let some = |val| Ok(Val::Option(Some(Box::new(val))));
    match value {
        Value::Nil => Ok(Val::Option(None)),
        Value::Array(items) if is_option(inner) => match &items[..] {
            [] => some(Val::Option(None)),
            [item] => some(at_depth(item, inner, depth + 1).map_err(|e| e.at_index(0))?),
            _ => Err(Mismatch::wanted(wit(ty), format!("an array of {}", items.len()))),
        },
        other if is_option(inner) => Err(Mismatch::wanted("nil, [] or [value]", other.kind())),
        other => some(at_depth(other, inner, depth + 1)?),
    }
}

fn one_member(value: &Value) -> Option<(&str, &Value)> {
    match value {
        Value::Struct(members) if members.len() == 1 => members.iter().next().map(|(key, value)| (key.as_str(), value)),
        _ => None,
    }
}

fn one_of<'a>(names: impl Iterator<Item = &'a str>) -> String {
    format!("one of {}", names.map(wire_name).collect::<Vec<_>>().join(", "))
}

/// At most sixty characters of what was given, without control characters.
fn shown(text: &str) -> String {
    text.escape_debug().take(60).collect()
}

fn shown_value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.kind().to_owned(), |text| format!("`{}`", shown(text)))
}
