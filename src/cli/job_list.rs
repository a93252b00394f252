//! `func job list` and `func job purge`: which jobs there are, and which are not needed any more.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use globset::Glob;
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
use crate::overlord::{JobFilter, JobLine, JobList, JobState};
use crate::wire::JobStatus;

/// List jobs with their states and ages, oldest first
#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those in this state
    #[arg(long, value_parser = PossibleValuesParser::new(JobState::NAMES).try_map(|name| name.parse::<JobState>()))]
    state: Option<JobState>,
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

impl List {
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let Self { state, method, by, host, since, limit } = self;
        let wanted = JobFilter { state, method, by, host, since: since.map(Period::duration), limit };
        let JobList { jobs, unreadable, missing } =
            Context::block_on(async { Ok(overlord.list_only(&wanted).await?) })?;
        if let Some(path) = missing {
            Context::say(format!("there is no job store `{}`", path.display()));
        }
        for row in unreadable {
            Context::warn(format!("the job `{}` cannot be shown: {}", render::visible(&row.key), row.error));
        }
        let now = Timestamp::now();
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
