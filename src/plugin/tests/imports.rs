//! What a component hears from the host, and what the host hears from it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::super::{fixture::*, *};
use crate::wire::Value;

/// A component whose core module imports `log`, and whose one method is `f`.
fn logging(body: &str) -> Plugin {
    let text = format!(
        r#"(component
        (type $job (instance
            (type $level' (enum "trace" "debug" "info" "warn" "error")) (export "level" (type $level (eq $level')))
            (type $fields (list (tuple string string)))
            (export "log" (func (param "level" $level) (param "message" string) (param "fields" $fields)))))
        (import "minion:host/job@0.1.0" (instance $job (type $job)))
        (core module $lib (memory (export "memory") 1)
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
        (core instance $lib (instantiate $lib))
        (core func $log (canon lower (func $job "log") (memory $lib "memory") (realloc (func $lib "realloc"))))
        (core module $m
            (import "host" "log" (func $log (param i32 i32 i32 i32 i32)))
            (import "lib" "memory" (memory 1))
            (data (i32.const 100) "it is on fire") (data (i32.const 120) "panicked-at") (data (i32.const 140) "src/lib.rs:7")
            (func (export "f") (local $n i32)
                (i32.store (i32.const 0) (i32.const 120)) (i32.store (i32.const 4) (i32.const 11))
                (i32.store (i32.const 8) (i32.const 140)) (i32.store (i32.const 12) (i32.const 12))
                {body}))
        (core instance $i (instantiate $m
            (with "host" (instance (export "log" (func $log)))) (with "lib" (instance $lib))))
        (func $f (canon lift (core func $i "f")))
        (instance $out (export "f" (func $f)))
        (export "t:l/l" (instance $out)))"#
    );
    Plugin::compile(engine(), &wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))).unwrap()
}

const SAY: &str = "(call $log (i32.const 4) (i32.const 100) (i32.const 13) (i32.const 0) (i32.const 1))";

#[tokio::test]
async fn a_panic_reaches_the_caller_as_the_authors_own_message() {
    let heard = Arc::new(Heard::default());
    let mut listened = context();
    listened.events = Arc::clone(&heard) as _;
    let panicked = call(&logging(&format!("{SAY} unreachable")), "l.f", &[], listened).await.unwrap_err();
    let remote = panicked.to_remote_error();
    assert_eq!((remote.kind.as_str(), remote.message.as_str()), ("Trap", "it is on fire"));
    assert_eq!(remote.trace, "at src/lib.rs:7");
    assert!(panicked.trace().unwrap().contains("unreachable"));
    assert_eq!(heard.0.lock().unwrap()[..], [(Level::Error, "it is on fire".to_owned())]);
    // What was logged at an earlier time says nothing about a trap of another kind.
    let divided = format!("{SAY} (drop (i32.div_u (i32.const 1) (i32.load (i32.const 2048))))");
    let divided = call(&logging(&divided), "l.f", &[], context()).await.unwrap_err();
    assert_eq!(divided.to_string(), "wasm trap: integer divide by zero");
}

#[tokio::test]
async fn a_log_without_end_is_cut_and_says_so() {
    let heard = Arc::new(Heard::default());
    let mut listened = context();
    listened.events = Arc::clone(&heard) as _;
    listened.limits.log_bytes = 10_000;
    let shout = format!(
        "(loop $l {SAY} (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $n) (i32.const 100000))))"
    );
    assert_eq!(call(&logging(&shout), "l.f", &[], listened).await, Ok(Value::Nil));
    let heard = heard.0.lock().unwrap();
    assert!(heard.len() < 1000, "{}", heard.len());
    let (_, last) = heard.last().unwrap();
    assert!(last.ends_with("bytes of log were dropped"), "{last}");
    assert!(heard[heard.len() - 2].1.contains("the rest is dropped"));
}

/// Prints `hello` and a line feed `$count` times by WASI.
const PRINTING: &str = r#"(component
    (import "wasi:io/error@0.2.0" (instance $errors (export "error" (type (sub resource)))))
    (alias export $errors "error" (type $error))
    (import "wasi:io/streams@0.2.0" (instance $streams
        (export "output-stream" (type $stream (sub resource)))
        (alias outer 1 $error (type $e')) (export "error" (type $e (eq $e')))
        (type $failure' (variant (case "last-operation-failed" (own $e)) (case "closed")))
        (export "stream-error" (type $failure (eq $failure')))
        (export "[method]output-stream.blocking-write-and-flush"
            (func (param "self" (borrow $stream)) (param "contents" (list u8)) (result (result (error $failure)))))))
    (alias export $streams "output-stream" (type $output))
    (import "wasi:cli/stdout@0.2.0" (instance $stdout
        (alias outer 1 $output (type $o')) (export "output-stream" (type $o (eq $o')))
        (export "get-stdout" (func (result (own $o))))))
    (core module $lib (memory (export "memory") 1))
    (core instance $lib (instantiate $lib))
    (core func $get (canon lower (func $stdout "get-stdout")))
    (core func $write (canon lower (func $streams "[method]output-stream.blocking-write-and-flush") (memory $lib "memory")))
    (core module $m
        (import "host" "get" (func $get (result i32)))
        (import "host" "write" (func $write (param i32 i32 i32 i32)))
        (import "lib" "memory" (memory 1))
        (data (i32.const 100) "hello\nhel")
        (func (export "print") (param $count i32)
            (local $stream i32)
            (local.set $stream (call $get))
            (loop $l
                (call $write (local.get $stream) (i32.const 100) (i32.const 6) (i32.const 0))
                (local.set $count (i32.sub (local.get $count) (i32.const 1)))
                (br_if $l (local.get $count)))
            (call $write (local.get $stream) (i32.const 106) (i32.const 3) (i32.const 0))))
    (core instance $i (instantiate $m (with "lib" (instance $lib))
        (with "host" (instance (export "get" (func $get)) (export "write" (func $write))))))
    (func $print (param "count" u32) (canon lift (core func $i "print")))
    (instance $out (export "print" (func $print)))
    (export "t:p/p" (instance $out)))"#;

#[tokio::test]
async fn what_is_printed_becomes_log_lines_under_the_same_limit() {
    let printing =
        Plugin::compile(engine(), &wat::parse_str(PRINTING).unwrap_or_else(|error| panic!("{error}"))).unwrap();
    let heard = Arc::new(Heard::default());
    let mut listened = context();
    listened.events = Arc::clone(&heard) as _;
    listened.limits.log_bytes = 10_000;
    assert_eq!(call(&printing, "p.print", &[2.into()], listened.clone()).await, Ok(Value::Nil));
    let lines = std::mem::take(&mut *heard.0.lock().unwrap());
    assert_eq!(lines, ["hello", "hello", "hel"].map(|line| (Level::Info, line.to_owned())));
    assert_eq!(call(&printing, "p.print", &[200_000.into()], listened).await, Ok(Value::Nil));
    let lines = heard.0.lock().unwrap();
    assert!(lines.len() < 1000 && lines.last().unwrap().1.ends_with("bytes of log were dropped"), "{}", lines.len());
}

#[tokio::test]
async fn a_wait_inside_the_host_ends_with_the_call() {
    let waiting = Plugin::compile(
        engine(),
        &wat::parse_str(
            r#"(component
            (import "minion:host/types@0.1.0" (instance $types
                (type $kind' (enum "denied" "not-found" "already-exists" "invalid" "too-large" "unsupported" "timed-out"
                    "cancelled" "busy" "failed"))
                (export "error-kind" (type $kind (eq $kind')))
                (type $error' (record (field "kind" $kind) (field "message" string) (field "hint" (option string))))
                (export "error" (type (eq $error')))))
            (alias export $types "error" (type $error))
            (import "minion:host/job@0.1.0" (instance $job
                (alias outer 1 $error (type $e')) (export "error" (type $e (eq $e')))
                (export "sleep" (func (param "ms" u64) (result (result (error $e)))))))
            (core module $lib (memory (export "memory") 1)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096)))
            (core instance $lib (instantiate $lib))
            (core func $sleep (canon lower (func $job "sleep") (memory $lib "memory") (realloc (func $lib "realloc"))))
            (core module $m
                (import "host" "sleep" (func $sleep (param i64 i32)))
                (import "lib" "memory" (memory 1))
                (func (export "wait") (param i64) (result i32)
                    (call $sleep (local.get 0) (i32.const 64)) (i32.load8_u (i32.const 64))))
            (core instance $i (instantiate $m (with "lib" (instance $lib))
                (with "host" (instance (export "sleep" (func $sleep))))))
            (func $wait (param "ms" u64) (result u32) (canon lift (core func $i "wait")))
            (instance $out (export "wait" (func $wait)))
            (export "t:w/w" (instance $out)))"#,
        )
        .unwrap_or_else(|error| panic!("{error}")),
    )
    .unwrap();
    assert_eq!(call(&waiting, "w.wait", &[1.into()], context()).await, Ok(Value::Int(0)));
    let started = Instant::now();
    let mut short = context();
    short.deadline = Duration::from_millis(100);
    let late = call(&waiting, "w.wait", &[60_000.into()], short).await;
    assert_eq!(late, Err(CallError::TimedOut { after: Duration::from_millis(100) }));
    let cancelled = context();
    let flag = Arc::clone(&cancelled.cancelled);
    let long = [Value::Int(60_000)];
    let (woken, ()) = tokio::join!(call(&waiting, "w.wait", &long, cancelled), async {
        flag.store(true, Ordering::Relaxed);
    });
    // The module hears of it and decides itself; this one answers the error's discriminant.
    assert_eq!(woken, Ok(Value::Int(1)));
    assert!(started.elapsed() < Duration::from_secs(5));
}
