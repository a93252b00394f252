//! What a job has used, asked of its minions: the overlord keeps results, not budgets.

use std::{collections::BTreeMap, time::Duration};

use futures_util::stream::{self, StreamExt};

use super::{Error, Overlord};
use crate::{
    fleet::{Outcome, Request},
    ids::{HostName, OverlordJobId},
    plugin::Budget,
    wire::Call,
};

/// How long a minion has to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many are asked at a time.
const WIDTH: usize = 100;

impl Overlord {
    /// What each host says that its part of a job has used. Hosts that cannot tell, or not any more, are left out.
    pub async fn budgets(&self, id: &OverlordJobId) -> Result<BTreeMap<HostName, Budget>, Error> {
        let work = self.ledger().work(id).await?;
        let fleet = self.fleet()?.clone();
        let answers = stream::iter(work.parts).map(|part| {
            let question = Request::new(&Call::new("jobs.budget", vec![part.job.as_str().into()])).timeout(PATIENCE);
            fleet.spawn(part.host, question)
        });
        let told = answers.buffer_unordered(WIDTH).filter_map(|(host, answer)| async move {
            let Outcome::Ok(budget) = answer else { return None };
            Some((host, serde_json::from_value(budget.to_json()).ok()?))
        });
        Ok(told.collect().await)
    }
}
