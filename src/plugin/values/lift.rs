//! From a component to the wire.

use std::collections::BTreeMap;

use wasmtime::component::{Val, types::Type};

use super::{Budget, Mismatch, budget::deeper, dynamic, is_option, wire_name};
use crate::{
    plugin::{secrecy::is_secret, signature},
    wire::{SECRET, Value},
};

type Result<T> = std::result::Result<T, Mismatch>;

/// The wire's value for `val`, or where and why the wire cannot carry it.
pub(crate) fn lift(val: &Val, ty: &Type, budget: &mut Budget) -> Result<Value> {
    at_depth(val, ty, budget, 0)
}

fn at_depth(val: &Val, ty: &Type, budget: &mut Budget, depth: usize) -> Result<Value> {
    budget.value()?;
    Ok(match (val, ty) {
        (Val::Bool(truth), _) => Value::Bool(*truth),
        (Val::S8(number), _) => Value::Int((*number).into()),
        (Val::U8(number), _) => Value::Int((*number).into()),
        (Val::S16(number), _) => Value::Int((*number).into()),
        (Val::U16(number), _) => Value::Int((*number).into()),
        (Val::S32(number), _) => Value::Int((*number).into()),
        (Val::U32(number), _) => Value::Int((*number).into()),
        (Val::S64(number), _) => Value::Int(*number),
        (Val::U64(number), _) => match i64::try_from(*number) {
            Ok(number) => Value::Int(number),
            Err(_) => return Err(Mismatch::new(format!("{number} does not fit the wire's 64-bit signed integer"))),
        },
        (Val::Float32(number), _) => double(f64::from(*number), budget)?,
        (Val::Float64(number), _) => double(*number, budget)?,
        (Val::Char(c), _) => Value::String(c.to_string()),
        (Val::String(text), _) => {
            budget.text(text)?;
            Value::String(text.clone())
        }
        (Val::Flags(names), _) => {
            deeper(depth)?;
            let names = names.iter().map(|name| self::name(name, budget));
            Value::Array(names.collect::<Result<_>>()?)
        }
        (Val::List(items), Type::List(list)) => {
            let element = list.ty();
            if matches!(element, Type::U8) {
                budget.bytes(items.len())?;
                Value::Bytes(items.iter().map(byte).collect::<Result<_>>()?)
            } else if let Some(ty) = signature::dictionary(&element) {
                dictionary(items, &ty, budget, depth)?
            } else {
                array(items, &element, budget, depth)?
            }
        }
        (Val::FixedLengthList(items), Type::FixedLengthList(list)) => array(items, &list.ty(), budget, depth)?,
        (Val::Map(pairs), Type::Map(map)) => self::map(pairs, &map.key(), &map.value(), budget, depth)?,
        (Val::Record(_), Type::Record(_)) if dynamic::is_dynamic(ty) => dynamic::from_arena(val, budget, depth)?,
        // What a module answers is written down in many places.
        (Val::Record(_), Type::Record(record)) if is_secret(record) => Value::from(SECRET),
        (Val::Record(fields), Type::Record(record)) => {
            let mut members = BTreeMap::new();
            for ((name, val), field) in fields.iter().zip(record.fields()) {
                budget.key(name)?;
                let value = at_depth(val, &field.ty, budget, deeper(depth)?).map_err(|e| e.in_field(name))?;
                members.insert(wire_name(name), value);
            }
            Value::Struct(members)
        }
        (Val::Tuple(items), Type::Tuple(tuple)) => {
            let depth = deeper(depth)?;
            let parts = items.iter().zip(tuple.types()).enumerate();
            let lifted = parts.map(|(i, (val, ty))| at_depth(val, &ty, budget, depth).map_err(|e| e.at_index(i)));
            Value::Array(lifted.collect::<Result<_>>()?)
        }
        (Val::Variant(name, None) | Val::Enum(name), _) => {
            budget.text(name)?;
            Value::String(wire_name(name))
        }
        (Val::Variant(name, Some(val)), Type::Variant(variant)) => {
            let ty = variant.cases().find(|case| case.name == name).and_then(|case| case.ty).ok_or_else(disagree)?;
            budget.key(name)?;
            let value = at_depth(val, &ty, budget, deeper(depth)?).map_err(|e| e.in_field(name))?;
            Value::structure([(wire_name(name), value)])
        }
        (Val::Option(None), _) => Value::Nil,
        (Val::Option(Some(val)), Type::Option(option)) => {
            let inner = option.ty();
            match &**val {
                Val::Option(None) => Value::Array(Vec::new()),
                val if is_option(&inner) => {
                    Value::Array(vec![at_depth(val, &inner, budget, deeper(depth)?).map_err(|e| e.at_index(0))?])
                }
                val => at_depth(val, &inner, budget, depth)?,
            }
        }
        (Val::Result(outcome), Type::Result(result)) => {
            let (name, val, ty) = match outcome {
                Ok(val) => ("ok", val, result.ok()),
                Err(val) => ("err", val, result.err()),
            };
            let value = match (val, ty) {
                (Some(val), Some(ty)) => at_depth(val, &ty, budget, deeper(depth)?).map_err(|e| e.in_field(name))?,
                _ => nothing(budget, depth)?,
            };
            Value::structure([(name, value)])
        }
        _ => return Err(disagree()),
    })
}

/// wasmtime checks values against types, so this is never seen; it is an error and not a panic all
/// the same, because a plugin made the value.
fn disagree() -> Mismatch {
    Mismatch::new("the value and its type do not agree")
}

/// The nil inside of a `result` without a value.
fn nothing(budget: &mut Budget, depth: usize) -> Result<Value> {
    deeper(depth)?;
    budget.value()?;
    Ok(Value::Nil)
}

/// A flag that is set.
fn name(name: &str, budget: &mut Budget) -> Result<Value> {
    budget.value()?;
    budget.text(name)?;
    Ok(Value::String(wire_name(name)))
}

pub(super) fn double(number: f64, budget: &mut Budget) -> Result<Value> {
    if number.is_finite() {
        budget.number(number)?;
        Ok(Value::Double(number))
    } else {
        Err(Mismatch::new(format!("{number} cannot travel: XML-RPC has neither NaN nor infinities")))
    }
}

pub(super) fn byte(val: &Val) -> Result<u8> {
    match val {
        Val::U8(byte) => Ok(*byte),
        _ => Err(disagree()),
    }
}

fn array(items: &[Val], ty: &Type, budget: &mut Budget, depth: usize) -> Result<Value> {
    let depth = if items.is_empty() { depth } else { deeper(depth)? };
    let lift = |(i, val)| at_depth(val, ty, budget, depth).map_err(|e: Mismatch| e.at_index(i));
    items.iter().enumerate().map(lift).collect::<Result<_>>().map(Value::Array)
}

fn dictionary(items: &[Val], ty: &Type, budget: &mut Budget, depth: usize) -> Result<Value> {
    let mut members = BTreeMap::new();
    for item in items {
        let Val::Tuple(pair) = item else { return Err(disagree()) };
        let [Val::String(key), val] = &pair[..] else { return Err(disagree()) };
        insert(&mut members, key, at_depth(val, ty, budget, deeper(depth)?).map_err(|e| e.in_key(key))?, budget)?;
    }
    Ok(Value::Struct(members))
}

fn map(pairs: &[(Val, Val)], key: &Type, value: &Type, budget: &mut Budget, depth: usize) -> Result<Value> {
    if matches!(key, Type::String) {
        let mut members = BTreeMap::new();
        for (key, val) in pairs {
            let Val::String(key) = key else { return Err(disagree()) };
            insert(
                &mut members,
                key,
                at_depth(val, value, budget, deeper(depth)?).map_err(|e| e.in_key(key))?,
                budget,
            )?;
        }
        return Ok(Value::Struct(members));
    }
    let mut lift = |(k, v): &(Val, Val)| {
        // The pair is a value, too.
        let depth = deeper(deeper(depth)?)?;
        budget.value()?;
        Ok(Value::Array(vec![at_depth(k, key, budget, depth)?, at_depth(v, value, budget, depth)?]))
    };
    let lifted = pairs.iter().enumerate().map(|(i, pair)| lift(pair).map_err(|e: Mismatch| e.at_index(i)));
    lifted.collect::<Result<_>>().map(Value::Array)
}

pub(super) fn insert(
    members: &mut BTreeMap<String, Value>,
    key: &str,
    value: Value,
    budget: &mut Budget,
) -> Result<()> {
    budget.key(key)?;
    match members.insert(key.to_owned(), value) {
        None => Ok(()),
        Some(_) => Err(Mismatch::new("the key comes twice").in_key(key)),
    }
}
