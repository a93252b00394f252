//! Secrets that words of a command line refer to.
//!
//! A word shows in `ps` and in the shell's history, so it says only where the secret is: `@secret:FILE`,
//! `@secret:-` for standard input, `@secret:?` to be asked on the terminal. Each is read once, at the
//! beginning, while there is a terminal.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;

use nix::sys::signal::{Signal, raise};
use zeroize::Zeroizing;

use super::exit::Exit;
use super::failure::Failure;
use super::render::clip;
use crate::overlord::json_or_text;
use crate::sys::terminal;
use crate::wire::{Secret, Secrets, Value};

/// How a word refers to a secret.
const PREFIX: &str = "@secret:";

/// The ways to give a secret, for whoever tried another.
pub(super) const WAYS: &str =
    "`@secret:?` to be asked for it, `@secret:FILE` to have it read from a file, or `@secret:-` from standard input";

/// No secret is longer.
const LONGEST: u64 = 64 << 10;

/// What the words refer to, by word.
#[derive(Debug, Clone, Default)]
pub(super) struct Given(BTreeMap<String, Secret>);

/// Why a text of an argument is not what belongs in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A secret that is written out.
    Clear,
    /// A reference where no secret belongs.
    Open,
}

impl Given {
    /// Reads every secret that the words refer to, also within JSON.
    pub(super) fn gather(words: &[String]) -> Result<Self, Failure> {
        let mut given = Self::default();
        for word in words {
            let value = json_or_text(word);
            let mut found = Vec::new();
            references(&value, &mut found);
            for reference in found {
                if !given.0.contains_key(reference) {
                    let secret = read(reference)?;
                    given.0.insert(reference.to_owned(), secret);
                }
            }
        }
        Ok(given)
    }

    /// The secrets of words that are nothing else.
    pub(super) fn of_words(&self, words: &[String]) -> Result<Secrets, Failure> {
        let found = words.iter().map(|word| {
            let refused = || Failure::new(Exit::Usage, "a secret is not written on the command line");
            self.0.get(word).cloned().ok_or_else(|| refused().hint(format!("write {WAYS}")))
        });
        found.collect()
    }

    /// Whether anything in the value refers to a secret.
    pub(super) fn refers(value: &Value) -> bool {
        let mut found = Vec::new();
        references(value, &mut found);
        !found.is_empty() || !Secrets::of(std::slice::from_ref(value)).is_empty()
    }

    /// Puts the secrets where a value refers to them. `wrong` hears of those that are written out where one was
    /// sealed, and of references that were not sealed, which are put in all the same.
    pub(super) fn put(&self, value: &mut Value, wrong: &mut impl FnMut(Place)) {
        match value {
            Value::Secret(secret) => match secret.text().and_then(|text| self.0.get(text)) {
                Some(given) => secret.clone_from(given),
                None => wrong(Place::Clear),
            },
            Value::String(text) => {
                if let Some(given) = self.0.get(text.as_str()) {
                    *value = Value::Secret(given.clone());
                    wrong(Place::Open);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.put(item, wrong)),
            Value::Struct(members) => members.values_mut().for_each(|member| self.put(member, wrong)),
            _ => {}
        }
    }
}

fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if text.starts_with(PREFIX) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Struct(members) => members.values().for_each(|member| references(member, found)),
        _ => {}
    }
}

fn read(reference: &str) -> Result<Secret, Failure> {
    let place = &reference[PREFIX.len()..];
    let text = match place {
        "" => {
            let error = "`@secret:` does not say where the secret is";
            return Err(Failure::new(Exit::Usage, error).hint(format!("write {WAYS}")));
        }
        "?" => asked("secret: "),
        "-" => whole(io::stdin().lock()),
        path => std::fs::File::open(Path::new(path)).and_then(whole),
    };
    let from = match place {
        "?" => "the terminal".to_owned(),
        "-" => "standard input".to_owned(),
        path => format!("`{}`", clip(path)),
    };
    let text = text.map_err(|error| {
        let failure = Failure::new(Exit::Usage, format!("cannot read the secret from {from}: {error}"));
        if place == "?" {
            failure.hint("without a terminal, give it by `@secret:FILE` or `@secret:-`")
        } else {
            failure
        }
    })?;
    let secret = without_line_end(&text);
    if secret.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("the secret from {from} is empty")));
    }
    // XML has no way to write them, so something else would arrive.
    if secret.chars().any(|c| c.is_control() && !matches!(c, '\t' | '\n' | '\r')) {
        return Err(Failure::new(Exit::Usage, format!("the secret from {from} has a control character in it")));
    }
    Ok(Secret::new(secret))
}

/// A text without the end of its last line.
pub(super) fn without_line_end(text: &str) -> &str {
    text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line))
}

/// One text of at most the longest secret's length.
pub(super) fn whole(from: impl io::Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    from.take(LONGEST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST {
        return Err(io::Error::other(format!("it is longer than {LONGEST} bytes")));
    }
    Ok(text)
}

/// A line that is typed after this prompt and not shown. Ctrl-C ends the program, as everywhere.
pub(super) fn asked(prompt: &str) -> io::Result<Zeroizing<String>> {
    let line = terminal::hidden_line(&terminal::open()?, prompt);
    if line.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
        // The terminal is as it was by now.
        let _ = raise(Signal::SIGINT);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(word: &str) -> Result<Given, Failure> {
        Given::gather(&[word.to_owned()])
    }

    #[test]
    fn a_file_gives_its_text_without_the_end_of_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s");
        for (text, secret) in [("a b\r\n", "a b"), ("a\n\n", "a\n"), (" a", " a")] {
            std::fs::write(&file, text).unwrap();
            let word = format!("@secret:{}", file.display());
            let given = gather(&word).unwrap();
            let words = [word];
            assert_eq!(given.of_words(&words).unwrap().texts().collect::<Vec<_>>(), [secret]);
            assert!(given.of_words(&["hunter2".to_owned()]).is_err());
        }
    }

    #[test]
    fn what_cannot_be_a_secret_is_refused_without_repeating_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s");
        let long = "x".repeat(usize::try_from(LONGEST).unwrap() + 1);
        for text in ["", "\n", "hunter2\u{1b}", &long] {
            std::fs::write(&file, text).unwrap();
            let failure = gather(&format!("@secret:{}", file.display())).unwrap_err();
            assert!(!failure.to_string().contains("hunter2"), "{failure}");
        }
        assert!(gather("@secret:/does/not/exist").is_err() && gather("@secret:").is_err());
        assert!(gather("[\"a\", 1]").is_ok() && gather("user@secret:x").is_ok());
    }
}
