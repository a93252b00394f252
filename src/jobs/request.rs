//! What the daemon and the fork server say to each other.
//!
//! One message each way for each job. Nothing large travels here: the call is in the journal, the code
//! in the file that the path names.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use crate::{
    ids::MinionJobId,
    sys::{
        pidfd::PidFd,
        seqpacket::{Packet, SeqPacket},
    },
};

/// The daemon's message; the journal and the writing end of the completion pipe come with it, in this
/// order. (When a process dies its descriptors are closed from the lowest up, so that whoever sees the
/// pipe's end usually finds the journal's lock free already.)
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) id: MinionJobId,
    /// The compiled component.
    pub(super) compiled: PathBuf,
}

/// The answer; with `Ok` comes the worker's pidfd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) id: MinionJobId,
    /// The worker's process number, or why there is none.
    pub(super) worker: Result<u32, String>,
}

/// A request with its descriptors.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) request: Request,
    pub(super) journal: OwnedFd,
    pub(super) completion: OwnedFd,
}

impl Request {
    pub(super) fn send(
        &self,
        socket: &SeqPacket,
        journal: BorrowedFd<'_>,
        completion: BorrowedFd<'_>,
    ) -> io::Result<()> {
        socket.send(&encode(self)?, &[journal, completion])
    }

    pub(super) fn read(packet: Packet) -> io::Result<Arrived> {
        let request = decode(&packet.bytes)?;
        let [journal, completion] = <[OwnedFd; 2]>::try_from(packet.descriptors).map_err(|_| malformed())?;
        Ok(Arrived { request, journal, completion })
    }
}

impl Reply {
    /// Without waiting: a daemon that is behind with its reading learns the job's end all the same.
    pub(super) fn send(&self, socket: &SeqPacket, pidfd: Option<&PidFd>) -> io::Result<()> {
        let descriptors: Vec<BorrowedFd<'_>> = pidfd.iter().map(|pidfd| pidfd.as_fd()).collect();
        socket.try_send(&encode(self)?, &descriptors)
    }

    pub(super) fn read(packet: Packet) -> io::Result<(Self, Option<PidFd>)> {
        Ok((decode(&packet.bytes)?, packet.descriptors.into_iter().next().map(PidFd::from)))
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
    use super::*;
    use crate::sys::descriptor;

    #[test]
    fn a_request_arrives_with_its_two_descriptors() {
        let (here, there) = SeqPacket::pair().unwrap();
        let (one, other) = descriptor::pipe().unwrap();
        let request = Request { id: MinionJobId::fresh(), compiled: "/cache/x.cwasm".into() };
        request.send(&here, one.as_fd(), other.as_fd()).unwrap();
        assert_eq!(Request::read(there.receive().unwrap().unwrap()).unwrap().request, request);
        here.send(&encode(&request).unwrap(), &[one.as_fd()]).unwrap();
        assert!(Request::read(there.receive().unwrap().unwrap()).is_err());
    }

    #[test]
    fn a_reply_says_who_the_worker_is_or_why_there_is_none() {
        let (here, there) = SeqPacket::pair().unwrap();
        let reply = Reply { id: MinionJobId::fresh(), worker: Ok(7) };
        reply.send(&here, Some(&PidFd::of_self().unwrap())).unwrap();
        let (read, pidfd) = Reply::read(there.receive().unwrap().unwrap()).unwrap();
        assert_eq!(read, reply);
        assert!(pidfd.is_some());
        assert!(Reply::read(Packet { bytes: vec![0xff; 3], descriptors: vec![] }).is_err());
    }
}
