//! The two ways in: a thread that keeps the store open, and one transaction at a time.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};

use tokio::sync::oneshot;

use super::{Error, Opening, SetAside, Tables, disk::Disk};

/// At most this many transactions share a commit, so that the first of a long queue is not kept waiting.
const GROUP: usize = 256;

/// Tells a caller its transaction's result, given the commit's error if there was one.
type Answer = Box<dyn FnOnce(Option<Error>) + Send>;

/// One transaction, to be run on the disk, or told why there is none.
type Order = Box<dyn FnOnce(Result<&mut Disk, Error>) -> Answer + Send>;

/// An open store, kept by a thread of its own. Clones are handles to the same store; the last one closes it.
#[derive(Debug, Clone)]
pub struct Store {
    orders: Arc<Orders>,
}

#[derive(Debug)]
struct Orders {
    sender: Option<mpsc::Sender<Order>>,
    thread: Option<thread::JoinHandle<()>>,
    set_aside: Arc<Mutex<Vec<SetAside>>>,
}

impl Store {
    /// Opens the store in `dir`, waiting up to ten seconds for other processes.
    pub fn open(dir: &Path) -> Result<(Self, Opening), Error> {
        let (disk, opening) = Disk::open(dir)?;
        let (sender, receiver) = mpsc::channel();
        let set_aside = Arc::new(Mutex::new(Vec::new()));
        let keeper = Keeper { dir: dir.to_owned(), disk: Ok(disk), set_aside: Arc::clone(&set_aside) };
        let builder = thread::Builder::new().name("store".into());
        let thread = builder.spawn(move || keeper.run(&receiver)).map_err(Error::io("serve", dir))?;
        let orders = Orders { sender: Some(sender), thread: Some(thread), set_aside };
        Ok((Self { orders: Arc::new(orders) }, opening))
    }

    /// Runs a transaction and answers when it is durable.
    pub async fn act<R, E, F>(&self, act: F) -> Result<R, E>
    where
        F: FnOnce(&mut Tables<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        self.order(act, move |result| drop(sender.send(result)))?;
        receiver.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Like [`Store::act`], for a thread that may block.
    pub fn act_blocking<R, E, F>(&self, act: F) -> Result<R, E>
    where
        F: FnOnce(&mut Tables<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.order(act, move |result| drop(sender.send(result)))?;
        receiver.recv().unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// The stores that had to be set aside since the opening, each told once.
    pub fn take_set_aside(&self) -> Vec<SetAside> {
        std::mem::take(&mut self.orders.set_aside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn order<R, E, F>(&self, act: F, answer: impl FnOnce(Result<R, E>) + Send + 'static) -> Result<(), E>
    where
        F: FnOnce(&mut Tables<'_>) -> Result<R, E> + Send + 'static,
        R: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let order: Order = Box::new(move |disk| {
            let result = disk.map_err(E::from).and_then(|disk| disk.act(act));
            Box::new(move |failed| match failed {
                Some(error) if result.is_ok() => answer(Err(error.into())),
                _ => answer(result),
            })
        });
        let sender = self.orders.sender.as_ref().ok_or(Error::Closed)?;
        sender.send(order).map_err(|_| Error::Closed.into())
    }
}

impl Drop for Orders {
    /// The store is closed, and its lock free, when the last handle is gone.
    fn drop(&mut self) {
        self.sender.take();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// The thread that owns the disk.
struct Keeper {
    dir: PathBuf,
    disk: Result<Disk, Error>,
    set_aside: Arc<Mutex<Vec<SetAside>>>,
}

impl Keeper {
    fn run(mut self, orders: &mpsc::Receiver<Order>) {
        while let Ok(first) = orders.recv() {
            let mut answers = vec![self.run_one(first)];
            while answers.len() < GROUP
                && let Ok(next) = orders.try_recv()
            {
                answers.push(self.run_one(next));
            }
            let failed = self.disk.as_mut().ok().and_then(|disk| disk.commit().err());
            for answer in answers {
                answer(failed.clone());
            }
            if self.disk.as_ref().is_ok_and(Disk::is_suspect) {
                self.reopen();
            }
        }
    }

    fn run_one(&mut self, order: Order) -> Answer {
        order(self.disk.as_mut().map_err(|error| error.clone()))
    }

    /// Opens the store anew, with every check. The old one must be closed first, or it would hold the lock.
    fn reopen(&mut self) {
        self.disk = Err(Error::Closed);
        self.disk = Disk::open(&self.dir).map(|(disk, opening)| {
            self.set_aside.lock().unwrap_or_else(PoisonError::into_inner).extend(opening.set_aside);
            disk
        });
    }
}

/// Opens the store in `dir`, runs one transaction, makes it durable, and closes the store again.
///
/// What the opening found is told beside the result, because a store set aside explains most errors.
pub fn once<R, E: From<Error>>(
    dir: &Path,
    act: impl FnOnce(&mut Tables<'_>) -> Result<R, E>,
) -> (Result<R, E>, Opening) {
    match Disk::open(dir) {
        Ok((mut disk, opening)) => {
            let result = disk.act(act);
            let committed = disk.commit();
            (result.and_then(|value| committed.map(|()| value).map_err(E::from)), opening)
        }
        Err(error) => (Err(error.into()), Opening::default()),
    }
}
