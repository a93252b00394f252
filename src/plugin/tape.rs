//! Recording and playing back while a call runs.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use serde::{Serialize, de::DeserializeOwned};
use toml::Table;
use uuid::Uuid;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock};

use super::{
    data,
    host::{Error, ErrorKind},
    mask::Mask,
    mediator::Trail,
    recording::{Injection, RecordedCall, RecordedError, Recording, Replay, Replayed},
};

/// What a call asked and heard so far, or is going to hear. WASI's clocks have it, too.
#[derive(Debug, Clone)]
pub(super) struct Tape(Arc<Mutex<Inner>>);

#[derive(Debug)]
enum Inner {
    Recording(Recording),
    Playing { replay: Replay, used: Vec<bool>, counts: Vec<(String, u64)>, replayed: Replayed },
}

/// What a tape says to a call.
pub(super) enum Heard<T> {
    /// It records: perform the call and say what came of it.
    Nothing,
    /// It plays: this is the answer.
    Answer(Result<T, Error>),
}

impl Tape {
    pub(super) fn blank() -> Self {
        let seed = Uuid::now_v7().simple().to_string();
        Self(Arc::new(Mutex::new(Inner::Recording(Recording { seed, calls: Vec::new() }))))
    }

    pub(super) fn of(replay: &Replay) -> Self {
        let used = vec![false; replay.recording.calls.len()];
        let (counts, replayed) = (Vec::new(), Replayed::default());
        Self(Arc::new(Mutex::new(Inner::Playing { replay: replay.clone(), used, counts, replayed })))
    }

    /// The bytes of which random numbers are made.
    pub(super) fn seed(&self) -> Vec<u8> {
        let (Inner::Recording(recording) | Inner::Playing { replay: Replay { recording, .. }, .. }) = &*self.lock();
        // Numbers are made of four bytes.
        if recording.seed.is_empty() { vec![0; 4] } else { recording.seed.repeat(4).into_bytes() }
    }

    /// What is played for a call; nothing while recording.
    pub(super) fn hear<T: DeserializeOwned>(&self, name: &str, args: &Table) -> Heard<T> {
        match &mut *self.lock() {
            Inner::Recording(_) => Heard::Nothing,
            Inner::Playing { replay, used, counts, replayed } => {
                let nth = count(counts, name);
                let injected =
                    replay.injections.iter().find(|injection| injection.call == name && injection.nth == nth);
                let mut calls = replay.recording.calls.iter().zip(used.iter_mut());
                let recorded = calls.find(|(call, used)| !**used && call.name == name && call.args == *args);
                let recorded = recorded.map(|(call, used)| {
                    *used = true;
                    call
                });
                Heard::Answer(match (injected, recorded) {
                    (Some(injection), _) => Err(injection.error.to_error()),
                    (None, Some(RecordedCall { error: Some(error), .. })) => Err(error.to_error()),
                    (None, Some(call)) => data::read(call.answer.as_ref()).map_err(|why| {
                        replayed.misfits.push(format!("the answer of {call}: {why}"));
                        failed(format!("the recording's answer does not fit: {why}"))
                    }),
                    (None, None) => {
                        let call =
                            RecordedCall { name: name.to_owned(), args: args.clone(), answer: None, error: None };
                        let message = format!("the recording has no {call}");
                        replayed.unrecorded.push(call);
                        Err(failed(message))
                    }
                })
            }
        }
    }

    /// Writes down what came of a call.
    pub(super) fn record<T: Serialize>(&self, name: &str, args: Table, answer: Result<&T, &Error>, mask: &Mask) {
        if let Inner::Recording(recording) = &mut *self.lock() {
            let (answer, error) = match answer {
                Ok(answer) => {
                    let mut answer = data::write(answer).ok().flatten();
                    if let Some(answer) = &mut answer {
                        mask.data(answer);
                    }
                    (answer, None)
                }
                Err(error) => {
                    let mut error =
                        Error { kind: error.kind, message: error.message.clone(), hint: error.hint.clone() };
                    mask.error(&mut error);
                    (None, Some(RecordedError::from(&error)))
                }
            };
            recording.calls.push(RecordedCall { name: name.to_owned(), args, answer, error });
        }
    }

    /// What was recorded, or how what was recorded fitted.
    pub(super) fn end(&self) -> Trail {
        match &*self.lock() {
            Inner::Recording(recording) => Trail::Recording(recording.clone()),
            Inner::Playing { replay, used, counts, replayed } => {
                let unused = replay.recording.calls.iter().zip(used).filter(|(_, used)| !**used);
                let made = |injection: &Injection| {
                    counts.iter().any(|(name, count)| *name == injection.call && *count >= injection.nth)
                };
                let not_injected = replay.injections.iter().filter(|injection| !made(injection)).cloned().collect();
                Trail::Replayed(Replayed {
                    unused: unused.map(|(call, _)| call.clone()).collect(),
                    not_injected,
                    ..replayed.clone()
                })
            }
        }
    }

    /// A panic elsewhere leaves a tape as whole as it was.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn time(&self, name: &str, now: impl FnOnce() -> u64) -> u64 {
        match self.hear(name, &Table::new()) {
            Heard::Answer(answer) => answer.unwrap_or_default(),
            Heard::Nothing => {
                let now = now();
                self.record(name, Table::new(), Ok(&now), &Mask::default());
                now
            }
        }
    }
}

fn count(counts: &mut Vec<(String, u64)>, name: &str) -> u64 {
    if let Some((_, count)) = counts.iter_mut().find(|(known, _)| known == name) {
        *count += 1;
        *count
    } else {
        counts.push((name.to_owned(), 1));
        1
    }
}

fn failed(message: String) -> Error {
    Error { kind: ErrorKind::Failed, message, hint: None }
}

/// The arguments of a call as data, without its secrets.
pub(super) fn arguments<C: Serialize>(call: &C, mask: &Mask) -> Table {
    match data::write(call) {
        Ok(Some(mut data)) => {
            mask.data(&mut data);
            data.try_into().unwrap_or_default()
        }
        _ => Table::new(),
    }
}

/// WASI's wall clock, by the tape.
pub(super) struct TapedWallClock(pub(super) Tape);

impl HostWallClock for TapedWallClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Duration::from_nanos(self.0.time("wasi.wall-clock", || u64::try_from(now().as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// WASI's monotonic clock, by the tape.
pub(super) struct TapedMonotonicClock(pub(super) Tape, pub(super) Instant);

impl HostMonotonicClock for TapedMonotonicClock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        let now = || u64::try_from(self.1.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.0.time("wasi.monotonic-clock", now)
    }
}
