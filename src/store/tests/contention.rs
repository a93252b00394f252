//! Several processes at one store.

use std::io::Read;

use super::{Counts, act, child, child_dir, count, host, job};

const ROUNDS: u64 = 20;

/// Opens, counts and closes, again and again; runs only as a child of the test below.
#[test]
fn child_that_counts() {
    let Some(dir) = child_dir() else { return };
    for _ in 0..ROUNDS {
        act(&dir, |tables| count(tables, &(job(1), host("a"))));
    }
}

#[test]
fn three_processes_at_one_store_all_succeed() {
    let dir = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..3).map(|_| child("store::tests::contention::child_that_counts", dir.path())).collect();
    for mut child in children {
        let mut output = String::new();
        child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        assert!(child.wait().unwrap().success(), "{output}");
        assert!(output.contains("1 passed"), "{output}");
    }
    let (number, _) = act(dir.path(), |tables| tables.get::<Counts>(&(job(1), host("a"))));
    assert_eq!(number, Some(3 * ROUNDS));
}
