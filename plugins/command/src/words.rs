//! A command line into words, by the quoting rules of the shell (POSIX, 2.2) and nothing else of it.

use std::{fmt, iter::Peekable, str::Chars};

/// A command line that does not end where it seems to.
#[derive(Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// A quote is not closed.
    Quote(char),
    /// Nothing follows the last backslash.
    Backslash,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quote(quote) => write!(f, "the command line has a {quote} that is not closed"),
            Self::Backslash => f.write_str("the command line ends in a backslash"),
        }
    }
}

/// The words of a command line.
pub fn split(line: &str) -> Result<Vec<String>, Unfinished> {
    let mut words = Vec::new();
    let mut rest = line.chars().peekable();
    loop {
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        if rest.peek().is_none() {
            return Ok(words);
        }
        words.push(word(&mut rest)?);
    }
}

fn word(rest: &mut Peekable<Chars<'_>>) -> Result<String, Unfinished> {
    let mut word = String::new();
    while let Some(c) = rest.next_if(|c| !c.is_whitespace()) {
        match c {
            '\'' => single_quoted(rest, &mut word)?,
            '"' => double_quoted(rest, &mut word)?,
            '\\' => word.push(rest.next().ok_or(Unfinished::Backslash)?),
            _ => word.push(c),
        }
    }
    Ok(word)
}

fn single_quoted(rest: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<(), Unfinished> {
    loop {
        match rest.next().ok_or(Unfinished::Quote('\''))? {
            '\'' => return Ok(()),
            c => word.push(c),
        }
    }
}

fn double_quoted(rest: &mut Peekable<Chars<'_>>, word: &mut String) -> Result<(), Unfinished> {
    loop {
        match rest.next().ok_or(Unfinished::Quote('"'))? {
            '"' => return Ok(()),
            '\\' => match rest.next().ok_or(Unfinished::Quote('"'))? {
                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                c => word.extend(['\\', c]),
            },
            c => word.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_backslashes_are_read_as_a_shell_reads_them() {
        let words = |line| split(line).unwrap();
        assert_eq!(words("  uname   -a\n"), ["uname", "-a"]);
        assert_eq!(words(r#"a'b c'd "e f" '' g\ h"#), ["ab cd", "e f", "", "g h"]);
        assert_eq!(words(r#""a\"b\\c\n" '\n'"#), [r#"a"b\c\n"#, r"\n"]);
        assert!(words(" \t").is_empty());
    }

    #[test]
    fn nothing_is_expanded() {
        assert_eq!(
            split("echo $HOME *.rs a|b; `id` > x").unwrap(),
            ["echo", "$HOME", "*.rs", "a|b;", "`id`", ">", "x"]
        );
    }

    #[test]
    fn an_unfinished_line_is_refused() {
        assert_eq!(split("a 'b"), Err(Unfinished::Quote('\'')));
        assert_eq!(split(r#"a "b\"#), Err(Unfinished::Quote('"')));
        assert_eq!(split(r"a \"), Err(Unfinished::Backslash));
    }
}
