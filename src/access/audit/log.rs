//! The handle that the minion's tasks hold, and the queue behind it.

use std::{
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    AuditRecord, Event, Head, Rotation,
    flood::Floods,
    writer::{Line, Writer},
};

/// How long a call waits for its line to be written.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// So many lines wait to be written.
const QUEUE: usize = 4096;

/// What the handle and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    /// Set when a line took too long, until one is written: nobody waits meanwhile.
    pub(super) stalled: AtomicBool,
    /// Lines for which there was no room, or that could not be written.
    pub(super) lost: AtomicU64,
    pub(super) floods: Mutex<Floods>,
    pub(super) head: Mutex<Head>,
}

/// The audit log of one minion.
#[derive(Debug)]
pub struct AuditLog(Option<Open>);

#[derive(Debug)]
struct Open {
    sender: SyncSender<Line>,
    shared: Arc<Shared>,
}

/// A line on its way.
#[derive(Debug)]
#[must_use = "a call is answered when its line is written"]
pub struct Written {
    waiting: Option<(oneshot::Receiver<()>, Arc<Shared>)>,
    /// Whether it is only counted, as one of very many.
    counted: bool,
}

impl Written {
    /// Waits until the line is in the file, or for [`PATIENCE`]. Answers whether it has a line of its own.
    pub async fn done(self) -> bool {
        if let Some((written, shared)) = self.waiting
            && !shared.stalled.load(Ordering::Relaxed)
            && tokio::time::timeout(PATIENCE, written).await.is_err()
            && !shared.stalled.swap(true, Ordering::Relaxed)
        {
            tracing::error!("the audit log takes too long to write; calls do not wait for it until it writes again");
        }
        !self.counted
    }
}

impl AuditLog {
    /// Opens the log, making it with mode 0600, and says in it what is not as it was left. One process at a time.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let (writer, found) = Writer::open(path, rotation)?;
        let shared = Arc::new(Shared {
            stalled: AtomicBool::new(false),
            lost: AtomicU64::new(0),
            floods: Mutex::default(),
            head: Mutex::new(writer.head()),
        });
        let (sender, receiver) = sync_channel(QUEUE);
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("audit".to_owned()).spawn(move || writer.run(found, &receiver, &theirs))?;
        Ok(Self(Some(Open { sender, shared })))
    }

    /// A log that keeps nothing, for simulations.
    pub fn none() -> Self {
        Self(None)
    }

    /// Writes a line about a call.
    pub fn record(&self, record: &AuditRecord<'_>) -> Written {
        let Some(open) = &self.0 else { return Written { waiting: None, counted: false } };
        let serial = record.serial.to_string();
        let mut floods = open.shared.floods.lock().unwrap_or_else(PoisonError::into_inner);
        if !floods.admit(record.caller, &serial, record.outcome, Instant::now()) {
            return Written { waiting: None, counted: true };
        }
        drop(floods);
        open.send(serde_json::to_vec(record).unwrap_or_default(), false)
    }

    /// Writes a line about something else.
    pub fn event(&self, event: &Event) -> Written {
        match &self.0 {
            Some(open) => open.send(event.body(), matches!(event, Event::Stopped)),
            None => Written { waiting: None, counted: false },
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> Option<&Arc<Shared>> {
        self.0.as_ref().map(|open| &open.shared)
    }

    /// The last line that was written.
    pub fn head(&self) -> Option<Head> {
        let open = self.0.as_ref()?;
        Some(*open.shared.head.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Open {
    fn send(&self, body: Vec<u8>, last: bool) -> Written {
        let (done, written) = oneshot::channel();
        match self.sender.try_send(Line { body, last, done: Some(done) }) {
            Ok(()) => Written { waiting: Some((written, Arc::clone(&self.shared))), counted: false },
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                let lost = self.shared.lost.fetch_add(1, Ordering::Relaxed) + 1;
                if lost.is_power_of_two() {
                    tracing::error!(lost, "no room for lines of the audit log; calls are served all the same");
                }
                Written { waiting: None, counted: false }
            }
        }
    }
}
