//! A minion's background jobs, from the accepted call to the recorded result.
//!
//! ```text
//!                    submit                      SEQPACKET: id, path; journal, pipe
//!  minion ──▶ Jobs ─────────▶ owner's task ──▶ spawner ────────────────▶ fork server   (one thread)
//!              │                 ▲  │ births, judgements                      │ fork, setsid, fork: now, or made ahead
//!              │ status: reads   │  ▼                                         ▼
//!              └──────────────▶ jobs/ID ◀──── STARTED, log, result ──────  worker      (child of init)
//!                                ▲  └─ the pipe's end, or inotify: look again ┘
//! ```
//!
//! *One file a job, and it is the truth.* `jobs/ID` is an append-only journal of checksummed records; a
//! lock on it says whether anybody is at it. What the records and the lock mean is one pure function
//! (`state.rs`, which draws the state machine), so the daemon that accepted a job and one that was started an
//! hour later say the same of it. What the owner's task has in memory is an index of the files.
//!
//! *A job is made once.* A worker records STARTED, durably, before guest code runs, and not before the job itself is
//! durable; a journal without it may be spawned again, one with it never. An attempt counts when the fork server begins
//! it, and not when the system makes no process for it; then, and when the fork server keeps dying, the job is tried again
//! after ever longer pauses until its deadline. Compiled code that does not load is made again in between. An id chosen
//! by the caller is bound to the caller, the method and the arguments, so that submitting again is harmless.
//!
//! *A cancelled job ends.* The wish lies beside the journal (`ID.cancel`) before anybody acts on it. The worker is told by a
//! signal and has its chance; then it is stopped, all that descends from it is killed, and it. Whoever finds the
//! lock free reads the journal again: a result that is there is the result, else the job is recorded as cancelled. Where the
//! daemon was given a control group to divide, each job has one of its own, and whoever is still in that of a cancelled job
//! ends with it, also who descends from nobody of it any more.
//!
//! *A secret is not in the journal.* What the method's types say is secret of a call stays in the daemon's memory and goes to
//! the worker in sealed memory, by a descriptor beside the journal's. So a job with a secret that no worker had begun when the
//! daemon ended is lost, by that name; it is never run without. The digest by which a repeated call is known again
//! leaves secrets out, because from one that covers them they could be guessed.
//!
//! *Workers outlive the daemon.* They are made by a fork server, whose single thread can be forked
//! without danger, belong to init, and answer to their journal only. There are two fork servers, one for calls that can do
//! without the same things, which it has given up itself (`fence.rs`), and one for all others. Each makes a few workers
//! ahead of need while it has nothing to do (`spares.rs`).
//!
//! Where a crash may strike, and what is found afterwards:
//!
//! | the crash comes after | found | becomes |
//! | --- | --- | --- |
//! | a temporary file, before it has its name | `.ID.….new` | removed; nobody was told, and a worker that got ready has begun nothing |
//! | its name | call, lock free | spawned; with a secret in the call, lost |
//! | the hand-over, in the fork server's queue | call, lock free | spawned again; with a secret in the call, lost |
//! | the beginning of an attempt, before STARTED | call, HANDED OVER, lock free | spawned again, twice at most |
//! | STARTED | no end, lock free | lost, and recorded so |
//! | a part of a record | a torn tail | cut off by the next writer |
//! | the result | an end, lock free | ended |
//! | the daemon's death, in any of these | lock held by the worker | running, watched by inotify |
//! | the wish to cancel, while it waits | call, wish, lock free | cancelled; never spawned |
//! | the same, while a worker has it | wish, lock held | the next daemon ends the worker |
//! | the worker's end without a record | STARTED, wish, lock free | cancelled |
//! | the worker's result, before it saw the signal | an end, wish | ended with that result; the wish is removed |
//! | the end, before the wish is removed | an end, wish | ended; the wish is removed |
//! | the tombstone of an id that nobody had submitted | tombstone, wish or none | never accepted |
//!
//! This module never talks to the network, and only workers run guest code.
//!
//! Measured on two cores, everything durable as always (`cargo bench -- jobs` repeats it): from the
//! submission to running guest code p50 1.05 ms where fsync is free (tmpfs) and 2.1 ms on a disk that
//! other work kept busy (1.3 to 2.4 ms an fsync, three of them on this way); to the known result 1.3 and
//! 2.7 ms. With 16 in flight 1,350 jobs a second on tmpfs and 920 on that disk, where a bare double fork
//! and its end took 0.31 ms. A waiting worker has 0.2 MB of memory for itself. Most of the time goes into
//! forking, page faults and the end of processes, not into our code.

mod acceptance;
mod birth;
mod cancel;
mod cgroups;
mod code;
mod early;
mod error;
mod events;
mod fence;
mod follow;
mod fork_server;
mod frame;
mod handle;
mod history;
mod index;
mod intent;
mod journal;
mod kill;
mod log;
mod message;
mod owner;
mod placing;
mod record;
mod recover;
mod report;
mod request;
mod retention;
#[cfg(test)]
mod samples;
mod settle;
mod spares;
mod spawner;
mod spawners;
mod state;
mod upkeep;
mod watch;
mod word;
mod worker;

pub use cgroups::Cgroups;
pub use code::CompiledCode;
pub use error::{Error, SubmitError};
pub use follow::Told;
pub use fork_server::{FORK_SERVER_WORD, fork_server_main};
pub use handle::{Jobs, JobsConfig, Submission};
pub use log::LogPiece;
pub use report::{JobReport, JobState, Listing};
pub use retention::Retention;
pub use spawner::ForkServerCommand;
