//! Texts from callers, before they become arguments of programs, parts of paths or lines of files.
//!
//! A program takes what begins with `-` for an option, a file of lines takes a line break for the next entry, and a NUL
//! ends a text for the machine. Each check names the parameter and says what is wrong with the text, of which it shows
//! only the beginning: a text may be as long as a call.

use crate::{Error, Result};

/// How much of a text a message shows.
const SHOWN: usize = 60;
/// The longest name of anything that a machine keeps by name.
const LONGEST_WORD: usize = 255;
/// The longest path that Linux takes.
const LONGEST_PATH: usize = 4096;
/// The longest line of free text.
const LONGEST_LINE: usize = 4096;

/// The beginning of a text as messages show it: in backquotes, control characters escaped.
pub fn shown(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).flat_map(char::escape_debug).collect();
    if text.chars().nth(SHOWN).is_some() {
        short.push('…');
    }
    format!("`{short}`")
}

/// The beginning of a text that goes into a message as it is, at most `length` characters.
pub fn clipped(text: &str, length: usize) -> String {
    let mut short: String = text.chars().filter(|c| !c.is_control()).take(length).collect();
    if text.chars().filter(|c| !c.is_control()).nth(length).is_some() {
        short.push('…');
    }
    short
}

/// A line of free text, such as a message or a comment. It may be empty, and may begin with `-`.
pub fn line<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    if text.len() > LONGEST_LINE {
        return refuse(what, text, &format!("is longer than {LONGEST_LINE} bytes"));
    }
    if text.chars().any(char::is_control) {
        return refuse(what, text, "has a line break or another control character in it");
    }
    Ok(text)
}

/// A text that becomes an argument of a program by itself: one line, not empty, not like an option.
pub fn argument<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    if text.is_empty() {
        return Err(Error::invalid(format!("the {what} is empty")));
    }
    if text.starts_with('-') {
        return refuse(what, text, "begins with `-`, which programs take for an option");
    }
    line(what, text)
}

/// A name of ASCII letters, digits and the characters of `also`, which begins with none of `-` and `.`.
pub fn word<'a>(what: &str, text: &'a str, also: &str) -> Result<&'a str> {
    argument(what, text)?;
    if text.len() > LONGEST_WORD {
        return refuse(what, text, &format!("is longer than {LONGEST_WORD} characters"));
    }
    if text.starts_with('.') {
        return refuse(what, text, "begins with a dot");
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && !also.contains(*c)) {
        Some(odd) => refuse(what, text, &format!("has `{}` in it", odd.escape_debug())),
        None => Ok(text),
    }
}

/// An absolute path that climbs nowhere: no part of it is `..`.
pub fn path<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    argument(what, text)?;
    if !text.starts_with('/') {
        return refuse(what, text, "is not an absolute path");
    }
    if text.len() > LONGEST_PATH {
        return refuse(what, text, &format!("is longer than {LONGEST_PATH} bytes"));
    }
    if text.split('/').any(|part| part == "..") {
        return refuse(what, text, "has `..` in it");
    }
    Ok(text)
}

/// The name of a host or an IP address, as programs of the network take it.
pub fn host(text: &str) -> Result<&str> {
    word("host", text, ".-_:%")
}

/// The name of a network interface, by the kernel's rules.
pub fn interface<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    if text.len() > 15 {
        return refuse(what, text, "is longer than 15 characters");
    }
    word(what, text, ".-_@")
}

fn refuse<T>(what: &str, text: &str, why: &str) -> Result<T> {
    Err(Error::invalid(format!("the {what} {} {why}", shown(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn refused<T: std::fmt::Debug>(result: Result<T>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Invalid);
        assert!(error.message.len() < 400 && !error.message.contains(['\n', '\0']), "{}", error.message);
        error.message
    }

    #[test]
    fn plain_texts_pass() {
        assert_eq!(word("user", "www-data", "-_"), Ok("www-data"));
        assert_eq!(path("file", "/etc/my file"), Ok("/etc/my file"));
        assert_eq!(line("message", "- é -"), Ok("- é -"));
        assert!(host("2001:db8::1").is_ok() && host("fe80::1%eth0").is_ok() && host("a.example").is_ok());
        assert!(interface("bridge", "eth0.7").is_ok());
    }

    #[test]
    fn hostile_texts_are_refused_and_named() {
        let long = "x".repeat(1 << 20);
        for text in ["", "-rf", "a\nb", "a\0b", "\u{1b}[2J", &long] {
            refused(argument("user", text));
            refused(word("user", text, "-_"));
            refused(path("file", text));
            refused(host(text));
            refused(interface("bridge", text));
        }
        assert_eq!(
            refused(argument("user", "-rf")),
            "the user `-rf` begins with `-`, which programs take for an option"
        );
        assert_eq!(refused(word("user", "a b", "")), "the user `a b` has ` ` in it");
        assert_eq!(refused(path("file", "/a/../b")), "the file `/a/../b` has `..` in it");
        refused(path("file", "etc/passwd"));
        refused(word("name", "..", "."));
        refused(line("message", &long));
    }

    #[test]
    fn what_is_shown_is_short() {
        assert_eq!(shown("a\nb"), r"`a\nb`");
        assert_eq!(shown(&"é".repeat(100)).chars().count(), SHOWN + 3);
        assert_eq!(clipped("ab\u{7}cd", 3), "abc…");
        assert_eq!(clipped("abc", 3), "abc");
    }
}
