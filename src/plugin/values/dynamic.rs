//! Data without a known shape: `minion:host/values.value`, an arena.
//!
//! WIT has no recursive types, so such a value is a list of items that name each other by index. An
//! item may name only items behind itself, which makes every arena finite. It does not stop one item
//! from being named by many, so an arena of a few hundred bytes could unfold into a tree of
//! gigabytes: the budget for results and the bound on depth stop that.

use std::collections::BTreeMap;

use jiff::{Timestamp, civil, tz::TimeZone};
use wasmtime::component::{Val, types::Type};

use super::{
    Budget, MAX_DEPTH, Mismatch,
    budget::deeper,
    lift::{byte, double, insert},
};
use crate::wire::Value;

type Result<T> = std::result::Result<T, Mismatch>;

/// The cases of `values.item`, which is how the type is known: the reflection has no names of types.
const CASES: [&str; 9] = ["nil", "truth", "int", "real", "text", "bytes", "time", "array", "struct"];

/// Whether this is the type of dynamic data.
pub(in crate::plugin) fn is_dynamic(ty: &Type) -> bool {
    let Type::Record(record) = ty else { return false };
    let mut fields = record.fields();
    let (Some(field), None) = (fields.next(), fields.next()) else { return false };
    let Type::List(items) = field.ty else { return false };
    let Type::Variant(item) = items.ty() else { return false };
    field.name == "items" && item.cases().map(|case| case.name).eq(CASES)
}

/// Writes a value into an arena, parents before their children.
pub(super) fn to_arena(value: &Value) -> Result<Val> {
    let mut items = vec![Val::Bool(false)];
    place(value, 0, &mut items, 0)?;
    Ok(Val::Record(vec![("items".to_owned(), Val::List(items))]))
}

/// Writes `value` at `index`, which is reserved for it.
fn place(value: &Value, index: usize, items: &mut Vec<Val>, depth: u32) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Mismatch::new(format!("nested deeper than {MAX_DEPTH} levels")));
    }
    let case = |name: &str, payload: Val| Val::Variant(name.to_owned(), Some(Box::new(payload)));
    items[index] = match value {
        Value::Nil => Val::Variant("nil".to_owned(), None),
        Value::Bool(truth) => case("truth", Val::Bool(*truth)),
        Value::Int(number) => case("int", Val::S64(*number)),
        Value::Double(number) => case("real", Val::Float64(*number)),
        Value::String(text) => case("text", Val::String(text.clone())),
        Value::Secret(_) => return Err(Mismatch::wanted("a value", "a secret, which nothing keeps secret here")),
        Value::Bytes(bytes) => case("bytes", Val::List(bytes.iter().map(|byte| Val::U8(*byte)).collect())),
        Value::DateTime(time) => case("time", moment(*time)?),
        Value::Array(elements) => {
            let first = reserve(items, elements.len())?;
            for (i, element) in elements.iter().enumerate() {
                place(element, first + i, items, depth + 1).map_err(|e| e.at_index(i))?;
            }
            case("array", Val::List((0..elements.len()).map(|i| link(first + i)).collect::<Result<_>>()?))
        }
        Value::Struct(members) => {
            let first = reserve(items, members.len())?;
            let mut links = Vec::with_capacity(members.len());
            for (i, (key, member)) in members.iter().enumerate() {
                place(member, first + i, items, depth + 1).map_err(|e| e.in_key(key))?;
                links.push(Val::Tuple(vec![Val::String(key.clone()), link(first + i)?]));
            }
            case("struct", Val::List(links))
        }
    };
    Ok(())
}

fn reserve(items: &mut Vec<Val>, count: usize) -> Result<usize> {
    let first = items.len();
    link(first + count)?;
    items.resize(first + count, Val::Bool(false));
    Ok(first)
}

fn link(index: usize) -> Result<Val> {
    u32::try_from(index).map(Val::U32).map_err(|_| Mismatch::new("it has too many items"))
}

fn moment(time: civil::DateTime) -> Result<Val> {
    let stamp = TimeZone::UTC.to_timestamp(time).map_err(|_| Mismatch::new("the date is out of range"))?;
    // Before 1970 the fraction counts forwards from the second below.
    let (seconds, nanoseconds) = match u32::try_from(stamp.subsec_nanosecond()) {
        Ok(nanoseconds) => (stamp.as_second(), nanoseconds),
        Err(_) => (stamp.as_second() - 1, (stamp.subsec_nanosecond() + 1_000_000_000).unsigned_abs()),
    };
    let fields = [("seconds", Val::S64(seconds)), ("nanoseconds", Val::U32(nanoseconds))];
    Ok(Val::Record(fields.map(|(name, val)| (name.to_owned(), val)).into()))
}

/// Reads an arena that a component made, `depth` levels inside of the result: nothing about it is trusted.
pub(super) fn from_arena(val: &Val, budget: &mut Budget, depth: usize) -> Result<Value> {
    let Val::Record(fields) = val else { return Err(broken("it is not a record")) };
    let [(_, Val::List(items))] = &fields[..] else { return Err(broken("it has no items")) };
    read(items, 0, budget, depth)
}

fn read(items: &[Val], index: usize, budget: &mut Budget, depth: usize) -> Result<Value> {
    budget.value()?;
    let item = items.get(index).ok_or_else(|| broken(format!("it has no item {index}")))?;
    let Val::Variant(name, payload) = item else { return Err(broken("an item is not a variant")) };
    let child = |link: &Val| match link {
        Val::U32(child) if *child as usize > index => Ok(*child as usize),
        Val::U32(child) => Err(broken(format!("item {index} refers to item {child}, which is not behind it"))),
        _ => Err(broken("an index is not a number")),
    };
    Ok(match (name.as_str(), payload.as_deref()) {
        ("nil", None) => Value::Nil,
        ("truth", Some(Val::Bool(truth))) => Value::Bool(*truth),
        ("int", Some(Val::S64(number))) => Value::Int(*number),
        ("real", Some(Val::Float64(number))) => double(*number, budget)?,
        ("text", Some(Val::String(text))) => {
            budget.text(text)?;
            Value::String(text.clone())
        }
        ("bytes", Some(Val::List(bytes))) => {
            budget.bytes(bytes.len())?;
            Value::Bytes(bytes.iter().map(byte).collect::<Result<_>>()?)
        }
        ("time", Some(Val::Record(fields))) => {
            budget.date()?;
            date(fields)?
        }
        ("array", Some(Val::List(links))) => {
            let mut elements = Vec::with_capacity(links.len().min(1024));
            for (i, link) in links.iter().enumerate() {
                elements.push(read(items, child(link)?, budget, deeper(depth)?).map_err(|e| e.at_index(i))?);
            }
            Value::Array(elements)
        }
        ("struct", Some(Val::List(links))) => {
            let mut members = BTreeMap::new();
            for link in links {
                let Val::Tuple(pair) = link else { return Err(broken("a member is not a pair")) };
                let [Val::String(key), link] = &pair[..] else { return Err(broken("a member is not a pair")) };
                let value = read(items, child(link)?, budget, deeper(depth)?).map_err(|e| e.in_key(key))?;
                insert(&mut members, key, value, budget)?;
            }
            Value::Struct(members)
        }
        _ => return Err(broken(format!("item {index} is of no known kind"))),
    })
}

fn date(fields: &[(String, Val)]) -> Result<Value> {
    let [(_, Val::S64(seconds)), (_, Val::U32(nanoseconds))] = fields else {
        return Err(broken("a time is not a pair of numbers"));
    };
    let nanoseconds = i32::try_from(*nanoseconds).map_err(|_| broken("a time has too many nanoseconds"))?;
    let stamp = Timestamp::new(*seconds, nanoseconds).map_err(|_| broken("a time is out of range"))?;
    Ok(Value::DateTime(TimeZone::UTC.to_datetime(stamp)))
}

fn broken(why: impl std::fmt::Display) -> Mismatch {
    Mismatch::new(format!("the dynamic value is broken: {why}"))
}
