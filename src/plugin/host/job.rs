//! `minion:host/job`: the call being served.

use std::{sync::atomic::Ordering, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Access, Error,
    bindings::minion::host::job::{Host, Level as GuestLevel},
    call::{Effect, HostCall, Question, cancelled},
};
use crate::plugin::{
    context::{Level, Mode},
    state::{LoggedError, State},
};

/// How often a waiting host function looks whether the call was cancelled.
pub(super) const CANCEL_CHECK: Duration = Duration::from_millis(50);

/// The field by which the SDK's panic hook tells the place of a panic.
const PANIC_PLACE: &str = "panicked-at";

#[derive(Debug, Serialize, Deserialize)]
struct RemainingMs {}

impl Question for RemainingMs {
    const NAME: &'static str = "job.remaining-ms";
    type Answer = u64;

    fn answer(&self, state: &State) -> u64 {
        u64::try_from(state.remaining().as_millis()).unwrap_or(u64::MAX)
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Cancelled {}

impl Question for Cancelled {
    const NAME: &'static str = "job.cancelled";
    type Answer = bool;

    fn answer(&self, state: &State) -> bool {
        state.is_cancelled()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sleep {
    ms: u64,
}

impl HostCall for Sleep {
    const NAME: &'static str = "job.sleep";
    const EFFECT: Effect = Effect::Looks;
    type Answer = ();

    async fn perform(self, access: Access) -> Result<(), Error> {
        // A timer would go off a millisecond or two later.
        if self.ms == 0 && !access.cancelled.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
            return Ok(());
        }
        let sleep = tokio::time::sleep(Duration::from_millis(self.ms).min(access.remaining() + CANCEL_CHECK));
        tokio::select! {
            () = sleep => Ok(()),
            () = super::until_set(&access.cancelled) => Err(cancelled()),
        }
    }
}

impl Host for State {
    fn id(&mut self) -> String {
        self.context.job_id.clone()
    }

    fn caller(&mut self) -> String {
        self.context.caller.clone()
    }

    fn dry_run(&mut self) -> bool {
        self.context.mode == Mode::Check
    }

    fn remaining_ms(&mut self) -> u64 {
        self.ask(&RemainingMs {})
    }

    fn cancelled(&mut self) -> bool {
        self.ask(&Cancelled {})
    }

    async fn sleep(&mut self, ms: u64) -> Result<(), Error> {
        self.mediate(Sleep { ms }).await
    }

    fn progress(&mut self, done: u64, total: Option<u64>, note: String) {
        let note: String = note.chars().filter(|c| !c.is_control()).take(200).collect();
        self.context.events.progress(done, total, &note);
    }

    fn log(&mut self, level: GuestLevel, message: String, fields: Vec<(String, String)>) {
        let level = match level {
            GuestLevel::Trace => Level::Trace,
            GuestLevel::Debug => Level::Debug,
            GuestLevel::Info => Level::Info,
            GuestLevel::Warn => Level::Warn,
            GuestLevel::Error => Level::Error,
        };
        self.record(level, &message, &fields);
        self.last_error = (level == Level::Error).then(|| {
            let place = fields.into_iter().find(|(name, _)| name == PANIC_PLACE).map(|(_, place)| place);
            LoggedError { message, place }
        });
    }
}
