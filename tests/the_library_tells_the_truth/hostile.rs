//! Every method of every shipped module, called with what nobody should send: in all of its parameters at once, and in
//! each of them alone while the others are harmless.
//!
//! The grants are to read everything and to run and write nothing, so nothing can be changed however an argument is
//! understood; a plain text once more with no grants at all.

use func::{
    plugin::{CallError, Param},
    wire::Value,
};

use super::values::{Number, Stuff, harmless, value};
use crate::harness::{
    direct::{call_granted, compiled, grant},
    shipped_modules,
};

/// As long a text as a call can hold, nearly.
const LONG: usize = 1 << 20;

/// Texts that have broken programs, and numbers at the ends of their types.
fn stuffs() -> Vec<(String, Number)> {
    let texts = ["", "-rf", "a\nb", "a\0b", "../../etc/shadow", "/", "\u{1b}[2J", "$(reboot)", "é"];
    let texts = texts.into_iter().map(str::to_owned).chain(["x".repeat(LONG)]);
    texts.zip([Number::Least, Number::Most].into_iter().cycle()).collect()
}

/// The arguments of a call in which only this parameter, or each of them, is made of what is hostile.
fn arguments(params: &[Param], hostile: Stuff<'_>, only: Option<usize>) -> Vec<Value> {
    let is_hostile = |at: usize| only.is_none_or(|only| only == at);
    let stuff = |(at, param): (usize, &Param)| if is_hostile(at) { hostile } else { harmless(&param.name) };
    params.iter().enumerate().map(|at| value(&at.1.type_name, stuff(at))).collect()
}

/// Its methods are there to break, and to wait.
pub(super) const MEANT: &str = "test";

/// A result, or an error that has a kind and says in few words what is wrong.
pub(super) fn is_clear(what: &str, result: &Result<Value, CallError>) {
    match result {
        // An answer may also be larger than allowed, or text that the wire has no way to carry.
        Ok(_) | Err(CallError::TooLarge { .. } | CallError::Unsendable { .. }) => {}
        Err(CallError::Failed { kind, message, .. }) => {
            assert!(!kind.is_empty() && kind != "Error", "{what}: {result:?}");
            // The host's hint of what to grant has the whole path in it.
            let message = message.split("\nhint: ").next().unwrap_or_default();
            assert!(!message.is_empty(), "{what}: {result:?}");
            assert!(message.len() < 2000, "{what} repeats what it was given: {message:.200}");
            assert!(!message.contains(char::is_control), "{what}: {message:?}");
        }
        Err(other) => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn no_method_traps_whatever_it_is_given() {
    let stuffs = stuffs();
    for built in shipped_modules().modules.iter().filter(|built| built.name != MEANT) {
        let plugin = compiled(&built.name);
        for module in plugin.modules() {
            for (name, method) in &module.methods {
                let name = format!("{}.{name}", module.name);
                let params = &method.params;
                let alone = (0..params.len()).map(Some).filter(|_| params.len() > 1);
                for only in alone.chain([None]) {
                    for (text, number) in &stuffs {
                        let args = arguments(params, Stuff { text, number: *number }, only);
                        let nothing = (text == "/").then_some("");
                        for grants in nothing.into_iter().chain([r#"read = ["/**"]"#]) {
                            let result = call_granted(&name, &args, grant(grants)).await;
                            is_clear(&format!("{name} with {text:.60?} as {only:?}"), &result);
                        }
                        if params.is_empty() {
                            break;
                        }
                    }
                }
            }
        }
    }
}
