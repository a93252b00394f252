//! What the sources of groups have told, and when: a cache, in one file.
//!
//! A source that fails does not take back what it has told: its last good answer stays, and says how old it is. A failure is
//! remembered, too, so that a source which hangs does not hold up every command. A file that cannot be read counts as empty.

use std::{collections::BTreeMap, fs, io, path::Path, thread, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{GroupError, GroupName, GroupSource, Target};
use crate::{
    sys::{durable, lock},
    telemetry,
};

/// A source that has failed is not asked again before this has passed.
const AGAIN: Duration = Duration::from_secs(30);

/// What one source has told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// Who was asked: another program's answer is no answer of this one.
    source: GroupSource,
    /// When it answered last; nothing if it never has.
    pub(super) at: Option<Timestamp>,
    groups: BTreeMap<GroupName, Vec<String>>,
    /// When it failed, and why, if it has since.
    pub(super) failed: Option<(Timestamp, String)>,
}

pub(super) type Sources = BTreeMap<GroupName, GroupSource>;
pub(super) type AllTold = BTreeMap<GroupName, Told>;

impl Told {
    /// Its groups.
    pub(super) fn groups(&self) -> impl Iterator<Item = (GroupName, Vec<Target>)> {
        let read = |members: &Vec<String>| members.iter().filter_map(|member| member.parse().ok()).collect();
        self.groups.iter().map(move |(group, members)| (group.clone(), read(members)))
    }

    /// Whether it should be asked again.
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        !self.is_fresh(now)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let within = |at: Timestamp, time: Duration| {
            Duration::try_from(now.duration_since(at)).is_ok_and(|passed| passed < time)
        };
        self.at.is_some_and(|at| within(at, self.source.keep.duration()))
            || self.failed.as_ref().is_some_and(|(at, _)| within(*at, AGAIN.min(self.source.keep.duration())))
    }
}

/// What each source has told, and of those that never were asked, that.
pub(super) fn known(path: &Path, sources: &Sources) -> AllTold {
    let mut known = load(path, sources);
    for (name, source) in sources {
        let unasked = || Told {
            source: source.clone(),
            at: None,
            groups: BTreeMap::new(),
            failed: Some((Timestamp::now(), "whoever only looks does not have it asked".to_owned())),
        };
        known.entry(name.clone()).or_insert_with(unasked);
    }
    known
}

/// What each source has told, those asked whose answer is old, or all of these. One process asks, the others wait for it.
pub(super) fn ask(path: &Path, sources: &Sources, anew: Option<&[GroupName]>) -> Result<AllTold, GroupError> {
    let failed = |source| GroupError::Write { path: path.to_owned(), source };
    let known = load(path, sources);
    if anew.is_none() && stale(&known, sources, None).next().is_none() {
        return Ok(known);
    }
    durable::create_folder(durable::folder_of(path), 0o700).map_err(failed)?;
    let file = lock::open_lock_file(&path.with_extension("lock")).map_err(failed)?;
    let longest = sources.values().map(|source| source.timeout.duration()).max().unwrap_or_default();
    if lock::exclusive_within(&file, longest + AGAIN).map_err(failed)? == lock::Attempt::Busy {
        tracing::warn!("another process has been asking the sources of groups for long; what is known of them is used");
        return Ok(known);
    }
    let mut known = load(path, sources);
    let asked: Vec<_> = stale(&known, sources, anew).collect();
    let answers: Vec<_> = thread::scope(|scope| {
        let running: Vec<_> = asked.iter().map(|(_, source)| scope.spawn(|| source.ask())).collect();
        running.into_iter().map(thread::ScopedJoinHandle::join).collect()
    });
    for ((name, source), answer) in asked.into_iter().zip(answers) {
        let now = Timestamp::now();
        let before = known.remove(name);
        let told = match answer.map(|answer| answer.map_err(|error| telemetry::chain(&error))) {
            Ok(Ok(groups)) => {
                let text = |targets: Vec<Target>| targets.iter().map(|target| target.as_str().to_owned()).collect();
                let groups = groups.into_iter().map(|(group, members)| (group, text(members))).collect();
                Told { source: source.clone(), at: Some(now), groups, failed: None }
            }
            other => {
                let why =
                    other.map_or_else(|_| "asking it broke off".to_owned(), |answer| answer.err().unwrap_or_default());
                let (at, groups) = before.map(|before| (before.at, before.groups)).unwrap_or_default();
                Told { source: source.clone(), at, groups, failed: Some((now, why)) }
            }
        };
        known.insert(name.clone(), told);
    }
    let text = serde_json::to_vec(&known).map_err(|error| failed(io::Error::other(error)))?;
    durable::write_atomic(path, &text, 0o600).map_err(failed)?;
    Ok(known)
}

fn load(path: &Path, sources: &Sources) -> AllTold {
    let mut known: AllTold =
        fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    known.retain(|name, told| sources.get(name) == Some(&told.source));
    known
}

fn stale<'a>(
    known: &AllTold,
    sources: &'a Sources,
    anew: Option<&[GroupName]>,
) -> impl Iterator<Item = (&'a GroupName, &'a GroupSource)> {
    let now = Timestamp::now();
    let wanted = move |name: &GroupName| match anew {
        Some(names) => names.is_empty() || names.contains(name),
        None => !known.get(name).is_some_and(|told| told.is_fresh(now)),
    };
    sources.iter().filter(move |(name, _)| wanted(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_lies_in_the_cache_is_what_was_told_or_nothing() {
        let sources: Sources = toml::from_str("[cloud]\nprogram = \"/etc/func/cloud-groups\"\n").unwrap();
        let (name, source) = sources.first_key_value().unwrap();
        let told = Told {
            source: source.clone(),
            at: Some(Timestamp::UNIX_EPOCH),
            groups: [("web".parse().unwrap(), vec!["web{1..20}".to_owned(), "@db".to_owned()])].into(),
            failed: Some((Timestamp::UNIX_EPOCH, "it hung".to_owned())),
        };
        let written = serde_json::to_vec(&AllTold::from([(name.clone(), told)])).unwrap();
        let words =
            ["{", "}", "[", "]", "null", "\"at\":", "\"1970-01-01T00:00:00Z\"", "-009999-01-01T00:00:00Z", "9s", "@"];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("groups.json");
        crate::sys::fuzz::fuzz("groups_json", &[&written], &words, |bytes| {
            let _ = fs::remove_file(&path);
            fs::write(&path, bytes).unwrap();
            let known = load(&path, &sources);
            let groups = known.values().flat_map(Told::groups).map(|(_, members)| members.len()).sum::<usize>();
            // Digits do not tell kinds of answers apart.
            let failed = known.values().map(|told| told.failed.is_some()).collect::<Vec<_>>();
            (failed, "x".repeat(groups.min(9)), stale(&known, &sources, None).next().is_some())
        });
        assert_eq!(load(&path.with_file_name("missing"), &sources), AllTold::new());
    }
}
