//! Which jobs of a list are wanted.

use std::{str::FromStr, time::Duration};

use globset::{Glob, GlobMatcher};
use jiff::Timestamp;

use super::JobLine;
use crate::{config::passed, ids::HostName, wire::JobStatus};

/// All of these must hold; what is nothing holds.
#[derive(Debug, Clone, Default)]
pub struct JobFilter {
    /// It is in this state.
    pub state: Option<JobState>,
    /// It calls a method that this fits.
    pub method: Option<Glob>,
    /// Who has made it is known, and fits this.
    pub by: Option<Glob>,
    /// This host is part of it.
    pub host: Option<HostName>,
    /// It was submitted in the last so long.
    pub since: Option<Duration>,
    /// It is one of the newest so many for which the others hold.
    pub limit: Option<usize>,
}

/// Where a job is, as people ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// It is being handed out.
    Running,
    /// Minions work on it.
    Partial,
    /// Every result is here.
    Finished,
    /// It is to be handed out, and nobody does so.
    Interrupted,
}

/// There is no such state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a job's state is one of {}", JobState::NAMES.join(", "))]
pub struct InvalidJobState;

impl JobState {
    /// Every name of a state.
    pub const NAMES: [&str; 4] = ["running", "partial", "finished", "interrupted"];

    fn is_of(self, job: &JobLine) -> bool {
        match self {
            Self::Interrupted => job.interrupted,
            Self::Running => job.status() == JobStatus::Running && !job.interrupted,
            Self::Partial => job.status() == JobStatus::Partial,
            Self::Finished => job.status() == JobStatus::Finished,
        }
    }
}

impl FromStr for JobState {
    type Err = InvalidJobState;

    fn from_str(text: &str) -> Result<Self, InvalidJobState> {
        let all = [Self::Running, Self::Partial, Self::Finished, Self::Interrupted];
        Self::NAMES
            .into_iter()
            .zip(all)
            .find_map(|(name, state)| (name == text).then_some(state))
            .ok_or(InvalidJobState)
    }
}

impl JobFilter {
    /// Leaves those that are wanted of a list of the host's jobs, if it is about one, oldest first.
    pub(super) fn narrow(&self, jobs: &mut Vec<JobLine>, now: Timestamp) {
        let method = self.method.as_ref().map(Glob::compile_matcher);
        let by = self.by.as_ref().map(Glob::compile_matcher);
        let fits = |glob: &Option<GlobMatcher>, text: Option<&str>| {
            glob.as_ref().is_none_or(|glob| text.is_some_and(|text| glob.is_match(text)))
        };
        jobs.retain(|job| {
            self.state.is_none_or(|state| state.is_of(job))
                && fits(&method, Some(&job.method.to_string()))
                && fits(&by, job.submitter.as_deref())
                && self.since.is_none_or(|since| passed(job.submitted, now) <= since)
        });
        if let Some(limit) = self.limit {
            jobs.drain(..jobs.len().saturating_sub(limit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ids::OverlordJobId, overlord::Progress};

    fn line(method: &str, by: Option<&str>, submitted: &str, open: usize, interrupted: bool) -> JobLine {
        let (target, method, submitted) = ("*".to_owned(), method.parse().unwrap(), submitted.parse().unwrap());
        JobLine {
            id: OverlordJobId::new(&target, &method, submitted, 0),
            submitter: by.map(str::to_owned),
            target,
            method,
            submitted,
            progress: Progress { open, ..Progress::default() },
            hosts: 1,
            interrupted,
        }
    }

    #[test]
    fn only_those_for_which_all_holds_are_left() {
        let all = [
            line("test.add", Some("ann (uid 7)"), "2026-05-05T08:00:00Z", 0, false),
            line("disk.usage", Some("schedule:sums"), "2026-05-05T09:00:00Z", 1, true),
            line("disk.free", None, "2026-05-05T10:00:00Z", 1, false),
        ];
        let glob = |text: &str| Some(Glob::new(text).unwrap());
        let left = |filter: JobFilter| {
            let mut jobs = all.to_vec();
            filter.narrow(&mut jobs, "2026-05-05T10:30:00Z".parse().unwrap());
            jobs.iter().map(|job| job.method.to_string()).collect::<Vec<_>>()
        };
        let usual = JobFilter::default;
        assert_eq!(left(usual()).len(), 3);
        assert_eq!(left(JobFilter { method: glob("disk.*"), ..usual() }), ["disk.usage", "disk.free"]);
        assert_eq!(left(JobFilter { by: glob("*"), ..usual() }), ["test.add", "disk.usage"]);
        assert_eq!(left(JobFilter { by: glob("schedule:*"), ..usual() }), ["disk.usage"]);
        assert_eq!(left(JobFilter { since: Some(Duration::from_hours(1)), ..usual() }), ["disk.free"]);
        assert_eq!(left(JobFilter { limit: Some(1), method: glob("*.{add,usage}"), ..usual() }), ["disk.usage"]);
        for (name, method) in [("finished", "test.add"), ("interrupted", "disk.usage"), ("running", "disk.free")] {
            assert_eq!(left(JobFilter { state: Some(name.parse().unwrap()), ..usual() }), [method]);
        }
        assert_eq!("ended".parse::<JobState>(), Err(InvalidJobState));
    }
}
