//! A module's own data: kept, bounded, safe between processes, and only planned in a check.

use std::{fs, path::Path, sync::Arc};

use super::{super::call::HostCall as _, keep::KEYS, *};
use crate::{
    plugin::{Mode, Trail, fixture::context},
    wire::Value,
};

fn state(folder: &Path, mode: Mode) -> State {
    let mut context = context();
    context.state = Some(Arc::from(folder));
    context.mode = mode;
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

fn kind<T>(answer: Result<T, Error>) -> ErrorKind {
    answer.map(|_| ()).unwrap_err().kind
}

async fn get(state: &mut State, key: &str) -> Option<Vec<u8>> {
    Host::get(state, key.to_owned()).await.unwrap()
}

async fn set(state: &mut State, key: &str, value: &[u8]) -> Result<(), Error> {
    Host::set(state, key.to_owned(), value.to_vec()).await
}

async fn swap(state: &mut State, key: &str, expected: Option<&[u8]>, value: Option<&[u8]>) -> bool {
    let (expected, value) = (expected.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec));
    Host::swap(state, key.to_owned(), expected, value).await.unwrap()
}

#[tokio::test]
async fn what_is_kept_is_there_for_the_next_call_and_for_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = state(folder.path(), Mode::Perform);
    assert_eq!(get(&mut first, "a").await, None);
    set(&mut first, "a", b"\0one").await.unwrap();
    set(&mut first, "b.c", b"").await.unwrap();
    let mut second = state(folder.path(), Mode::Perform);
    assert_eq!(get(&mut second, "a").await.unwrap(), b"\0one");
    assert_eq!(Host::keys(&mut second).await.unwrap(), ["a", "b.c"]);
    second.full_name = "other:m/m".parse().unwrap();
    assert_eq!(Host::keys(&mut second).await.unwrap(), [""; 0]);
    assert!(Host::delete(&mut first, "a".to_owned()).await.unwrap());
    assert!(!Host::delete(&mut first, "a".to_owned()).await.unwrap());
    assert_eq!(Host::keys(&mut first).await.unwrap(), ["b.c"]);
}

#[tokio::test]
async fn a_key_is_never_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = state(folder.path(), Mode::Perform);
    let long = "k".repeat(101);
    for key in ["", ".", "..", ".lock", "a/b", "/etc/passwd", "a\0", "é", "a b", &long] {
        assert_eq!(kind(set(&mut state, key, b"x").await), ErrorKind::Invalid, "{key:?}");
        assert_eq!(kind(Host::get(&mut state, key.to_owned()).await), ErrorKind::Invalid, "{key:?}");
    }
    state.context.state = None;
    assert_eq!(kind(set(&mut state, "a", b"x").await), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_module_keeps_only_so_much() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = state(folder.path(), Mode::Perform);
    state.context.limits.state_bytes = 10;
    set(&mut state, "a", b"12345").await.unwrap();
    set(&mut state, "b", b"12345").await.unwrap();
    assert_eq!(kind(set(&mut state, "c", b"1").await), ErrorKind::TooLarge);
    assert_eq!(kind(set(&mut state, "a", b"123456").await), ErrorKind::TooLarge);
    set(&mut state, "a", b"54321").await.unwrap();
    let kept = folder.path().join("t:m/m");
    for index in 0..KEYS - 2 {
        fs::write(kept.join(format!("k{index}")), b"").unwrap();
    }
    assert_eq!(kind(set(&mut state, "one-more", b"").await), ErrorKind::TooLarge);
    set(&mut state, "k0", b"").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_calls_at_the_same_time_none_undoes_another() {
    let folder = tempfile::tempdir().unwrap();
    let count = async |path: &Path| {
        let mut state = state(path, Mode::Perform);
        for _ in 0..10 {
            loop {
                let old = get(&mut state, "n").await;
                let next = old.as_deref().map_or(0, |text| std::str::from_utf8(text).unwrap().parse::<u32>().unwrap());
                if swap(&mut state, "n", old.as_deref(), Some((next + 1).to_string().as_bytes())).await {
                    break;
                }
            }
        }
    };
    tokio::join!(count(folder.path()), count(folder.path()), count(folder.path()));
    let mut state = state(folder.path(), Mode::Perform);
    assert_eq!(get(&mut state, "n").await.unwrap(), b"30");
    assert!(!swap(&mut state, "n", None, Some(b"1")).await && swap(&mut state, "n", Some(b"30"), None).await);
    assert_eq!(get(&mut state, "n").await, None);
}

#[tokio::test]
async fn whoever_changes_something_waits_for_the_lock_and_sweeps_drafts_of_the_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = state(folder.path(), Mode::Perform);
    set(&mut state, "a", b"1").await.unwrap();
    let kept = folder.path().join("t:m/m");
    fs::write(kept.join(".a.0123.new"), b"half").unwrap();
    let other = crate::sys::lock::open_lock_file(&kept.join(".lock")).unwrap();
    crate::sys::lock::try_exclusive(&other).unwrap();
    assert_eq!(kind(set(&mut state, "a", b"2").await), ErrorKind::Busy);
    assert_eq!(get(&mut state, "a").await.unwrap(), b"1", "readers do not wait");
    drop(other);
    set(&mut state, "a", b"2").await.unwrap();
    assert!(!kept.join(".a.0123.new").exists());
}

#[tokio::test]
async fn a_check_sees_what_it_planned_and_keeps_nothing() {
    let folder = tempfile::tempdir().unwrap();
    set(&mut state(folder.path(), Mode::Perform), "old", b"123").await.unwrap();
    let mut state = state(folder.path(), Mode::Check);
    set(&mut state, "new", b"12").await.unwrap();
    assert!(swap(&mut state, "old", Some(b"123"), Some(b"1")).await);
    assert!(!swap(&mut state, "old", Some(b"123"), None).await);
    assert_eq!(get(&mut state, "old").await.unwrap(), b"1");
    assert_eq!(Host::keys(&mut state).await.unwrap(), ["new", "old"]);
    assert!(Host::delete(&mut state, "new".to_owned()).await.unwrap());
    assert!(!Host::delete(&mut state, "new".to_owned()).await.unwrap());
    state.context.limits.state_bytes = 4;
    assert_eq!(kind(set(&mut state, "big", b"12345").await), ErrorKind::TooLarge);
    let Trail::Plan(plan) = state.mediation.end() else { panic!("no plan") };
    let steps = plan.steps.iter().map(|step| (step.call, step.effect.clone())).collect::<Vec<_>>();
    let other = |what: &str| crate::plugin::Effect::Other { what: what.to_owned() };
    assert_eq!(steps[0], (Set::NAME, other("kept: 2 bytes")));
    assert_eq!(steps[1], (Swap::NAME, other("replaced: 3 bytes by 1")));
    assert_eq!(steps[2], (Delete::NAME, other("forgotten: 2 bytes")));
    assert!(matches!(steps[3].1, crate::plugin::Effect::Failed { .. }) && steps.len() == 4, "{steps:?}");
    assert_ne!(plan.to_value(), Value::Nil);
    assert_eq!(fs::read(folder.path().join("t:m/m/old")).unwrap(), b"123");
    assert!(!folder.path().join("t:m/m/new").exists());
}
