//! Ending a job before it has ended by itself.

use super::{Error, JobView, Overlord};
use crate::ids::OverlordJobId;

impl Overlord {
    /// Cancels a job: when this returns, that is durable, nothing is sent any more, and every host that may have its part
    /// has been asked once to end it. Those that could not be asked are named in the answer, and asked again by whoever
    /// polls the job or waits for it. A job that has ended stays as it is.
    pub async fn cancel(&self, id: &OverlordJobId) -> Result<JobView, Error> {
        self.ledger().cancel(id).await?;
        self.poll(id).await
    }
}
