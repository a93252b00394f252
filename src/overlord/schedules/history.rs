//! What has come of a schedule's instants, and how much of it is kept.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::due::Passed;
use crate::ids::OverlordJobId;

/// So many notes are kept of each schedule.
pub const KEPT: usize = 100;

/// So much of a reason is kept.
const LONGEST: usize = 500;

/// What came of an instant, or of several that came to the same one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The first instant.
    pub from: Timestamp,
    /// The last.
    pub upto: Timestamp,
    /// How many they are.
    pub count: u32,
    /// What came of them.
    pub what: Happened,
}

/// What came of an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Happened {
    /// It ran.
    Ran {
        /// As this job.
        job: OverlordJobId,
        /// Somebody wanted it, whatever the timetable says.
        by_hand: bool,
    },
    /// The job of the run before was open.
    Skipped {
        /// Which.
        open: OverlordJobId,
    },
    /// Nobody was there in time.
    Missed,
    /// No job could be made of it.
    Failed {
        /// Why.
        why: String,
    },
    /// It is no instant: the clock had shown a time that was yet to come.
    ClockSetBack,
}

impl Note {
    /// Of one instant.
    pub(super) fn of(at: Timestamp, what: Happened) -> Self {
        Self { from: at, upto: at, count: 1, what }
    }

    /// Of those that were missed.
    pub(super) fn missed(passed: Passed) -> Self {
        Self { from: passed.from, upto: passed.upto, count: passed.count, what: Happened::Missed }
    }

    /// The job, if there is one.
    pub fn job(&self) -> Option<&OverlordJobId> {
        match &self.what {
            Happened::Ran { job, .. } => Some(job),
            _ => None,
        }
    }

    /// For programs.
    pub fn to_json(&self) -> serde_json::Value {
        let mut data = json!({ "what": self.what.word(), "from": self.from, "upto": self.upto, "count": self.count });
        match &self.what {
            Happened::Ran { job, by_hand } => {
                data["job"] = json!(job);
                data["by_hand"] = json!(by_hand);
            }
            Happened::Skipped { open } => data["open"] = json!(open),
            Happened::Failed { why } => data["why"] = json!(why),
            Happened::Missed | Happened::ClockSetBack => {}
        }
        data
    }
}

impl Happened {
    /// No job could be made, for this reason.
    pub(super) fn failed(why: &str) -> Self {
        Self::Failed { why: why.chars().take(LONGEST).collect() }
    }

    /// In a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ran { .. } => "ran",
            Self::Skipped { .. } => "skipped",
            Self::Missed => "missed",
            Self::Failed { .. } => "failed",
            Self::ClockSetBack => "clock set back",
        }
    }
}

/// Adds a note: one that says the same as the last is told with it.
pub(super) fn add(notes: &mut Vec<Note>, note: Note) {
    match notes.last_mut() {
        Some(last) if last.what == note.what && note.job().is_none() && note.from > last.upto => {
            last.upto = note.upto;
            last.count = last.count.saturating_add(note.count);
        }
        _ => notes.push(note),
    }
    notes.drain(..notes.len().saturating_sub(KEPT));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_is_the_same_is_told_once_and_the_oldest_goes() {
        let job = |number: usize| format!("all-test-add-{number}").parse::<OverlordJobId>().unwrap();
        let skipped = |second| Note::of(at(second), Happened::Skipped { open: job(1) });
        let mut notes = vec![];
        for second in 1..=500 {
            add(&mut notes, skipped(second));
        }
        assert_eq!(notes, [Note { upto: at(500), count: 500, ..skipped(1) }]);
        for number in 1..=KEPT {
            let ran = Happened::Ran { job: job(number), by_hand: false };
            add(&mut notes, Note::of(at(500 + i64::try_from(number).unwrap()), ran));
        }
        assert!(notes.len() == KEPT && notes[0].job() == Some(&job(1)), "{:?}", notes[0]);
        add(&mut notes, Note::of(at(700), Happened::failed(&"é".repeat(LONGEST * 2))));
        add(&mut notes, Note::of(at(701), Happened::failed("other")));
        assert_eq!(notes.len(), KEPT);
        assert_eq!(notes[KEPT - 2].what, Happened::Failed { why: "é".repeat(LONGEST) });
    }
}
