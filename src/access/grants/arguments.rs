//! Patterns for the arguments of a program.
//!
//! There is one pattern for each argument, in order; `**` as the last stands for any number of further
//! ones. A pattern without wildcards is the argument itself. In others `*` stops at `/` and `**` does not,
//! as in grants of files, and no wildcard leads through `..`; `*` alone is one argument, whatever it is.
//!
//! `options` are patterns for what may stand before all of these, in any order and as often as wanted; each begins with `-`, and
//! is for a whole argument: `--shell=/**`.
//!
//! **What begins with `-` is taken only by a pattern that itself begins with `-`.** Programs read such an
//! argument as an option, wherever it stands, and an option can change what a program does altogether; so
//! a caller's word never becomes one. `--` is no exception: it passes where the pattern is `--`, and what
//! comes after it is still held to this rule, because not every program honours it.

use globset::GlobMatcher;

use super::{
    InvalidGrant,
    pattern::{META, compile},
};

/// Any number of further arguments.
const REST: &str = "**";
/// One argument, whatever it is.
const ANY: &str = "*";

/// What the arguments of a program must look like.
#[derive(Debug, Clone, PartialEq)]
pub struct Arguments {
    options: Vec<Pattern>,
    patterns: Vec<Pattern>,
    /// Whether further arguments may follow.
    more: bool,
}

impl Arguments {
    /// Whether a program may be given these arguments.
    pub fn cover(&self, arguments: &[String]) -> bool {
        let is_option = |argument: &&String| self.options.iter().any(|option| option.matches(argument));
        let options = arguments.iter().take_while(is_option).count();
        // What could be an option may be meant by the first of the other patterns.
        (0..=options).any(|options| self.cover_plain(&arguments[options..]))
    }

    fn cover_plain(&self, arguments: &[String]) -> bool {
        let (given, wanted) = (arguments.len(), self.patterns.len());
        let fits = given == wanted || (self.more && given > wanted);
        fits && self.patterns.iter().zip(arguments).all(|(pattern, argument)| pattern.matches(argument))
            && arguments.iter().skip(wanted).all(|argument| !argument.starts_with('-'))
    }

    /// The same, with options before them.
    pub(super) fn with_options(self, texts: Vec<String>) -> Result<Self, InvalidGrant> {
        if let Some(text) = texts.iter().find(|text| !text.starts_with('-')) {
            return Err(InvalidGrant::new(text, "an option begins with `-`"));
        }
        Ok(Self { options: texts.into_iter().map(Pattern::new).collect::<Result<_, _>>()?, ..self })
    }

    /// The patterns of its options.
    pub(super) fn options(&self) -> Vec<String> {
        self.options.iter().map(|option| option.text.clone()).collect()
    }

    /// The patterns for exactly these arguments.
    pub fn exactly(arguments: &[String]) -> Vec<String> {
        let escape = |c: char| if META.contains(&c) { vec!['\\', c] } else { vec![c] };
        arguments.iter().map(|argument| argument.chars().flat_map(escape).collect()).collect()
    }

    /// Whether everything that `other` covers is certainly covered by this.
    pub(super) fn include(&self, other: &Self) -> bool {
        let takes = |mine: &Pattern, theirs: &Pattern| {
            mine.text == theirs.text
                || (mine.text == ANY && !theirs.text.starts_with('-'))
                || (theirs.glob.is_none() && mine.matches(&theirs.text))
        };
        let (mine, theirs) = (self.patterns.len(), other.patterns.len());
        let fits = theirs == mine || (self.more && theirs > mine);
        let has_option = |theirs: &Pattern| self.options.iter().any(|mine| takes(mine, theirs));
        fits && (self.more || !other.more)
            && other.options.iter().all(has_option)
            && self.patterns.iter().zip(&other.patterns).all(|(mine, theirs)| takes(mine, theirs))
            && other.patterns.iter().skip(mine).all(|theirs| !theirs.text.starts_with('-'))
    }
}

impl TryFrom<Vec<String>> for Arguments {
    type Error = InvalidGrant;

    fn try_from(mut texts: Vec<String>) -> Result<Self, InvalidGrant> {
        let more = texts.last().is_some_and(|last| last == REST);
        if more {
            texts.pop();
        }
        if texts.iter().any(|text| text == REST) {
            return Err(InvalidGrant::new(REST, "any number of arguments can only stand last; one is `*`"));
        }
        let patterns = texts.into_iter().map(Pattern::new).collect::<Result<_, _>>()?;
        Ok(Self { options: Vec::new(), patterns, more })
    }
}

impl From<Arguments> for Vec<String> {
    fn from(arguments: Arguments) -> Self {
        let rest = arguments.more.then(|| REST.to_owned());
        arguments.patterns.into_iter().map(|pattern| pattern.text).chain(rest).collect()
    }
}

/// A pattern for one argument.
#[derive(Debug, Clone)]
struct Pattern {
    text: String,
    /// Nothing for a plain word.
    glob: Option<GlobMatcher>,
}

impl Pattern {
    fn new(text: String) -> Result<Self, InvalidGrant> {
        let glob = compile(&text)?;
        Ok(Self { text, glob })
    }

    fn matches(&self, argument: &str) -> bool {
        if argument.starts_with('-') && !self.text.starts_with('-') {
            return false;
        }
        match &self.glob {
            None => self.text == argument,
            Some(_) if self.text == ANY => true,
            Some(glob) => !argument.split('/').any(|part| part == "..") && glob.is_match(argument),
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn cover(patterns: &[&str], arguments: &[&str]) -> bool {
        Arguments::try_from(words(patterns)).unwrap().cover(&words(arguments))
    }

    #[test]
    fn there_is_one_pattern_for_each_argument() {
        assert!(cover(&["status", "*"], &["status", "nginx.service"]));
        assert!(!cover(&["status", "*"], &["status"]) && !cover(&["status", "*"], &["status", "a", "b"]));
        assert!(!cover(&["status", "*"], &["stop", "nginx"]) && !cover(&["status"], &["STATUS"]));
        assert!(cover(&[], &[]) && !cover(&[], &["x"]));
        assert!(cover(&["status", "**"], &["status"]) && cover(&["status", "**"], &["status", "a", "b"]));
        assert!(cover(&["*"], &[""]) && cover(&["*"], &["/any/where/../at all\n"]));
    }

    #[test]
    fn a_word_of_a_callers_never_becomes_an_option() {
        for smuggled in ["-x", "--root=/tmp", "--", "-", "-\u{0}", "--\n"] {
            assert!(!cover(&["status", "*"], &["status", smuggled]), "{smuggled:?}");
            assert!(!cover(&["status", "**"], &["status", "a", smuggled, "b"]), "{smuggled:?}");
            assert!(!cover(&["{-,}*"], &[smuggled]) && !cover(&["[-]*"], &[smuggled]) && !cover(&["?*"], &[smuggled]));
        }
        assert!(cover(&["-n", "*"], &["-n", "5"]) && !cover(&["-n", "*"], &["-n", "-5"]));
        assert!(cover(&["--lines=*"], &["--lines=5"]) && !cover(&["--lines=*"], &["--follow"]));
        assert!(cover(&["-*"], &["--anything"]), "the operator said so");
    }

    #[test]
    fn options_may_stand_before_the_rest_in_any_order() {
        let granted = one_after(&["--uid=*", "--shell=/**", "--system"]);
        let cover = |arguments: &[&str]| granted.cover(&words(arguments));
        assert!(cover(&["ann"]) && cover(&["--system", "--uid=7", "ann"]) && cover(&["--shell=/bin/sh", "ann"]));
        assert!(!cover(&["--system"]) && !cover(&["ann", "--system"]) && !cover(&["ann", "bob"]), "one word, last");
        for other in ["--root=/x", "--uid", "-u", "--", "--shell=bin/sh", "--shell=/bin/../etc/x", "--systematic"] {
            assert!(!cover(&[other, "ann"]), "{other}");
        }
        let begins = Arguments::try_from(words(&["-a", "**"])).unwrap().with_options(words(&["-?"])).unwrap();
        assert!(begins.cover(&words(&["-b", "-a", "x"])) && !begins.cover(&words(&["-b", "x"])));
        let include = |options: &[&str]| granted.include(&one_after(options));
        assert!(include(&[]) && include(&["--uid=*"]) && include(&["--uid=7", "--system"]) && !include(&["--root=*"]));
        assert!(Arguments::try_from(words(&["*"])).unwrap().with_options(words(&["system"])).is_err());
    }

    fn one_after(options: &[&str]) -> Arguments {
        Arguments::try_from(words(&["*"])).unwrap().with_options(words(options)).unwrap()
    }

    #[test]
    fn two_dashes_are_an_argument_like_others_and_excuse_nothing() {
        assert!(cover(&["--", "*"], &["--", "file"]) && !cover(&["--", "*"], &["--", "-rf"]));
        assert!(!cover(&["*", "*"], &["--", "file"]) && !cover(&["--", "**"], &["--", "file", "-rf"]));
    }

    #[test]
    fn a_wildcard_in_a_path_stays_below_it() {
        assert!(cover(&["/srv/*"], &["/srv/a"]) && !cover(&["/srv/*"], &["/srv/a/b"]));
        assert!(cover(&["/srv/**"], &["/srv/a/b"]) && !cover(&["/srv/**"], &["/srv/../etc/shadow"]));
        assert!(!cover(&["--file=/srv/**"], &["--file=/srv/../etc/shadow"]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for patterns in [&["**", "x"][..], &["**", "**"], &["[a"]] {
            assert!(Arguments::try_from(words(patterns)).is_err(), "{patterns:?}");
        }
    }

    #[test]
    fn what_is_asked_is_compared_with_what_is_granted() {
        let include = |granted: &[&str], asked: &[&str]| {
            let of = |texts| Arguments::try_from(words(texts)).unwrap();
            of(granted).include(&of(asked))
        };
        assert!(include(&["status", "*"], &["status", "*"]) && include(&["status", "*"], &["status", "nginx"]));
        assert!(include(&["*", "**"], &["status", "a*", "**"]) && include(&["**"], &["x"]));
        assert!(!include(&["status", "*"], &["stop", "*"]) && !include(&["status"], &["*"]));
        assert!(!include(&["*"], &["-x"]) && !include(&["**"], &["-*"]) && !include(&["*"], &["**"]));
    }

    proptest! {
        /// Whatever the patterns are, as long as none of them begins with `-`.
        #[test]
        fn no_option_passes_where_no_pattern_is_one(
            patterns in prop::collection::vec(
                prop_oneof![Just("*".to_owned()), "[a-z*?/{},\\[\\]\\\\-]{0,6}"], 0..4),
            more: bool,
            arguments in prop::collection::vec(prop_oneof!["-{1,2}[a-z=/ -]{0,8}", "[a-z/*.]{0,8}", ".{0,8}"], 0..6),
        ) {
            let mut patterns: Vec<String> =
                patterns.into_iter().map(|text| text.trim_start_matches('-').to_owned()).collect();
            patterns.extend(more.then(|| REST.to_owned()));
            if let Ok(granted) = Arguments::try_from(patterns) && granted.cover(&arguments) {
                prop_assert!(arguments.iter().all(|argument| !argument.starts_with('-')), "{arguments:?}");
            }
        }

        /// The line that a denial names is enough, and for nothing else.
        #[test]
        fn the_patterns_for_given_arguments_cover_them_alone(
            arguments in prop::collection::vec("[-a*?/{},\\[\\]\\\\.!]{0,6}", 0..4), other in "[-a*?/{},.]{0,6}"
        ) {
            let exact = Arguments::try_from(Arguments::exactly(&arguments)).unwrap();
            let through = |argument: &String| argument.split('/').any(|part| part == "..")
                && argument.contains(&META[..]);
            prop_assert!(exact.cover(&arguments) || arguments.iter().any(through), "{exact:?} {arguments:?}");
            prop_assert!(arguments == [other.clone()] || !exact.cover(&[other]));
        }
    }
}
