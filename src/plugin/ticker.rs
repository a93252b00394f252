//! The thread that advances the serving engine's epochs.
//!
//! Guest code looks at the epoch at every loop and function entry; a tick makes it give way to the
//! executor, and trap once its deadline has passed. The thread sleeps for good while no call is
//! under way, so that an idle minion never wakes up.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, Thread},
};

use wasmtime::EngineWeak;

use super::engine::TICK;

/// Owns the thread, which ends when this is dropped.
pub(super) struct Ticker {
    shared: Arc<Shared>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    calls: AtomicUsize,
    stop: AtomicBool,
}

impl Ticker {
    pub(super) fn start(engine: EngineWeak) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let seen = Arc::clone(&shared);
        let handle = thread::Builder::new().name("epochs".to_owned()).spawn(move || run(&engine, &seen))?;
        Ok(Self { shared, thread: handle.thread().clone() })
    }

    /// Keeps the epochs ticking until the result is dropped.
    pub(super) fn tick(&self) -> Ticking<'_> {
        if self.shared.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            self.thread.unpark();
        }
        Ticking(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// One call that needs the ticks.
pub(super) struct Ticking<'a>(&'a Shared);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(engine: &EngineWeak, shared: &Shared) {
    while !shared.stop.load(Ordering::SeqCst) {
        if shared.calls.load(Ordering::SeqCst) == 0 {
            // An unpark between the look and the parking is not lost: it makes this return at once.
            thread::park();
            continue;
        }
        thread::sleep(TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
    }
}
