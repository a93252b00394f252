//! A thread that waits for the disk, so that what comes next can be digested meanwhile.
//!
//! ```text
//! here ──1 MiB──▶ beside, piece by piece ──16 MiB──▶ beside, in blocks past the page cache
//! ```
//!
//! What is small is not worth a thread, and what is not large is worth the page cache: somebody may use it soon.

use std::{
    fs::File,
    io, mem,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread::{Scope, ScopedJoinHandle},
};

use bytes::Bytes;

use super::appender::{Appender, Block};

/// What has more bytes is worth a thread.
const MUCH: u64 = 1 << 20;
/// What has more bytes goes past the page cache.
const LARGE: u64 = 16 << 20;
/// As many pieces wait for the disk.
const WAITING: usize = 8;
/// As many blocks there are: one is filled, one is written, one waits.
const BLOCKS: usize = 3;

/// Where bytes go: to the end of a file.
pub(super) struct Disk<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    file: &'scope File,
    /// How long the file will be when all that came is written.
    length: u64,
    came: u64,
    way: Way<'scope>,
}

enum Way<'scope> {
    Here(Appender<'scope>),
    Beside(Beside<'scope>),
    Ended,
}

/// A thread that writes.
struct Beside<'scope> {
    work: SyncSender<Work>,
    written: Receiver<Block>,
    /// The one that is filled, if it has come to that.
    block: Option<Block>,
    blocks: usize,
    thread: ScopedJoinHandle<'scope, io::Result<()>>,
}

enum Work {
    Piece(Bytes),
    Block(Block),
}

impl<'scope, 'env> Disk<'scope, 'env> {
    /// For a file of so many bytes that was opened to be appended to.
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>, file: &'scope File, length: u64) -> Self {
        Self { scope, file, length, came: 0, way: Way::Here(Appender::new(file, length)) }
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &Bytes) -> io::Result<()> {
        let before = self.length;
        self.length += piece.len() as u64;
        self.came += piece.len() as u64;
        if self.came > MUCH && matches!(self.way, Way::Here(_)) {
            self.way = Way::Beside(Beside::start(self.scope, self.file, before));
        }
        let is_taken = match &mut self.way {
            Way::Here(appender) => return appender.append(piece),
            Way::Beside(beside) if self.came > LARGE => beside.fill(piece, before),
            Way::Beside(beside) => beside.work.send(Work::Piece(piece.clone())).is_ok(),
            Way::Ended => false,
        };
        if is_taken {
            return Ok(());
        }
        self.finish()?;
        Err(io::Error::other("the thread that writes has ended"))
    }

    /// Waits until all is written, which is not to say that it is on the disk.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match mem::replace(&mut self.way, Way::Ended) {
            Way::Beside(beside) => beside.finish(),
            Way::Here(_) | Way::Ended => Ok(()),
        }
    }
}

impl<'scope> Beside<'scope> {
    fn start(scope: &'scope Scope<'scope, '_>, file: &'scope File, length: u64) -> Self {
        let (work, queue) = sync_channel::<Work>(WAITING);
        let (empty, written) = sync_channel(BLOCKS);
        let thread = scope.spawn(move || {
            let (mut appender, mut flush) = (Appender::new(file, length), None);
            for work in queue {
                match work {
                    Work::Piece(piece) => appender.append(&piece)?,
                    Work::Block(block) => {
                        appender.append_block(&block)?;
                        // Nobody needs it at the end.
                        let _ = empty.send(block.emptied());
                    }
                }
                if appender.is_due() {
                    let flush = flush.get_or_insert_with(|| flusher(scope, file));
                    // One that is still at it takes this with it, or the next one does.
                    let _ = flush.try_send(());
                }
            }
            Ok(())
        });
        Self { work, written, block: None, blocks: 0, thread }
    }

    /// Takes bytes that come behind `length` others. False means that the thread has ended.
    fn fill(&mut self, mut bytes: &[u8], length: u64) -> bool {
        let mut block = self.block.take().unwrap_or_else(|| {
            self.blocks += 1;
            Block::at(length)
        });
        loop {
            bytes = &bytes[block.take(bytes)..];
            if !block.is_full() {
                self.block = Some(block);
                return true;
            }
            if self.work.send(Work::Block(block)).is_err() {
                return false;
            }
            block = match self.written.try_recv() {
                Ok(block) => block,
                Err(_) if self.blocks < BLOCKS => {
                    self.blocks += 1;
                    Block::at(0)
                }
                Err(_) => match self.written.recv() {
                    Ok(block) => block,
                    Err(_) => return false,
                },
            };
        }
    }

    fn finish(self) -> io::Result<()> {
        let Self { work, block, thread, .. } = self;
        if let Some(block) = block {
            // If it has ended, it tells why.
            let _ = work.send(Work::Block(block));
        }
        drop(work);
        thread.join().map_err(|_| io::Error::other("the thread that writes failed"))?
    }
}

/// A thread that has written bytes taken to the disk while more come. A failure is told to whoever syncs the
/// file at the end.
fn flusher<'scope>(scope: &'scope Scope<'scope, '_>, file: &'scope File) -> SyncSender<()> {
    let (flush, asked) = sync_channel(1);
    scope.spawn(move || asked.iter().for_each(|()| drop(file.sync_data())));
    flush
}
