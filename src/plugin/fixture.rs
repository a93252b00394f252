//! Components in WebAssembly text for this module's tests.

use std::{
    sync::{Mutex, OnceLock},
    time::Duration,
};

use super::{CallContext, CallError, Engine, Events, Level, Plugin};
use crate::wire::Value;

/// One engine for all tests of a process, as in a daemon.
pub(super) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::serving().unwrap())
}

/// A core module with memory and a bump allocator, around `functions`.
pub(super) fn core(functions: &str) -> String {
    format!(
        r#"(core module $m
            (memory (export "memory") 1)
            (global $top (mut i32) (i32.const 1024))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 15)) (i32.const -16)))
                (global.set $top (i32.add (local.get $at) (local.get 3)))
                (block $fits
                    (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
                    (drop (memory.grow (i32.add (i32.div_u (local.get 3) (i32.const 65536)) (i32.const 1)))))
                (local.get $at))
            {functions})
        (core instance $i (instantiate $m))
        (alias core export $i "memory" (core memory $memory))
        (alias core export $i "realloc" (core func $realloc))"#
    )
}

/// The bytes of a component that exports one interface; `lifted` holds its functions as component
/// functions named `$name`, and each of `names` is exported.
pub(super) fn component(interface: &str, core_functions: &str, lifted: &str, names: &[&str]) -> Vec<u8> {
    let exports: Vec<String> = names.iter().map(|name| format!("(export \"{name}\" (func ${name}))")).collect();
    let exports = exports.concat();
    let core = core(core_functions);
    let text =
        format!("(component {core} {lifted} (instance $out {exports}) (export \"{interface}\" (instance $out)))");
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A loaded component of [`component`].
pub(super) fn plugin(interface: &str, core_functions: &str, lifted: &str, names: &[&str]) -> Plugin {
    Plugin::compile(engine(), &component(interface, core_functions, lifted, names)).unwrap()
}

/// A context that keeps what the call says.
pub(super) fn context() -> CallContext {
    CallContext::bare("test-minion", "tester", Duration::from_secs(10))
}

/// Calls a method of a plugin.
pub(super) async fn call(
    plugin: &Plugin,
    method: &str,
    args: &[Value],
    context: CallContext,
) -> Result<Value, CallError> {
    plugin.call(&method.parse().unwrap(), args, context).await
}

/// Keeps log lines.
#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<(Level, String)>>);

impl Events for Heard {
    fn log(&self, level: Level, message: &str, _: &[(String, String)]) {
        self.0.lock().unwrap().push((level, message.to_owned()));
    }

    fn progress(&self, _: u64, _: Option<u64>, _: &str) {}
}
