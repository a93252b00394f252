//! The fast way for bytes.
//!
//! The general way carries a `list<u8>` as one dynamic value for each byte: 32 bytes and a check
//! apiece, 490 ms for a megabyte in and out. Where a method's signature is one of those below, and the arguments
//! are of the very kinds it takes, the call is made with static types instead and the bytes are
//! copied as they are, in 5 ms. Every other call goes the general way; the result is the same.

use std::pin::Pin;

use wasmtime::{
    Store,
    component::{
        ComponentNamedList, Func, Lift, Lower,
        types::{Component, ComponentFunc},
    },
};

use super::{
    call::unsendable,
    call_error::CallError,
    failure, host,
    state::State,
    values::{self, Budget},
};
use crate::wire::Value;

/// A call in static types, for one signature.
#[derive(Clone, Copy)]
pub(super) struct BytesPath {
    fits: fn(&[Value]) -> bool,
    call: for<'a> fn(Func, &'a mut Store<State>, &'a [Value]) -> Pending<'a>,
}

/// What is left to do: the outer error is the call's, the inner one the method's.
type Pending<'a> = Pin<Box<dyn Future<Output = wasmtime::Result<Result<Value, CallError>>> + Send + 'a>>;

impl BytesPath {
    /// The way for a function, if it has bytes in its signature and is one of those that we know.
    pub(super) fn of(function: &ComponentFunc, component: &Component) -> Option<Self> {
        with_params::<()>(function, component)
            .or_else(|| with_params::<(String,)>(function, component))
            .or_else(|| with_params::<(Vec<u8>,)>(function, component))
            .or_else(|| with_params::<(String, Vec<u8>)>(function, component))
            .or_else(|| with_params::<(Vec<u8>, String)>(function, component))
    }

    /// Whether the arguments are of the very kinds that the signature takes.
    pub(super) fn fits(&self, args: &[Value]) -> bool {
        (self.fits)(args)
    }

    /// Makes the call. The arguments must fit.
    pub(super) fn call<'a>(&self, function: Func, store: &'a mut Store<State>, args: &'a [Value]) -> Pending<'a> {
        (self.call)(function, store, args)
    }
}

impl std::fmt::Debug for BytesPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BytesPath")
    }
}

fn with_params<P: Take>(function: &ComponentFunc, component: &Component) -> Option<BytesPath> {
    with_both::<P, ()>(function, component)
        .or_else(|| with_both::<P, (Vec<u8>,)>(function, component))
        .or_else(|| with_both::<P, (String,)>(function, component))
        .or_else(|| with_both::<P, (Result<Vec<u8>, String>,)>(function, component))
        .or_else(|| with_both::<P, (Result<Vec<u8>, host::Error>,)>(function, component))
        .or_else(|| with_both::<P, (Result<(), String>,)>(function, component))
        .or_else(|| with_both::<P, (Result<(), host::Error>,)>(function, component))
}

fn with_both<P: Take, R: Give>(function: &ComponentFunc, component: &Component) -> Option<BytesPath> {
    let worth_it = P::BYTES || R::BYTES;
    let path = BytesPath { fits: P::fits, call: call::<P, R> };
    (worth_it && function.typecheck::<P, R>(&component.instance_type()).is_ok()).then_some(path)
}

fn call<'a, P: Take, R: Give>(function: Func, store: &'a mut Store<State>, args: &'a [Value]) -> Pending<'a> {
    Box::pin(async move {
        let params = P::take(args).ok_or_else(|| wasmtime::Error::msg("the arguments are of other kinds"))?;
        let given = function.typed::<P, R>(&*store)?.call_async(&mut *store, params).await?;
        Ok(given.give(store.data().context.limits.output_bytes))
    })
}

/// A parameter.
trait One: Lower + Clone + Send + Sync + 'static {
    const BYTES: bool;
    fn of(value: &Value) -> Option<&Self>;
}

impl One for String {
    const BYTES: bool = false;

    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }
}

impl One for Vec<u8> {
    const BYTES: bool = true;

    fn of(value: &Value) -> Option<&Self> {
        match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// The parameters of a signature.
trait Take: Sized + ComponentNamedList + Lower + Send + Sync + 'static {
    const BYTES: bool;
    fn fits(args: &[Value]) -> bool;
    fn take(args: &[Value]) -> Option<Self>;
}

impl Take for () {
    const BYTES: bool = false;

    fn fits(args: &[Value]) -> bool {
        args.is_empty()
    }

    fn take(args: &[Value]) -> Option<Self> {
        args.is_empty().then_some(())
    }
}

impl<A: One> Take for (A,) {
    const BYTES: bool = A::BYTES;

    fn fits(args: &[Value]) -> bool {
        matches!(args, [a] if A::of(a).is_some())
    }

    fn take(args: &[Value]) -> Option<Self> {
        let [a] = args else { return None };
        Some((A::of(a)?.clone(),))
    }
}

impl<A: One, B: One> Take for (A, B) {
    const BYTES: bool = A::BYTES || B::BYTES;

    fn fits(args: &[Value]) -> bool {
        matches!(args, [a, b] if A::of(a).is_some() && B::of(b).is_some())
    }

    fn take(args: &[Value]) -> Option<Self> {
        let [a, b] = args else { return None };
        Some((A::of(a)?.clone(), B::of(b)?.clone()))
    }
}

/// The result of a signature.
trait Give: ComponentNamedList + Lift + Send + Sync + 'static {
    const BYTES: bool = false;
    fn give(self, limit: usize) -> Result<Value, CallError>;
}

impl Give for () {
    fn give(self, _: usize) -> Result<Value, CallError> {
        Ok(Value::Nil)
    }
}

impl Give for (Vec<u8>,) {
    const BYTES: bool = true;

    fn give(self, limit: usize) -> Result<Value, CallError> {
        within(self.0.len(), limit)?;
        Budget::new(usize::MAX).bytes(self.0.len()).map_err(|mismatch| unsendable(&mismatch, limit))?;
        Ok(Value::Bytes(self.0))
    }
}

impl Give for (String,) {
    fn give(self, limit: usize) -> Result<Value, CallError> {
        within(self.0.len(), limit)?;
        Budget::new(usize::MAX).text(&self.0).map_err(|mismatch| unsendable(&mismatch, limit))?;
        Ok(Value::String(self.0))
    }
}

impl<E: Complain> Give for (Result<Vec<u8>, E>,) {
    const BYTES: bool = true;

    fn give(self, limit: usize) -> Result<Value, CallError> {
        self.0.map_err(Complain::complain).and_then(|bytes| (bytes,).give(limit))
    }
}

impl<E: Complain> Give for (Result<(), E>,) {
    fn give(self, _: usize) -> Result<Value, CallError> {
        self.0.map_err(Complain::complain).map(|()| Value::Nil)
    }
}

fn within(bytes: usize, limit: usize) -> Result<(), CallError> {
    if bytes > limit { Err(CallError::TooLarge { limit }) } else { Ok(()) }
}

/// The error of a method.
trait Complain: Lift + Send + Sync + 'static {
    fn complain(self) -> CallError;
}

impl Complain for String {
    fn complain(self) -> CallError {
        failure::of(&Value::String(self))
    }
}

impl Complain for host::Error {
    fn complain(self) -> CallError {
        failure::of(&Value::structure([
            ("kind", Value::String(values::wire_name(self.kind.name()))),
            ("message", Value::String(self.message)),
            ("hint", self.hint.map_or(Value::Nil, Value::String)),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        plugin::fixture::{call, context, plugin},
        wire::Value,
    };

    const CORE: &str = r#"
        (func (export "echo") (param i32 i32) (result i32)
            (i32.store (i32.const 0) (local.get 0)) (i32.store (i32.const 4) (local.get 1)) (i32.const 0))
        (func (export "fail") (param i32 i32) (result i32)
            (i32.store8 (i32.const 0) (i32.const 1)) (i32.store (i32.const 4) (local.get 0))
            (i32.store (i32.const 8) (local.get 1)) (i32.const 0))"#;
    const LIFTED: &str = r#"
        (func $echo (param "it" (list u8)) (result (list u8))
            (canon lift (core func $i "echo") (memory $memory) (realloc $realloc)))
        (func $fail (param "it" string) (result (result (list u8) (error string)))
            (canon lift (core func $i "fail") (memory $memory) (realloc $realloc)))"#;

    #[tokio::test]
    async fn bytes_go_in_and_out_whole_and_quickly() {
        let plugin = plugin("t:b/b", CORE, LIFTED, &["echo", "fail"]);
        assert!(plugin.modules()[0].methods["echo"].entry.bytes.is_some());
        let bytes: Vec<u8> = (0..4 << 20).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let echoed = call(&plugin, "b.echo", &[Value::Bytes(bytes.clone())], context()).await;
        assert!(echoed == Ok(Value::Bytes(bytes)));
        let numbers = Value::Array(vec![Value::Int(1), "2".into()]);
        assert_eq!(call(&plugin, "b.echo", &[numbers], context()).await, Ok(Value::Bytes(vec![1, 2])));
        let failed = call(&plugin, "b.fail", &["why not".into()], context()).await.unwrap_err();
        assert_eq!((failed.kind(), failed.to_string().as_str()), ("Error", "why not"));
        let wrong = call(&plugin, "b.echo", &["text".into()], context()).await.unwrap_err();
        assert_eq!(wrong.to_string(), "argument `it`: wanted list<u8>, got string");
        let mut small = context();
        small.limits.output_bytes = 10;
        let large = call(&plugin, "b.echo", &[Value::Bytes(vec![0; 11])], small).await.unwrap_err();
        assert_eq!(large.kind(), "ResultTooLarge");
    }
}
