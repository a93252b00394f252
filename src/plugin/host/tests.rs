//! The host functions that need no grant, without a guest.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    bindings::minion::host::{clock, config, job},
    *,
};
use crate::plugin::{Events, Level, fixture::context};

/// Keeps progress.
#[derive(Default)]
struct Come(Mutex<Vec<(u64, Option<u64>, String)>>);

impl Events for Come {
    fn log(&self, _: Level, _: &str, _: &[(String, String)]) {}

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        self.0.lock().unwrap().push((done, total, note.to_owned()));
    }
}

fn state(change: impl FnOnce(&mut crate::plugin::CallContext)) -> State {
    let mut context = context();
    change(&mut context);
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

#[test]
fn a_job_knows_itself() {
    let come = Arc::new(Come::default());
    let mut state = state(|context| {
        context.mode = crate::plugin::Mode::Check;
        context.events = Arc::clone(&come) as _;
    });
    assert_eq!(job::Host::id(&mut state), "test-minion");
    assert_eq!(job::Host::caller(&mut state), "tester");
    assert!(job::Host::dry_run(&mut state) && !job::Host::cancelled(&mut state));
    let remaining = job::Host::remaining_ms(&mut state);
    assert!((9_000..=10_000).contains(&remaining), "{remaining}");
    job::Host::progress(&mut state, 1, Some(3), "one\u{1b}[31m".to_owned());
    assert_eq!(come.0.lock().unwrap()[..], [(1, Some(3), "one[31m".to_owned())]);
}

#[test]
fn settings_are_read_by_key_and_in_order() {
    let settings = [("b", "2"), ("a", "1")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut state = state(|context| context.settings = Arc::new(settings.into()));
    assert_eq!(config::Host::get(&mut state, "a".to_owned()).as_deref(), Some("1"));
    assert_eq!(config::Host::get(&mut state, "c".to_owned()), None);
    assert_eq!(config::Host::all(&mut state)[0].0, "a");
}

#[test]
fn clocks_go_forward() {
    let mut state = state(|_| ());
    let first = clock::Host::monotonic_ns(&mut state);
    std::thread::sleep(Duration::from_millis(1));
    assert!(clock::Host::monotonic_ns(&mut state) > first);
    assert!(clock::Host::now(&mut state).seconds > 1_700_000_000);
    let before = super::clock::datetime(jiff::Timestamp::new(-2, -500_000_000).unwrap());
    assert_eq!((before.seconds, before.nanoseconds), (-3, 500_000_000));
}

#[tokio::test]
async fn a_denial_is_kept_with_the_line_to_add_and_said_once_in_the_log() {
    let heard = Arc::new(crate::plugin::fixture::Heard::default());
    let mut state = state(|context| context.events = Arc::clone(&heard) as _);
    for _ in 0..3 {
        let denied = super::bindings::minion::host::files::Host::read(&mut state, "/etc/passwd".to_owned()).await;
        assert_eq!(denied.unwrap_err().kind, ErrorKind::Denied);
    }
    let mut watch = crate::plugin::budget::StopWatch::start();
    watch.take(async {}).await;
    let budget = state.counter.budget(&watch, 0);
    assert_eq!((budget.denied, budget.host_calls["files.read"]), (3, 3));
    let [denial] = &budget.denials[..] else { panic!("{budget:?}") };
    assert_eq!(denial.call, "files.read");
    assert_eq!(denial.allow.as_deref(), Some("[grants.m]\nread = [\"/etc/passwd\"]"));
    let heard = heard.0.lock().unwrap();
    assert_eq!(heard[..], [(Level::Warn, denial.message.clone())]);
}

#[tokio::test]
async fn threads_that_hang_are_counted_and_leave_some_for_others() {
    static PLACES: tokio::sync::Semaphore = tokio::sync::Semaphore::const_new(1);
    let (let_go, hang) = std::sync::mpsc::channel::<()>();
    let held_up = super::blocking_in(&PLACES, move || Ok(hang.recv()));
    let short = std::time::Duration::from_millis(20);
    // Its caller gives up; the thread goes on hanging.
    tokio::time::timeout(short, held_up).await.unwrap_err();
    tokio::time::timeout(short, super::blocking_in(&PLACES, || Ok(()))).await.unwrap_err();
    tokio::task::spawn_blocking(|| {}).await.unwrap();
    drop(let_go);
    super::blocking_in(&PLACES, || Ok(())).await.unwrap();
}
