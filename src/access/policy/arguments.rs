//! Patterns for the arguments of a call.
//!
//! There is one pattern for each argument, in order; `**` as the last stands for any number of further ones. `*` is
//! any value at all; any other pattern fits texts, numbers and truths as they are written, and never a list, a struct
//! or bytes. In a pattern with wildcards `*` stops at `/` and `**` does not, and no wildcard leads through `..`.

use globset::{GlobBuilder, GlobMatcher};

use super::InvalidPattern;
use crate::wire::Value;

const REST: &str = "**";
const ANY: &str = "*";

/// What the arguments must look like.
#[derive(Debug, Clone)]
pub(super) struct ArgumentPatterns {
    texts: Vec<String>,
    globs: Vec<GlobMatcher>,
    more: bool,
}

impl ArgumentPatterns {
    pub(super) fn new(mut texts: Vec<String>) -> Result<Self, InvalidPattern> {
        let more = texts.last().is_some_and(|last| last == REST);
        if more {
            texts.pop();
        }
        if texts.iter().any(|text| text == REST) {
            return Err(InvalidPattern::new(REST, "any number of arguments can only stand last; one is `*`"));
        }
        let glob = |text: &String| {
            let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
            glob.map(|glob| glob.compile_matcher()).map_err(|error| InvalidPattern::new(text, error.kind().to_string()))
        };
        let globs = texts.iter().map(glob).collect::<Result<_, _>>()?;
        Ok(Self { texts, globs, more })
    }

    pub(super) fn cover(&self, args: &[Value]) -> bool {
        let (given, wanted) = (args.len(), self.texts.len());
        let fits = given == wanted || (self.more && given > wanted);
        fits && self.texts.iter().zip(&self.globs).zip(args).all(|((text, glob), value)| one(text, glob, value))
    }

    /// As they are written.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.texts.iter().map(String::as_str).chain(self.more.then_some(REST)).collect()
    }
}

fn one(text: &str, glob: &GlobMatcher, value: &Value) -> bool {
    if text == ANY {
        return true;
    }
    let given = match value {
        Value::String(given) => given.clone(),
        Value::Int(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        Value::Bool(truth) => truth.to_string(),
        _ => return false,
    };
    text == given || (!given.split('/').any(|part| part == "..") && glob.is_match(&given))
}

impl PartialEq for ArgumentPatterns {
    fn eq(&self, other: &Self) -> bool {
        self.texts == other.texts && self.more == other.more
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(patterns: &[&str], args: &[Value]) -> bool {
        ArgumentPatterns::new(patterns.iter().map(|text| (*text).to_owned()).collect()).unwrap().cover(args)
    }

    #[test]
    fn there_is_one_pattern_for_each_argument() {
        assert!(cover(&["a", "*"], &["a".into(), Value::Nil]) && !cover(&["a", "*"], &["a".into()]));
        assert!(cover(&["a", "**"], &["a".into()]) && cover(&["**"], &[1.into(), 2.into()]) && cover(&[], &[]));
        assert!(!cover(&["a"], &["a".into(), Value::Nil]) && !cover(&["**"][..0], &[Value::Nil]));
        assert!(ArgumentPatterns::new(vec!["**".into(), "a".into()]).is_err());
    }

    #[test]
    fn numbers_fit_as_they_are_written_and_structures_only_anything() {
        assert!(cover(&["1", "true"], &[1.into(), true.into()]) && cover(&["1"], &["1".into()]));
        for value in [Value::Array(vec![]), Value::structure([("a", Value::Nil)]), Value::Bytes(vec![]), Value::Nil] {
            assert!(!cover(&["?*"], std::slice::from_ref(&value)) && cover(&["*"], &[value]));
        }
    }

    #[test]
    fn a_wildcard_in_a_path_stays_below_it() {
        assert!(cover(&["/srv/*"], &["/srv/a".into()]) && !cover(&["/srv/*"], &["/srv/a/b".into()]));
        assert!(cover(&["/srv/**"], &["/srv/a/b".into()]) && !cover(&["/srv/**"], &["/srv/../etc/shadow".into()]));
    }
}
