//! What is kept of jobs that were passed on: whose each is and where, and its result.
//!
//! ```text
//! ID ──▶ ID and ID.result ──somebody was given it──▶ ID and ID.given
//! ```
//!
//! Files, whole and by rename; memory holds no more than whose and how many they are. A job has its place there before it is on the
//! disk, so none is passed on twice, and nobody waits for another's disk. They are bounded, in number and in bytes,
//! and their callers share them as the head of [`shares`] has it: at a bound what was given out makes room, and where that is not
//! enough, no job is taken. What nobody was given is removed by its age alone, and the log says so.

mod shares;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::shares::{Job, Shares, Standing, Usage};
use crate::{ca::Host, ids::MinionJobId, sys::durable, wire::Value};

/// For how long. No overlord waits longer, unless it is told to.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// How many jobs, and how many bytes of results.
const BOUNDS: Usage = Usage { jobs: 10_000, bytes: 1 << 30 };
/// How often it is looked for what is too old.
const LOOK: Duration = Duration::from_mins(10);

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
    /// Its caller has as many as it may.
    Full,
}

#[derive(Debug)]
struct State {
    shares: Shares,
    looked: SystemTime,
}

/// The folder. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Held {
    folder: PathBuf,
    /// Whoever changes which files there are has it.
    state: Arc<Mutex<State>>,
}

impl Held {
    /// Makes the folder, and removes what is too old in it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        Self::within(folder, BOUNDS)
    }

    fn within(folder: &Path, bounds: Usage) -> io::Result<Self> {
        durable::create_folder(folder, 0o700)?;
        let state = State { shares: Shares::new(bounds), looked: SystemTime::UNIX_EPOCH };
        let held = Self { folder: folder.to_owned(), state: Arc::new(Mutex::new(state)) };
        let mut state = held.state();
        for entry in fs::read_dir(folder)?.flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse::<MinionJobId>().ok());
            if let Some(id) = id {
                match held.look_at(&id) {
                    Ok(job) => state.shares.put(&id, job),
                    Err(error) => {
                        tracing::warn!(%id, %error, "a job that was passed on is forgotten: its file cannot be read");
                        held.remove(&mut state, &id);
                    }
                }
            }
        }
        held.drop_old(&mut state);
        drop(state);
        Ok(held)
    }

    fn look_at(&self, id: &MinionJobId) -> io::Result<Job> {
        let ended = [(self.result_at(id), Standing::Ended), (self.given_at(id), Standing::Given)];
        let ended = ended.into_iter().find_map(|(path, standing)| Some((fs::metadata(path).ok()?, standing)));
        let (file, standing, bytes) = match ended {
            Some((file, standing)) => (file.modified(), standing, file.len()),
            None => (fs::metadata(self.order_at(id))?.modified(), Standing::Open, 0),
        };
        let order = read::<Order>(&self.order_at(id))?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Job { order, standing, since: file?, bytes })
    }

    /// The jobs without a result.
    pub(super) fn waited_for(&self) -> Vec<MinionJobId> {
        self.state().shares.open()
    }

    /// Keeps an order, or answers the one that is kept under its id.
    pub(super) fn order(&self, id: &MinionJobId, order: &Order) -> io::Result<Kept> {
        self.take(id, order, Standing::Open)
    }

    /// Keeps that a job which is not known has ended so, so that it is never passed on.
    pub(super) fn rule_out(&self, id: &MinionJobId, order: &Order, answer: &Value) -> io::Result<Kept> {
        let kept = self.take(id, order, Standing::Given)?;
        if kept == Kept::New {
            let bytes = write(&self.given_at(id), answer)?;
            self.state().moved_on(id, Standing::Given, Some(bytes));
        }
        Ok(kept)
    }

    /// Forgets an order that came to nothing.
    pub(super) fn withdraw(&self, id: &MinionJobId) {
        let mut state = self.state();
        if state.shares.get(id).is_some_and(|job| job.standing == Standing::Open) {
            self.remove(&mut state, id);
        }
    }

    /// What is kept under an id.
    pub(super) fn ordered(&self, id: &MinionJobId) -> Option<Order> {
        self.state().shares.get(id).map(|job| job.order.clone())
    }

    /// Whether its result is here.
    pub(super) fn has_ended(&self, id: &MinionJobId) -> bool {
        self.state().shares.get(id).is_some_and(|job| job.standing != Standing::Open)
    }

    /// The answer about a job that has ended, as its minion gave it, to be given to whoever asks.
    pub(super) fn give(&self, id: &MinionJobId) -> io::Result<Option<Value>> {
        let Some(answer) = read(&self.result_at(id))? else { return read(&self.given_at(id)) };
        let mut state = self.state();
        match fs::rename(self.result_at(id), self.given_at(id)) {
            Ok(()) => state.moved_on(id, Standing::Given, None),
            // Somebody else was given it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(Some(answer))
    }

    /// Keeps it, also beyond the bounds: its job was taken.
    pub(super) fn keep(&self, id: &MinionJobId, answer: &Value) -> io::Result<()> {
        if self.ordered(id).is_some() && !self.has_ended(id) {
            let bytes = write(&self.result_at(id), answer)?;
            let mut state = self.state();
            match state.shares.get(id) {
                Some(_) => state.moved_on(id, Standing::Ended, Some(bytes)),
                None => fs::remove_file(self.result_at(id))?,
            }
        }
        Ok(())
    }

    /// Whoever is beside it is kept waiting only until it has its place, not until it is on the disk.
    fn take(&self, id: &MinionJobId, order: &Order, standing: Standing) -> io::Result<Kept> {
        let now = SystemTime::now();
        {
            let mut state = self.state();
            if let Some(Job { order, standing, .. }) = state.shares.get(id) {
                return Ok(Kept::Known { order: order.clone(), ended: *standing != Standing::Open });
            }
            if now.duration_since(state.looked).map_or(true, |age| age > LOOK) {
                self.drop_old(&mut state);
            }
            for id in state.shares.in_the_way() {
                self.remove(&mut state, &id);
            }
            if !state.shares.has_room_for(&order.caller) {
                return Ok(Kept::Full);
            }
            state.shares.put(id, Job { order: order.clone(), standing, since: now, bytes: 0 });
        }
        let bytes = postcard::to_stdvec(order).map_err(io::Error::other);
        if let Err(error) = bytes.and_then(|bytes| durable::write_new(&self.order_at(id), &bytes, 0o600)) {
            self.remove(&mut self.state(), id);
            return Err(error);
        }
        Ok(Kept::New)
    }

    fn drop_old(&self, state: &mut State) {
        state.looked = SystemTime::now();
        for id in state.shares.older_than(KEPT, state.looked) {
            if self.remove(state, &id) != Some(Standing::Given) {
                tracing::warn!(%id, "a job that was passed on is forgotten: nobody asked for its result for a week");
            }
        }
    }

    fn remove(&self, state: &mut State, id: &MinionJobId) -> Option<Standing> {
        // The order goes last: without it nobody may have the others.
        for path in [self.result_at(id), self.given_at(id), self.order_at(id)] {
            drop(fs::remove_file(path));
        }
        Some(state.shares.remove(id)?.standing)
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

impl State {
    /// A job has come so far, with a result of so many bytes if that is new.
    fn moved_on(&mut self, id: &MinionJobId, standing: Standing, bytes: Option<u64>) {
        let Some(mut job) = self.shares.remove(id) else { return };
        if let Some(bytes) = bytes {
            (job.bytes, job.since) = (bytes, SystemTime::now());
        }
        self.shares.put(id, Job { standing, ..job });
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
            assert_eq!(again.ordered(&ids[1]), None);
        }
    }

    #[test]
    fn a_job_that_was_ruled_out_or_withdrawn_takes_part_in_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let id = MinionJobId::fresh();
        let held = Held::within(folder.path(), Usage { jobs: 1, bytes: 100 }).unwrap();
        assert_eq!(held.order(&id, &order("boss")).unwrap(), Kept::New);
        held.withdraw(&id);
        assert_eq!(held.rule_out(&id, &order("boss"), &Value::Nil).unwrap(), Kept::New);
        let ended = Kept::Known { order: order("boss"), ended: true };
        assert_eq!((held.order(&id, &order("boss")).unwrap(), held.waited_for()), (ended, vec![]));
    }
    #[test]
    fn an_order_that_was_damaged_on_the_disk_harms_nobody() {
        let through: crate::ca::Address = "leaf.example:7".parse().unwrap();
        let through = through.through(vec!["a".parse().unwrap(), "b".parse().unwrap()]);
        let host = Host { name: "leaf".parse().unwrap(), address: through };
        let corpus =
            [order("boss"), Order { caller: "x".repeat(200), host }].map(|order| postcard::to_stdvec(&order).unwrap());
        let corpus: Vec<&[u8]> = corpus.iter().map(Vec::as_slice).collect();
        let words = ["\u{4}leaf", "\u{0}", "\u{1}", "\u{7f}\u{7f}\u{7f}\u{7f}", "10.0.0.1:7", "[::1]:7", "..", "/"];
        crate::sys::fuzz::fuzz("orders", &corpus, &words, |bytes| {
            let order = postcard::from_bytes::<Order>(bytes).ok()?;
            let again = postcard::from_bytes::<Order>(&postcard::to_stdvec(&order).unwrap());
            assert_eq!(again.as_ref(), Ok(&order));
            Some(order.host.address.via().len())
        });
    }
}
