//! Who holds how much of what is kept of jobs, and who may hold more.
//!
//! What was given out is kept as long as there is room: where there is none, the oldest goes of whoever has most of it. What was
//! not given out stays, so its callers share: *nobody may have more than [`SHARE`] times what is left free*. One alone gets three
//! quarters of it all, two get three sevenths each, and however many are greedy, somebody who comes later finds room.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::Order;
use crate::ids::MinionJobId;

/// So many times of what is free is one caller's at most.
const SHARE: u64 = 3;

/// How much there is, or may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) jobs: u64,
    pub(super) bytes: u64,
}

/// How far a job has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has no result.
    Open,
    /// Its result waits for somebody who asks.
    Ended,
    /// Somebody was given it.
    Given,
}

/// What is known of a job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) order: Order,
    pub(super) standing: Standing,
    pub(super) since: SystemTime,
    /// How long its result is.
    pub(super) bytes: u64,
}

/// All jobs.
#[derive(Debug)]
pub(super) struct Shares {
    bounds: Usage,
    jobs: HashMap<MinionJobId, Job>,
    all: Usage,
    /// What of it was not given out, and whose it is.
    kept: Usage,
    of: HashMap<String, Usage>,
}

impl Usage {
    fn add(&mut self, bytes: u64) {
        self.jobs += 1;
        self.bytes += bytes;
    }

    fn take(&mut self, bytes: u64) {
        self.jobs = self.jobs.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Shares {
    pub(super) fn new(bounds: Usage) -> Self {
        let [all, kept] = [Usage::default(); 2];
        Self { bounds, jobs: HashMap::new(), all, kept, of: HashMap::new() }
    }

    pub(super) fn get(&self, id: &MinionJobId) -> Option<&Job> {
        self.jobs.get(id)
    }

    pub(super) fn open(&self) -> Vec<MinionJobId> {
        let open = self.jobs.iter().filter(|(_, job)| job.standing == Standing::Open);
        open.map(|(id, _)| id.clone()).collect()
    }

    pub(super) fn put(&mut self, id: &MinionJobId, job: Job) {
        self.remove(id);
        self.all.add(job.bytes);
        if job.standing != Standing::Given {
            self.kept.add(job.bytes);
            self.of.entry(job.order.caller.clone()).or_default().add(job.bytes);
        }
        self.jobs.insert(id.clone(), job);
    }

    pub(super) fn remove(&mut self, id: &MinionJobId) -> Option<Job> {
        let job = self.jobs.remove(id)?;
        self.all.take(job.bytes);
        if job.standing != Standing::Given {
            self.kept.take(job.bytes);
            let of = self.of.entry(job.order.caller.clone()).or_default();
            of.take(job.bytes);
            if of.jobs == 0 {
                self.of.remove(&job.order.caller);
            }
        }
        Some(job)
    }

    /// Whether a caller may have one more.
    pub(super) fn has_room_for(&self, caller: &str) -> bool {
        let theirs = self.of.get(caller).copied().unwrap_or_default();
        let fits = |theirs: u64, kept: u64, most: u64| theirs < most.saturating_sub(kept).saturating_mul(SHARE);
        fits(theirs.jobs, self.kept.jobs, self.bounds.jobs) && fits(theirs.bytes, self.kept.bytes, self.bounds.bytes)
    }

    /// What has to go for one more to have a place: what was given out.
    pub(super) fn in_the_way(&self) -> Vec<MinionJobId> {
        let is_full = |all: Usage| all.jobs >= self.bounds.jobs || all.bytes >= self.bounds.bytes;
        if !is_full(self.all) {
            return Vec::new();
        }
        let mut of: HashMap<&str, Vec<(&MinionJobId, &Job)>> = HashMap::new();
        for (id, job) in self.jobs.iter().filter(|(_, job)| job.standing == Standing::Given) {
            of.entry(&job.order.caller).or_default().push((id, job));
        }
        // The oldest last.
        for jobs in of.values_mut() {
            jobs.sort_by_key(|(_, job)| std::cmp::Reverse(job.since));
        }
        // As much as makes room for some time.
        let roomy = Usage { jobs: self.bounds.jobs - self.bounds.jobs / 10, bytes: self.bounds.bytes / 10 * 9 };
        let (mut all, mut gone) = (self.all, Vec::new());
        while all.jobs >= roomy.jobs || all.bytes >= roomy.bytes {
            let most = of.values_mut().max_by_key(|jobs| jobs.len());
            let Some((id, job)) = most.and_then(Vec::pop) else { break };
            all.take(job.bytes);
            gone.push(id.clone());
        }
        gone
    }

    /// What has been there for longer than this.
    pub(super) fn older_than(&self, most: Duration, now: SystemTime) -> Vec<MinionJobId> {
        let is_old = |job: &Job| now.duration_since(job.since).is_ok_and(|age| age > most);
        self.jobs.iter().filter(|(_, job)| is_old(job)).map(|(id, _)| id.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ca::Host;

    fn job(caller: &str, standing: Standing, bytes: u64) -> Job {
        let host = Host { name: "leaf".parse().unwrap(), address: "10.0.0.1:7".parse().unwrap() };
        Job { order: Order { caller: caller.to_owned(), host }, standing, since: SystemTime::UNIX_EPOCH, bytes }
    }

    /// Takes jobs for a caller as long as it may, and answers how many.
    fn fill(shares: &mut Shares, caller: &str) -> usize {
        let mut count = 0;
        while shares.has_room_for(caller) {
            shares.put(&MinionJobId::fresh(), job(caller, Standing::Ended, 10));
            count += 1;
        }
        count
    }

    #[test]
    fn one_alone_gets_most_of_it_and_whoever_comes_later_finds_room() {
        for bounds in [Usage { jobs: 1000, bytes: 1 << 30 }, Usage { jobs: 1 << 20, bytes: 10_000 }] {
            let mut shares = Shares::new(bounds);
            let alone = fill(&mut shares, "greedy");
            assert!((740..=760).contains(&alone), "{alone}");
            let later = fill(&mut shares, "modest");
            assert!(later >= 180, "{later}");
            assert!(fill(&mut shares, "third") >= 40);
            assert_eq!(fill(&mut shares, "greedy"), 0, "the others' share is not its");
        }
    }

    #[test]
    fn what_was_given_out_goes_first_of_who_has_most_of_it_and_counts_against_nobody() {
        let mut shares = Shares::new(Usage { jobs: 10, bytes: 1 << 20 });
        let few: Vec<_> = (0..2).map(|_| MinionJobId::fresh()).collect();
        for id in &few {
            shares.put(id, job("few", Standing::Given, 1));
        }
        for _ in 0..8 {
            shares.put(&MinionJobId::fresh(), job("many", Standing::Given, 1));
        }
        assert!(shares.has_room_for("many"));
        let gone = shares.in_the_way();
        assert_eq!(gone.len(), 2);
        assert!(few.iter().all(|id| !gone.contains(id)));
        for id in gone {
            shares.remove(&id);
        }
        assert!(shares.in_the_way().is_empty());
    }
}
