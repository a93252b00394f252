//! Which parts of a type are secret.
//!
//! The reflection keeps no names of types, so a secret is known by its shape, which nothing else has: a
//! record whose only field is a string called `secret`. That is `minion:host/types.secret`.

use wasmtime::component::types::{Record, Type};

use super::{
    module::Param,
    signature::dictionary,
    values::{dynamic, wire_name},
};
use crate::wire::{Secrecy, Value, hidden};

/// The field of a secret.
pub(super) const FIELD: &str = "secret";

/// Whether this is `minion:host/types.secret`.
pub(super) fn is_secret(record: &Record) -> bool {
    let mut fields = record.fields();
    matches!((fields.next(), fields.next()), (Some(field), None) if field.name == FIELD && matches!(field.ty, Type::String))
}

/// Which parts of values of this type are secret, as they stand on the wire.
pub(super) fn of(ty: &Type) -> Secrecy {
    let each = |ty: &Type, kind: fn(Box<Secrecy>) -> Secrecy| match of(ty) {
        Secrecy::Open => Secrecy::Open,
        inner => kind(Box::new(inner)),
    };
    let items = |kinds: Vec<Secrecy>| {
        if kinds.iter().all(Secrecy::is_open) { Secrecy::Open } else { Secrecy::Items(kinds) }
    };
    match ty {
        Type::Record(record) if is_secret(record) => Secrecy::Secret,
        Type::Record(_) if dynamic::is_dynamic(ty) => Secrecy::Open,
        Type::Record(record) => members(record.fields().map(|field| (field.name, Some(field.ty)))),
        Type::Variant(variant) => members(variant.cases().map(|case| (case.name, case.ty))),
        Type::Result(result) => members([("ok", result.ok()), ("err", result.err())]),
        Type::List(list) => match dictionary(&list.ty()) {
            Some(value) => each(&value, Secrecy::Values),
            None => each(&list.ty(), Secrecy::Each),
        },
        Type::FixedLengthList(list) => each(&list.ty(), Secrecy::Each),
        Type::Map(map) if matches!(map.key(), Type::String) => each(&map.value(), Secrecy::Values),
        Type::Map(map) => match items(vec![of(&map.key()), of(&map.value())]) {
            Secrecy::Open => Secrecy::Open,
            pair => Secrecy::Each(Box::new(pair)),
        },
        Type::Tuple(tuple) => items(tuple.types().map(|ty| of(&ty)).collect()),
        // An option in an option is written as an array.
        Type::Option(option) if matches!(option.ty(), Type::Option(_)) => each(&option.ty(), Secrecy::Each),
        Type::Option(option) => of(&option.ty()),
        _ => Secrecy::Open,
    }
}

fn members<'a>(parts: impl IntoIterator<Item = (&'a str, Option<Type>)>) -> Secrecy {
    let kinds = parts.into_iter().map(|(name, ty)| (wire_name(name), ty.as_ref().map(of).unwrap_or_default()));
    let kinds: std::collections::BTreeMap<_, _> = kinds.collect();
    if kinds.values().all(Secrecy::is_open) { Secrecy::Open } else { Secrecy::Members(kinds) }
}

/// What a secret is called.
const NAMES: [&str; 7] = ["password", "passwd", "passphrase", "secret", "secrets", "token", "credentials"];

/// Places within a value called `name` that hold plain text under the name of a secret.
pub(super) fn misnamed(name: &str, ty: &Type) -> Vec<String> {
    let place = wire_name(name);
    let within = |inner: Vec<String>| inner.into_iter().map(|inner| format!("{place}.{inner}")).collect();
    match ty {
        Type::Record(record) if is_secret(record) => Vec::new(),
        Type::Record(record) => within(record.fields().flat_map(|field| misnamed(field.name, &field.ty)).collect()),
        Type::Variant(variant) => {
            let cases = variant.cases().filter_map(|case| Some((case.name, case.ty?)));
            within(cases.flat_map(|(name, ty)| misnamed(name, &ty)).collect())
        }
        Type::Option(option) => misnamed(name, &option.ty()),
        // Also the values of a dictionary.
        Type::List(list) => misnamed(name, &dictionary(&list.ty()).unwrap_or_else(|| list.ty())),
        Type::Map(map) => misnamed(name, &map.value()),
        Type::String if name.split('-').any(|word| NAMES.contains(&word)) => vec![place],
        _ => Vec::new(),
    }
}

/// The arguments of a call with their secrets sealed. Where there are too few or too many, the secret may be
/// any of them.
pub(super) fn seal(params: &[Param], required: usize, args: Vec<Value>) -> Vec<Value> {
    if params.iter().all(|param| param.secrecy.is_open()) {
        return args;
    }
    if args.len() < required || args.len() > params.len() {
        return args.iter().map(hidden).collect();
    }
    params.iter().zip(args).map(|(param, arg)| param.secrecy.seal(arg)).collect()
}
