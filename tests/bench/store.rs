//! A finished job answered from the store.

use std::time::{Duration, Instant};

use func::config::Home;
use func::overlord::{Overlord, OverlordConfig};

use crate::harness::Fleet;
use crate::table::{Table, quantile, time};

pub fn run() {
    let fleet = Fleet::start(["m1", "m2"]);
    let answer = fleet.func(["call", "*", "test.add", "1", "2", "--async", "--json"]).expect(0).json();
    let id = answer["id"].as_str().unwrap().parse().unwrap();
    let home = Home::at(fleet.home());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut table = Table::new("the status of a finished job of two hosts", ["", "p50", "p99"]);
    for (name, keep_store_open, rounds) in
        [("store kept open", true, 2000), ("store opened for each question", false, 50)]
    {
        let overlord = Overlord::open(OverlordConfig { keep_store_open, ..OverlordConfig::at(&home) }).unwrap();
        let mut samples: Vec<Duration> = (0..rounds)
            .map(|_| {
                let began = Instant::now();
                assert!(runtime.block_on(overlord.status(&id)).unwrap().is_finished());
                began.elapsed()
            })
            .collect();
        assert_eq!(overlord.connections_opened(), 0);
        table.row([name.to_owned(), time(quantile(&mut samples, 0.5)), time(quantile(&mut samples, 0.99))]);
    }
    let mut samples: Vec<Duration> = (0..20)
        .map(|_| {
            let began = Instant::now();
            fleet.func(["job", "status", answer["id"].as_str().unwrap()]).expect(0);
            began.elapsed()
        })
        .collect();
    table.row([
        "the whole command `func job status`".to_owned(),
        time(quantile(&mut samples, 0.5)),
        time(quantile(&mut samples, 0.99)),
    ]);
    table.print();
    println!("  goal: under 1 ms with the store open.");
}
