//! The one thread that writes the log.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        PoisonError,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::oneshot;

use super::{
    Event, Head,
    chain::Sealed,
    ends::{Tail, first_seq, first_time, last_head},
    log::Shared,
    verify::{files, head_path},
};
use crate::sys::{
    durable,
    lock::{Attempt, exclusive_within},
};

/// How often sums and the state of the file are looked at.
const TICK: Duration = Duration::from_secs(1);
/// So many lines are written at once.
const BATCH: usize = 256;
/// How long another process may still hold the log.
const TAKE_OVER: Duration = Duration::from_secs(3);
/// How much of a torn line is kept.
const TORN: usize = 2000;
/// A head file has always this length, so that writing it anew replaces all of it.
const HEAD: usize = 120;

/// When a new file is begun, and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// A file that is larger is put aside.
    pub bytes: u64,
    /// One that is older, too.
    pub age: Duration,
    /// So many that were put aside are kept.
    pub keep: usize,
}

/// A line to be written.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) body: Vec<u8>,
    /// Whether it is the last: what is only counted so far comes before it.
    pub(super) last: bool,
    pub(super) done: Option<oneshot::Sender<()>>,
}

impl Line {
    fn of(event: &Event) -> Self {
        Self { body: event.body(), last: false, done: None }
    }
}

#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    /// How long the file is as far as we have written it.
    length: u64,
    inode: u64,
    /// The number of its first line.
    first: u64,
    born: SystemTime,
    /// Locked for as long as we write.
    head_file: File,
    head: Head,
    looked: Instant,
}

impl Writer {
    /// Opens the log, and answers what has to be said of how it was found.
    pub(super) fn open(path: &Path, rotation: Rotation) -> io::Result<(Self, Option<Event>)> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut head_file = options.open(head_path(path))?;
        if exclusive_within(&head_file, TAKE_OVER)? == Attempt::Busy {
            return Err(io::Error::other("another process writes this audit log"));
        }
        let mut text = String::new();
        let noted = head_file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str::<Head>(&text).ok());
        let mut file = append(path)?;
        let (mut torn, mut unchained) = (None, None);
        let mut last = None;
        if file.metadata()?.is_file() {
            let tail = Tail::read(&file)?;
            if !tail.torn.is_empty() {
                file.set_len(tail.whole)?;
                torn = Some(String::from_utf8_lossy(&tail.torn).chars().take(TORN).collect());
            }
            if let Some(line) = tail.last {
                last = Sealed::read(&line).map(|sealed| sealed.head);
                if last.is_none() {
                    let aside = aside(path)?;
                    fs::rename(path, &aside)?;
                    unchained = Some(aside.file_name().unwrap_or_default().to_string_lossy().into_owned());
                    file = append(path)?;
                }
            }
        }
        if last.is_none() {
            // The last of the files that were put aside.
            let older = files(path)?.into_iter().rev().find(|older| older != path);
            last = older.and_then(|older| last_head(&older));
        }
        let ours = last.unwrap_or(Head::beginning());
        let headless = noted.is_none() && ours.seq > 0;
        let noted = noted.unwrap_or(ours);
        let missing = noted.seq.saturating_sub(ours.seq);
        let differs = missing > 0 || (noted.seq == ours.seq && noted.hash != ours.hash);
        let found = (torn.is_some() || unchained.is_some() || headless || differs).then(|| Event::Found {
            torn,
            head: differs.then_some(noted),
            missing,
            unchained,
            headless,
        });
        let meta = file.metadata()?;
        let writer = Self {
            path: path.to_owned(),
            rotation,
            length: meta.len(),
            inode: meta.ino(),
            first: first_seq(path).unwrap_or(0),
            born: first_time(path).unwrap_or_else(SystemTime::now),
            file,
            head_file,
            head: Head { seq: ours.seq.max(noted.seq), hash: ours.hash },
            looked: Instant::now(),
        };
        Ok((writer, found))
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Writes what comes until nobody can send any more.
    pub(super) fn run(mut self, found: Option<Event>, lines: &Receiver<Line>, shared: &Shared) {
        if let Some(found) = found {
            tracing::error!(?found, log = %self.path.display(), "the audit log is not as it was left; `func audit verify` tells more");
            self.write(vec![Line::of(&found)], shared);
        }
        loop {
            let mut batch = Vec::new();
            let ended = match lines.recv_timeout(TICK) {
                Ok(line) => {
                    batch.push(line);
                    batch.extend(lines.try_iter().take(BATCH - 1));
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            let all = ended || batch.iter().any(|line| line.last);
            let sums = shared.floods.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now(), all);
            let at = batch.iter().position(|line| line.last).unwrap_or(batch.len());
            batch.splice(at..at, sums.iter().map(Line::of));
            if self.looked.elapsed() >= TICK {
                self.looked = Instant::now();
                if let Some(disturbed) = self.look() {
                    batch.insert(0, Line::of(&disturbed));
                }
            }
            if !batch.is_empty() {
                self.write(batch, shared);
            }
            if ended {
                return;
            }
        }
    }

    fn write(&mut self, batch: Vec<Line>, shared: &Shared) {
        if self.is_due()
            && let Err(error) = self.rotate(shared)
        {
            tracing::error!(%error, "cannot begin a new file of the audit log; the old one grows");
        }
        let lost = shared.lost.load(Ordering::Relaxed);
        let mut bytes = Vec::new();
        let mut head = self.head;
        if lost > 0 {
            head = head.seal(&Event::Lost { lines: lost }.body(), head.seq + 1, &mut bytes);
        }
        for line in &batch {
            head = head.seal(&line.body, head.seq + 1, &mut bytes);
        }
        match self.file.write_all(&bytes) {
            Ok(()) => {
                self.first = if self.length == 0 { self.head.seq + 1 } else { self.first };
                self.length += bytes.len() as u64;
                self.head = head;
                self.note();
                *shared.head.lock().unwrap_or_else(PoisonError::into_inner) = head;
                if lost > 0 {
                    shared.lost.fetch_sub(lost, Ordering::Relaxed);
                    tracing::error!(lost, "the audit log can be written to again; some lines are lost");
                }
                if shared.stalled.swap(false, Ordering::Relaxed) {
                    tracing::warn!("the audit log writes again");
                }
            }
            Err(error) => {
                // What was written of them would be a torn line.
                let _ = self.file.set_len(self.length);
                let before = shared.lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                let lost = before + batch.len() as u64;
                // At the first, the second, the fourth: loud, but not as loud as the traffic.
                if before.checked_ilog2() != lost.checked_ilog2() {
                    tracing::error!(%error, lost, "cannot write to the audit log; calls are served all the same");
                }
            }
        }
        for line in batch {
            let _ = line.done.map(|done| done.send(()));
        }
    }

    /// Seals lines to the end, all of them or none, and makes them durable.
    pub(super) fn append<'a>(&mut self, bodies: impl Iterator<Item = &'a Vec<u8>>) -> io::Result<()> {
        let mut bytes = Vec::new();
        let head = bodies.fold(self.head, |head, body| head.seal(body, head.seq + 1, &mut bytes));
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_all()) {
            let _ = self.file.set_len(self.length);
            return Err(error);
        }
        self.head = head;
        self.note();
        self.head_file.sync_all()?;
        durable::sync_folder(durable::folder_of(&self.path))
    }

    /// Writes down which line is the last.
    fn note(&mut self) {
        let text = serde_json::to_string(&self.head).unwrap_or_default();
        let written = self.head_file.write_all_at(format!("{text:<width$}\n", width = HEAD - 1).as_bytes(), 0);
        if let Err(error) = written {
            tracing::error!(%error, "cannot note the last line of the audit log");
        }
    }

    fn is_due(&self) -> bool {
        let old = self.born.elapsed().is_ok_and(|age| age >= self.rotation.age);
        self.length > 0 && (self.length >= self.rotation.bytes || old)
    }

    /// Puts the file aside and begins a new one; what is older than so many files goes.
    fn rotate(&mut self, shared: &Shared) -> io::Result<()> {
        fs::rename(&self.path, numbered(&self.path, self.first))?;
        self.begin()?;
        let all = files(&self.path)?;
        let aside = all.len().saturating_sub(1);
        let mut removed = Vec::new();
        for old in all.iter().take(aside.saturating_sub(self.rotation.keep)) {
            let Some(last) = last_head(old) else { continue };
            fs::remove_file(old)?;
            let file = old.file_name().unwrap_or_default().to_string_lossy().into_owned();
            removed.push(Line::of(&Event::Removed { file, last }));
        }
        if !removed.is_empty() {
            self.write(removed, shared);
        }
        Ok(())
    }

    fn begin(&mut self) -> io::Result<()> {
        self.file = append(&self.path)?;
        let meta = self.file.metadata()?;
        (self.length, self.inode, self.born) = (meta.len(), meta.ino(), SystemTime::now());
        Ok(())
    }

    /// Whether somebody else had a hand in the file.
    fn look(&mut self) -> Option<Event> {
        if !self.file.metadata().ok()?.is_file() {
            return None;
        }
        let found = match fs::metadata(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "it was removed or renamed",
            Ok(meta) if meta.ino() != self.inode => "another file is in its place",
            Ok(meta) if meta.len() < self.length => "it was cut short",
            Ok(meta) if meta.len() > self.length => "somebody else wrote to it",
            Ok(_) | Err(_) => return None,
        };
        tracing::error!(log = %self.path.display(), found, "the audit log was disturbed");
        if let Err(error) = self.begin() {
            tracing::error!(%error, "cannot open the audit log again");
        }
        Some(Event::Disturbed { found })
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)
}

fn numbered(path: &Path, first: u64) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{first:012}"));
    name.into()
}

/// A free name for a log of no chain.
fn aside(path: &Path) -> io::Result<PathBuf> {
    for number in 1..1000 {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".unchained-{number}"));
        if !Path::new(&name).exists() {
            return Ok(name.into());
        }
    }
    Err(io::Error::other("too many audit logs were put aside"))
}
