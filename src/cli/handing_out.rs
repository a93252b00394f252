//! A job from its first host to its last result.

use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

use super::context::Context;
use super::exit::Exit;
use super::failure::Failure;
use super::job::JobReport;
use super::progress::Progress;
use super::report::Report;
use super::stop::Interrupts;
use crate::ids::OverlordJobId;
use crate::overlord::{FanOut, JobView, Overlord};

/// Hands a job out and waits for its end.
pub(super) async fn hand_out_and_wait(
    overlord: &Overlord,
    fan_out: FanOut,
    progress: &Progress,
) -> Result<JobView, Failure> {
    let id = fan_out.id().clone();
    fan_out.run_telling(|host, outcome| progress.ended(host, outcome)).await?;
    Ok(overlord.wait(&id, None, |host, outcome| progress.ended(host, outcome)).await?)
}

/// Works on a job until that is done or the operator has seen enough: Ctrl-C leaves the job to itself and says how to come
/// back to it; a second one, soon after, cancels it.
pub(super) async fn attended(
    mut interrupts: Interrupts,
    overlord: &Overlord,
    id: &OverlordJobId,
    progress: &Progress,
    work: impl Future<Output = Result<JobView, Failure>>,
) -> Result<Box<dyn Report>, Failure> {
    tokio::select! {
        // Whoever has interrupted the submission wants nothing sent.
        biased;
        () = interrupts.next() => progress.end(),
        view = work => return Ok(Box::new(JobReport(view?))),
    }
    let view = overlord.status(id).await?;
    if view.is_finished() {
        return Ok(Box::new(JobReport(view)));
    }
    if view.interrupted {
        let open = view.progress.open;
        Context::say(format!(
            "stopped handing the job out, {open} of {} hosts are open: go on with `func job resume '{id}'`",
            view.record.hosts
        ));
    } else {
        Context::say(format!("the job goes on: come back to it with `func job wait '{id}'`"));
    }
    Context::say(format!("Ctrl-C within {} seconds cancels it", CANCELLING.as_secs()));
    if tokio::time::timeout(CANCELLING, interrupts.next()).await.is_err() {
        return Ok(Box::new(LetGo(view)));
    }
    Context::say("cancelling it on every host that has not ended");
    Ok(Box::new(JobReport(overlord.cancel(id).await?)))
}

/// For so long after the first Ctrl-C a second one is awaited.
const CANCELLING: Duration = Duration::from_secs(2);

/// A job that was left to itself.
struct LetGo(JobView);

impl Report for LetGo {
    fn text(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn json(&self) -> serde_json::Value {
        self.0.to_json()
    }

    fn exit(&self) -> Exit {
        Exit::StillRunning
    }
}
