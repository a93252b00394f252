//! A job from its first host to its last result.

use super::failure::Failure;
use super::progress::Progress;
use crate::overlord::{FanOut, JobView, Overlord};

/// Hands a job out and waits for its end.
pub(super) async fn hand_out_and_wait(
    overlord: &Overlord,
    fan_out: FanOut,
    progress: &Progress,
) -> Result<JobView, Failure> {
    let id = fan_out.id().clone();
    fan_out.run().await?;
    let mut done = 0;
    let view = overlord.wait(&id, None, |_, _| {
        done += 1;
        progress.at(done);
    });
    Ok(view.await?)
}
