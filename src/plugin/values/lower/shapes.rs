//! Records, variants, enums, flags, options and results.

use wasmtime::component::{
    Val,
    types::{Enum, Flags, OptionType, Record, ResultType, Type, Variant},
};

use super::{Mismatch, Result, at_depth, is_option, same_name, shown, wire_name, wit};
use crate::{
    plugin::secrecy::{self, is_secret},
    wire::Value,
};

pub(super) fn record(value: &Value, ty: &Type, shape: &Record, depth: u32) -> Result<Val> {
    let text = match value {
        Value::Secret(secret) => secret.text(),
        Value::String(text) => Some(text.as_str()),
        _ => None,
    };
    if let Some(text) = text
        && is_secret(shape)
    {
        return Ok(Val::Record(vec![(secrecy::FIELD.to_owned(), Val::String(text.to_owned()))]));
    }
    let Value::Struct(members) = value else { return Err(Mismatch::wanted(wit(ty), value.kind())) };
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

pub(super) fn variant(value: &Value, ty: &Type, shape: &Variant, depth: u32) -> Result<Val> {
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

pub(super) fn enumeration(value: &Value, shape: &Enum) -> Result<Val> {
    let named = |given: &str| shape.names().find(|name| same_name(name, given));
    let name = value.as_str().and_then(named);
    let name = name.ok_or_else(|| Mismatch::wanted(one_of(shape.names()), shown_value(value)))?;
    Ok(Val::Enum(name.to_owned()))
}

pub(super) fn flags(value: &Value, ty: &Type, shape: &Flags) -> Result<Val> {
    let Value::Array(items) = value else { return Err(Mismatch::wanted(wit(ty), value.kind())) };
    let flag = |(i, item): (usize, &Value)| {
        let named = |given: &str| shape.names().find(|name| same_name(name, given));
        let name = item.as_str().and_then(named).map(str::to_owned);
        name.ok_or_else(|| Mismatch::wanted(one_of(shape.names()), shown_value(item)).at_index(i))
    };
    items.iter().enumerate().map(flag).collect::<Result<_>>().map(Val::Flags)
}

pub(super) fn optional(value: &Value, ty: &Type, option: &OptionType, depth: u32) -> Result<Val> {
    let inner = &option.ty();
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

pub(super) fn outcome(value: &Value, shape: &ResultType, depth: u32) -> Result<Val> {
    const WANTED: &str = "{ok: …} or {err: …}";
    let (name, payload) = one_member(value).ok_or_else(|| Mismatch::wanted(WANTED, value.kind()))?;
    let side = |ty: Option<Type>| match (ty, payload) {
        (Some(ty), payload) => at_depth(payload, &ty, depth + 1).map(|val| Some(Box::new(val))),
        (None, Value::Nil) => Ok(None),
        (None, other) => Err(Mismatch::wanted("nil", other.kind())),
    };
    match name {
        "ok" => side(shape.ok()).map(|val| Val::Result(Ok(val))).map_err(|e| e.in_field("ok")),
        "err" => side(shape.err()).map(|val| Val::Result(Err(val))).map_err(|e| e.in_field("err")),
        other => Err(Mismatch::wanted(WANTED, format!("`{}`", shown(other)))),
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

fn shown_value(value: &Value) -> String {
    value.as_str().map_or_else(|| value.kind().to_owned(), |text| format!("`{}`", shown(text)))
}
