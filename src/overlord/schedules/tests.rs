//! What comes of instants, in the store alone.

use std::{path::PathBuf, time::Duration};

use jiff::Timestamp;

use super::{
    Arguments, Happened, Overlap, Schedule, ScheduleError,
    transactions::{Ready, Verdict, claim, fail, judge, pause, remove, run_by_hand, set, upcoming},
    view::view,
};
use crate::{
    ca::Host,
    fleet::{Outcome, Selection, Steps},
    ids::{OverlordJobId, ScheduleName},
    overlord::{
        Error, JobPlan, JobRecord, ScheduleView,
        state::Event,
        transactions::{list, record},
    },
    store::{Table, Tables, once},
};

struct Books {
    dir: tempfile::TempDir,
}

fn at(clock: &str) -> Timestamp {
    format!("2026-05-05T{clock}Z").parse().unwrap()
}

fn name() -> ScheduleName {
    "hourly".parse().unwrap()
}

fn hourly() -> Schedule {
    Schedule {
        cron: "0 * * * *".into(),
        zone: "UTC".into(),
        target: "*".into(),
        exclude: None,
        allow_unknown: false,
        method: "test.add".parse().unwrap(),
        arguments: Arguments::Words(vec!["1".into(), "2".into()]),
        filter: None,
        forks: 4,
        acceptance: Duration::from_secs(30),
        job_timeout: None,
        give_up_after: Duration::from_hours(1),
        steps: Steps::default(),
        catch_up: Duration::from_mins(1),
        overlap: Overlap::Skip,
    }
}

fn ready(schedule: &Schedule) -> Ready {
    let host = Host { name: "m1".parse().unwrap(), address: "127.0.0.1:1".parse().unwrap() };
    let record = JobRecord {
        target: schedule.target.clone(),
        method: schedule.method.clone(),
        args: vec![],
        submitted: Timestamp::now(),
        timeout: None,
        forks: 1,
        hosts: 1,
        resume_window: Duration::from_hours(1),
        give_up_after: schedule.give_up_after,
    };
    let selection = Selection { hosts: vec![host], ..Selection::default() };
    Ready { schedule: schedule.clone(), record, plan: JobPlan::default(), selection }
}

impl Books {
    /// With the hourly schedule, set at half past eight.
    fn new(schedule: &Schedule) -> Self {
        let books = Self { dir: tempfile::tempdir().unwrap() };
        books.act(|tables| set(tables, &name(), schedule, false, ("ops".into(), at("08:30:00")))).unwrap();
        books
    }

    fn act<T>(&self, act: impl FnOnce(&mut Tables<'_>) -> Result<T, Error>) -> Result<T, Error> {
        once(&self.dir.path().join("store"), act).0
    }

    fn locks(&self) -> PathBuf {
        self.dir.path().join("locks")
    }

    /// What is to run now, if anything is.
    fn due(&self, clock: &str) -> Option<Timestamp> {
        match self.act(|tables| judge(tables, &name(), at(clock))).unwrap() {
            Verdict::Run { instant, .. } => Some(instant),
            Verdict::Nothing => None,
        }
    }

    /// The job of an instant, if it is made.
    fn claim(&self, instant: &str, ready: Ready) -> Option<OverlordJobId> {
        let made = self.act(|tables| claim(tables, &self.locks(), &name(), ready, at(instant)));
        made.unwrap().map(|(job, _)| job)
    }

    fn end(&self, job: &OverlordJobId, outcome: Outcome) {
        let ended = Event::Submitted(outcome);
        let sent = [("m1".parse().unwrap(), Event::Sending), ("m1".parse().unwrap(), ended)];
        self.act(|tables| record(tables, job, &sent, Timestamp::now())).unwrap();
    }

    fn view(&self, clock: &str) -> ScheduleView {
        self.act(|tables| view(tables, &self.locks(), &name(), at(clock))).unwrap()
    }

    /// What came of the instants, a word for each note.
    fn history(&self) -> Vec<(&'static str, u32)> {
        self.view("23:00:00").notes.iter().map(|(note, _)| (note.what.word(), note.count)).collect()
    }
}

#[test]
fn an_instant_becomes_one_job_whoever_judges_it() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    assert_eq!(books.act(|tables| upcoming(tables, at("08:31:00"))).unwrap(), [(name(), at("09:00:00"))]);
    assert_eq!(books.due("08:59:59"), None);
    // Two see it, and both get ready.
    assert_eq!((books.due("09:00:00"), books.due("09:00:01")), (Some(at("09:00:00")), Some(at("09:00:00"))));
    let job = books.claim("09:00:00", ready(&schedule)).unwrap();
    assert_eq!((books.claim("09:00:00", ready(&schedule)), books.due("09:00:02")), (None, None));
    books.act(|tables| fail(tables, &name(), &schedule, at("09:00:00"), "too late to say")).unwrap();
    let view = books.view("09:10:00");
    assert_eq!((view.ran, view.failed, view.notes.len()), (1, 0, 1));
    assert_eq!((view.last.unwrap().1.job, view.next.unwrap().timestamp()), (job.clone(), at("10:00:00")));
    let jobs = books.act(|tables| list(tables, &books.locks(), None)).unwrap().jobs;
    assert_eq!((jobs.len(), jobs[0].submitter.as_deref()), (1, Some("schedule:hourly")));
}

/// The table `progress` as another program would have written it.
struct OddProgress;

/// The table `jobs` likewise.
struct OddJob;

macro_rules! odd {
    ($name:ident, $text:literal) => {
        impl Table for $name {
            const NAME: &'static str = $text;
            const VERSION: u8 = 1;
            type Key = OverlordJobId;
            type Value = u8;
        }
    };
}

odd!(OddProgress, "progress");
odd!(OddJob, "jobs");

#[test]
fn a_job_whose_count_is_damaged_is_counted_anew_and_one_of_which_nothing_is_known_holds_up_nobody() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    let first = books.claim("09:00:00", ready(&schedule)).unwrap();
    books.act(|tables| Ok(tables.put::<OddProgress>(&first, &7)?)).unwrap();
    assert_eq!(books.due("10:00:00"), None, "the first is open");
    assert_eq!(books.history(), [("ran", 1), ("skipped", 1)]);
    let jobs = || books.act(|tables| list(tables, &books.locks(), None)).unwrap();
    let open = || jobs().jobs.iter().map(|job| job.progress.open).collect::<Vec<_>>();
    assert_eq!((open(), jobs().unreadable.len()), (vec![1], 0));
    books.end(&first, Outcome::Ok(3.into()));
    assert_eq!((open(), jobs().jobs[0].progress.summary.total()), (vec![0], 1));
    books.act(|tables| Ok(tables.put::<OddProgress>(&first, &7)?)).unwrap();
    assert_eq!(open(), [0], "that it has ended is known again");

    let second = books.claim("11:00:00", ready(&schedule)).unwrap();
    books.act(|tables| Ok(tables.put::<OddJob>(&second, &7)?)).unwrap();
    assert_eq!(books.due("12:00:00"), Some(at("12:00:00")));
    assert_eq!(jobs().unreadable.len(), 1);
}

#[test]
fn a_run_waits_for_nobody_and_is_skipped_while_the_last_one_is_open() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    let job = books.claim("09:00:00", ready(&schedule)).unwrap();
    for clock in ["10:00:00", "11:00:30"] {
        assert_eq!(books.due(clock), None);
    }
    assert_eq!(books.history(), [("ran", 1), ("skipped", 2)]);
    let error = books.act(|tables| run_by_hand(tables, &books.locks(), &name(), ready(&schedule), "ops")).unwrap_err();
    assert!(matches!(&error, Error::Schedule(ScheduleError::Open { job: open, .. }) if *open == job), "{error}");
    // It was not open when it was looked at, and is when it is claimed.
    assert_eq!(books.claim("12:00:00", ready(&schedule)), None);
    books.end(&job, Outcome::Refused { why: "no".into() });
    assert_eq!(books.view("12:30:00").wrong_in_a_row(), 1);
    assert_eq!(books.due("13:00:00"), Some(at("13:00:00")));
    books.claim("13:00:00", ready(&schedule)).unwrap();
    assert_eq!(books.history(), [("ran", 1), ("skipped", 3), ("ran", 1)]);

    let overlapping = Schedule { overlap: Overlap::Allow, ..schedule };
    books.act(|tables| set(tables, &name(), &overlapping, true, ("ops".into(), at("13:30:00")))).unwrap();
    assert!(books.claim("14:00:00", ready(&overlapping)).is_some());
}

#[test]
fn nobody_was_there_so_it_is_missed_and_the_newest_runs_if_it_may_be_late() {
    let books = Books::new(&hourly());
    assert_eq!(books.due("12:30:00"), None);
    assert_eq!((books.history(), books.view("12:30:00").missed), (vec![("missed", 4)], 4));
    let patient = Schedule { catch_up: Duration::from_hours(1), ..hourly() };
    books.act(|tables| set(tables, &name(), &patient, true, ("ops".into(), at("12:30:00")))).unwrap();
    assert_eq!(books.due("15:30:00"), Some(at("15:00:00")));
    books.claim("15:00:00", ready(&patient)).unwrap();
    assert_eq!(books.history(), [("missed", 6), ("ran", 1)]);
}

#[test]
fn a_reason_for_no_job_is_noted() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    for clock in ["09:00:00", "10:00:00"] {
        books.act(|tables| fail(tables, &name(), &schedule, at(clock), "no host matches")).unwrap();
    }
    let view = books.view("10:30:00");
    assert_eq!((view.notes.len(), view.failed, view.wrong_in_a_row()), (1, 2, 2));
    assert_eq!(view.notes[0].0.what, Happened::Failed { why: "no host matches".into() });
}

#[test]
fn a_clock_that_goes_back_runs_nothing_again() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    let job = books.claim("12:00:00", ready(&schedule)).unwrap();
    books.end(&job, Outcome::Ok(3.into()));
    // A little: all is as it was.
    assert_eq!((books.due("11:30:00"), books.history().len()), (None, 2));
    // Far: the time it had shown was wrong.
    assert_eq!(books.act(|tables| upcoming(tables, at("09:30:00"))).unwrap(), [(name(), at("09:30:00"))]);
    assert_eq!(books.due("09:30:00"), None);
    assert_eq!(books.due("10:00:00"), Some(at("10:00:00")));
    let again = books.claim("10:00:00", ready(&schedule)).unwrap();
    books.end(&again, Outcome::Ok(3.into()));
    assert_eq!(books.due("11:00:00"), Some(at("11:00:00")));
    // Twelve has run already.
    assert_eq!(books.claim("12:00:00", ready(&schedule)), None);
    assert_eq!(books.history(), [("missed", 3), ("ran", 1), ("clock set back", 1), ("ran", 1), ("missed", 1)]);
}

#[test]
fn a_paused_schedule_lets_its_instants_pass_without_a_word() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    books.act(|tables| pause(tables, &name(), true, at("08:40:00"))).unwrap();
    assert_eq!((books.due("09:00:00"), books.claim("09:00:00", ready(&schedule))), (None, None));
    assert!(books.view("09:00:00").next.is_none() && books.act(|t| upcoming(t, at("09:00:00"))).unwrap().is_empty());
    books.act(|tables| pause(tables, &name(), false, at("11:10:00"))).unwrap();
    assert_eq!((books.due("11:10:00"), books.due("12:00:00")), (None, Some(at("12:00:00"))));
    assert_eq!(books.history(), []);
}

#[test]
fn what_was_prepared_for_another_call_is_not_begun() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    let exists =
        books.act(|tables| set(tables, &name(), &schedule, false, ("ops".into(), at("08:31:00")))).unwrap_err();
    assert!(matches!(exists, Error::Schedule(ScheduleError::Exists { .. })));
    let other = Schedule { method: "test.sleep".parse().unwrap(), ..hourly() };
    books.act(|tables| set(tables, &name(), &other, true, ("ops".into(), at("08:31:00")))).unwrap();
    assert_eq!(books.claim("09:00:00", ready(&schedule)), None);
    books.act(|tables| remove(tables, &name())).unwrap();
    assert_eq!(books.claim("09:00:00", ready(&other)), None);
    let unknown = books.act(|tables| judge(tables, &name(), at("09:00:00"))).unwrap_err();
    assert!(matches!(unknown, Error::Schedule(ScheduleError::Unknown { .. })));
}

#[test]
fn an_instant_with_a_job_and_its_judgement_are_one_commit() {
    let schedule = hourly();
    let books = Books::new(&schedule);
    // The process ends, or the disk is full, before the commit.
    let lost = books.act(|tables| {
        claim(tables, &books.locks(), &name(), ready(&schedule), at("09:00:00"))?.unwrap();
        Err::<(), _>(ScheduleError::Never { cron: String::new() }.into())
    });
    assert!(lost.is_err());
    assert_eq!((books.history(), books.due("09:00:30")), (vec![], Some(at("09:00:00"))));
    assert!(books.act(|tables| list(tables, &books.locks(), None)).unwrap().jobs.is_empty());
    assert!(books.claim("09:00:00", ready(&schedule)).is_some());
}
