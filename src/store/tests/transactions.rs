//! Transactions, big values, versions.

use std::fs;

use super::{Counts, Error, Notes, act, count, host, job};
use crate::store::{Store, once};

fn big_files(dir: &std::path::Path) -> usize {
    fs::read_dir(dir.join("data/big")).unwrap().count()
}

#[test]
fn a_transaction_sees_its_own_writes_and_is_kept_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    act(dir.path(), |tables| {
        tables.put::<Counts>(&(job(1), host("a")), &1)?;
        tables.put::<Counts>(&(job(1), host("b")), &2)?;
        tables.put::<Counts>(&(job(10), host("c")), &3)
    });
    act(dir.path(), |tables| {
        tables.put::<Counts>(&(job(1), host("c")), &4)?;
        tables.remove::<Counts>(&(job(1), host("a")))?;
        assert_eq!(tables.under::<Counts, _, _>(&job(1))?.0, [(host("b"), 2), (host("c"), 4)]);
        assert!(!tables.contains::<Counts>(&(job(1), host("a")))?);
        assert_eq!(tables.all::<Counts>()?.len(), 3);
        Ok(())
    });
    let (failed, _) = once(dir.path(), |tables| {
        tables.put::<Counts>(&(job(1), host("b")), &99)?;
        Err::<(), _>(Error::Closed)
    });
    failed.unwrap_err();
    let (rows, _) = act(dir.path(), |tables| tables.under::<Counts, _, _>(&job(1)));
    assert_eq!(rows.0, [(host("b"), 2), (host("c"), 4)]);
}

#[test]
fn a_panic_inside_a_transaction_is_an_error_and_keeps_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let panicked = store.act_blocking(|tables| {
        tables.put::<Notes>(&host("a"), &"x".repeat(50_000))?;
        assert!(tables.contains::<Notes>(&host("b"))?, "no b");
        Ok::<_, Error>(())
    });
    assert!(panicked.unwrap_err().to_string().contains("no b"));
    let kept = store.act_blocking(|tables| tables.contains::<Notes>(&host("a"))).unwrap();
    assert!(!kept);
    assert_eq!(big_files(dir.path()), 0);
    assert_eq!(store.take_set_aside(), []);
}

#[test]
fn a_big_value_has_a_file_that_goes_when_the_value_goes() {
    let dir = tempfile::tempdir().unwrap();
    let text = "long ".repeat(10_000);
    act(dir.path(), |tables| tables.put::<Notes>(&host("a"), &text));
    assert_eq!(big_files(dir.path()), 1);
    let (read, opening) = act(dir.path(), |tables| tables.get::<Notes>(&host("a")));
    assert_eq!(read.as_deref(), Some(&*text));
    assert_eq!(opening.collected, 0);
    act(dir.path(), |tables| tables.put::<Notes>(&host("a"), &format!("{text}!")));
    assert_eq!(big_files(dir.path()), 1);
    act(dir.path(), |tables| tables.remove::<Notes>(&host("a")));
    assert_eq!(big_files(dir.path()), 0);
}

#[test]
fn a_file_that_no_row_names_is_collected_and_a_foreign_one_is_left() {
    let dir = tempfile::tempdir().unwrap();
    act(dir.path(), |tables| tables.put::<Notes>(&host("a"), &"x".repeat(20_000)));
    let big = dir.path().join("data/big");
    fs::write(big.join(format!("{}.value", uuid::Uuid::now_v7().simple())), b"left by a crash").unwrap();
    fs::write(big.join("README"), b"foreign").unwrap();
    let (kept, opening) = act(dir.path(), |tables| tables.get::<Notes>(&host("a")));
    assert_eq!(opening.collected, 1);
    assert_eq!(kept.map(|text| text.len()), Some(20_000));
    assert!(big.join("README").exists());
}

#[test]
fn a_big_file_that_was_changed_is_an_error_and_costs_only_its_row() {
    let dir = tempfile::tempdir().unwrap();
    act(dir.path(), |tables| {
        tables.put::<Notes>(&host("a"), &"x".repeat(20_000))?;
        tables.put::<Notes>(&host("b"), &"small".into())
    });
    let file = fs::read_dir(dir.path().join("data/big")).unwrap().next().unwrap().unwrap().path();
    fs::write(&file, "y".repeat(20_003)).unwrap();
    let (read, _) = once(dir.path(), |tables| tables.get::<Notes>(&host("a")));
    assert!(matches!(read, Err(Error::Broken { .. })), "{read:?}");
    // Not closed as one that is well: the next opening walks over all of it.
    assert!(!fs::read_to_string(dir.path().join("data/witness")).unwrap().contains("closed"));
    let (small, opening) = act(dir.path(), |tables| tables.get::<Notes>(&host("b")));
    assert_eq!((small.as_deref(), opening.set_aside), (Some("small"), None));
    fs::remove_file(&file).unwrap();
    let (read, _) = once(dir.path(), |tables| tables.get::<Notes>(&host("a")));
    assert!(matches!(read, Err(Error::Broken { .. })), "{read:?}");
}

#[test]
fn rows_of_older_versions_are_upgraded_and_newer_ones_refused() {
    let dir = tempfile::tempdir().unwrap();
    act(dir.path(), |tables| {
        tables.put_raw(b"notes\0old", vec![1, 0, 7, 7, 7]);
        tables.put_raw(b"notes\0new", vec![3, 0, 7]);
        Ok(())
    });
    let (old, _) = act(dir.path(), |tables| tables.get::<Notes>(&host("old")));
    assert_eq!(old.as_deref(), Some("upgraded 3"));
    let (new, opening) = once(dir.path(), |tables| tables.get::<Notes>(&host("new")));
    assert!(matches!(new, Err(Error::Version { found: 3, known: 2, .. })), "{new:?}");
    assert_eq!(opening.set_aside, None);
}

#[tokio::test]
async fn many_transactions_share_commits_and_each_sees_those_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _) = Store::open(dir.path()).unwrap();
    let tasks = (0..500).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.act(|tables| count(tables, &(job(1), host("a")))).await.unwrap() })
    });
    let mut numbers: Vec<u64> = Vec::new();
    for task in tasks.collect::<Vec<_>>() {
        numbers.push(task.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=500).collect::<Vec<_>>());
    drop(store);
    assert_eq!(act(dir.path(), |tables| tables.get::<Counts>(&(job(1), host("a")))).0, Some(500));
}
