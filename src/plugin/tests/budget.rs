//! What a call has used comes back with its answer.

use std::time::Duration;

use super::super::{fixture::*, *};
use crate::wire::Value;

/// A component whose one method asks for the time so often.
pub(super) fn asking(times: u32) -> Plugin {
    let text = format!(
        r#"(component
        (type $clock (instance (export "monotonic-ns" (func (result u64)))))
        (import "minion:host/clock@0.1.0" (instance $clock (type $clock)))
        (core func $now (canon lower (func $clock "monotonic-ns")))
        (core module $m
            (import "host" "now" (func $now (result i64)))
            (memory 3)
            (func (export "f") (local $n i32)
                (loop $again
                    (drop (call $now))
                    (local.set $n (i32.add (local.get $n) (i32.const 1)))
                    (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))))
        (core instance $i (instantiate $m (with "host" (instance (export "now" (func $now))))))
        (func $f (canon lift (core func $i "f")))
        (instance $out (export "f" (func $f)))
        (export "t:l/l" (instance $out)))"#
    );
    Plugin::compile(engine(), &wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))).unwrap()
}

#[tokio::test]
async fn a_call_says_what_it_has_used() {
    let plugin = asking(1000);
    let called = plugin.call_measured(&"l.f".parse().unwrap(), &[], context()).await;
    assert_eq!(called.answer, Ok(Value::Nil));
    let budget = called.budget;
    assert_eq!(budget.host_calls.into_iter().collect::<Vec<_>>(), [("clock.monotonic-ns".to_owned(), 1000)]);
    assert_eq!((budget.changes, budget.denied, budget.memory_bytes), (0, 0, 3 << 16));
    assert!(budget.cpu > Duration::ZERO && budget.wall > Duration::ZERO && budget.cpu <= budget.wall * 2);
}

#[tokio::test]
async fn a_call_that_does_not_begin_has_used_nothing() {
    let called = asking(1).call_measured(&"l.g".parse().unwrap(), &[], context()).await;
    assert!(called.answer.is_err());
    assert_eq!(called.budget, Budget::default());
}
