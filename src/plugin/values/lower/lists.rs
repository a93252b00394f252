//! Lists, tuples, dictionaries and maps.

use std::collections::BTreeMap;

use wasmtime::component::{
    Val,
    types::{FixedLengthList, List, Map, Tuple, Type},
};

use super::{Mismatch, Result, at_depth, signature, wit};
use crate::wire::Value;

pub(super) fn list(value: &Value, ty: &Type, list: &List, depth: u32) -> Result<Val> {
    match (value, list.ty()) {
        (Value::Bytes(bytes), Type::U8) => Ok(Val::List(octets(bytes))),
        (Value::Struct(members), element) if let Some(ty) = signature::dictionary(&element) => {
            let pair = |(key, val)| Val::Tuple(vec![Val::String(key), val]);
            Ok(Val::List(entries(members, &ty, depth)?.into_iter().map(pair).collect()))
        }
        (Value::Array(items), element) if signature::dictionary(&element).is_none() => {
            elements(items, &element, depth).map(Val::List)
        }
        _ => Err(Mismatch::wanted(wit(ty), value.kind())),
    }
}

pub(super) fn fixed(value: &Value, ty: &Type, list: &FixedLengthList, depth: u32) -> Result<Val> {
    let length = list.len() as usize;
    match value {
        Value::Array(items) if items.len() == length => elements(items, &list.ty(), depth).map(Val::FixedLengthList),
        Value::Bytes(bytes) if matches!(list.ty(), Type::U8) && bytes.len() == length => {
            Ok(Val::FixedLengthList(octets(bytes)))
        }
        _ => Err(Mismatch::wanted(wit(ty), measured(value))),
    }
}

pub(super) fn tuple(value: &Value, ty: &Type, tuple: &Tuple, depth: u32) -> Result<Val> {
    match value {
        Value::Array(items) if items.len() == tuple.types().len() => {
            let parts = tuple.types().zip(items).enumerate();
            let lowered = parts.map(|(i, (ty, item))| at_depth(item, &ty, depth + 1).map_err(|e| e.at_index(i)));
            lowered.collect::<Result<_>>().map(Val::Tuple)
        }
        _ => Err(Mismatch::wanted(wit(ty), measured(value))),
    }
}

pub(super) fn map(value: &Value, ty: &Type, map: &Map, depth: u32) -> Result<Val> {
    match (value, map.key()) {
        (Value::Struct(members), Type::String) => {
            let pair = |(key, val)| (Val::String(key), val);
            Ok(Val::Map(entries(members, &map.value(), depth)?.into_iter().map(pair).collect()))
        }
        (Value::Array(items), key) if !matches!(key, Type::String) => {
            pairs(items, &key, &map.value(), depth).map(Val::Map)
        }
        _ => Err(Mismatch::wanted(wit(ty), value.kind())),
    }
}

fn octets(bytes: &[u8]) -> Vec<Val> {
    bytes.iter().map(|byte| Val::U8(*byte)).collect()
}

/// What was given, with its length where that is what may be wrong.
fn measured(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("an array of {}", items.len()),
        other => other.kind().to_owned(),
    }
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
