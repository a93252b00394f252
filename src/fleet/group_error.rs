//! What can be wrong with groups.

use std::{io, path::PathBuf};

use super::{GroupName, InvalidTarget};
use crate::{config, plugin::similar};

/// Why the groups cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The file cannot be read, or is not what it should be.
    #[error("the groups cannot be used")]
    File(#[source] config::Error),
    /// The file cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A member is not a target.
    #[error("the member `{member}` of the group `{group}`: {source}")]
    Member {
        /// Whose.
        group: GroupName,
        /// As it is written.
        member: String,
        /// What is wrong with it.
        source: InvalidTarget,
    },
    /// A group holds itself.
    #[error("the group `{}` holds itself: {}", path[0], shown(path))]
    Cycle {
        /// The way round, its first group again at the end.
        path: Vec<GroupName>,
    },
    /// There is no such group.
    #[error("there is no group `{group}`{}", hint.as_ref().map(|hint| format!("; did you mean `{hint}`?")).unwrap_or_default())]
    Unknown {
        /// Which.
        group: GroupName,
        /// One of a similar name.
        hint: Option<GroupName>,
    },
    /// There is no such group, but a source that has never told anything may have it.
    #[error("there is no group `{group}`, and the source `{source_name}` has told of none yet: {why}")]
    Silent {
        /// Which group.
        group: GroupName,
        /// Which source.
        source_name: GroupName,
        /// Why it has not.
        why: String,
    },
    /// There is no such source.
    #[error("there is no source of groups `{name}`")]
    NoSource {
        /// Which.
        name: GroupName,
    },
    /// It is a source's, not the file's.
    #[error("the group `{group}` comes from the source `{source_name}`, not from the file")]
    Told {
        /// Which group.
        group: GroupName,
        /// Whose.
        source_name: GroupName,
    },
    /// It cannot go away, because another holds it.
    #[error("the group `{group}` is a member of `{by}`")]
    Held {
        /// Which.
        group: GroupName,
        /// Whose member it is.
        by: GroupName,
    },
}

pub(super) fn unknown<'a>(
    group: &GroupName,
    known: impl Iterator<Item = &'a GroupName>,
    silent: Option<&(GroupName, String)>,
) -> GroupError {
    if let Some((source, why)) = silent {
        return GroupError::Silent { group: group.clone(), source_name: source.clone(), why: why.clone() };
    }
    let hint = similar(group.as_str(), known.map(GroupName::as_str)).and_then(|name| name.parse().ok());
    GroupError::Unknown { group: group.clone(), hint }
}

fn shown(path: &[GroupName]) -> String {
    path.iter().map(GroupName::as_str).collect::<Vec<_>>().join(" → ")
}
