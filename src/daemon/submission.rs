//! Jobs that somebody makes or goes on with: durable when they are answered, and attended from then on.

use jiff::Timestamp;

use super::{
    Daemon,
    api::{self, JobRequest, ResumeRequest, RetryRequest, Wanted},
    caller::Caller,
    problem::Problem,
    secrets,
};
use crate::{
    fleet::Outcome,
    ids::OverlordJobId,
    overlord::{FanOut, JobView},
};

/// A job that was made.
pub(super) struct Submitted {
    pub(super) job: JobView,
    /// What is likely not as it was meant.
    pub(super) warnings: Vec<String>,
}

impl Daemon {
    /// Makes a job of a call, in the caller's name.
    pub(super) async fn submit(&self, caller: &Caller, request: &JobRequest) -> Result<Submitted, Problem> {
        let (wanted, options) = request.wanted()?;
        let overlord = self.overlord.asked_by(&caller.who());
        let selection = overlord.select(&wanted.selector)?;
        let warnings = selection.warnings(Timestamp::now());
        let options = options(selection.hosts.len());
        let Wanted { selector, method, args, filter, .. } = wanted;
        let args = secrets::sealed(&overlord, &selection, &method, args).await;
        let args = Wanted::sent(filter.as_ref(), args);
        let fan_out = overlord.submit(selector.target.as_str(), selection, method, args, options).await?;
        Ok(Submitted { job: self.begun(caller, fan_out, "a job was submitted").await?, warnings })
    }

    /// Makes a job of an old one's call, in the caller's name.
    pub(super) async fn retry(
        &self,
        caller: &Caller,
        id: &OverlordJobId,
        request: &RetryRequest,
    ) -> Result<Submitted, Problem> {
        let (outcomes, steps) = (request.outcomes()?, request.steps.wanted()?);
        let again = |outcome: &Outcome| outcomes.iter().any(|name| name == outcome.name());
        let rollout = |hosts| steps.for_hosts(hosts);
        let overlord = self.overlord.asked_by(&caller.who());
        let fan_out = overlord.retry(id, again, rollout, &api::secrets(&request.secrets)).await?;
        let job = self.begun(caller, fan_out, "a job was submitted as another try").await?;
        Ok(Submitted { job, warnings: Vec::new() })
    }

    /// Goes on with a job that nobody hands out.
    pub(super) async fn resume(
        &self,
        caller: &Caller,
        id: &OverlordJobId,
        request: &ResumeRequest,
    ) -> Result<JobView, Problem> {
        let fan_out = self.overlord.resume(id, api::secrets(&request.secrets)).await?;
        self.begun(caller, fan_out, "somebody goes on with a job").await
    }

    pub(super) async fn begun(&self, caller: &Caller, fan_out: FanOut, what: &str) -> Result<JobView, Problem> {
        let view = self.overlord.status(fan_out.id()).await;
        tracing::info!(job = %fan_out.id(), caller = caller.who(), "{what}");
        // The job is there, whether or not it can be shown.
        self.attendant.attend(fan_out);
        Ok(view?)
    }
}
