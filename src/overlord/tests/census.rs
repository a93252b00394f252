//! Whatever happens to a job, in whatever order: its hosts are counted, each once, at every moment.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use proptest::prelude::*;

use crate::{
    ca::Host,
    fleet::{Outcome, Rollout, Selection, SkipReason, Stage, Summary},
    ids::{HostName, MinionJobId, OverlordJobId},
    overlord::{
        Error, HostState, JobPlan, JobRecord,
        rolling::advance,
        state::{Event, Report},
        transactions::{cancel, fanned_out, plan, record, view},
    },
    store::{Tables, once},
    wire::{RemoteError, Value},
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn host(number: usize) -> Host {
    Host { name: format!("m{number}").parse().unwrap(), address: "127.0.0.1:1".parse().unwrap() }
}

fn job_record() -> JobRecord {
    JobRecord {
        target: "*".into(),
        method: "test.add".parse().unwrap(),
        args: Vec::new(),
        submitted: at(0),
        timeout: None,
        forks: 1,
        hosts: 0,
        resume_window: Duration::from_hours(1),
        give_up_after: Duration::from_hours(48),
    }
}

/// Something that happens to a host, or to the whole job.
fn event(pick: usize, job: Option<&str>) -> Event {
    let accepted = Outcome::Ok(job.map_or(Value::Nil, Value::from));
    let lost = || Outcome::Lost { why: "x".into() };
    let timed_out = || Outcome::TimedOut { after: Duration::from_secs(1) };
    let reported = |report| Event::Reported { report, was_acknowledged: pick.is_multiple_of(2) };
    match pick % 16 {
        0 | 1 => Event::Sending,
        2 => Event::Submitted(accepted),
        3 => Event::Submitted(Outcome::Unreachable { why: "x".into() }),
        4 => Event::Submitted(Outcome::Refused { why: "x".into() }),
        5 => Event::Submitted(Outcome::Failed(RemoteError::new("E", "x"))),
        6 => Event::Submitted(lost()),
        7 => Event::Submitted(timed_out()),
        8 => reported(Report::Running),
        9 => reported(Report::Unknown),
        10 => reported(Report::Done(Outcome::Ok(3.into()))),
        11 => reported(Report::Done(lost())),
        12 => reported(Report::Done(timed_out())),
        13 => reported(Report::Done(Outcome::Cancelled)),
        14 => reported(Report::Done(Outcome::Failed(RemoteError::new("E", "x")))),
        _ => Event::GaveUp,
    }
}

/// The counts that are kept are those of the hosts' states, and with the open ones they are the hosts of the plan.
fn counts_hold(tables: &mut Tables<'_>, locks: &std::path::Path, id: &OverlordJobId, all: usize) -> Result<(), Error> {
    let view = view(tables, locks, id)?;
    let counted: Summary = view.outcomes().map(|(_, outcome)| outcome).collect();
    let open = view.hosts.values().filter(|host| !host.state.is_done()).count();
    assert_eq!((view.hosts.len(), view.summary(), view.progress.open), (all, counted, open));
    let told = view.to_json()["summary"].clone();
    assert_eq!(told["total"], all);
    let named = ["ok", "failed", "unreachable", "refused", "timed_out", "lost", "cancelled", "skipped", "open"];
    let sum: u64 = named.iter().map(|name| told[name].as_u64().unwrap()).sum();
    assert_eq!(sum, all as u64, "{told}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_host_is_counted_once_at_every_moment(
        hosts in 1_usize..9, down in 0_usize..3, canary in 0_usize..3, batch in prop::option::of(1_usize..4),
        max_fail in prop::option::of(0_usize..3), picks in prop::collection::vec((0_usize..400, 0_usize..9), 0..120),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let locks = dir.path().join("locks");
        let all = hosts + down;
        let rollout = Rollout { canary, batch, max_fail, pause: Duration::from_secs(5), retry: 0 };
        let selection = Selection {
            hosts: (0..hosts).map(host).collect(),
            skipped: (hosts..all).map(|number| (host(number), SkipReason::Down)).collect(),
            ..Selection::default()
        };
        let how = JobPlan { rollout, ..JobPlan::default() };
        let (done, _) = once(&dir.path().join("store"), |tables| -> Result<(), Error> {
            let (id, _lock) = plan(tables, &locks, job_record(), &how, &selection, "ops")?;
            counts_hold(tables, &locks, &id, all)?;
            let ids: BTreeMap<HostName, _> =
                view(tables, &locks, &id)?.hosts.into_iter().map(|(name, host)| (name, host.minion_job)).collect();
            for (now, (pick, number)) in picks.iter().enumerate() {
                let now = at(i64::try_from(now).unwrap());
                let name = host(number % all).name;
                match pick {
                    390.. => cancel(tables, &id, now)?,
                    380.. => drop(fanned_out(tables, &locks, &id, now)?),
                    300.. if rollout.is_staged() => {
                        let (stage, work) = advance(tables, &locks, &id, now)?;
                        let planned = work.parts.iter().any(|part| part.state == HostState::Planned);
                        assert!(!(planned && matches!(stage, Stage::Asked | Stage::Stopped(_))), "{stage:?}");
                    }
                    _ => {
                        let job = ids[&name].as_ref().map(MinionJobId::as_str);
                        record(tables, &id, &[(name.clone(), event(*pick, job))], now)?;
                    }
                }
                counts_hold(tables, &locks, &id, all)?;
            }
            Ok(())
        });
        done.unwrap();
    }
}
