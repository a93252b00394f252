//! What a call has used, and what it asked for in vain.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    pin::pin,
    time::{Duration, Instant},
};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use super::host::call::Effect;

/// Denials that are kept; a module that goes on asking is only counted.
const DENIALS: usize = 20;

/// What a call has used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// From the call's place in the engine to its end.
    #[serde(rename = "wall_ms", with = "milliseconds")]
    pub wall: Duration,
    /// Time on a processor, of the module and of host functions that wait for nothing. Programs that the
    /// module ran and work on files are not in it.
    #[serde(rename = "cpu_ms", with = "milliseconds")]
    pub cpu: Duration,
    /// The most memory that the instance had at any time.
    pub memory_bytes: u64,
    /// Calls of host functions by name.
    pub host_calls: BTreeMap<String, u64>,
    /// How many of them are of functions that may change the machine.
    pub changes: u64,
    /// What was denied, the first of each.
    pub denials: Vec<Denial>,
    /// Denials in all.
    pub denied: u64,
}

impl Budget {
    /// The budget as JSON of so many bytes at most, in ASCII: denials that find no room are only counted.
    pub fn to_json(&self, most: usize) -> String {
        let mut short = self.clone();
        loop {
            // It has no keys but text and no numbers that are not finite.
            let text = ascii(&serde_json::to_string(&short).unwrap_or_default());
            if text.len() <= most || short.denials.pop().is_none() {
                return text;
            }
        }
    }
}

/// JSON whose characters beyond ASCII are escaped.
fn ascii(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            out.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}

/// Times as milliseconds with a fraction.
mod milliseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((time.as_secs_f64() * 1e6).round() / 1e3)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let milliseconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(milliseconds / 1e3).map_err(serde::de::Error::custom)
    }
}

/// Something that the operator's grants do not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// The host function.
    pub call: String,
    /// What was asked for, in words.
    pub message: String,
    /// The lines to add to the minion's configuration, where one would help.
    pub allow: Option<String>,
}

/// Counts while the call runs.
#[derive(Debug, Default)]
pub(super) struct Counter {
    /// A call uses few functions, so a list is faster than a map.
    calls: Vec<(&'static str, u64)>,
    changes: u64,
    denials: Vec<Denial>,
    denied: u64,
}

impl Counter {
    pub(super) fn count(&mut self, name: &'static str, effect: Effect) {
        self.changes += u64::from(effect == Effect::Changes);
        match self.calls.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => self.calls.push((name, 1)),
        }
    }

    /// Whether this denial is the first of its kind, and so worth a line.
    pub(super) fn denied(&mut self, denial: Denial) -> Option<&Denial> {
        self.denied += 1;
        if self.denials.len() >= DENIALS || self.denials.contains(&denial) {
            return None;
        }
        self.denials.push(denial);
        self.denials.last()
    }

    pub(super) fn budget(&self, watch: &StopWatch, memory: usize) -> Budget {
        Budget {
            wall: watch.started.elapsed(),
            cpu: watch.cpu,
            memory_bytes: memory as u64,
            host_calls: self.calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect(),
            changes: self.changes,
            denials: self.denials.clone(),
            denied: self.denied,
        }
    }
}

/// Takes a call's time.
#[derive(Debug)]
pub(super) struct StopWatch {
    started: Instant,
    cpu: Duration,
}

impl StopWatch {
    pub(super) fn start() -> Self {
        Self { started: Instant::now(), cpu: Duration::ZERO }
    }

    /// Runs `work`, whichever thread it is on from moment to moment, and adds the processor time that it takes.
    pub(super) async fn take<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        std::future::poll_fn(|cx| {
            let before = thread_time();
            let polled = work.as_mut().poll(cx);
            self.cpu += thread_time().saturating_sub(before);
            polled
        })
        .await
    }
}

/// The processor time of this thread so far.
fn thread_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_that_is_repeated_is_counted_and_kept_once() {
        let mut counter = Counter::default();
        let denial = |n: usize| Denial { call: "files.read".into(), message: format!("no {n}"), allow: None };
        assert!(counter.denied(denial(0)).is_some() && counter.denied(denial(0)).is_none());
        for n in 0..100 {
            counter.denied(denial(n));
        }
        let budget = counter.budget(&StopWatch::start(), 0);
        assert_eq!((budget.denied, budget.denials.len()), (102, DENIALS));
    }

    #[test]
    fn a_budget_fits_into_a_header() {
        let denial =
            |n: usize| Denial { call: "files.read".into(), message: format!("é{n}{}", "x".repeat(500)), allow: None };
        let budget = Budget {
            wall: Duration::from_micros(1500),
            host_calls: [("files.read".to_owned(), 3)].into(),
            denials: (0..20).map(denial).collect(),
            denied: 20,
            ..Budget::default()
        };
        let text = budget.to_json(4096);
        assert!(text.len() <= 4096 && text.is_ascii(), "{text}");
        let read: Budget = serde_json::from_str(&text).unwrap();
        assert_eq!((read.wall, read.denied, &read.host_calls), (budget.wall, 20, &budget.host_calls));
        assert!(read.denials.len() > 3 && read.denials[..] == budget.denials[..read.denials.len()]);
    }

    #[tokio::test]
    async fn waiting_is_wall_time_and_working_is_processor_time() {
        let mut watch = StopWatch::start();
        watch.take(tokio::time::sleep(Duration::from_millis(50))).await;
        let waited = Counter::default().budget(&watch, 0);
        assert!(waited.wall >= Duration::from_millis(50) && waited.cpu < Duration::from_millis(25), "{waited:?}");
        watch.take(async { while thread_time() < waited.cpu + Duration::from_millis(30) {} }).await;
        assert!(watch.cpu > Duration::from_millis(5), "{watch:?}");
    }
}
