//! Schedules: calls that are made again and again, each time as a job.
//!
//! A schedule is a call (a target, a method, words) and a timetable (a cron expression and a time zone), which names instants.
//! Each instant is *judged* once, in one commit with what comes of it:
//!
//! ```text
//!                      ┌─ later than `catch_up`, or not the newest that has passed ──▶ MISSED: noted
//!                      ├─ the job of the last run is open, and runs may not overlap ──▶ SKIPPED: noted, with that job
//! waiting ──instant────┤
//!    ▲                 ├─ the hosts or the arguments cannot be told ──▶ FAILED: noted, with the reason
//!    │                 └─ else ──▶ RAN: the job's whole map, in the same commit
//!    └──────────────────────────────────── the next instant ◀─────────────────────────────────────────────┘
//! ```
//!
//! *No instant runs twice.* `judged`, up to where instants have been judged, moves on in the commit that writes the job's map.
//! Killed before it, nobody has begun anything, and the instant is judged by whoever comes next, late or missed. Killed
//! after it, there is a job, interrupted like any other, with which the daemon goes on. So there is no instant that was taken
//! and has neither a job nor a reason. Two processes that judge one instant both write; the store lets one be first, and
//! the other finds `judged` moved on.
//!
//! *Runs do not pile up.* Of all instants that have passed unjudged, because nobody was there or the last run took long to
//! prepare, only the newest can still run, and only within `catch_up`. The others are counted in one note.
//!
//! *The clock may jump.* Forwards: what was jumped over is missed, as if nobody had been there. Backwards by up to
//! an hour: nothing is due until the clock is past `judged` again. Farther back the old time was wrong: `judged` is set to
//! the new one, which is noted, and an instant that is known to have run does not run again.
//!
//! *What a run does is found out when it runs*: whom the target means, and of which types its words are. A secret cannot be
//! among them, for what is in a schedule is kept.
//!
//! While a schedule is paused its instants come to nothing and are not noted. The newest [`KEPT`] notes are kept; what ran is
//! a job, kept as jobs are.

mod due;
mod error;
mod history;
mod keeper;
mod prepare;
mod record;
#[cfg(test)]
mod tests;
mod timetable;
mod transactions;
mod view;

pub use error::ScheduleError;
pub use history::{Happened, KEPT, Note};
pub use keeper::{Keeper, Seen};
pub use record::{Arguments, Overlap, Schedule};
pub use timetable::Timetable;
pub use view::{RunView, ScheduleView};
