//! A job's file: its one writer, its readers. How it comes into being is [`super::birth`]'s.
//!
//! **One writer**: a [`Journal`] holds the exclusive lock through its open file, and cuts the file back to
//! its last whole record before it writes. It is handed to another process by its descriptor, lock and
//! all. Writes name their place and not the file's shared position, so no two processes can disturb
//! each other's.
//!
//! **Space**: blocks for a small final record are always reserved ahead of the end, so a full disk can
//! take log lines and large results from a job, but not the record of what became of it. They are found again by
//! the next writer, and what is left of them in the end is given back if it is much.

use std::{
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::fs::FileExt,
    },
    path::Path,
    time::Duration,
};

use super::{
    error::JournalError,
    history::History,
    record::{Call, End, Ended, Record},
    state::Lock,
};
use crate::{
    sys::{
        clock::Moment,
        lock::{self, Attempt},
        space::{self, Reserved},
    },
    wire::RemoteError,
};

/// Kept free ahead of the end: room for an end that says why there is no result.
const RESERVE: u64 = 4 << 10;
/// Taken at a time, so that not every log line asks for blocks.
const RESERVE_STEP: u64 = 64 << 10;
/// So little is not given back at the end, because that costs a job more than it is worth.
const KEPT: u64 = 16 << 10;

/// The writer of one job's file. Dropping it frees the lock, unless the descriptor was handed on.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    /// Where the next record goes.
    end: u64,
    /// Up to where blocks are reserved; nothing where the file system cannot.
    reserved: Option<u64>,
}

impl Journal {
    /// Begins with the call, in a file that is new and whose lock is held. It is not durable yet.
    pub(super) fn begin(file: File, call: Call) -> Result<Self, JournalError> {
        let mut journal = Self { file, end: 0, reserved: Some(0) };
        journal.append(&Record::Call(Box::new(call)))?;
        Ok(journal)
    }

    /// The same writer, to be handed to the process that goes on while this one only waits for the disk.
    pub(super) fn copy(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()?, ..*self })
    }

    /// Takes over the file of a job that nobody is at, waiting a little for readers to let go. `None`: a
    /// writer has it.
    pub(super) fn seize(path: &Path, patience: Duration) -> Result<Option<(Self, History)>, JournalError> {
        let at = |source| JournalError::io(path, source);
        let file = File::options().read(true).write(true).open(path).map_err(at)?;
        match lock::exclusive_within(&file, patience).map_err(at)? {
            Attempt::Busy => Ok(None),
            Attempt::Locked => Self::continue_in(file).map(Some).map_err(at),
        }
    }

    /// Takes a descriptor that was handed over, and with it the lock.
    pub(super) fn adopt(descriptor: OwnedFd) -> io::Result<(Self, History)> {
        let file = File::from(descriptor);
        // The lock came with the descriptor; asking again costs nothing and catches a caller without it.
        if lock::try_exclusive(&file)? == Attempt::Busy {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Self::continue_in(file)
    }

    /// Cuts a torn tail off and goes on behind the last whole record.
    fn continue_in(file: File) -> io::Result<(Self, History)> {
        let bytes = read_all(&file)?;
        let history = History::read(&bytes);
        // A file without one whole record is not ours to cut.
        if history.whole > 0 && history.whole < bytes.len() as u64 {
            file.set_len(history.whole)?;
        }
        // What the last writer reserved is still there.
        let reserved = space::held(&file)?.max(history.whole);
        Ok((Self { file, end: history.whole, reserved: Some(reserved) }, history))
    }

    /// Takes back what was written behind the first `length` bytes and nobody has relied on.
    pub(super) fn cut(&mut self, length: u64) -> Result<(), JournalError> {
        self.file.set_len(length).map_err(|source| JournalError::Write { source })?;
        (self.end, self.reserved) = (length, self.reserved.map(|_| length));
        Ok(())
    }

    /// The file's length: that of its whole records.
    pub(super) fn length(&self) -> u64 {
        self.end
    }

    /// Writes a record behind the last. It is not durable yet.
    pub(super) fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        let bytes = record.encode()?;
        let keep = match record {
            // These a job can do without; the others live off the reserve.
            Record::Call(_) | Record::Log(_) | Record::Progress(_) | Record::Budget(_) => RESERVE,
            _ => 0,
        };
        self.reserve(bytes.len() as u64 + keep)?;
        self.write(&bytes)
    }

    /// Writes a record and returns when it is durable.
    pub(super) fn append_durably(&mut self, record: &Record) -> Result<(), JournalError> {
        self.append(record)?;
        self.sync()
    }

    /// Records what became of the job, durably. What cannot be written, for want of space above all, is
    /// replaced by a failure that says so.
    pub(super) fn finish(&mut self, at: Moment, end: End) -> Result<(), JournalError> {
        let record = Record::Ended(Ended { at, end });
        if let Err(error) = self.append(&record) {
            let mut why =
                RemoteError::new("ResultNotRecorded", "the method ended, but its result could not be recorded");
            why.trace = error.to_string();
            self.append(&Record::Ended(Ended { at, end: End::Failed(why) }))?;
        }
        self.sync()?;
        // Only tidiness: blocks that stay reserved are given back when the job is purged.
        if self.reserved.is_none_or(|reserved| reserved > self.end + KEPT) {
            let _ = space::release_beyond_end(&self.file);
        }
        self.reserved = None;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        if let Err(source) = self.file.write_all_at(bytes, self.end) {
            // Half a record is no record; a reader would stop at it.
            let _ = self.file.set_len(self.end);
            return Err(JournalError::Write { source });
        }
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// Makes sure of blocks for the next `length` bytes, and takes some more while there are some.
    fn reserve(&mut self, length: u64) -> Result<(), JournalError> {
        let Some(reserved) = self.reserved else { return Ok(()) };
        if self.end + length <= reserved {
            return Ok(());
        }
        // The first time none: most jobs log little.
        let more = if reserved == 0 { 0 } else { RESERVE_STEP };
        let take = |length| space::reserve(&self.file, self.end, length).map(|taken| (taken, length));
        let (taken, length) =
            take(length + more).or_else(|_| take(length)).map_err(|source| JournalError::Write { source })?;
        self.reserved = (taken == Reserved::Yes).then_some(self.end + length);
        Ok(())
    }

    /// Makes all of it durable, also that there is such a file.
    pub(super) fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|source| JournalError::Write { source })
    }
}

impl AsFd for Journal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Reads a job's file without disturbing its writer, and says whether it still has one after `patience`.
///
/// The lock is asked for before the file is read: what a writer recorded before it let go is then seen.
/// The file is opened for reading only, because closing one that was opened for writing looks like a
/// writer's end to whoever watches the folder.
pub(super) fn probe(path: &Path, patience: Duration) -> Result<(Lock, History), JournalError> {
    let at = |source| JournalError::io(path, source);
    let file = File::open(path).map_err(at)?;
    let lock = match lock::shared_within(&file, patience).map_err(at)? {
        Attempt::Busy => Lock::Held,
        Attempt::Locked => Lock::Free,
    };
    Ok((lock, History::read(&read_all(&file).map_err(at)?)))
}

/// Reads a job's file as it is now.
pub(super) fn read(path: &Path) -> Result<History, JournalError> {
    fs::read(path).map(|bytes| History::read(&bytes)).map_err(|source| JournalError::io(path, source))
}

fn read_all(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge)?];
    let mut read = 0;
    // The file may shrink or grow meanwhile; whole records are all that counts.
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], read as u64) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(read);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};
    use crate::{plugin::Level, wire::Value};

    const NO_PATIENCE: Duration = Duration::ZERO;

    #[test]
    fn a_torn_tail_is_cut_by_the_next_writer() {
        let folder = tempfile::tempdir().unwrap();
        let id = samples::left_behind(folder.path(), samples::call(), &[samples::started()]);
        let path = folder.path().join(id.as_str());
        let whole = fs::metadata(&path).unwrap().len();
        samples::tear(&path, &samples::line(Level::Info, "never finished"), 3).unwrap();
        let (mut journal, history) = Journal::seize(&path, NO_PATIENCE).unwrap().unwrap();
        assert_eq!((history.whole, fs::metadata(&path).unwrap().len()), (whole, whole));
        journal.finish(samples::moment(0), End::Finished(Value::Int(7))).unwrap();
        let history = read(&path).unwrap();
        assert_eq!(history.ended.unwrap().end, End::Finished(Value::Int(7)));
        assert!(history.log.is_empty());
    }

    #[test]
    fn a_writer_is_the_only_one_until_all_copies_of_its_descriptor_are_closed() {
        let folder = tempfile::tempdir().unwrap();
        let call = samples::call();
        let path = folder.path().join(call.id.as_str());
        let journal = samples::born(folder.path(), call);
        assert!(Journal::seize(&path, NO_PATIENCE).unwrap().is_none());
        let handed_over = journal.as_fd().try_clone_to_owned().unwrap();
        drop(journal);
        assert!(Journal::seize(&path, NO_PATIENCE).unwrap().is_none());
        let (mut adopted, history) = Journal::adopt(handed_over).unwrap();
        assert!(history.call.is_some());
        adopted.append_durably(&samples::started()).unwrap();
        drop(adopted);
        assert!(Journal::seize(&path, NO_PATIENCE).unwrap().unwrap().1.started.is_some());
    }

    #[test]
    fn what_was_taken_back_was_never_written() {
        let folder = tempfile::tempdir().unwrap();
        let call = samples::call();
        let path = folder.path().join(call.id.as_str());
        let mut journal = samples::born(folder.path(), call);
        let before = journal.length();
        journal.append(&Record::HandOver(samples::moment(0))).unwrap();
        journal.cut(before).unwrap();
        assert_eq!(read(&path).unwrap().hand_overs, 0);
        journal.append(&Record::HandOver(samples::moment(0))).unwrap();
        journal.append(&samples::started()).unwrap();
        let history = read(&path).unwrap();
        assert_eq!((history.hand_overs, history.started.is_some()), (1, true));
    }

    #[test]
    fn a_file_that_is_no_journal_is_not_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes");
        fs::write(&path, "something else").unwrap();
        let (_, history) = Journal::seize(&path, NO_PATIENCE).unwrap().unwrap();
        assert_eq!(history, History::default());
        assert_eq!(fs::read(&path).unwrap(), b"something else");
    }

    #[test]
    fn space_for_the_end_is_reserved_from_the_beginning_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let call = samples::call();
        let path = folder.path().join(call.id.as_str());
        let mut journal = samples::born(folder.path(), call);
        let Some(reserved) = journal.reserved else { return };
        assert!(reserved >= journal.length() + RESERVE);
        for _ in 0..200 {
            journal.append(&samples::line(Level::Info, &"x".repeat(900))).unwrap();
            assert!(journal.reserved.unwrap() >= journal.length() + RESERVE);
        }
        journal.finish(samples::moment(0), End::Cancelled).unwrap();
        // The file system rounds up to its blocks, and may need one for the list of a scattered file's parts.
        let held = space::held(&journal.file).unwrap();
        assert!(held <= journal.length() + KEPT + 2 * 4096, "{held} for {}", journal.length());
        assert_eq!(read(&path).unwrap().log.len(), 200);
    }

    #[test]
    fn the_next_writer_knows_what_the_last_one_reserved() {
        let folder = tempfile::tempdir().unwrap();
        let call = samples::call();
        let path = folder.path().join(call.id.as_str());
        let born = samples::born(folder.path(), call);
        let Some(reserved) = born.reserved else { return };
        drop(born);
        let (mut journal, _) = Journal::seize(&path, NO_PATIENCE).unwrap().unwrap();
        let held = journal.reserved.unwrap();
        assert!(held >= reserved);
        journal.append(&samples::started()).unwrap();
        journal.finish(samples::moment(0), End::Finished(Value::Nil)).unwrap();
        assert_eq!(space::held(&journal.file).unwrap(), held, "nothing was reserved or released for so little");
    }

    #[test]
    fn a_result_that_cannot_be_written_becomes_a_failure_that_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let call = samples::call();
        let path = folder.path().join(call.id.as_str());
        let mut journal = samples::born(folder.path(), call);
        let too_large = Value::Bytes(vec![0; 65 << 20]);
        journal.finish(samples::moment(0), End::Finished(too_large)).unwrap();
        let End::Failed(failure) = read(&path).unwrap().ended.unwrap().end else { panic!("it must fail") };
        assert_eq!(failure.kind, "ResultNotRecorded");
        assert!(failure.trace.contains("longer than a journal takes"), "{}", failure.trace);
    }
}
