//! The bodies that are read: each is a list of members and, perhaps, of parts that it shares with others. A member that no part
//! knows is refused, and so is one of another type, by name; what members hold is judged by [`wanted`](super::wanted).
//!
//! serde would derive all of it but one thing: a structure that is flattened into another can refuse no unknown member.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json};

use crate::daemon::problem::Problem;

/// Part of a body, or all of it.
pub(in crate::daemon) trait Members: Sized {
    /// Their names.
    fn names() -> Vec<&'static str>;
    /// Takes them out of a body.
    fn take(from: &mut Map<String, Json>) -> Result<Self, Problem>;
}

/// Reads a body all of whose members are known.
pub(in crate::daemon) fn read<T: Members>(body: Json) -> Result<T, Problem> {
    let Json::Object(mut members) = body else { return Err(Problem::bad("the body is no object")) };
    let read = T::take(&mut members)?;
    match members.keys().next() {
        None => Ok(read),
        Some(name) => {
            let name = name.escape_debug();
            Err(Problem::bad(format!("there is no member `{name}`; there are {}", T::names().join(", "))))
        }
    }
}

fn member<T: DeserializeOwned>(from: &mut Map<String, Json>, name: &str) -> Result<Option<T>, Problem> {
    let value = from.remove(name).unwrap_or_default();
    serde_json::from_value(value).map_err(|error| Problem::bad(format!("`{name}`: {error}")))
}

/// Members that must be there, those that need not, and parts.
macro_rules! members {
    (
        $(#[$about:meta])* $name:ident
        $(needs { $($needed:ident: $needed_type:ty),* })?
        $(takes { $($taken:ident: $taken_type:ty),* })?
        $(and { $($part:ident: $part_type:ty),* })?
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        pub(in crate::daemon) struct $name {
            $($(pub(in crate::daemon) $needed: $needed_type,)*)?
            $($(pub(in crate::daemon) $taken: $taken_type,)*)?
            $($(pub(in crate::daemon) $part: $part_type,)*)?
        }

        impl Members for $name {
            fn names() -> Vec<&'static str> {
                let own: &[&'static str] = &[$($(stringify!($needed),)*)? $($(stringify!($taken),)*)?];
                let parts: &[Vec<&'static str>] = &[$($(<$part_type>::names(),)*)?];
                [own, &parts.concat()].concat()
            }

            fn take(from: &mut Map<String, Json>) -> Result<Self, Problem> {
                Ok(Self {
                    $($($needed: member(from, stringify!($needed))?
                        .ok_or_else(|| Problem::bad(concat!("`", stringify!($needed), "` is missing")))?,)*)?
                    $($($taken: member(from, stringify!($taken))?.unwrap_or_default(),)*)?
                    $($($part: <$part_type>::take(from)?,)*)?
                })
            }
        }
    };
}

members! {
    /// In which steps hosts are called.
    StepsRequest
    takes { canary: Json, batch: Json, pause: Option<f64>, max_fail: Json, retry: u32 }
}

members! {
    /// Whom, what, and how: what calls and jobs have in common.
    Asked
    needs { target: String, method: String }
    takes {
        args: Vec<Json>, exclude: Option<String>, allow_unknown: bool, filter: Vec<String>, filter_or: Vec<String>,
        check: bool, timeout: Option<f64>, forks: Option<u32>
    }
    and { steps: StepsRequest }
}

members! {
    /// The body of a call.
    CallRequest
    takes { budget: bool }
    and { asked: Asked }
}

members! {
    /// The body of a job, and how long it may take.
    JobRequest
    takes { job_timeout: Option<f64>, give_up_after: Option<f64> }
    and { asked: Asked }
}

members! {
    /// The body of a schedule: a job, and when it is made.
    ScheduleRequest
    needs { cron: String }
    takes { zone: Option<String>, catch_up: Option<f64>, allow_overlap: bool }
    and { job: JobRequest }
}

members! {
    /// The body of another try of a job.
    RetryRequest
    needs { outcomes: Vec<String> }
    takes { secrets: Vec<String> }
    and { steps: StepsRequest }
}

members! {
    /// The body of going on with a job; there need not be one.
    ResumeRequest
    takes { secrets: Vec<String> }
}
