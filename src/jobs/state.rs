//! What a job's journal and its lock together mean.
//!
//! ```text
//!            accepted                     STARTED                    result
//!  (birth) ───────────▶ waiting ─────────────────────▶ running ───────────────▶ ended
//!                        │  ▲                            │
//!            lock freed  │  │ spawned again,             │ lock freed
//!                        ▼  │ twice at most              ▼ without a result
//!                     abandoned ──deadline──▶ ended     lost ──recorded──▶ ended
//! ```
//!
//! Its owner may cancel a job wherever it is. That wish is written beside the journal before anything is done about it;
//! from then on a free lock without a result means cancelled, never lost, late or to be spawned. A result that was
//! recorded stays the result.
//!
//! What is secret of a call is not in the journal. The daemon that accepted it has it in memory until the job ends; one
//! that was started later has not, so a job with a secret that no worker has begun by then is lost, and says why.
//!
//! The lock says whether anybody is still at it: whoever holds the journal open for writing holds the
//! lock, and the system frees it when the last of them is gone, however that came about. So a held
//! lock means running, whatever the records say: even a result counts only when its writer has let
//! go, because until then it may not be on the disk. This is a function of a few values; the journal
//! and the owner's task only carry out what it says.

use super::{history::History, intent::Intent, record::Ended};
use crate::sys::clock::Moment;

/// Once at first, and twice again when that came to nothing.
pub(super) const HAND_OVERS_MAX: u32 = 3;

/// Whether anybody holds the journal's lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    Held,
    Free,
}

/// Whether what is secret of a job's call, which is not in the journal, is in the hands of whoever judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum InHand {
    Secrets,
    Nothing,
}

/// What is to be done about a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Verdict<'a> {
    /// Nothing: somebody is at it.
    Running,
    /// Nothing: this became of it.
    Ended(&'a Ended),
    /// Nothing: it has been purged.
    Purged,
    /// Record it as lost: it was begun and nobody is at it.
    Lost,
    /// Give it to a worker: no guest code of it has run.
    Spawn,
    /// Record it as timed out: it was not begun before its deadline.
    Expired,
    /// Record it as lost: no worker could ever begin it.
    GivenUp,
    /// Record it as cancelled: its owner wants no result, and nobody is at it.
    Cancelled,
    /// Record it as lost: what was secret of its call is in nobody's hands any more.
    SecretLost,
    /// Leave it alone and say so: the file is no journal, or a damaged one.
    Unreadable,
}

/// Judges a job.
pub(super) fn judge<'a>(
    history: &'a History,
    lock: Lock,
    intent: Intent,
    in_hand: InHand,
    now: &Moment,
) -> Verdict<'a> {
    if lock == Lock::Held {
        return Verdict::Running;
    }
    if history.tombstone.is_some() {
        return Verdict::Purged;
    }
    let Some(call) = &history.call else { return Verdict::Unreadable };
    if let Some(ended) = &history.ended {
        return Verdict::Ended(ended);
    }
    if intent == Intent::Cancel {
        return Verdict::Cancelled;
    }
    if history.started.is_some() {
        return Verdict::Lost;
    }
    if call.accepted.until(now) >= call.deadline {
        return Verdict::Expired;
    }
    if in_hand == InHand::Nothing && call.takes_secrets() {
        return Verdict::SecretLost;
    }
    if history.hand_overs >= HAND_OVERS_MAX {
        return Verdict::GivenUp;
    }
    Verdict::Spawn
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{
        super::{
            record::{Call, End, Record, Tombstone},
            samples,
        },
        *,
    };
    use crate::{ids::Digest, wire::Value};

    /// Everything that a judgement depends on.
    #[derive(Debug, Clone, Copy)]
    #[expect(clippy::struct_excessive_bools, reason = "every combination of them is tried")]
    struct Case {
        lock: Lock,
        call: bool,
        hand_overs: u32,
        started: bool,
        ended: bool,
        buried: bool,
        late: bool,
        cancel: bool,
        secret: bool,
        in_hand: bool,
    }

    impl Case {
        fn all() -> impl Iterator<Item = Self> {
            let flags = (0..512_u16).map(|bits| move |bit: u8| bits & (1 << bit) != 0);
            flags.flat_map(|flag| {
                (0..6).map(move |hand_overs| Self {
                    lock: if flag(0) { Lock::Held } else { Lock::Free },
                    call: flag(1),
                    started: flag(2),
                    ended: flag(3),
                    buried: flag(4),
                    late: flag(5),
                    cancel: flag(6),
                    secret: flag(7),
                    in_hand: flag(8),
                    hand_overs,
                })
            })
        }

        fn history(self) -> History {
            let mut history = History::default();
            if self.call {
                let accepted = samples::moment(if self.late { 0 } else { 40 });
                let mut call = Call { accepted, deadline: Duration::from_secs(30), ..samples::call() };
                if self.secret {
                    call.args.push(Value::Secret(crate::wire::Secret::gone()));
                }
                history.add(Record::Call(Box::new(call)));
            }
            (0..self.hand_overs).for_each(|_| history.add(Record::HandOver(samples::moment(0))));
            if self.started {
                history.add(samples::started());
            }
            if self.ended {
                history.add(samples::ended(End::Finished(Value::Nil)));
            }
            if self.buried {
                let (owner, fingerprint, purged) = (String::new(), Digest::of(b""), samples::moment(0));
                history.add(Record::Tombstone(Tombstone { owner, fingerprint, purged }));
            }
            history
        }

        fn intent(self) -> Intent {
            if self.cancel { Intent::Cancel } else { Intent::Run }
        }

        fn in_hand(self) -> InHand {
            if self.in_hand { InHand::Secrets } else { InHand::Nothing }
        }

        /// The rules, said a second time as a table that is read from the top.
        fn expected(self) -> &'static str {
            match self {
                Self { lock: Lock::Held, .. } => "running",
                Self { buried: true, .. } => "purged",
                Self { call: false, .. } => "unreadable",
                Self { ended: true, .. } => "ended",
                Self { cancel: true, .. } => "cancelled",
                Self { started: true, .. } => "lost",
                Self { late: true, .. } => "expired",
                Self { secret: true, in_hand: false, .. } => "secret lost",
                Self { hand_overs: 0..=2, .. } => "spawn",
                Self { .. } => "given up",
            }
        }
    }

    fn word(verdict: Verdict<'_>) -> &'static str {
        match verdict {
            Verdict::Running => "running",
            Verdict::Ended(_) => "ended",
            Verdict::Purged => "purged",
            Verdict::Lost => "lost",
            Verdict::Spawn => "spawn",
            Verdict::Expired => "expired",
            Verdict::GivenUp => "given up",
            Verdict::Cancelled => "cancelled",
            Verdict::SecretLost => "secret lost",
            Verdict::Unreadable => "unreadable",
        }
    }

    #[test]
    fn every_combination_has_its_verdict() {
        for case in Case::all() {
            let verdict = word(judge(&case.history(), case.lock, case.intent(), case.in_hand(), &samples::moment(60)));
            assert_eq!(verdict, case.expected(), "{case:?}");
        }
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let record = prop_oneof![
            Just(Record::HandOver(samples::moment(0))),
            Just(samples::started()),
            Just(samples::progress(3)),
            Just(samples::ended(End::Finished(crate::wire::Value::Int(1)))),
            Just(samples::ended(End::Lost { why: String::new() })),
            Just(Record::Acknowledged(samples::moment(0))),
            Just(Record::Foreign(99)),
        ];
        prop::collection::vec(record, 0..12)
    }

    proptest! {
        /// However a journal grows, its job only ever moves on: from waiting over begun to one end.
        #[test]
        fn no_record_takes_a_job_back(records in records()) {
            let mut history = History::default();
            history.add(Record::Call(Box::new(samples::call())));
            let (mut begun, mut end) = (false, None);
            for record in records {
                history.add(record);
                let verdict = judge(&history, Lock::Free, Intent::Run, InHand::Nothing, &samples::moment(0));
                prop_assert!(!(begun && verdict == Verdict::Spawn));
                begun |= history.started.is_some();
                if let Verdict::Ended(ended) = verdict {
                    prop_assert_eq!(end.get_or_insert_with(|| ended.clone()), ended);
                } else {
                    prop_assert!(end.is_none());
                }
                let now = samples::moment(0);
                prop_assert_eq!(judge(&history, Lock::Held, Intent::Run, InHand::Nothing, &now), Verdict::Running);
                // Cancelling takes no end back, and leaves nothing else to do.
                let cancelled = judge(&history, Lock::Free, Intent::Cancel, InHand::Nothing, &now);
                prop_assert!(end.as_ref().map_or(cancelled == Verdict::Cancelled, |end| cancelled == Verdict::Ended(end)));
            }
        }
    }

    #[test]
    fn a_job_that_was_begun_is_never_spawned_again() {
        let begun = Case::all().filter(|case| case.started || case.ended);
        for case in begun {
            let verdict = word(judge(&case.history(), case.lock, case.intent(), case.in_hand(), &samples::moment(60)));
            assert_ne!(verdict, "spawn", "{case:?}");
        }
    }
}
