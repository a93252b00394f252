//! A socket pair that carries whole messages, and open files with them.
//!
//! SEQPACKET keeps the borders of messages, ends with an EOF when the other side is gone, and passes
//! descriptors (`SCM_RIGHTS`), which arrive in order, numbered upwards, and closed on exec.

use std::{
    io::{self, IoSlice, IoSliceMut},
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    time::Duration,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recv, recvmsg, sendmsg,
        socketpair,
    },
};

/// The largest message that is received whole. A datagram past about 200 kB cannot be sent at all.
pub const MESSAGE_MAX: usize = 16 << 10;
/// The most descriptors with one message.
pub const DESCRIPTORS_MAX: usize = 4;

/// One end of the pair.
#[derive(Debug)]
pub struct SeqPacket(OwnedFd);

/// A message as received.
#[derive(Debug)]
pub struct Packet {
    /// What was written.
    pub bytes: Vec<u8>,
    /// The descriptors that came with it, in the sender's order.
    pub descriptors: Vec<OwnedFd>,
}

impl SeqPacket {
    /// Two ends, both closed on exec.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
        Ok((Self(one), Self(other)))
    }

    /// Sends one message. The caller keeps its own copies of the descriptors.
    pub fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(bytes, descriptors, MsgFlags::empty())
    }

    /// Sends one message, or fails with [`io::ErrorKind::WouldBlock`] when the other end is behind with
    /// its reading.
    pub fn try_send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        self.send_with(bytes, descriptors, MsgFlags::MSG_DONTWAIT)
    }

    fn send_with(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>], flags: MsgFlags) -> io::Result<()> {
        if bytes.is_empty() || bytes.len() > MESSAGE_MAX || descriptors.len() > DESCRIPTORS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "message empty or too large"));
        }
        let numbers: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let control: &[ControlMessage<'_>] = if numbers.is_empty() { &[] } else { &rights };
        loop {
            let flags = flags | MsgFlags::MSG_NOSIGNAL;
            match sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a message, or the end, is there before the time is over.
    pub fn is_readable_within(&self, time: Duration) -> io::Result<bool> {
        let mut ready = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        let time = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
        match poll(&mut ready, time) {
            // Whoever is interrupted looks again.
            Ok(0) | Err(Errno::EINTR) => Ok(false),
            Ok(_) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }

    /// Receives one message; `None` when the other end is gone.
    pub fn receive(&self) -> io::Result<Option<Packet>> {
        // No larger than the message: after a fork each page that is written to costs a copy.
        let mut buffer = vec![0; self.next_length()?.min(MESSAGE_MAX)];
        let mut control = nix::cmsg_space!([RawFd; DESCRIPTORS_MAX]);
        let mut slices = [IoSliceMut::new(&mut buffer)];
        let message = loop {
            match recvmsg::<()>(self.0.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
                Ok(message) => break message,
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        };
        let (length, cut) = (message.bytes, message.flags.contains(MsgFlags::MSG_TRUNC));
        let mut descriptors = Vec::new();
        for part in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = part {
                // SAFETY: the kernel has just made these descriptors for us; nobody else owns them.
                descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
            }
        }
        if cut {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a message larger than the protocol allows"));
        }
        buffer.truncate(length);
        Ok((length > 0).then_some(Packet { bytes: buffer, descriptors }))
    }

    /// How long the next message is; nothing when the other end is gone.
    fn next_length(&self) -> io::Result<usize> {
        loop {
            match recv(self.0.as_raw_fd(), &mut [], MsgFlags::MSG_PEEK | MsgFlags::MSG_TRUNC) {
                Ok(length) => return Ok(length),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl From<OwnedFd> for SeqPacket {
    /// Takes an end that another process made and passed on.
    fn from(fd: OwnedFd) -> Self {
        Self(fd)
    }
}

impl From<SeqPacket> for OwnedFd {
    fn from(socket: SeqPacket) -> Self {
        socket.0
    }
}

impl AsFd for SeqPacket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for SeqPacket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Write},
    };

    use super::*;
    use crate::sys::descriptor;

    #[test]
    fn an_open_file_travels_with_its_message() {
        let (here, there) = SeqPacket::pair().unwrap();
        let (read, write) = descriptor::pipe().unwrap();
        here.send(b"take this", &[write.as_fd()]).unwrap();
        here.send(b"and that", &[]).unwrap();
        drop(write);
        let packet = there.receive().unwrap().unwrap();
        assert_eq!(packet.bytes, b"take this");
        for fd in packet.descriptors {
            File::from(fd).write_all(b"arrived").unwrap();
        }
        let mut text = String::new();
        File::from(read).read_to_string(&mut text).unwrap();
        assert_eq!(text, "arrived");
        let packet = there.receive().unwrap().unwrap();
        assert_eq!((packet.bytes.as_slice(), packet.descriptors.len()), (&b"and that"[..], 0));
    }

    #[test]
    fn a_gone_peer_is_an_end_to_the_reader_and_an_error_to_the_writer() {
        let (here, there) = SeqPacket::pair().unwrap();
        here.send(b"last words", &[]).unwrap();
        drop(here);
        assert!(there.receive().unwrap().is_some());
        assert!(there.receive().unwrap().is_none());
        assert_eq!(there.send(b"anyone?", &[]).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn too_much_for_one_message_is_refused_by_the_sender() {
        let (here, _there) = SeqPacket::pair().unwrap();
        assert!(here.send(&vec![0; MESSAGE_MAX + 1], &[]).is_err());
        assert!(here.send(b"", &[]).is_err());
    }
}
