//! What the daemon and the fork server say to each other.
//!
//! One message each way for each job. Nothing large travels here: the call is in the journal, the code
//! in the file that the path names.

use std::{
    io,
    os::fd::{BorrowedFd, OwnedFd},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::cgroups::Cgroups;
use crate::{
    ids::MinionJobId,
    sys::seqpacket::{Packet, SeqPacket},
};

/// The daemon's message; the journal and the writing end of the completion pipe come with it, in this
/// order, and behind them, for a call with secrets, the memory that holds them. (When a process dies its descriptors are closed from the lowest up, so that whoever sees the
/// pipe's end usually finds the journal's lock free already.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: MinionJobId,
    /// The compiled component.
    pub(super) compiled: PathBuf,
    /// The folder in which modules keep what they keep.
    pub(super) state: Option<PathBuf>,
    /// Where the worker gets a control group, if it gets one.
    pub(super) cgroups: Option<Cgroups>,
}

/// The answer. With a worker comes its pidfd. With a refusal come the two descriptors back, so that the
/// pipe does not end before the daemon has read why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) id: MinionJobId,
    /// The worker's process number, or why there is none.
    pub(super) worker: Result<u32, Refusal>,
}

/// Why there is no worker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub(super) enum Refusal {
    /// That was no attempt: nothing was begun.
    #[error("the system makes no process for it: {0}")]
    NoProcess(String),
    #[error("its compiled code does not load: {0}")]
    NotLoaded(String),
}

/// A request with its descriptors.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) request: Request,
    pub(super) journal: OwnedFd,
    pub(super) completion: OwnedFd,
    /// What is secret of the call, in memory.
    pub(super) secrets: Option<OwnedFd>,
}

impl Request {
    pub(super) fn send(
        &self,
        socket: &SeqPacket,
        journal: BorrowedFd<'_>,
        completion: BorrowedFd<'_>,
        secrets: Option<BorrowedFd<'_>>,
    ) -> io::Result<()> {
        let descriptors: Vec<_> = [journal, completion].into_iter().chain(secrets).collect();
        socket.send(&encode(self)?, &descriptors)
    }

    pub(super) fn read(packet: Packet) -> io::Result<Arrived> {
        let request = decode(&packet.bytes)?;
        let mut descriptors = packet.descriptors.into_iter();
        let (Some(journal), Some(completion), secrets, None) =
            (descriptors.next(), descriptors.next(), descriptors.next(), descriptors.next())
        else {
            return Err(malformed());
        };
        Ok(Arrived { request, journal, completion, secrets })
    }
}

impl Reply {
    /// Without waiting: a daemon that is behind with its reading learns the job's end all the same.
    pub(super) fn send(&self, socket: &SeqPacket, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        socket.try_send(&encode(self)?, descriptors)
    }

    pub(super) fn read(packet: Packet) -> io::Result<(Self, Vec<OwnedFd>)> {
        Ok((decode(&packet.bytes)?, packet.descriptors))
    }
}

fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    postcard::to_stdvec(message).map_err(io::Error::other)
}

fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(bytes).map_err(|_| malformed())
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message that the protocol does not know")
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::{descriptor, pidfd::PidFd};

    #[test]
    fn a_request_arrives_with_its_two_descriptors() {
        let (here, there) = SeqPacket::pair().unwrap();
        let (one, other) = descriptor::pipe().unwrap();
        let request = Request {
            id: MinionJobId::fresh(),
            compiled: "/cache/x.cwasm".into(),
            state: Some("/state".into()),
            cgroups: Some(Cgroups::at("/sys/fs/cgroup/x")),
        };
        request.send(&here, one.as_fd(), other.as_fd(), None).unwrap();
        let arrived = Request::read(there.receive().unwrap().unwrap()).unwrap();
        assert!(arrived.request == request && arrived.secrets.is_none());
        request.send(&here, one.as_fd(), other.as_fd(), Some(one.as_fd())).unwrap();
        assert!(Request::read(there.receive().unwrap().unwrap()).unwrap().secrets.is_some());
        here.send(&encode(&request).unwrap(), &[one.as_fd()]).unwrap();
        assert!(Request::read(there.receive().unwrap().unwrap()).is_err());
    }

    #[test]
    fn a_reply_says_who_the_worker_is_or_why_there_is_none() {
        let (here, there) = SeqPacket::pair().unwrap();
        let reply = Reply { id: MinionJobId::fresh(), worker: Ok(7) };
        reply.send(&here, &[PidFd::of_self().unwrap().as_fd()]).unwrap();
        let (read, descriptors) = Reply::read(there.receive().unwrap().unwrap()).unwrap();
        assert_eq!((read, descriptors.len()), (reply, 1));
        assert!(Reply::read(Packet { bytes: vec![0xff; 3], descriptors: vec![] }).is_err());
    }
}
