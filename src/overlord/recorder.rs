//! What a fan-out learns, written down in groups.
//!
//! A thousand hosts learn something within a second; each commit costs a sync of the disk, and for a command also an
//! opening of the store. So a task collects what arrives while the last commit was under way. Only "about to be sent" is
//! waited for: it must be durable before the first byte leaves. The rest may be lost with the process, because the minion
//! can be asked.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use super::{Error, ledger::Ledger, state::Event};
use crate::ids::{HostName, OverlordJobId};

/// How long events that nobody waits for may gather.
const GATHER: Duration = Duration::from_millis(20);

/// The way to the task that records the events of one job.
#[derive(Debug)]
pub(super) struct Recorder {
    notes: mpsc::UnboundedSender<Note>,
    /// Set as soon as a commit finds that the job was cancelled.
    cancelled: Arc<AtomicBool>,
    task: AbortOnDropHandle<Result<(), Error>>,
}

#[derive(Debug)]
enum Note {
    Learned(HostName, Event),
    /// To be answered once everything before it is durable.
    Barrier(oneshot::Sender<()>),
}

impl Recorder {
    pub(super) fn start(ledger: Ledger, id: OverlordJobId) -> Self {
        let (notes, receiver) = mpsc::unbounded_channel();
        let cancelled = Arc::new(AtomicBool::new(false));
        let task = AbortOnDropHandle::new(tokio::spawn(run(ledger, id, receiver, Arc::clone(&cancelled))));
        Self { notes, cancelled, task }
    }

    /// Records an event, soon.
    pub(super) fn note(&self, host: HostName, event: Event) {
        drop(self.notes.send(Note::Learned(host, event)));
    }

    /// Records that hosts are about to be sent their part, durably. `false`: nothing may be sent, because the job was
    /// cancelled before that, or because the task has failed; then [`Recorder::finish`] says why.
    #[must_use]
    pub(super) async fn sending(&self, hosts: impl IntoIterator<Item = HostName>) -> bool {
        hosts.into_iter().for_each(|host| self.note(host, Event::Sending));
        self.settled().await && !self.cancelled.load(Ordering::Acquire)
    }

    /// Waits until everything noted so far is durable. `false`: the task has failed.
    pub(super) async fn settled(&self) -> bool {
        let (sender, receiver) = oneshot::channel();
        self.notes.send(Note::Barrier(sender)).is_ok() && receiver.await.is_ok()
    }

    /// Waits until everything is durable, and ends.
    pub(super) async fn finish(self) -> Result<(), Error> {
        drop(self.notes);
        self.task.await.unwrap_or(Err(Error::Store(crate::store::Error::Closed)))
    }
}

async fn run(
    ledger: Ledger,
    id: OverlordJobId,
    mut notes: mpsc::UnboundedReceiver<Note>,
    cancelled: Arc<AtomicBool>,
) -> Result<(), Error> {
    while let Some(first) = notes.recv().await {
        let (mut events, mut barriers) = (Vec::new(), Vec::new());
        let gather = tokio::time::sleep(GATHER);
        tokio::pin!(gather);
        let mut next = Some(first);
        while let Some(note) = next {
            match note {
                Note::Learned(host, event) => events.push((host, event)),
                Note::Barrier(sender) => barriers.push(sender),
            }
            next = if barriers.is_empty() {
                tokio::select! { note = notes.recv() => note, () = &mut gather => None }
            } else {
                notes.try_recv().ok()
            };
        }
        if !events.is_empty() {
            let is_cancelled = ledger.record(&id, events).await?;
            cancelled.store(is_cancelled, Ordering::Release);
        }
        for barrier in barriers {
            // Whoever waited may have gone.
            let _ = barrier.send(());
        }
    }
    Ok(())
}
