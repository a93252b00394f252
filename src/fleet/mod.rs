//! The fan-out core: choose hosts, call them with bounded width, name what became of every call.
//!
//! ```text
//! Target ──select──▶ Selection { hosts, skipped } ──fan_out, at most `forks` in flight──▶ (HostName, Outcome) …
//! ```
//!
//! Every host of a selection ends in exactly one named [`Outcome`]; a slow one costs only its own deadline. What became
//! of a call is told as precisely as can be known, and the border is the request's first byte: a call that broke before
//! it was *unreachable* (and alone may be tried again), one that broke behind it is *lost*, for it may have run.
//! How a fan-out goes in batches, and when it stops, is at the head of `rollout`.
//!
//! Connections are kept and sessions resumed, so that a second call of the same process costs a tenth of the first. This
//! module knows nothing of jobs, and nothing is printed here.

mod client;
mod compress;
mod connection;
mod credentials;
mod ends;
mod explain;
mod fan_out;
mod filter;
mod group_error;
mod group_name;
mod group_source;
mod groups;
mod haul;
mod known_facts;
mod landing;
mod map;
mod members;
mod outcome;
mod parse;
mod pieces;
mod pool;
mod reason;
mod relay;
mod request;
mod rollout;
mod select;
mod steps;
mod summary;
mod target;
mod told_groups;
mod transfer;
#[cfg(test)]
pub(crate) mod tests;
mod warnings;
mod word;

pub use client::{Fleet, FleetOptions, WeakFleet};
pub use compress::compress;
pub use fan_out::Width;
pub use filter::{Filter, InvalidFilter};
pub use group_error::GroupError;
pub use group_name::{GroupName, InvalidGroupName};
pub use group_source::{GroupSource, SourceError};
pub use groups::{Asking, Groups, SourceStanding};
pub use known_facts::{FactsError, HostFacts, KnownFacts};
pub use map::{FleetMap, MapError, Reach, Tree};
pub use members::Members;
pub use outcome::{Outcome, SkipReason};
pub use reason::Reason;
pub use relay::{DELEGATE, MAP, MOST_HOPS, Passing, delegated_first, relayed};
pub use request::{Budgets, Pace, Request};
pub use rollout::{Rollout, Stage, Tally};
pub use select::{KnownDown, NoHost, SelectError, Selection, Selector};
pub use steps::{InvalidShare, Share, Steps};
pub use summary::Summary;
pub use target::{InvalidTarget, Target};
pub use transfer::{Fetched, Sent, Source};
