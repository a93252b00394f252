//! A command line that makes no sense, for people and for programs.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ContextValue;
use serde_json::json;

use super::exit::Exit;
use super::render::clip;

/// Help and version go to standard output and are no failure; the rest is a usage error, as JSON if that was asked for:
/// what could not be parsed cannot say so, so the words themselves are looked at.
pub(super) fn answer(mut error: clap::Error) -> ExitCode {
    let echoed: Vec<_> = error.context().filter_map(|(kind, value)| Some((kind, clipped(value)?))).collect();
    for (kind, value) in echoed {
        error.insert(kind, value);
    }
    if error.use_stderr() && wants_json(std::env::args_os().skip(1)) {
        let _ = writeln!(anstream::stderr(), "{}", to_json(&error));
    } else {
        let _ = error.print();
    }
    let _ = io::stdout().flush();
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

fn clipped(value: &ContextValue) -> Option<ContextValue> {
    match value {
        ContextValue::String(text) => Some(ContextValue::String(clip(text))),
        _ => None,
    }
}

fn wants_json(words: impl Iterator<Item = impl AsRef<OsStr>>) -> bool {
    words.take_while(|word| word.as_ref() != "--").any(|word| word.as_ref() == "--json")
}

/// Like other failures: the first paragraph of the text is the error, the rest says what to do.
fn to_json(error: &clap::Error) -> serde_json::Value {
    let text = error.render().to_string();
    let text = text.trim_end();
    let (what, rest) = text.split_once("\n\n").unwrap_or((text, ""));
    let hint = Some(rest.trim()).filter(|rest| !rest.is_empty());
    json!({
        "error": what.strip_prefix("error: ").unwrap_or(what), "causes": [], "hint": hint,
        "exit": Exit::Usage as u8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_asked_for_before_the_words_that_are_only_words() {
        assert!(wants_json(["call", "*", "--json", "x"].iter()));
        assert!(!wants_json(["call", "*", "x", "--", "--json"].iter()));
    }
}
