//! `func job list` and `func job purge`: which jobs there are, and which are not needed any more.

use clap::{Args, ValueEnum};
use globset::{Glob, GlobMatcher};
use jiff::Timestamp;

use super::context::Context;
use super::failure::Failure;
use super::fleet_options::overlord;
use super::job::state_word;
use super::outcomes::counts;
use super::render;
use super::report::{Lines, Report};
use crate::config::{Period, age, passed};
use crate::ids::{HostName, OverlordJobId};
use crate::overlord::{JobLine, JobList};
use crate::wire::JobStatus;

/// List jobs with their states and ages, oldest first
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those in this state
    #[arg(long)]
    state: Option<State>,
    /// Only calls of this method; a glob, like `disk.*`
    #[arg(long, value_name = "METHOD")]
    method: Option<Glob>,
    /// Only those that this user or schedule has made; a glob, like `schedule:*`
    #[arg(long, value_name = "WHO")]
    by: Option<Glob>,
    /// Only those that this host is part of
    #[arg(long)]
    host: Option<HostName>,
    /// Only those submitted in the last so long, like `2h`
    #[arg(long, value_name = "PERIOD")]
    since: Option<Period>,
    /// Only the newest so many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum State {
    Running,
    Partial,
    Finished,
    Interrupted,
}

impl State {
    fn is_of(self, job: &JobLine) -> bool {
        match self {
            Self::Interrupted => job.interrupted,
            Self::Running => job.status() == JobStatus::Running && !job.interrupted,
            Self::Partial => job.status() == JobStatus::Partial,
            Self::Finished => job.status() == JobStatus::Finished,
        }
    }
}

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let listed = Context::block_on(async {
            Ok(match self.host.clone() {
                Some(host) => overlord.list_of(host).await?,
                None => overlord.list().await?,
            })
        })?;
        let JobList { mut jobs, unreadable, missing } = listed;
        if let Some(path) = missing {
            Context::say(format!("there is no job store `{}`", path.display()));
        }
        for row in unreadable {
            Context::warn(format!("the job `{}` cannot be shown: {}", render::visible(&row.key), row.error));
        }
        let now = Timestamp::now();
        let method = self.method.as_ref().map(Glob::compile_matcher);
        let by = self.by.as_ref().map(Glob::compile_matcher);
        jobs.retain(|job| self.means(job, method.as_ref(), now));
        jobs.retain(|job| by.as_ref().is_none_or(|by| job.submitter.as_ref().is_some_and(|who| by.is_match(who))));
        if let Some(limit) = self.limit {
            jobs.drain(..jobs.len().saturating_sub(limit));
        }
        let rows: Vec<Vec<String>> = jobs
            .iter()
            .map(|job| {
                let done = format!("{}/{}", job.progress.summary.total(), job.hosts);
                let state = state_word(job.status(), job.interrupted);
                let by = render::visible(job.submitter.as_deref().unwrap_or("not known"));
                vec![state, done, counts(&job.progress.summary), age(job.submitted, now), by, job.id.to_string()]
            })
            .collect();
        let lines = if rows.is_empty() {
            vec!["no jobs".to_owned()]
        } else {
            vec![render::table(&["state", "done", "result", "age", "by", "id"], &rows, &[3])]
        };
        Ok(Box::new(Lines { lines, data: jobs.iter().map(JobLine::to_json).collect() }))
    }

    fn means(&self, job: &JobLine, method: Option<&GlobMatcher>, now: Timestamp) -> bool {
        self.state.is_none_or(|state| state.is_of(job))
            && method.is_none_or(|method| method.is_match(job.method.to_string()))
            && self.since.is_none_or(|since| passed(job.submitted, now) <= since.duration())
    }
}

/// Take ended jobs, and all that is known of them, out of the store
///
/// A job that has not ended stays. What is beyond the bounds in `overlord.toml` goes by itself when another job ends.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Purge {
    /// These, as `func job list` names them
    ids: Vec<OverlordJobId>,
    /// All that ended so long ago, like `30d`
    #[arg(long, value_name = "PERIOD")]
    older_than: Option<Period>,
}

impl Purge {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let now = Timestamp::now();
        let purged = Context::block_on(async {
            let mut ids = self.ids;
            if let Some(older_than) = self.older_than {
                let old = |job: &JobLine| {
                    let ended = job.progress.ended.filter(|_| job.status() == JobStatus::Finished);
                    ended.is_some_and(|at| passed(at, now) >= older_than.duration())
                };
                ids = overlord.list().await?.jobs.into_iter().filter(old).map(|job| job.id).collect();
            }
            overlord.purge(ids.clone()).await?;
            Ok(ids)
        })?;
        let line = format!("purged {} job{}", purged.len(), if purged.len() == 1 { "" } else { "s" });
        Ok(Box::new(Lines { lines: vec![line], data: serde_json::json!({ "purged": purged }) }))
    }
}
