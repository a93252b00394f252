//! Names in grants that are neither files nor programs: services and processes.

use std::path::Path;

use globset::GlobMatcher;
use serde::{Deserialize, Serialize};

use super::{InvalidGrant, pattern::compile};

/// Implements what all of them share: they are written, compared and kept as their text.
macro_rules! as_text {
    ($name:ident) => {
        impl $name {
            /// The text as the operator wrote it.
            pub fn as_str(&self) -> &str {
                &self.text
            }
        }

        impl From<$name> for String {
            fn from(grant: $name) -> Self {
                grant.text
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.text == other.text
            }
        }
    };
}

pub(super) use as_text;

/// A service of the machine, or a glob over their names: `nginx`, `app@*`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServiceGrant {
    text: String,
    glob: Option<GlobMatcher>,
}

as_text!(ServiceGrant);

impl ServiceGrant {
    /// Whether this is for the service of that name.
    pub fn covers(&self, name: &str) -> bool {
        self.text == name || self.glob.as_ref().is_some_and(|glob| glob.is_match(Path::new(name)))
    }
}

impl TryFrom<String> for ServiceGrant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        if text.is_empty()
            || text.starts_with('-')
            || text.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
        {
            return Err(InvalidGrant::new(&text, "it is no name of a service"));
        }
        let glob = compile(&text)?;
        Ok(Self { text, glob })
    }
}

/// Processes that may be signalled: those of a program by the name of its file (`nginx`, `java*`), or those of a
/// user (`user:www-data`).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SignalGrant {
    text: String,
    of_user: bool,
    glob: Option<GlobMatcher>,
}

as_text!(SignalGrant);

/// What comes before the name of a user.
const USER: &str = "user:";

impl SignalGrant {
    /// Whether this is for the processes of a program, where that is known, or of a user.
    pub fn covers(&self, program: Option<&str>, user: &str) -> bool {
        let (asked, name) = match (self.of_user, program) {
            (true, _) => (user, self.text.strip_prefix(USER).unwrap_or_default()),
            (false, Some(program)) => (program, self.text.as_str()),
            (false, None) => return false,
        };
        asked == name || self.glob.as_ref().is_some_and(|glob| glob.is_match(Path::new(asked)))
    }
}

impl TryFrom<String> for SignalGrant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        let user = text.strip_prefix(USER);
        let name = user.unwrap_or(&text);
        if name.is_empty() || name.contains(|c: char| c == '/' || c.is_control()) {
            return Err(InvalidGrant::new(&text, "it is the name of a program's file, or `user:` and a user's name"));
        }
        let (glob, of_user) = (compile(name)?, user.is_some());
        Ok(Self { text, of_user, glob })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_granted_by_its_program_or_its_user() {
        let signal = |text: &str| SignalGrant::try_from(text.to_owned()).unwrap();
        assert!(signal("nginx").covers(Some("nginx"), "root") && !signal("nginx").covers(Some("sshd"), "nginx"));
        assert!(signal("java*").covers(Some("java8"), "x") && signal("*").covers(Some("sshd"), "root"));
        assert!(signal("user:www").covers(None, "www") && !signal("user:www").covers(Some("www"), "root"));
        assert!(!signal("*").covers(None, "root") && signal("user:*").covers(None, "root"));
        for text in ["", "user:", "/usr/bin/nginx", "a\nb", "["] {
            assert!(SignalGrant::try_from(text.to_owned()).is_err(), "{text:?}");
        }
    }

    #[test]
    fn services_are_plain_names() {
        let service = |text: &str| ServiceGrant::try_from(text.to_owned());
        assert!(service("app@*").unwrap().covers("app@1") && !service("nginx").unwrap().covers("ssh"));
        for text in ["", "--now", "a b", "a/b", "a\n"] {
            assert!(service(text).is_err(), "{text:?}");
        }
    }
}
