//! Another try, as a job of its own, on hosts on which a job did not end well.

use std::collections::BTreeMap;

use super::{Error, FanOut, JobOptions, JobView, Overlord};
use crate::{
    ca::Host,
    fleet::{Outcome, Rollout, Selection},
    ids::{MethodName, OverlordJobId},
    wire::Secrets,
};

impl Overlord {
    /// Whom [`Overlord::retry`] would call, and what.
    pub async fn to_retry(
        &self,
        id: &OverlordJobId,
        again: impl Fn(&Outcome) -> bool,
    ) -> Result<(Selection, MethodName), Error> {
        let (selection, view) = self.chosen_again(id, again).await?;
        Ok((selection, view.record.method))
    }

    /// Makes a new job of the call of an old one, over those of its hosts of whose end `again` says so, where the inventory
    /// has them now. Times and width are the old job's. It is a new call: where the old one may have run, it runs again.
    pub async fn retry(
        &self,
        id: &OverlordJobId,
        again: impl Fn(&Outcome) -> bool,
        rollout: impl FnOnce(usize) -> Rollout,
        secrets: &Secrets,
    ) -> Result<FanOut, Error> {
        let (selection, view) = self.chosen_again(id, again).await?;
        let hosts = selection.hosts.len();
        let (mut record, plan) = (view.record, view.plan);
        if !secrets.is_empty() {
            secrets.fill(&mut record.args).map_err(|source| Error::WrongSecrets { id: id.clone(), source })?;
        } else if !Secrets::of(&record.args).are_here() {
            return Err(Error::SecretGone { id: id.clone(), unsent: hosts, method: record.method });
        }
        let options = JobOptions {
            forks: record.forks,
            acceptance: plan.acceptance,
            timeout: record.timeout,
            give_up_after: record.give_up_after,
            rollout: rollout(hosts),
        };
        self.submit_as(&record.target, selection, record.method, record.args, options, Some(id.clone())).await
    }

    async fn chosen_again(
        &self,
        id: &OverlordJobId,
        again: impl Fn(&Outcome) -> bool,
    ) -> Result<(Selection, JobView), Error> {
        let work = self.work(id).await?;
        let mut known: BTreeMap<_, _> =
            work.parts.into_iter().map(|part| (part.host.name, part.host.address)).collect();
        known.extend(self.hosts()?.into_iter().map(|host| (host.name, host.address)));
        let chosen = work.view.outcomes().filter(|(_, outcome)| again(outcome));
        let hosts: Vec<_> =
            chosen.filter_map(|(name, _)| Some(Host { name: name.clone(), address: known.remove(name)? })).collect();
        if hosts.is_empty() {
            return Err(Error::NothingToRetry { id: id.clone() });
        }
        Ok((Selection { hosts, ..Selection::default() }, work.view))
    }
}
