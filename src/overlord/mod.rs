//! Calls and jobs over many hosts.
//!
//! ```text
//!            plan: the map, durably            hand out                     collect
//! submit ──▶ RUNNING ────────────────────────▶ RUNNING ──every host asked──▶ PARTIAL ──every result here──▶ FINISHED
//!                │                                                                                            │
//!                └──the process ended: interrupted; `resume` goes on and runs nothing twice       answered from the store
//! ```
//!
//! An async call first chooses the id of every minion's job and writes the whole map durably, then sends. So whatever
//! happens to this process, each host can be asked by an id that is known here: nothing is lost, nothing runs twice (see
//! [`state`](HostState)). A minion that cannot be asked is no news about its job. Once all results are here, the job is
//! answered from the store alone; not even an identity is needed.
//!
//! A job may be handed out in batches. Where that is stands in the store, moved on in one commit with whatever it decides
//! about hosts (see `rolling`, and the head of `fleet::rollout` for the stages); such a job is RUNNING until the last batch was
//! sent, and killed anywhere in between it is interrupted like any other.
//!
//! A job can be cancelled at any time. The wish is durable, and with it the end of every host that has been sent nothing,
//! before anybody is asked; from then on nothing is sent, and each host that may have its part is asked to end it, by whoever
//! looks at the job or waits for it, until it has said what became of it.
//!
//! [`Overlord`] is the way in; what the command line shows is data ([`JobView`], [`JobLine`]). Nothing is printed here.

mod ask;
mod asking;
mod budgets;
mod cancel;
mod choosing;
mod collect;
mod counting;
mod describe;
mod error;
mod fan_out;
mod follow;
mod ledger;
mod lock;
mod options;
mod handle;
mod identity;
mod job_filter;
mod record;
mod recorder;
mod retry;
mod rolling;
mod retention;
mod settings;
mod schedules;
mod signature;
mod state;
mod submitter;
#[cfg(test)]
mod tests;
mod transactions;
mod view;

pub use asking::first_answer;
pub use describe::Description;
pub use error::Error;
pub use fan_out::FanOut;
pub use follow::Heard;
pub use handle::{CertificateEnd, Overlord};
pub use job_filter::{InvalidJobState, JobFilter, JobState};
pub use options::{CallOptions, JobOptions, OverlordConfig};
pub use record::{JobPlan, JobRecord, Progress};
pub use retention::Keep;
pub use schedules::{
    Arguments, Happened, KEPT, Keeper, Note, Overlap, RunView, Schedule, ScheduleError, ScheduleView, Seen, Timetable,
};
pub use settings::{CallSettings, DaemonSettings, JobSettings, Settings};
pub use signature::{Described, Misfit, Parameter, described, json_or_text, typed};
pub use state::HostState;
pub use view::{HostView, JobLine, JobList, JobView};
