//! One rule of `[[access]]`, as it is written in the configuration.

use std::fmt;

use serde::{Deserialize, de};

use super::{
    Asked, Asker, InvalidPattern, MethodClass,
    arguments::ArgumentPatterns,
    pattern::{Pattern, listed},
};
use crate::tls::Role;

/// The rules of a minion, in their order. Without any being written, overlords may call everything.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct AccessRules(Vec<Rule>);

impl AccessRules {
    pub(super) fn as_slice(&self) -> &[Rule] {
        &self.0
    }
}

impl Default for AccessRules {
    fn default() -> Self {
        Self(vec![Rule {
            effect: Effect::Allow { args: None, check_only: false },
            methods: vec![MethodPattern::Name(Pattern::new("*").expect("a star is a pattern"))],
            callers: Vec::new(),
            roles: OVERLORDS.to_vec(),
        }])
    }
}

const OVERLORDS: [Role; 2] = [Role::Overlord, Role::SubOverlord];

/// Allows or denies some methods to some callers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Rule {
    effect: Effect,
    methods: Vec<MethodPattern>,
    /// Everybody of the roles, if there is none.
    callers: Vec<Pattern>,
    /// Everybody, also without a role, if there is none.
    roles: Vec<Role>,
}

#[derive(Debug, Clone, PartialEq)]
enum Effect {
    Allow { args: Option<ArgumentPatterns>, check_only: bool },
    Deny,
}

#[derive(Debug, Clone, PartialEq)]
enum MethodPattern {
    Class(MethodClass),
    Name(Pattern),
}

const INTROSPECTION: &str = "@introspection";
const READ_ONLY: &str = "@read-only";

impl MethodPattern {
    fn new(text: &str) -> Result<Self, InvalidPattern> {
        match text {
            INTROSPECTION => Ok(Self::Class(MethodClass::Introspection)),
            READ_ONLY => Ok(Self::Class(MethodClass::ReadOnly)),
            _ if text.starts_with('@') => {
                Err(InvalidPattern::new(text, "what begins with `@` is `@introspection` or `@read-only`"))
            }
            _ if text.starts_with("async.") || text.starts_with("check.") => {
                let why = "a job and a check are judged by their method: name the method alone (check_only = true allows only checks)";
                Err(InvalidPattern::new(text, why))
            }
            _ => Pattern::new(text).map(Self::Name),
        }
    }

    fn fits(&self, asked: &Asked<'_>) -> bool {
        match self {
            Self::Class(class) => *class == asked.class,
            Self::Name(pattern) => asked.has_name(|name| pattern.fits(name)),
        }
    }
}

impl fmt::Display for MethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Class(MethodClass::Introspection) => f.write_str(INTROSPECTION),
            Self::Class(_) => f.write_str(READ_ONLY),
            Self::Name(pattern) => pattern.fmt(f),
        }
    }
}

impl Rule {
    /// Whether it allows something.
    pub fn allows(&self) -> bool {
        matches!(self.effect, Effect::Allow { .. })
    }

    /// Whether it speaks of this caller.
    pub(super) fn is_for(&self, asker: Asker<'_>) -> bool {
        let role = self.roles.is_empty() || asker.role.is_some_and(|role| self.roles.contains(&role));
        role && (self.callers.is_empty() || self.callers.iter().any(|caller| caller.fits(asker.name)))
    }

    /// Whether it speaks of this call.
    pub(super) fn fits(&self, asker: Asker<'_>, asked: &Asked<'_>) -> bool {
        let suits = match &self.effect {
            Effect::Deny => true,
            Effect::Allow { args, check_only } => {
                (asked.check || !check_only)
                    && args.as_ref().is_none_or(|patterns| asked.args.is_none_or(|args| patterns.cover(args)))
            }
        };
        suits && self.is_for(asker) && self.methods.iter().any(|method| method.fits(asked))
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods = listed(&self.methods);
        let args = |args: &Option<ArgumentPatterns>| match args {
            Some(patterns) => format!("({})", patterns.texts().join(", ")),
            None => String::new(),
        };
        match &self.effect {
            Effect::Allow { args: patterns, check_only } => {
                let check = if *check_only { "only checks of " } else { "" };
                write!(f, "allow {check}{methods}{}", args(patterns))?;
            }
            Effect::Deny => write!(f, "deny {methods}")?,
        }
        match (self.callers.is_empty(), self.roles.is_empty()) {
            (true, true) => write!(f, " to everybody"),
            (true, false) => write!(f, " to every {}", listed(&self.roles)),
            (false, true) => write!(f, " to {}", listed(&self.callers)),
            (false, false) => write!(f, " to {} as {}", listed(&self.callers), listed(&self.roles)),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> From<OneOrMore<T>> for Vec<T> {
    fn from(one_or_more: OneOrMore<T>) -> Self {
        match one_or_more {
            OneOrMore::One(one) => vec![one],
            OneOrMore::More(more) => more,
        }
    }
}

/// At least one, where the key is written.
fn some<'de, D: de::Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    let list = Vec::from(OneOrMore::deserialize(from)?);
    if list.is_empty() { Err(de::Error::custom("an empty list fits nothing")) } else { Ok(Some(list)) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "some")]
    allow: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some")]
    deny: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some")]
    caller: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some")]
    role: Option<Vec<Role>>,
    args: Option<Vec<String>>,
    #[serde(default)]
    check_only: bool,
}

impl TryFrom<Written> for Rule {
    type Error = InvalidPattern;

    fn try_from(written: Written) -> Result<Self, InvalidPattern> {
        let Written { allow, deny, caller, role, args, check_only } = written;
        let (effect, methods, roles) = match (allow, deny) {
            (Some(methods), None) => {
                let args = args.map(ArgumentPatterns::new).transpose()?;
                (Effect::Allow { args, check_only }, methods, role.unwrap_or(OVERLORDS.to_vec()))
            }
            (None, Some(methods)) if args.is_none() && !check_only => (Effect::Deny, methods, role.unwrap_or_default()),
            (None, Some(methods)) => {
                let why = "a denial is of whole methods; allow the arguments or the checks that are wanted instead";
                return Err(InvalidPattern::new(&methods.join(", "), why));
            }
            _ => return Err(InvalidPattern::new("[[access]]", "a rule has either `allow` or `deny`")),
        };
        let methods = methods.iter().map(|text| MethodPattern::new(text)).collect::<Result<_, _>>()?;
        let callers = caller.unwrap_or_default().iter().map(|text| Pattern::new(text)).collect::<Result<_, _>>()?;
        Ok(Self { effect, methods, callers, roles })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str) -> Result<Rule, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())
    }

    #[test]
    fn a_rule_is_shown_as_it_reads() {
        for (written, shown) in [
            ("allow = \"*\"", "allow * to every overlord, sub-overlord"),
            (
                "allow = [\"@read-only\", \"@introspection\"]\nrole = \"reader\"",
                "allow @read-only, @introspection to every reader",
            ),
            ("deny = \"process.*\"\ncaller = [\"ci-*\", \"x\"]", "deny process.* to ci-*, x"),
            (
                "allow = \"a.b\"\nargs = [\"x\", \"**\"]\ncaller = \"ci\"\ncheck_only = true",
                "allow only checks of a.b(x, **) to ci as overlord, sub-overlord",
            ),
        ] {
            assert_eq!(rule(written).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (written, why) in [
            ("", "either `allow` or `deny`"),
            ("allow = \"a\"\ndeny = \"b\"", "either `allow` or `deny`"),
            ("deny = \"a.b\"\nargs = [\"x\"]", "a denial is of whole methods"),
            ("deny = \"a.b\"\ncheck_only = true", "a denial is of whole methods"),
            ("allow = \"check.a.b\"", "name the method alone"),
            ("allow = \"@readonly\"", "@read-only"),
            ("allow = []", "fits nothing"),
            ("allow = \"[\"", "cannot be used"),
            ("allow = \"a\"\nrole = \"boss\"", "role"),
            ("allow = \"a\"\ncallers = \"x\"", "callers"),
        ] {
            let error = rule(written).unwrap_err();
            assert!(error.contains(why), "{written}: {error}");
        }
    }
}
