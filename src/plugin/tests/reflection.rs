//! What becomes a module and a method, and what does not.

use super::super::{fixture::*, *};

const CORE: &str =
    r#"(func (export "f") (result i32) (i32.const 1)) (func (export "g") (param i32) (result i32) (i32.const 1))"#;
const PLAIN: &str = r#"(func $f (result u32) (canon lift (core func $i "f")))"#;

fn load(text: &str) -> Result<Plugin, Error> {
    let core = core(CORE);
    let text = format!("(component {core} {PLAIN} {text})");
    Plugin::compile(engine(), &wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}")))
}

#[test]
fn interfaces_with_a_package_are_modules_and_nothing_else_is() {
    let plugin = load(
        r#"(instance $out (export "get-it" (func $f)))
        (export "acme:disk/usage-of@2.1.0" (instance $out))
        (export "bare" (instance $out))
        (export "lonely" (func $f))
        (export "minion:host/facts@0.1.0" (instance $out))"#,
    )
    .unwrap();
    let [module] = plugin.modules() else { panic!("{plugin:?}") };
    assert_eq!((module.name.as_str(), module.full_name.as_str()), ("usage-of", "acme:disk/usage-of"));
    assert_eq!(module.version, "2.1.0");
    assert_eq!(module.methods.keys().collect::<Vec<_>>(), ["get_it"]);
    assert!(plugin.contributes_facts());
}

#[tokio::test]
async fn the_minion_alone_calls_what_contributes_facts() {
    let plugin = load(
        r#"(instance $out (export "collect" (func $f)))
        (export "a:b/c" (instance $out)) (export "minion:host/facts@0.1.0" (instance $out))"#,
    )
    .unwrap();
    let facts = call(&plugin, "minion:host/facts.collect", &[], context()).await;
    assert_eq!(facts, Ok(crate::wire::Value::Int(1)));
    assert!(call(&plugin, "facts.collect", &[], context()).await.is_err());
}

#[tokio::test]
async fn what_cannot_be_called_is_listed_with_the_reason() {
    let plugin = load(
        r#"(type $r' (resource (rep i32)))
        (type $future (future u32)) (type $stream (stream u8))
        (core func $new (canon resource.new $r'))
        (func $make (result (own $r')) (canon lift (core func $i "f")))
        (func $later (param "it" $future) (result u32) (canon lift (core func $i "g")))
        (func $flow (param "it" $stream) (result u32) (canon lift (core func $i "g")))
        (component $shim
            (import "r" (type $r (sub resource)))
            (import "f" (func $f (result u32)))
            (import "make" (func $make (result (own $r))))
            (import "later" (func $later (param "it" (future u32)) (result u32)))
            (import "flow" (func $flow (param "it" (stream u8)) (result u32)))
            (export $r2 "counter" (type $r))
            (export "make" (func $make) (func (result (own $r2))))
            (export "later" (func $later))
            (export "flow" (func $flow))
            (export "list-methods" (func $f))
            (export "fine" (func $f)))
        (instance $out (instantiate $shim (with "r" (type $r')) (with "f" (func $f)) (with "make" (func $make))
            (with "later" (func $later)) (with "flow" (func $flow))))
        (export "a:b/c" (instance $out))"#,
    )
    .unwrap();
    let module = &plugin.modules()[0];
    assert_eq!(module.methods.keys().collect::<Vec<_>>(), ["fine"]);
    let why = |name: &str| module.uncallable[name].as_str();
    assert_eq!(why("make"), "it passes a resource");
    assert_eq!(why("later"), "it passes a future");
    assert_eq!(why("flow"), "it passes a stream");
    assert_eq!(why("list_methods"), "every module answers `list_methods` by itself");
    let refused = call(&plugin, "c.list_methods", &[], context()).await.unwrap_err();
    assert_eq!(refused.kind(), "NotCallable");
}

#[test]
fn two_modules_of_one_name_in_one_file_are_refused() {
    let refused = load(
        r#"(instance $out (export "f" (func $f))) (export "a:b/c" (instance $out)) (export "d:e/c" (instance $out))"#,
    );
    let refused = refused.unwrap_err().to_string();
    assert_eq!(refused, "the component exports two modules named `c`: `a:b/c` and `d:e/c`");
}

#[test]
fn arguments_are_checked_before_anything_runs() {
    let plugin = plugin(
        "t:o/o",
        r#"(func (export "h") (param i32 i32 i32 i32 i32) (result i32) unreachable)"#,
        r#"(func $h (param "must" u32) (param "may" (option u32)) (param "might" (option u32)) (result u32)
            (canon lift (core func $i "h")))"#,
        &["h"],
    );
    let method = &plugin.modules()[0].methods["h"];
    assert_eq!(method.required(), 1);
    assert!(check_arguments(method, &[1.into()]).is_ok());
    assert!(check_arguments(method, &[1.into(), crate::wire::Value::Nil, 2.into()]).is_ok());
    let count = |args: &[crate::wire::Value]| check_arguments(method, args).unwrap_err().to_string();
    let signature = "h(must: u32, may: option<u32>, might: option<u32>) -> u32";
    assert_eq!(count(&[]), format!("`o.h` takes 1 to 3 arguments, not 0: {signature}"));
    assert_eq!(
        count(&[1.into(), 2.into(), 3.into(), 4.into()]),
        format!("`o.h` takes 1 to 3 arguments, not 4: {signature}")
    );
}
