//! Calls into real components: limits, traps, time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::super::{fixture::*, *};
use crate::wire::Value;

const CORE: &str = r#"
    (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "spin") (loop $l (br $l)))
    (func $deep (export "deep") (call $deep))
    (func (export "boom") unreachable)
    (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 1) (local.get 0)))
    (func (export "hog")
        (loop $l (br_if $l (i32.ne (memory.grow (i32.const 100)) (i32.const -1)))) unreachable)
    (func (export "count") (result i32)
        (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) (i32.load (i32.const 0)))
    (func (export "big") (param i32) (result i32)
        (drop (memory.grow (i32.const 512)))
        (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (local.get 0)) (i32.const 0))"#;
const LIFTED: &str = r#"
    (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
    (func $spin (canon lift (core func $i "spin")))
    (func $deep (canon lift (core func $i "deep")))
    (func $boom (canon lift (core func $i "boom")))
    (func $divide-one (param "by" u32) (result u32) (canon lift (core func $i "divide")))
    (func $hog (canon lift (core func $i "hog")))
    (func $count (result u32) (canon lift (core func $i "count")))
    (func $big (param "bytes" u32) (result string) (canon lift (core func $i "big") (memory $memory)))"#;

fn sample() -> Plugin {
    plugin("t:sample/sample@1.2.3", CORE, LIFTED, &["add", "spin", "deep", "boom", "divide-one", "hog", "count", "big"])
}

#[tokio::test]
async fn a_method_is_called_by_its_short_or_full_name_and_with_text_for_numbers() {
    let plugin = sample();
    let args = [Value::Int(2), Value::from("40")];
    assert_eq!(call(&plugin, "sample.add", &args, context()).await, Ok(Value::Int(42)));
    assert_eq!(call(&plugin, "t:sample/sample.add", &args, context()).await, Ok(Value::Int(42)));
    assert_eq!(call(&plugin, "sample.divide_one", &[Value::Int(1)], context()).await, Ok(Value::Int(1)));
    let module = &plugin.modules()[0];
    assert_eq!((module.version.as_str(), module.methods.len()), ("1.2.3", 8));
    assert_eq!(module.methods["add"].signature("add"), "add(a: u32, b: u32) -> u32");
    assert_eq!(module.methods["add"].params[0].wire_type, "int");
    assert_eq!(module.methods["add"].params[0].max, Some(u32::MAX.into()));
}

#[tokio::test]
async fn wrong_arguments_name_the_argument_and_the_type_wanted() {
    let plugin = sample();
    let message = async |args: &[Value]| call(&plugin, "sample.add", args, context()).await.unwrap_err().to_string();
    assert_eq!(message(&[Value::Int(1)]).await, "`sample.add` takes 2 arguments, not 1: add(a: u32, b: u32) -> u32");
    assert_eq!(message(&[1.into(), true.into()]).await, "argument `b`: wanted u32, got boolean");
    assert_eq!(message(&[1.into(), (-1).into()]).await, "argument `b`: wanted u32, got -1, which is out of its range");
    assert_eq!(message(&["x".into(), 1.into()]).await, "argument `a`: wanted u32, got `x`");
    let missing = call(&plugin, "sample.nothing", &[], context()).await.unwrap_err();
    assert_eq!(missing.to_string(), "there is no method `sample.nothing`");
}

#[tokio::test]
async fn a_loop_without_end_ends_at_the_deadline_and_others_go_on() {
    let plugin = sample();
    let mut spin = context();
    spin.deadline = Duration::from_millis(150);
    let started = Instant::now();
    // One thread runs both: the loop must give way for the addition to be answered.
    let (looped, (added, after)) = tokio::join!(call(&plugin, "sample.spin", &[], spin), async {
        let added = call(&plugin, "sample.add", &[1.into(), 1.into()], context()).await;
        (added, started.elapsed())
    });
    assert_eq!(looped, Err(CallError::TimedOut { after: Duration::from_millis(150) }));
    assert_eq!(added, Ok(Value::Int(2)));
    assert!(after < Duration::from_millis(140), "{after:?}");
}

#[tokio::test]
async fn cancelling_ends_a_loop() {
    let plugin = sample();
    let spin = context();
    let cancelled = Arc::clone(&spin.cancelled);
    let (looped, ()) = tokio::join!(call(&plugin, "sample.spin", &[], spin), async {
        cancelled.store(true, Ordering::Relaxed);
    });
    assert_eq!(looped, Err(CallError::Cancelled));
}

#[tokio::test]
async fn endless_recursion_memory_and_traps_end_only_their_own_call() {
    let plugin = sample();
    let deep = call(&plugin, "sample.deep", &[], context()).await.unwrap_err();
    assert_eq!(deep.to_string(), "wasm trap: call stack exhausted");
    let boom = call(&plugin, "sample.boom", &[], context()).await.unwrap_err();
    assert_eq!(boom.to_string(), "wasm trap: wasm `unreachable` instruction executed");
    assert!(boom.trace().unwrap().contains("wasm backtrace"), "{boom:?}");
    let zero = call(&plugin, "sample.divide_one", &[0.into()], context()).await.unwrap_err();
    assert_eq!(zero.kind(), "Trap");
    let hog = call(&plugin, "sample.hog", &[], context()).await.unwrap_err();
    assert_eq!(hog.to_string(), "the module wanted more than its 256 MiB of memory");
    assert_eq!(call(&plugin, "sample.add", &[1.into(), 1.into()], context()).await, Ok(Value::Int(2)));
}

#[tokio::test]
async fn every_call_begins_with_fresh_memory() {
    let plugin = sample();
    for _ in 0..3 {
        assert_eq!(call(&plugin, "sample.count", &[], context()).await, Ok(Value::Int(1)));
    }
}

#[tokio::test]
async fn a_result_has_a_limit() {
    let plugin = sample();
    let mut small = context();
    small.limits.output_bytes = 1_000_000;
    let fits = call(&plugin, "sample.big", &[900_000.into()], small.clone()).await.unwrap();
    assert_eq!(fits.as_str().unwrap().len(), 900_000);
    let large = call(&plugin, "sample.big", &[1_100_000.into()], small).await;
    assert_eq!(large, Err(CallError::TooLarge { limit: 1_000_000 }));
}

#[tokio::test]
async fn a_deadline_may_be_as_long_as_it_likes() {
    let mut patient = context();
    patient.deadline = Duration::MAX;
    assert_eq!(call(&sample(), "sample.add", &[1.into(), 1.into()], patient).await, Ok(Value::Int(2)));
}
