//! What is kept of jobs that were passed on: whose each is and where, and its result.
//!
//! Two files for each, `ID` and `ID.result`, whole and by rename; there is nothing in memory that they do not say.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{ca::Host, ids::MinionJobId, sys::durable, wire::Value};

/// For how long. No overlord waits longer, unless it is told to.
const KEPT: Duration = Duration::from_hours(7 * 24);

/// A job that was passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// Who may ask for it.
    pub(super) caller: String,
    /// Where it is.
    pub(super) host: Host,
}

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Held {
    folder: PathBuf,
}

impl Held {
    /// Makes the folder, and removes what is too old in it.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        durable::create_folder(folder, 0o700)?;
        let held = Self { folder: folder.to_owned() };
        held.tidy();
        Ok(held)
    }

    /// Removes what is too old.
    pub(super) fn tidy(&self) {
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let age = entry.metadata().and_then(|file| file.modified()).map(|at| SystemTime::now().duration_since(at));
            if matches!(age, Ok(Ok(age)) if age > KEPT) {
                drop(fs::remove_file(entry.path()));
            }
        }
    }

    /// The jobs without a result.
    pub(super) fn waited_for(&self) -> Vec<MinionJobId> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<MinionJobId>().ok());
        ids.filter(|id| !self.result_at(id).exists()).collect()
    }

    /// Keeps an order, or answers the one that is kept under its id.
    pub(super) fn order(&self, id: &MinionJobId, order: &Order) -> io::Result<Order> {
        match durable::write_new(&self.order_at(id), &postcard::to_stdvec(order).map_err(io::Error::other)?, 0o600) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.ordered(id)?.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it was removed just now"))
            }
            written => written.map(|()| order.clone()),
        }
    }

    /// What is kept under an id.
    pub(super) fn ordered(&self, id: &MinionJobId) -> io::Result<Option<Order>> {
        read(&self.order_at(id))
    }

    /// The answer about a job that has ended, as its minion gave it.
    pub(super) fn result(&self, id: &MinionJobId) -> io::Result<Option<Value>> {
        read(&self.result_at(id))
    }

    /// Keeps it.
    pub(super) fn keep(&self, id: &MinionJobId, answer: &Value) -> io::Result<()> {
        durable::write_atomic(&self.result_at(id), &postcard::to_stdvec(answer).map_err(io::Error::other)?, 0o600)
    }

    fn order_at(&self, id: &MinionJobId) -> PathBuf {
        self.folder.join(id.as_str())
    }

    fn result_at(&self, id: &MinionJobId) -> PathBuf {
        self.folder.join(format!("{id}.result"))
    }
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

    #[test]
    fn an_id_stays_whose_it_was_first_and_its_result_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let host = Host { name: "leaf".parse().unwrap(), address: "10.0.0.1:7".parse().unwrap() };
        let (id, other) = (MinionJobId::fresh(), MinionJobId::fresh());
        let order = |caller: &str| Order { caller: caller.to_owned(), host: host.clone() };
        let held = Held::open(folder.path()).unwrap();
        assert_eq!(held.order(&id, &order("boss")).unwrap().caller, "boss");
        assert_eq!(held.order(&id, &order("somebody")).unwrap().caller, "boss");
        held.order(&other, &order("boss")).unwrap();
        let answer = Value::Array(vec![1.into(), "done".into()]);
        held.keep(&id, &answer).unwrap();
        let again = Held::open(folder.path()).unwrap();
        assert_eq!((again.result(&id).unwrap(), again.waited_for()), (Some(answer), vec![other]));
    }
}
