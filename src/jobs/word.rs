//! The word that lets a worker begin.
//!
//! A worker may be given its job while the job's file is still being made durable. It gets ready and waits; whoever made the file
//! says the word over the socket by whose end the worker's own end is seen. A worker that hears the socket's end instead
//! has run nothing, and its job is found as it was.

use std::{
    io::{Read as _, Write as _},
    net::Shutdown,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

/// What is said to a worker, once.
#[derive(Debug)]
pub(super) struct Word(UnixStream);

impl Word {
    pub(super) fn new(to: UnixStream) -> Self {
        Self(to)
    }

    /// The job is durable.
    pub(super) fn begin(mut self) {
        // One byte has room, and a worker that is gone shows by that.
        let _ = self.0.write_all(&[1]);
    }

    /// It never will be, or nobody wants it any more.
    pub(super) fn never(self) {
        let _ = self.0.shutdown(Shutdown::Write);
    }
}

/// Waits for the word, in the worker. `false`: the job is not to be begun.
pub(super) fn may_begin(completion: &OwnedFd) -> bool {
    let mut byte = [0];
    completion.try_clone().is_ok_and(|end| UnixStream::from(end).read_exact(&mut byte).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_begins_by_the_word_alone() {
        let pair = || UnixStream::pair().map(|(here, there)| (Word::new(here), OwnedFd::from(there))).unwrap();
        let (word, worker) = pair();
        let waiting = std::thread::spawn(move || may_begin(&worker));
        word.begin();
        assert!(waiting.join().unwrap());
        let (word, worker) = pair();
        let copy = word.0.try_clone().unwrap();
        word.never();
        assert!(!may_begin(&worker), "though the socket is open");
        drop(copy);
        let (word, worker) = pair();
        drop(word);
        assert!(!may_begin(&worker), "its daemon is gone");
    }
}
