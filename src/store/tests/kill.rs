//! A process killed at any moment has lost nothing that it was told is durable.

use std::{
    io::{BufRead, BufReader, Write},
    time::Duration,
};

use super::{Counts, Notes, act, child, child_dir, host, job};
use crate::store::{Error, Opening, Store};

/// Writes for ever, and prints each number once it is durable; runs only as a child of the test below.
#[test]
fn child_that_writes() {
    let Some(dir) = child_dir() else { return };
    let (store, opening) = Store::open(&dir).unwrap();
    assert_eq!(opening.set_aside, None);
    let last = store.act_blocking(|tables| tables.get::<Counts>(&(job(0), host("last")))).unwrap().unwrap_or(0);
    for number in last + 1.. {
        let write = move |tables: &mut crate::store::Tables<'_>| {
            tables.put::<Counts>(&(job(0), host("last")), &number)?;
            tables.put::<Counts>(&(job(number), host("twin")), &number)?;
            tables.put::<Notes>(&host("big"), &number.to_string().repeat(10_000))
        };
        store.act_blocking::<_, Error, _>(write).unwrap();
        let mut out = std::io::stdout().lock();
        writeln!(out, "durable {number}").unwrap();
    }
}

#[test]
fn a_killed_process_loses_nothing_it_was_told_is_durable() {
    let dir = tempfile::tempdir().unwrap();
    let mut told = 0;
    for round in 0..25_u64 {
        let mut child = child("store::tests::kill::child_that_writes", dir.path());
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let durable = |line: &str| line.split("durable ").nth(1).map(|number| number.parse::<u64>().unwrap());
        let first = lines.by_ref().map_while(Result::ok).find_map(|line| durable(&line));
        told = first.expect("the child wrote nothing").max(told);
        std::thread::sleep(Duration::from_micros(round * 730));
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            told = durable(&line).unwrap_or(told).max(told);
        }
        let (found, opening) = act(dir.path(), |tables| {
            let last = tables.get::<Counts>(&(job(0), host("last")))?.unwrap_or(0);
            let twins = tables.all::<Counts>()?.len() as u64 - 1;
            let big = tables.get::<Notes>(&host("big"))?.unwrap_or_default();
            Ok((last, twins, big == last.to_string().repeat(10_000)))
        });
        assert!(found.0 >= told, "told {told}, found {found:?}");
        assert_eq!((found.0, found.2), (found.1, true), "a transaction was kept by half");
        assert_eq!(Opening { collected: 0, ..opening }, Opening::default());
        assert!(std::fs::read_dir(dir.path().join("data/big")).unwrap().count() <= 1);
    }
}
