//! Who may call what.
//!
//! ```text
//! caller, method, arguments ─▶ what the role can be allowed at all ── beyond it ──▶ denied
//!                           ─▶ rules of minion.toml, in their order ── the first that fits ──▶ allowed, or denied
//!                           ─▶ lines of old ACL files               ── one fits ──▶ allowed
//!                           ─▶ nothing fits ──▶ denied
//! ```
//!
//! A method has two names, `disk.usage` and `acme:disk/disk.usage`; a rule that fits one of them fits the method,
//! so that no denial is got round by the other name. A deny rule has no patterns for arguments: there is more than
//! one way to write an argument, and only a list of what is wanted is complete.
//!
//! Everything here is data and decisions; only reading the ACL files touches the disk.

mod acl;
mod arguments;
mod pattern;
mod rule;
mod subject;

pub use acl::{Acl, AclError, AclLine};
pub use pattern::InvalidPattern;
pub use rule::{AccessRules, Rule};
pub use subject::SubjectHash;

use std::fmt;

use crate::{tls::Role, wire::Value};

/// Who calls, as the certificate tells it.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The common name.
    pub name: &'a str,
    /// What the certificate was issued for.
    pub role: Option<Role>,
    /// The digest of the certificate's subject, by which old ACL files name callers.
    pub subject: Option<SubjectHash>,
}

/// What a method is to the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodClass {
    /// It tells of the minion, of its modules, or of the caller's own jobs.
    Introspection,
    /// A module's method whose documentation says `@read-only`.
    ReadOnly,
    /// Any other.
    Other,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// The names of the method: short, and full where that is known.
    pub names: Vec<String>,
    /// What it is.
    pub class: MethodClass,
    /// The arguments; nothing where only the method is judged, and any arguments might be allowed.
    pub args: Option<&'a [Value]>,
    /// Whether only a check is asked for.
    pub check: bool,
}

impl<'a> Asked<'a> {
    /// A method of one name.
    pub fn new(name: impl Into<String>, class: MethodClass, args: Option<&'a [Value]>) -> Self {
        Self { names: vec![name.into()], class, args, check: false }
    }

    /// Whether a pattern fits one of the names. `-` and `_` in a method are the same, as they are to the wire.
    fn has_name(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.names.iter().any(|name| {
            fits(name)
                || name.rsplit_once('.').is_some_and(|(module, method)| {
                    method.contains('_') && fits(&format!("{module}.{}", method.replace('_', "-")))
                })
        })
    }
}

/// What decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Because<'a> {
    /// A rule of the configuration, counted from 1.
    Rule(usize, &'a Rule),
    /// A line of an old ACL file.
    Acl(&'a AclLine),
    /// No rule can give a role more than this.
    Beyond(Role),
    /// No rule fits.
    Nothing,
}

/// Whether a call is allowed, and why.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision<'a> {
    /// Whether it is.
    pub allowed: bool,
    /// Why.
    pub because: Because<'a>,
}

impl fmt::Display for Because<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rule(number, rule) => write!(f, "rule {number} of [[access]]: {rule}"),
            Self::Acl(line) => write!(f, "{line}"),
            Self::Beyond(role) => write!(f, "{}", beyond(*role)),
            Self::Nothing => write!(f, "no rule fits, and what no rule allows is denied"),
        }
    }
}

/// Why somebody may not call. The text is meant for the caller, and says nothing of other rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// Nothing at all is allowed to the caller.
    #[error("access denied: {}; nothing in this minion's policy lets it call", certificate(name, *role))]
    Nobody {
        /// Who called.
        name: String,
        /// As what.
        role: Option<Role>,
    },
    /// The method, or these arguments of it, are not allowed.
    #[error("access denied: {}; it may not call `{method}`{}", certificate(name, *role), if *args { " with these arguments" } else { "" })]
    Method {
        /// Who called.
        name: String,
        /// As what.
        role: Option<Role>,
        /// What was called.
        method: String,
        /// Whether other arguments would be allowed.
        args: bool,
    },
}

fn certificate(name: &str, role: Option<Role>) -> String {
    match role {
        Some(role) => format!("the certificate of `{name}` was issued for the role `{role}`"),
        None => format!("the certificate of `{name}` carries no role"),
    }
}

fn beyond(role: Role) -> &'static str {
    match role {
        Role::Reader => "a reader may call only what is marked @read-only, and introspection, whatever the rules say",
        Role::Author => "an author may only install modules, and call introspection, whatever the rules say",
        _ => "the role may not call this, whatever the rules say",
    }
}

/// What an author may call beside introspection: the bytes of a module come before it.
const OF_AUTHORS: [&str; 2] = ["modules.install", "transfer.put"];

/// What a minion lets callers do.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Policy {
    rules: AccessRules,
    acl: Acl,
}

impl Policy {
    /// These rules, and after them these lines of old files.
    pub fn new(rules: AccessRules, acl: Acl) -> Self {
        Self { rules, acl }
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        self.rules.as_slice()
    }

    /// The lines of old files.
    pub fn acl(&self) -> &[AclLine] {
        self.acl.lines()
    }

    /// Whether a call is allowed, and what decides that.
    pub fn decide(&self, asker: Asker<'_>, asked: &Asked<'_>) -> Decision<'_> {
        let denied = |because| Decision { allowed: false, because };
        match asker.role {
            Some(Role::Reader) if asked.class == MethodClass::Other => return denied(Because::Beyond(Role::Reader)),
            Some(Role::Author)
                if asked.class != MethodClass::Introspection && !asked.has_name(|name| OF_AUTHORS.contains(&name)) =>
            {
                return denied(Because::Beyond(Role::Author));
            }
            _ => {}
        }
        for (index, rule) in self.rules().iter().enumerate() {
            if rule.fits(asker, asked) {
                return Decision { allowed: rule.allows(), because: Because::Rule(index + 1, rule) };
            }
        }
        match self.acl().iter().find(|line| line.fits(asker, asked)) {
            Some(line) => Decision { allowed: true, because: Because::Acl(line) },
            None => denied(Because::Nothing),
        }
    }

    /// The same as an error for the caller.
    pub fn judge(&self, asker: Asker<'_>, asked: &Asked<'_>) -> Result<(), Denied> {
        if self.decide(asker, asked).allowed {
            return Ok(());
        }
        let args = asked.args.is_some() && self.decide(asker, &Asked { args: None, ..asked.clone() }).allowed;
        let method = asked.names.first().map(|name| name.chars().take(200).collect()).unwrap_or_default();
        Err(Denied::Method { name: asker.name.to_owned(), role: asker.role, method, args })
    }

    /// Whether the caller may call anything, asked before a request is read.
    pub fn may_call(&self, asker: Asker<'_>) -> Result<(), Denied> {
        let rules = self.rules().iter().any(|rule| rule.allows() && rule.is_for(asker));
        if rules || self.acl().iter().any(|line| line.is_for(asker)) {
            return Ok(());
        }
        Err(Denied::Nobody { name: asker.name.to_owned(), role: asker.role })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use MethodClass::{Introspection, Other, ReadOnly};

    fn policy(text: &str) -> Policy {
        #[derive(serde::Deserialize)]
        struct File {
            #[serde(default)]
            access: AccessRules,
        }
        let file: File = toml::from_str(text).unwrap();
        Policy::new(file.access, Acl::default())
    }

    fn asker(name: &str, role: Role) -> Asker<'_> {
        Asker { name, role: Some(role), subject: None }
    }

    fn may(policy: &Policy, who: Asker<'_>, names: &[&str], class: MethodClass, args: &[Value]) -> bool {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        policy.decide(who, &Asked { names, class, args: Some(args), check: false }).allowed
    }

    #[test]
    fn overlords_may_call_everything_and_others_nothing_until_it_is_said() {
        let policy = Policy::default();
        for role in Role::ALL {
            let caller = asker("web1", role);
            let overlord = matches!(role, Role::Overlord | Role::SubOverlord);
            assert_eq!(policy.may_call(caller).is_ok(), overlord, "{role}");
            assert_eq!(may(&policy, caller, &["a.b"], MethodClass::Other, &[]), overlord, "{role}");
        }
        assert!(policy.may_call(Asker { name: "web1", role: None, subject: None }).is_err());
    }

    #[test]
    fn the_first_rule_that_fits_decides_and_what_none_fits_is_denied() {
        let policy = policy(
            "[[access]]\ndeny = \"process.*\"\ncaller = \"ci-*\"\n[[access]]\nallow = [\"process.*\", \"disk.*\"]\n",
        );
        let (ci, boss) = (asker("ci-1", Role::Overlord), asker("boss", Role::Overlord));
        let other = MethodClass::Other;
        assert!(!may(&policy, ci, &["process.kill"], other, &[]) && may(&policy, boss, &["process.kill"], other, &[]));
        assert!(may(&policy, ci, &["disk.usage"], other, &[]) && !may(&policy, boss, &["file.read"], other, &[]));
        let asked = Asked::new("process.kill", other, Some(&[]));
        let why = policy.decide(ci, &asked).because.to_string();
        assert_eq!(why, "rule 1 of [[access]]: deny process.* to ci-*");
        assert!(policy.judge(ci, &asked).unwrap_err().to_string().contains("may not call `process.kill`"));
    }

    #[test]
    fn no_denial_is_got_round_by_the_other_name_of_a_method() {
        let policy = policy("[[access]]\ndeny = [\"disk.wipe-all\", \"acme:net/net.*\"]\n[[access]]\nallow = \"*\"\n");
        let boss = asker("boss", Role::Overlord);
        assert!(!may(&policy, boss, &["disk.wipe_all", "acme:disk/disk.wipe_all"], MethodClass::Other, &[]));
        assert!(!may(&policy, boss, &["net.down", "acme:net/net.down"], MethodClass::Other, &[]));
        assert!(may(&policy, boss, &["disk.usage", "acme:disk/disk.usage"], MethodClass::Other, &[]));
    }

    #[test]
    fn readers_and_authors_get_no_more_than_their_roles_whatever_the_rules_say() {
        let policy = policy("[[access]]\nallow = \"*\"\nrole = [\"reader\", \"author\"]\n");
        let (reader, author) = (asker("r", Role::Reader), asker("a", Role::Author));
        for (names, class, reads, installs) in [
            ("system.list_methods", Introspection, true, true),
            ("disk.usage", ReadOnly, true, false),
            ("disk.wipe", Other, false, false),
            ("modules.install", Other, false, true),
            ("transfer.put", Other, false, true),
            ("modules.rollback", Other, false, false),
            ("copyfile.put", Other, false, false),
        ] {
            assert_eq!(may(&policy, reader, &[names], class, &[]), reads, "{names}");
            assert_eq!(may(&policy, author, &[names], class, &[]), installs, "{names}");
        }
        assert!(!may(&policy, asker("boss", Role::Overlord), &["disk.usage"], ReadOnly, &[]), "a role of its own");
    }

    #[test]
    fn arguments_and_checks_are_judged() {
        let policy = policy(
            "[[access]]\nallow = \"service.restart\"\nargs = [\"nginx*\"]\n\
             [[access]]\nallow = [\"@introspection\", \"@read-only\"]\n\
             [[access]]\nallow = \"*\"\ncheck_only = true\n",
        );
        let boss = asker("boss", Role::Overlord);
        let restart = |args: &[Value]| may(&policy, boss, &["service.restart"], MethodClass::Other, args);
        assert!(restart(&["nginx".into()]) && !restart(&["sshd".into()]) && !restart(&[]));
        let asked = Asked::new("service.restart", MethodClass::Other, Some(&[]));
        assert!(policy.judge(boss, &asked).unwrap_err().to_string().contains("with these arguments"));
        assert!(may(&policy, boss, &["disk.usage"], MethodClass::ReadOnly, &[]));
        assert!(!may(&policy, boss, &["disk.wipe"], MethodClass::Other, &[]));
        let check = Asked { check: true, ..Asked::new("disk.wipe", MethodClass::Other, Some(&[])) };
        assert!(policy.decide(boss, &check).allowed);
    }
}
