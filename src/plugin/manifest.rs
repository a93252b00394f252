//! What a module says it needs of the machine.
//!
//! It only asks. Nothing that runs a call reads this: what a module gets is in the operator's files alone, and the asks
//! are there for the operator who writes them, and for the author's own tools.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::access::Grant;

/// The custom section that holds a component's [`Manifest`] as JSON.
pub const MANIFEST_SECTION: &str = "func-manifest";

/// What a module says it needs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// What it asks the operator to grant.
    pub asks: Grant,
    /// What it uses without being able to say on what: a module that runs what its caller names cannot ask for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operator_chooses: Vec<Right>,
}

/// A kind of thing that is granted: a key in a module's table of grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Right {
    /// To run programs.
    Run,
    /// To read files.
    Read,
    /// To write files.
    Write,
    /// To look at services and to change them.
    Services,
    /// To look at services.
    ServicesRead,
    /// To send signals to processes.
    Signal,
    /// To reach other hosts.
    Network,
}

impl Right {
    /// All that a host function may need.
    pub const ALL: [Self; 7] =
        [Self::Run, Self::Read, Self::Write, Self::Services, Self::ServicesRead, Self::Signal, Self::Network];
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Read => "read",
            Self::Write => "write",
            Self::Services => "services",
            Self::ServicesRead => "services-read",
            Self::Signal => "signal",
            Self::Network => "network",
        })
    }
}

impl Manifest {
    /// Reads the contents of a [`MANIFEST_SECTION`].
    pub(super) fn read(section: &[u8]) -> Option<Self> {
        serde_json::from_slice(section).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_come_back_as_they_were_written() {
        let text = r#"{"asks":{"run":["kill"],"read":["/proc/*/status"],"write":[]},"operator-chooses":["run"]}"#;
        let manifest = Manifest::read(text.as_bytes()).unwrap();
        assert_eq!(manifest.operator_chooses, [Right::Run]);
        assert_eq!(serde_json::to_string(&manifest).unwrap(), text);
    }

    #[test]
    fn asks_that_nobody_could_grant_are_none() {
        for text in ["", "{", r#"{"asks":{"read":["etc/passwd"]}}"#, r#"{"asks":{"reed":[]}}"#] {
            assert!(Manifest::read(text.as_bytes()).is_none(), "{text}");
        }
    }
}
