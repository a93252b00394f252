//! What is kept of jobs that were passed on: whose each is and where, and its result.
//!
//! ```text
//! ID ──▶ ID and ID.result ──somebody was given it──▶ ID and ID.given
//! ```
//!
//! Files, whole and by rename; there is nothing in memory that they do not say, but how many there are. Those are bounded, in
//! number and in bytes: at a bound the oldest that were given out make room, and where there are none, no job is taken. What
//! nobody was given is removed by its age alone, and the log says so.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ca::Host, ids::MinionJobId, sys::durable, wire::Value};

/// For how long. No overlord waits longer, unless it is told to.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// How many jobs, and how many bytes of results.
const BOUNDS: Usage = Usage { jobs: 10_000, bytes: 1 << 30 };
/// How long it stays full before it is looked again for what can go.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A job that was passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// Who may ask for it.
    pub(super) caller: String,
    /// Where it is.
    pub(super) host: Host,
}

/// What came of keeping an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kept {
    /// It is new.
    New,
    /// This one is kept under its id, and may have ended.
    Known { order: Order, ended: bool },
    /// There is room for no other.
    Full,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Usage {
    jobs: usize,
    bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    usage: Usage,
    looked: Option<SystemTime>,
}

/// The folder. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    folder: PathBuf,
    bounds: Usage,
    /// Whoever changes which files there are has it.
    state: Arc<Mutex<State>>,
}

/// A job's files.
struct Job {
    id: MinionJobId,
    since: SystemTime,
    bytes: u64,
    given: bool,
}

impl Held {
    /// Makes the folder, and removes what is too old in it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Self::within(folder, BOUNDS)
    }

    fn within(folder: &Path, bounds: Usage) -> io::Result<Self> {
        durable::create_folder(folder, 0o700)?;
        let held = Self { folder: folder.to_owned(), bounds, state: Arc::default() };
        held.tidy(&mut held.state());
        Ok(held)
    }

    /// The jobs without a result.
    pub(super) fn waited_for(&self) -> Vec<MinionJobId> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<MinionJobId>().ok());
        ids.filter(|id| !self.has_ended(id)).collect()
    }

    /// Keeps an order, or answers the one that is kept under its id.
    pub(super) fn order(&self, id: &MinionJobId, order: &Order) -> io::Result<Kept> {
        self.take(&mut self.state(), id, order)
    }

    /// Keeps that a job which is not known has ended so, so that it is never passed on.
    pub(super) fn rule_out(&self, id: &MinionJobId, order: &Order, answer: &Value) -> io::Result<Kept> {
        let mut state = self.state();
        let kept = self.take(&mut state, id, order)?;
        if kept == Kept::New {
            state.usage.bytes += write(&self.given_at(id), answer)?;
        }
        Ok(kept)
    }

    /// Forgets an order that came to nothing.
    pub(super) fn withdraw(&self, id: &MinionJobId) -> io::Result<()> {
        let mut state = self.state();
        if !self.has_ended(id) {
            fs::remove_file(self.order_at(id))?;
            state.usage.jobs = state.usage.jobs.saturating_sub(1);
        }
        Ok(())
    }

    /// What is kept under an id.
    pub(super) fn ordered(&self, id: &MinionJobId) -> io::Result<Option<Order>> {
        read(&self.order_at(id))
    }

    /// Whether its result is here.
    pub(super) fn has_ended(&self, id: &MinionJobId) -> bool {
        self.result_at(id).exists() || self.given_at(id).exists()
    }

    /// The answer about a job that has ended, as its minion gave it, to be given to whoever asks.
    pub(super) fn give(&self, id: &MinionJobId) -> io::Result<Option<Value>> {
        let _state = self.state();
        let Some(answer) = read(&self.result_at(id))? else { return read(&self.given_at(id)) };
        fs::rename(self.result_at(id), self.given_at(id))?;
        Ok(Some(answer))
    }

    /// Keeps it, also beyond the bounds: its job was taken.
    pub(super) fn keep(&self, id: &MinionJobId, answer: &Value) -> io::Result<()> {
        let mut state = self.state();
        if !self.has_ended(id) {
            state.usage.bytes += write(&self.result_at(id), answer)?;
        }
        Ok(())
    }

    fn take(&self, state: &mut State, id: &MinionJobId, order: &Order) -> io::Result<Kept> {
        if let Some(order) = self.ordered(id)? {
            return Ok(Kept::Known { order, ended: self.has_ended(id) });
        }
        if self.is_full(state.usage) {
            let now = SystemTime::now();
            if !state.looked.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < LOOK_AGAIN)) {
                self.tidy(state);
            }
            if self.is_full(state.usage) {
                return Ok(Kept::Full);
            }
        }
        durable::write_new(&self.order_at(id), &postcard::to_stdvec(order).map_err(io::Error::other)?, 0o600)?;
        state.usage.jobs += 1;
        Ok(Kept::New)
    }

    fn is_full(&self, usage: Usage) -> bool {
        usage.jobs >= self.bounds.jobs || usage.bytes >= self.bounds.bytes
    }

    /// Removes what is too old, and of what was given out as much as makes room for some time.
    fn tidy(&self, state: &mut State) {
        let now = SystemTime::now();
        let mut jobs = self.jobs();
        jobs.sort_by_key(|job| job.since);
        let mut usage = Usage { jobs: jobs.len(), bytes: jobs.iter().map(|job| job.bytes).sum() };
        let crowded = self.is_full(usage);
        let roomy = |usage: Usage| {
            usage.jobs < self.bounds.jobs - self.bounds.jobs / 10 && usage.bytes < self.bounds.bytes / 10 * 9
        };
        for job in jobs {
            let old = now.duration_since(job.since).is_ok_and(|age| age > KEPT);
            let in_the_way = job.given && crowded && !roomy(usage);
            if !old && !in_the_way {
                continue;
            }
            if !job.given {
                tracing::warn!(id = %job.id, "a job that was passed on is forgotten: nobody asked for its result for a week");
            }
            // The order goes last: without it nobody may have the others.
            for path in [self.result_at(&job.id), self.given_at(&job.id), self.order_at(&job.id)] {
                drop(fs::remove_file(path));
            }
            usage.jobs -= 1;
            usage.bytes -= job.bytes;
        }
        *state = State { usage, looked: Some(now) };
    }

    fn jobs(&self) -> Vec<Job> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let one = |entry: fs::DirEntry| {
            let id: MinionJobId = entry.file_name().to_str()?.parse().ok()?;
            let ended = [(self.result_at(&id), false), (self.given_at(&id), true)];
            let ended = ended.into_iter().find_map(|(path, given)| Some((fs::metadata(path).ok()?, given)));
            let since = |file: &fs::Metadata| file.modified().ok();
            Some(match ended {
                Some((file, given)) => Job { id, since: since(&file)?, bytes: file.len(), given },
                None => Job { id, since: since(&entry.metadata().ok()?)?, bytes: 0, given: false },
            })
        };
        entries.filter_map(one).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order_at(&self, id: &MinionJobId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    fn result_at(&self, id: &MinionJobId) -> PathBuf {
        self.folder.join(format!("{id}.result"))
    }

    fn given_at(&self, id: &MinionJobId) -> PathBuf {
        self.folder.join(format!("{id}.given"))
    }
}

/// Answers how long it is.
fn write(path: &Path, answer: &Value) -> io::Result<u64> {
    let bytes = postcard::to_stdvec(answer).map_err(io::Error::other)?;
    durable::write_atomic(path, &bytes, 0o600)?;
    Ok(bytes.len() as u64)
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => postcard::from_bytes(&bytes).map(Some).map_err(io::Error::other),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(caller: &str) -> Order {
        let host = Host { name: "leaf".parse().unwrap(), address: "10.0.0.1:7".parse().unwrap() };
        Order { caller: caller.to_owned(), host }
    }

    #[test]
    fn an_id_stays_whose_it_was_first_and_its_result_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (id, other) = (MinionJobId::fresh(), MinionJobId::fresh());
        let held = Held::open(folder.path()).unwrap();
        assert_eq!(held.order(&id, &order("boss")).unwrap(), Kept::New);
        let known = Kept::Known { order: order("boss"), ended: false };
        assert_eq!(held.order(&id, &order("somebody")).unwrap(), known);
        held.order(&other, &order("boss")).unwrap();
        let answer = Value::Array(vec![1.into(), "done".into()]);
        held.keep(&id, &answer).unwrap();
        let again = Held::open(folder.path()).unwrap();
        assert_eq!((again.give(&id).unwrap(), again.waited_for()), (Some(answer.clone()), vec![other]));
        assert_eq!(again.give(&id).unwrap(), Some(answer), "whoever asks again is answered again");
    }

    #[test]
    fn at_a_bound_what_was_given_out_makes_room_and_nothing_else_does() {
        for bounds in [Usage { jobs: 2, bytes: 1 << 20 }, Usage { jobs: 9, bytes: 200 }] {
            let folder = tempfile::tempdir().unwrap();
            let ids = [(); 3].map(|()| MinionJobId::fresh());
            let held = Held::within(folder.path(), bounds).unwrap();
            let answer = Value::from("x".repeat(100));
            for id in &ids[..2] {
                assert_eq!(held.order(id, &order("boss")).unwrap(), Kept::New);
                held.keep(id, &answer).unwrap();
            }
            assert_eq!(held.order(&ids[2], &order("boss")).unwrap(), Kept::Full);
            assert!(ids[..2].iter().all(|id| held.has_ended(id)), "nothing was dropped");
            held.give(&ids[1]).unwrap();
            let again = Held::within(folder.path(), bounds).unwrap();
            assert_eq!(again.order(&ids[2], &order("boss")).unwrap(), Kept::New);
            assert_eq!((again.give(&ids[0]).unwrap(), again.give(&ids[1]).unwrap()), (Some(answer), None));
            assert_eq!(again.ordered(&ids[1]).unwrap(), None);
        }
    }

    #[test]
    fn a_job_that_was_ruled_out_or_withdrawn_takes_part_in_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let id = MinionJobId::fresh();
        let held = Held::within(folder.path(), Usage { jobs: 1, bytes: 100 }).unwrap();
        assert_eq!(held.order(&id, &order("boss")).unwrap(), Kept::New);
        held.withdraw(&id).unwrap();
        assert_eq!(held.rule_out(&id, &order("boss"), &Value::Nil).unwrap(), Kept::New);
        let ended = Kept::Known { order: order("boss"), ended: true };
        assert_eq!((held.order(&id, &order("boss")).unwrap(), held.waited_for()), (ended, vec![]));
    }
}
