//! What is likely not as it was meant, of a choice of hosts that was made all the same.

use std::time::Duration;

use jiff::Timestamp;

use super::{Selection, SourceStanding, compress};
use crate::config::{age, passed};

/// What is known of hosts is older than this only with a word about it.
const OLD: Duration = Duration::from_hours(24);

impl Selection {
    /// Hosts that are left out because nothing is known of them are told of, those behind which nobody has looked, and what was
    /// known long ago, or is still taken for so because whoever knows better fails.
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.unsure.is_empty() {
            let hosts = compress(&self.unsure);
            let why = "left out, because their facts are not known here";
            warnings.push(format!("{why}: {hosts}; ask with `func facts refresh`"));
        }
        if !self.unmapped.is_empty() {
            let hosts = compress(&self.unmapped);
            let why = "who is behind these is not known, and not counted";
            warnings.push(format!("{why}: {hosts}; ask with `func map build`"));
        }
        warnings.extend(self.stale.iter().filter_map(|standing| standing.complaint(now)));
        if let Some(since) = self.known_since.filter(|since| passed(*since, now) > OLD) {
            warnings.push(format!("some facts are {} old; ask again with `func facts refresh`", age(since, now)));
        }
        warnings
    }
}

impl SourceStanding {
    /// What is wrong with a source of groups, and how old what is used of it is.
    pub fn complaint(&self, now: Timestamp) -> Option<String> {
        let (name, old) = (&self.name, self.at.map(|at| age(at, now)));
        let Some((failed, why)) = &self.failed else {
            let old = old.filter(|_| self.unasked)?;
            return Some(format!(
                "the groups of `{name}` are {old} old; whoever only looks does not have it asked again"
            ));
        };
        let failed = age(*failed, now);
        Some(match old {
            Some(old) => format!("the groups of `{name}` are {old} old; asked {failed} ago, it failed: {why}"),
            None => format!("the source `{name}` has told of no groups yet; asked {failed} ago, it failed: {why}"),
        })
    }
}
