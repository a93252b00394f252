//! The expression that chooses hosts.
//!
//! ```text
//! target  part { ";" part }                    whoever any part chooses; empty parts are ignored
//! part    both { "or" both }
//! both    one { "and" one }
//! one     "not" one | "(" target ")" | word | "@" group | "@" group ":" word | fact sign value
//! ```
//!
//! A word is a shell glob (`*`, `?`, `[…]`, `[!…]`, `{1..20}`) over host names, without regard to case; `@web:db*` is those
//! of the group `web` that match `db*`. `os_id=debian`, `cpus>=4` are those of which that is known; of whom nothing is known, it
//! is neither true nor false, and such a host is chosen neither by it nor by its `not`. A host called `and`, `or` or `not` is written as a glob: `[a]nd`.

use std::{fmt, str::FromStr};

use super::{GroupName, Members, parse::parse, word::Word};
use crate::{
    ids::HostName,
    wire::{Condition, Query},
};

/// A parsed target: `web*;db[12].example`, `@web and not *.old`.
#[derive(Debug, Clone)]
pub struct Target {
    text: String,
    parts: Vec<Choice>,
}

/// What chooses hosts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Choice {
    Word(Word),
    Group(GroupName, Option<Word>),
    /// Those of which it is known.
    Fact(Condition),
    Not(Box<Self>),
    /// At least two, like [`Choice::Any`].
    All(Vec<Self>),
    Any(Vec<Self>),
}

/// Why text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTarget {
    /// There is no part in it.
    #[error("the target is empty; write `*` for all hosts")]
    Empty,
    /// A word of it is not one.
    #[error("`{word}` is not a host name or a glob: {why}")]
    Word {
        /// The word.
        word: String,
        /// What is wrong with it.
        why: String,
    },
    /// The words do not belong together.
    #[error("at character {at}, {}: {why}", place(found))]
    Form {
        /// Where, counted from 1.
        at: usize,
        /// What stands there; empty at the end.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

fn place(found: &str) -> String {
    if found.is_empty() { "the end of the target".to_owned() } else { format!("`{found}`") }
}

impl Target {
    /// The text it was parsed from.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The parts between `;` that choose a host, as they are written: why it is chosen.
    pub fn reasons(&self, host: &HostName, members: &Members) -> Vec<String> {
        self.parts.iter().filter(|part| part.matches(host, members)).map(ToString::to_string).collect()
    }

    pub(super) fn matches(&self, host: &HostName, members: &Members) -> bool {
        self.parts.iter().any(|part| part.matches(host, members))
    }

    /// Whether it may mean this host, of which too little is known to tell.
    pub(super) fn is_unsure(&self, host: &HostName, members: &Members) -> bool {
        !self.matches(host, members) && self.parts.iter().any(|part| part.verdict(host, members).is_none())
    }

    /// Whether it speaks of facts.
    pub fn has_facts(&self) -> bool {
        self.parts.iter().any(Choice::has_facts)
    }

    pub(super) fn parts(&self) -> &[Choice] {
        &self.parts
    }

    /// Every group that it names.
    pub(super) fn groups(&self) -> Vec<&GroupName> {
        let mut found = Vec::new();
        self.parts.iter().for_each(|part| part.groups(&mut found));
        found
    }
}

impl Choice {
    pub(super) fn matches(&self, host: &HostName, members: &Members) -> bool {
        self.verdict(host, members) == Some(true)
    }

    /// Whether it means the host; `None` if too little is known of it.
    fn verdict(&self, host: &HostName, members: &Members) -> Option<bool> {
        // Of many, one that decides is enough, whatever is not known of the others.
        let any = |choices: &[Self], decisive: bool| {
            let mut unsure = false;
            for choice in choices {
                match choice.verdict(host, members) {
                    Some(verdict) if verdict == decisive => return Some(decisive),
                    Some(_) => {}
                    None => unsure = true,
                }
            }
            (!unsure).then_some(!decisive)
        };
        match self {
            Self::Word(word) => Some(word.matches(host)),
            Self::Group(name, word) => {
                if word.as_ref().is_some_and(|word| !word.matches(host)) {
                    return Some(false);
                }
                members.has(name, host)
            }
            Self::Fact(condition) => Some(Query::Fact(condition.clone()).holds(&members.facts_of(host)?.facts)),
            Self::Not(choice) => choice.verdict(host, members).map(|verdict| !verdict),
            Self::All(choices) => any(choices, false),
            Self::Any(choices) => any(choices, true),
        }
    }

    fn has_facts(&self) -> bool {
        match self {
            Self::Fact(_) => true,
            Self::Word(_) | Self::Group(..) => false,
            Self::Not(choice) => choice.has_facts(),
            Self::All(choices) | Self::Any(choices) => choices.iter().any(Self::has_facts),
        }
    }

    fn groups<'a>(&'a self, found: &mut Vec<&'a GroupName>) {
        match self {
            Self::Word(_) | Self::Fact(_) => {}
            Self::Group(name, _) => found.push(name),
            Self::Not(choice) => choice.groups(found),
            Self::All(choices) | Self::Any(choices) => choices.iter().for_each(|choice| choice.groups(found)),
        }
    }

    /// As an operand: in parentheses if it has operands of its own.
    fn operand(&self) -> String {
        match self {
            Self::All(_) | Self::Any(_) => format!("({self})"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |choices: &[Self], by| choices.iter().map(Self::operand).collect::<Vec<_>>().join(by);
        match self {
            Self::Word(word) => word.fmt(f),
            Self::Fact(condition) => condition.fmt(f),
            Self::Group(name, None) => write!(f, "@{name}"),
            Self::Group(name, Some(word)) => write!(f, "@{name}:{word}"),
            Self::Not(choice) => write!(f, "not {}", choice.operand()),
            Self::All(choices) => f.write_str(&joined(choices, " and ")),
            Self::Any(choices) => f.write_str(&joined(choices, " or ")),
        }
    }
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        Ok(Self { text: text.to_owned(), parts: parse(text)? })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.parts == other.parts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(target: &str, host: &str) -> bool {
        target.parse::<Target>().unwrap().matches(&host.parse().unwrap(), &Members::default())
    }

    #[test]
    fn expressions_choose_hosts_without_regard_to_case() {
        for (target, host, expected) in [
            ("*", "a.b.c", true),
            ("web*", "web1.example", true),
            ("web*", "db.web1", false),
            ("WEB?", "web1", true),
            ("web?", "web10", false),
            ("web[12]", "web2", true),
            ("web[!12]", "web2", false),
            ("web[1-3]", "web3", true),
            (" db ; web1;", "Web1", true),
            ("web1", "web1.example", false),
            ("*.example;db", "db", true),
            ("web{1..20}", "web20", true),
            ("web{1..20}", "web21", false),
            ("web* and not web1", "web1", false),
            ("web* and not web1", "web2", true),
            ("not web1 and web2 or db", "db", true),
            ("not (web1 or db)", "db", false),
            ("web* and (*1;*2)", "web2", true),
            ("a;b and c", "a", true),
            ("NOT a", "b", true),
            ("@nobody", "a", false),
            ("[a]nd", "and", true),
        ] {
            assert_eq!(matches(target, host), expected, "{target} {host}");
        }
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (text, message) in [
            ("", "empty"),
            (" ; ", "empty"),
            ("web[1", "not a host name or a glob"),
            ("{a,b}", "not a host name or a glob"),
            ("a\u{1b}[31m", "\\u{1b}"),
            ("a b", "at character 3, `b`: "),
            ("(a", "at character 3, the end of the target: a `)` is missing"),
            ("a)", "at character 2, `)`: nothing is to be closed"),
            ("a and", "at character 6, the end of the target: "),
            ("a and or b", "at character 7, `or`: "),
            ("not", "at character 4, the end of the target: "),
            ("()", "at character 2, `)`: "),
            ("@", "a group's name has"),
            ("@we!b", "a group's name has"),
            ("@web:", "nothing behind `:`"),
        ] {
            let error = text.parse::<Target>().unwrap_err().to_string();
            assert!(error.contains(message), "{text:?}: {error}");
        }
        assert!("(".repeat(100_000).parse::<Target>().unwrap_err().to_string().contains("too deep"));
        assert!("not ".repeat(100_000).parse::<Target>().unwrap_err().to_string().contains("too deep"));
    }

    fn choices() -> impl Strategy<Value = Choice> {
        let word = || "[a-c][0-9]{1,2}(\\*|\\?|\\[12\\]|\\{1\\.\\.3\\})?".prop_map(|text| Word::parse(&text).unwrap());
        let leaf = prop_oneof![
            word().prop_map(Choice::Word),
            ("[a-z]{1,4}", proptest::option::of(word()))
                .prop_map(|(name, word)| Choice::Group(name.parse().unwrap(), word)),
            "[a-z_]{1,5}(=|>=|<|>|\\^=|~=)[a-z0-9.*]{1,4}".prop_map(|text| Choice::Fact(text.parse().unwrap())),
        ];
        leaf.prop_recursive(5, 24, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|choice| Choice::Not(Box::new(choice))),
                proptest::collection::vec(inner.clone(), 2..4).prop_map(Choice::All),
                proptest::collection::vec(inner, 2..4).prop_map(Choice::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed_as_the_same(parts in proptest::collection::vec(choices(), 1..4)) {
            let text = parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(";");
            prop_assert_eq!(text.parse::<Target>().unwrap().parts, parts, "{}", text);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "(\\PC|[@();{}. andort*]){0,40}") {
            if let Err(error) = text.parse::<Target>() {
                prop_assert!(error.to_string().chars().count() < 2000);
            }
        }

        #[test]
        fn a_plain_name_chooses_itself_and_a_star_everybody(name in "[a-z][a-z0-9]{1,8}(\\.[a-z0-9]{1,8}){0,2}") {
            prop_assume!(!["and", "or", "not"].contains(&name.as_str()));
            prop_assert!(matches(&name, &name) && matches("*", &name));
        }
    }
}
