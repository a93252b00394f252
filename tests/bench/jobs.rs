//! Background jobs: from the request to running guest code, how many a second, what a worker weighs.
//!
//! Every job here is durable as always: its file, the folder's name for it, STARTED and the result are
//! each on the disk before anything goes on. The floor is a bare double fork without any of that.

use std::{
    fs::File,
    io::Read,
    time::{Duration, Instant},
};

use func::{
    ids::MinionJobId,
    jobs::{JobState, Jobs},
    sys::{
        descriptor,
        fork::{Forked, double_fork, exit_now},
        process::private_memory,
    },
};
use futures_util::{StreamExt, stream};
use jiff::Timestamp;

#[path = "../jobs/mod.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod place;

use place::{Place, end, in_the_guest, kill_at_once, submission, worker_of};

/// Jobs in flight when the rate is measured.
pub const WIDTH: usize = 16;
const SEQUENTIAL: usize = 200;
const AT_ONCE: usize = 600;
const HELD: usize = 10;

/// What a bare double fork costs.
#[derive(Debug, Clone)]
pub struct Floor {
    /// From before the fork until the grandchild has ended.
    pub each: Vec<Duration>,
}

/// Measures the floor. To be called before anything has started a thread.
pub fn floor() -> Floor {
    let each = (0..SEQUENTIAL).map(|_| {
        let start = Instant::now();
        let (reading, writing) = descriptor::pipe().unwrap();
        if double_fork().expect("the floor is measured before there are threads") == Forked::Grandchild {
            exit_now(0);
        }
        drop(writing);
        assert_eq!(File::from(reading).read(&mut [0; 1]).unwrap(), 0);
        start.elapsed()
    });
    Floor { each: each.collect() }
}

/// What jobs cost.
#[derive(Debug, Clone)]
pub struct Figures {
    /// From the submission until the guest's first instruction.
    pub to_the_guest: Vec<Duration>,
    /// From the submission until the result is known.
    pub to_the_end: Vec<Duration>,
    /// Jobs a second, [`WIDTH`] at a time.
    pub rate: f64,
    /// Bytes that one more worker takes.
    pub private_memory: u64,
}

/// Measures jobs.
pub async fn measure() -> Figures {
    let place = Place::new();
    let mut config = place.config();
    config.workers_max = WIDTH * 2;
    let jobs = place.open_with(config).await;
    end(&jobs, &jobs.submit(submission("add", &[1, 1])).await.unwrap()).await;

    let (mut to_the_guest, mut to_the_end) = (Vec::new(), Vec::new());
    for _ in 0..SEQUENTIAL {
        let (wall, start) = (Timestamp::now(), Instant::now());
        let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
        assert!(matches!(end(&jobs, &id).await, JobState::Finished(_)));
        to_the_end.push(start.elapsed());
        let began = first_words(&jobs, &id).await;
        to_the_guest.push(Duration::try_from(began.duration_since(wall)).unwrap());
    }

    let start = Instant::now();
    let one = |_| async {
        let id = jobs.submit(submission("add", &[1, 1])).await.unwrap();
        assert!(matches!(end(&jobs, &id).await, JobState::Finished(_)));
    };
    stream::iter(0..AT_ONCE).map(one).buffer_unordered(WIDTH).collect::<Vec<()>>().await;
    let rate = AT_ONCE as f64 / start.elapsed().as_secs_f64();

    let mut held = Vec::new();
    for _ in 0..HELD {
        let id = jobs.submit(submission("hold", &[600_000])).await.unwrap();
        in_the_guest(&jobs, &id).await;
        held.push(worker_of(&id).unwrap());
    }
    let memory = held.iter().map(|pid| private_memory(pid.as_raw().cast_unsigned()).unwrap());
    let private_memory = memory.sum::<u64>() / HELD as u64;
    held.into_iter().for_each(kill_at_once);
    jobs.shutdown().await;
    Figures { to_the_guest, to_the_end, rate, private_memory }
}

/// When the guest logged its first line, which is the first thing it does.
async fn first_words(jobs: &Jobs, id: &MinionJobId) -> Timestamp {
    let log = jobs.log(id, "alice", 0).await.unwrap().unwrap();
    String::from_utf8(log.bytes).unwrap().split(' ').next().unwrap().parse().unwrap()
}
