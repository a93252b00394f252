//! What a module printed on its standard error before it broke off.
//!
//! The runtimes of other languages tell there of an exception that nobody caught, then trap, and the trap itself says
//! nothing. Three forms are known:
//!
//! ```text
//! Traceback (most recent call last):                        Python: what follows the frames, up to an empty line
//!   File "/0/app.py", line 14, in boom
//! KeyError: 'nothing'
//!
//! thread '<unnamed>' (1) panicked at src/lib.rs:51:31:      Rust, and what runs on it: what stands before the note
//! nothing is left
//! note: run with `RUST_BACKTRACE=1` …
//!
//! Exception { message: Some("…"), stack: Some("…") }        JavaScript: in the text of such a panic
//! ```

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use super::state::LoggedError;

/// Lines that are kept: a long traceback is cut at its beginning.
const KEPT: usize = 40;

/// The last lines of a call's standard error.
#[derive(Debug, Default)]
pub(super) struct LastWords(Mutex<VecDeque<String>>);

impl LastWords {
    pub(super) fn add(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    /// The error that they tell of, if they do.
    pub(super) fn error(&self) -> Option<LoggedError> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        python(&lines).or_else(|| panic(&lines))
    }
}

fn python(lines: &[&str]) -> Option<LoggedError> {
    let begin = lines.iter().rposition(|line| line.starts_with("Traceback (most recent call last):"))?;
    let lines = &lines[begin + 1..];
    let said = lines.iter().position(|line| !line.starts_with(' '))?;
    let place = lines[..said].iter().rev().find_map(|line| line.trim().strip_prefix("File "));
    let text: Vec<&str> = lines[said..].iter().take_while(|line| !line.is_empty()).copied().collect();
    Some(LoggedError { message: text.join("\n"), place: place.map(|place| in_the_project(&place.replace('"', ""))) })
}

/// The folder of a project is mounted as `/0` while the component is made.
fn in_the_project(path: &str) -> String {
    path.strip_prefix("/0/").unwrap_or(path).to_owned()
}

fn panic(lines: &[&str]) -> Option<LoggedError> {
    let begin = lines.iter().rposition(|line| line.starts_with("thread '") && line.contains(" panicked at "))?;
    let text: Vec<&str> =
        lines[begin + 1..].iter().take_while(|line| !line.starts_with("note: run with")).copied().collect();
    let text = text.join("\n");
    javascript(&text).or_else(|| {
        let place = lines[begin].split_once(" panicked at ").map(|(_, place)| place.trim_end_matches(':').to_owned());
        (!text.is_empty()).then_some(LoggedError { message: text, place })
    })
}

fn javascript(text: &str) -> Option<LoggedError> {
    let (_, exception) = text.split_once("Exception { message: Some(")?;
    let (message, rest) = unquoted(exception)?;
    let stack = rest.strip_prefix("), stack: Some(").and_then(unquoted).map(|(stack, _)| stack);
    let place = stack.and_then(|stack| Some(stack.lines().next()?.trim().strip_prefix("at ")?.to_owned()));
    Some(LoggedError { message, place })
}

/// A text as Rust's `{:?}` writes it, and what follows it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut characters = text.strip_prefix('"')?.char_indices();
    let mut plain = String::new();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((plain, &text[at + 2..])),
            '\\' => match characters.next()?.1 {
                'n' => plain.push('\n'),
                't' => plain.push('\t'),
                'r' => plain.push('\r'),
                'u' => {
                    let code: String =
                        characters.by_ref().map(|(_, c)| c).skip(1).take_while(|c| *c != '}').take(8).collect();
                    plain.extend(u32::from_str_radix(&code, 16).ok().and_then(char::from_u32));
                }
                other => plain.push(other),
            },
            other => plain.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Option<(String, Option<String>)> {
        let words = LastWords::default();
        text.lines().for_each(|line| words.add(line));
        words.error().map(|error| (error.message, error.place))
    }

    #[test]
    fn the_last_traceback_tells_of_the_exception() {
        let text = "before\nTraceback (most recent call last):\n  File \"/0/a.py\", line 1, in f\nTypeError: no\n\n\
                    During handling of the above exception, another exception occurred:\n\n\
                    Traceback (most recent call last):\n  File \"/0/app.py\", line 14, in boom\n    return d['x']\n  \
                    File \"/0/deep/b.py\", line 3, in g\nKeyError: 'nothing'\nand more\n\n\
                    thread '<unnamed>' (1) panicked at runtime/src/lib.rs:1280:25:\n\
                    Python function threw an unexpected exception\nnote: run with `RUST_BACKTRACE=1`";
        let place = Some("deep/b.py, line 3, in g".to_owned());
        assert_eq!(told(text), Some(("KeyError: 'nothing'\nand more".to_owned(), place)));
    }

    #[test]
    fn a_panic_tells_its_message_and_place() {
        let text = "\nthread 'main' panicked at src/lib.rs:5:9:\none\ntwo\nnote: run with `RUST_BACKTRACE=1`";
        assert_eq!(told(text), Some(("one\ntwo".to_owned(), Some("src/lib.rs:5:9".to_owned()))));
    }

    #[test]
    fn an_exception_in_javascript_is_found_in_the_panic() {
        let text = "thread '<unnamed>' (1) panicked at crates/runtime/src/interpreter.rs:51:31:\n\
                    Failed to call 'boom': Exception(Exception { message: Some(\"no \\\"x\\\" \\u{1b}\\n\"), stack: \
                    Some(\"    at boom (/app.js:9:19)\\n    at <anonymous>\\n\") })\nnote: run with `RUST_BACKTRACE=1`";
        assert_eq!(told(text), Some(("no \"x\" \u{1b}\n".to_owned(), Some("boom (/app.js:9:19)".to_owned()))));
    }

    #[test]
    fn what_is_merely_printed_is_no_error() {
        assert_eq!(told("deprecated: use something else\n  at once"), None);
        assert_eq!(told("Traceback (most recent call last):"), None);
        assert_eq!(told(""), None);
        for cut in ["Exception { message: Some(", "Exception { message: Some(\"\\", "Exception { message: Some(\"\\u{"]
        {
            let text = format!("thread 'x' panicked at a:\n{cut}");
            assert_eq!(told(&text).map(|(message, _)| message), Some(cut.to_owned()), "{cut}");
        }
    }

    #[test]
    fn only_so_many_lines_are_kept() {
        let words = LastWords::default();
        (0..1000).for_each(|line| words.add(&line.to_string()));
        assert_eq!(words.0.lock().unwrap().len(), KEPT);
    }
}
