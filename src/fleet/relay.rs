//! A call to a host that is reached through others.
//!
//! ```text
//! overlord ──overlord.delegate([b, leaf], M, args)──▶ a ──overlord.delegate([leaf], M, args)──▶ b ──M(args)──▶ leaf
//!          ◀──────────── {outcome, …} ────────────────  ◀──────────── {outcome, …} ────────────  ◀── answer ──
//! ```
//!
//! Whoever passes a call on answers what became of it at its host, and that is the host's outcome here. So whatever is true
//! of a call, of its job, of batches and of the count of hosts is true of one that goes through others: the border between
//! *unreachable* and *lost* is the last connection's first byte, and a job id chosen at the top reaches the leaf.
//!
//! Each call goes by itself, over connections that are kept. Many in one request would be answered when the slowest of their hosts
//! is, and save little: fifty hosts behind one cost no more time than fifty called directly.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use super::{Outcome, Reason, Request, SkipReason};
use crate::{
    ca::Host,
    ids::HostName,
    wire::{Call, RemoteError, Room, Value},
};

/// The method by which a minion that is an overlord passes a call on: the way from it to the host, the method, its arguments.
pub const DELEGATE: &str = "overlord.delegate";

/// The method by which it tells whom it reaches.
pub const MAP: &str = "overlord.map";

/// No way has more who pass a call on.
pub const MOST_HOPS: usize = 8;

/// A call that the first of a way is asked to pass on.
pub(super) struct Relay {
    pub(super) hop: Host,
    pub(super) request: Request,
}

impl Relay {
    /// For a host that is reached through others.
    pub(super) fn to(host: &Host, request: &Request) -> Option<Result<Self, Outcome>> {
        let (first, others) = host.address.via().split_first()?;
        let hop = Host { name: first.clone(), address: host.address.clone().through(Vec::new()) };
        let way: Vec<Value> = others.iter().chain([&host.name]).map(|name| name.as_str().into()).collect();
        let wrap =
            |inner: Call| Call::new(DELEGATE, vec![Value::Array(way), inner.method.into(), Value::Array(inner.params)]);
        let request = request.wrapped(wrap, host.address.via().len());
        let broken = |error| Outcome::Refused { why: Reason::new("the call cannot be passed on", error) };
        Some(request.map(|request| Self { hop, request }).map_err(broken))
    }

    /// What its answer means for the host.
    pub(super) fn outcome(&self, answer: Outcome) -> Outcome {
        let by = format!("by way of `{}`", self.hop.name);
        match answer {
            Outcome::Ok(value) => read(value).unwrap_or_else(|| Outcome::Lost {
                why: format!("{by}: it answers `{DELEGATE}` with nonsense").into(),
            }),
            // What it says itself comes before anything was passed on, unless it broke down.
            Outcome::Failed(error) if error.kind == "Internal" => {
                Outcome::Lost { why: format!("{by}: {error}").into() }
            }
            Outcome::Failed(error) => Outcome::Refused { why: format!("{by}: {error}").into() },
            Outcome::Unreachable { why } => Outcome::Unreachable { why: why.after(&by) },
            Outcome::Refused { why } => Outcome::Refused { why: why.after(&by) },
            Outcome::Lost { why } => Outcome::Lost { why: why.after(&by) },
            other => other,
        }
    }
}

/// Why files do not get to a host.
pub(super) fn no_way_for_bytes(host: &Host) -> Reason {
    let via: Vec<_> = host.address.via().iter().map(HostName::as_str).collect();
    format!("it is reached through `{}`, which passes on calls and no files; send them from there", via.join("/"))
        .into()
}

/// Those through whom others are called go last, the nearest behind all others; before them, the farthest go first, all through
/// one together. With [`Passing`], what the call does to whoever passes it on does not come before the others have answered it.
pub fn delegated_first<T>(parts: &mut [T], host: impl Fn(&T) -> &Host) {
    let hops: HashSet<HostName> = parts.iter().flat_map(|part| host(part).address.via()).cloned().collect();
    parts.sort_by_cached_key(|part| {
        let Host { name, address } = host(part);
        (hops.contains(name), std::cmp::Reverse(address.via().len()), address.via().to_vec())
    });
}

/// Who passes calls on just now, and is not called itself until they have ended.
#[derive(Debug, Default)]
pub struct Passing {
    /// The ways of the calls that are under way.
    ways: HashMap<HostName, Vec<HostName>>,
    /// Of how many of them each is part.
    by: HashMap<HostName, usize>,
}

impl Passing {
    /// A call begins.
    pub fn begins(&mut self, host: &Host) {
        let via = host.address.via();
        if !via.is_empty() && self.ways.insert(host.name.clone(), via.to_vec()).is_none() {
            for hop in via {
                *self.by.entry(hop.clone()).or_default() += 1;
            }
        }
    }

    /// It has ended.
    pub fn ended(&mut self, host: &HostName) {
        for hop in self.ways.remove(host).into_iter().flatten() {
            if let Some(count) = self.by.get_mut(&hop) {
                *count -= 1;
                if *count == 0 {
                    self.by.remove(&hop);
                }
            }
        }
    }

    /// Whether nothing is under way through a host.
    pub fn leaves_alone(&self, host: &HostName) -> bool {
        !self.by.contains_key(host)
    }
}

/// An outcome as it is told to whoever asked for the call to be passed on. A value that fits no answer gives way to an error.
pub fn relayed(outcome: Outcome) -> Value {
    let name = outcome.name();
    let told =
        |more: Vec<(&'static str, Value)>| Value::structure([("outcome", Value::from(name))].into_iter().chain(more));
    match outcome {
        Outcome::Ok(value) => match Room::answer().take(1, &value) {
            Ok(()) => told(vec![("value", value)]),
            Err(why) => relayed(Outcome::Failed(RemoteError::from(why))),
        },
        // In a list of its own: an answer that begins with the mark of an error would be one.
        Outcome::Failed(error) => told(vec![("error", error.to_value())]),
        Outcome::TimedOut { after } => {
            told(vec![("milliseconds", Value::Int(i64::try_from(after.as_millis()).unwrap_or(i64::MAX)))])
        }
        Outcome::Unreachable { why } | Outcome::Refused { why } | Outcome::Lost { why } => {
            let cause = why.cause().map(|cause| ("cause", Value::from(cause)));
            told([("why", Value::from(&*why))].into_iter().chain(cause).collect())
        }
        Outcome::Cancelled => told(Vec::new()),
        Outcome::Skipped(reason) => told(vec![("why", Value::from(&*reason.text()))]),
    }
}

fn read(value: Value) -> Option<Outcome> {
    let Value::Struct(mut told) = value else { return None };
    let Value::String(name) = told.remove("outcome")? else { return None };
    let mut text = |key| match told.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let why = text("why").map(|why| match text("cause") {
        Some(cause) => Reason::new(why, cause),
        None => why.into(),
    });
    Some(match name.as_str() {
        "ok" => Outcome::Ok(told.remove("value")?),
        "failed" => Outcome::Failed(RemoteError::from_value(&told.remove("error")?)?),
        "timed out" => match told.remove("milliseconds")? {
            Value::Int(milliseconds) => {
                Outcome::TimedOut { after: Duration::from_millis(milliseconds.try_into().ok()?) }
            }
            _ => return None,
        },
        "unreachable" => Outcome::Unreachable { why: why? },
        "refused" => Outcome::Refused { why: why? },
        "lost" => Outcome::Lost { why: why? },
        "cancelled" => Outcome::Cancelled,
        "skipped" => Outcome::Skipped(SkipReason::Filter),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Host {
        let via = ["a", "b"].map(|name| name.parse().unwrap()).to_vec();
        Host {
            name: "leaf".parse().unwrap(),
            address: "10.0.0.1:7".parse::<crate::ca::Address>().unwrap().through(via),
        }
    }

    #[test]
    fn every_outcome_comes_back_as_it_was() {
        for outcome in [
            Outcome::Ok(Value::Array(vec!["REMOTE_ERROR".into()])),
            Outcome::Failed(RemoteError::new("Trap", "x")),
            Outcome::TimedOut { after: Duration::from_millis(1500) },
            Outcome::Unreachable { why: Reason::new("x", "y") },
            Outcome::Refused { why: "x".into() },
            Outcome::Lost { why: "x".into() },
            Outcome::Cancelled,
        ] {
            assert_eq!(read(relayed(outcome.clone())), Some(outcome));
        }
        assert_eq!(read(Value::Nil), None);
    }

    #[test]
    fn what_goes_wrong_on_the_way_is_no_answer_of_the_host() {
        let relay = Relay::to(&leaf(), &Request::new(&Call::new("x.y", vec![]))).unwrap().ok().unwrap();
        assert_eq!((relay.hop.name.as_str(), relay.hop.address.to_string().as_str()), ("a", "10.0.0.1:7"));
        let outcome = |answer| relay.outcome(answer).name();
        assert_eq!(outcome(Outcome::Failed(RemoteError::new("NotCallable", "x"))), "refused");
        assert_eq!(outcome(Outcome::Failed(RemoteError::new("Internal", "x"))), "lost");
        assert_eq!(outcome(Outcome::Ok(Value::Nil)), "lost", "it may have passed it on");
        assert_eq!(outcome(Outcome::Unreachable { why: "x".into() }), "unreachable");
        assert!(relay.outcome(Outcome::Unreachable { why: "x".into() }).why().unwrap().contains("by way of `a`"));
    }

    #[test]
    fn the_farthest_go_first_and_who_passes_calls_on_is_left_alone_meanwhile() {
        let near = |name: &str| Host { name: name.parse().unwrap(), address: "10.0.0.1:7".parse().unwrap() };
        let mut hosts = vec![near("a"), near("c"), leaf()];
        delegated_first(&mut hosts, |host| host);
        let names: Vec<_> = hosts.iter().map(|host| host.name.as_str()).collect();
        assert_eq!(names, ["leaf", "c", "a"]);
        let mut passing = Passing::default();
        for host in &hosts {
            passing.begins(host);
        }
        assert!(!passing.leaves_alone(&hosts[2].name) && passing.leaves_alone(&hosts[1].name));
        passing.ended(&hosts[0].name);
        assert!(passing.leaves_alone(&hosts[2].name));
    }

    #[test]
    fn what_is_told_of_a_call_that_was_passed_on_harms_nobody() {
        use crate::wire::{Answer, encode_answer, parse_answer};
        let of = |outcome: Outcome| encode_answer(&Answer::Value(relayed(outcome)));
        let told = [
            of(Outcome::Ok(7.into())),
            of(Outcome::Failed(RemoteError::new("Trap", "x"))),
            of(Outcome::TimedOut { after: Duration::from_secs(1) }),
            of(Outcome::Lost { why: Reason::new("x", "y") }),
            of(Outcome::Cancelled),
        ];
        let corpus: Vec<&[u8]> = told.iter().map(String::as_bytes).collect();
        let words =
            ["<struct>", "</struct>", "<member>", "</member>", "<name>why</name>", "<value>", "</value>", "outcome"];
        crate::sys::fuzz::fuzz("relayed_outcomes", &corpus, &words, |bytes| {
            let Ok(Answer::Value(value)) = parse_answer(bytes) else { return None };
            let outcome = read(value)?;
            assert_eq!(read(relayed(outcome.clone())).map(|again| again.name()), Some(outcome.name()));
            Some((outcome.name(), outcome.to_json()["why"].is_string()))
        });
    }
}
