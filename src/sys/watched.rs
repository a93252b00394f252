//! Descriptors that tokio watches for readiness.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
};

use nix::sys::inotify::Inotify;
use tokio::io::unix::AsyncFd;

use super::{descriptor, pidfd::PidFd, seqpacket::SeqPacket};

/// Something that owns one descriptor.
///
/// # Safety
/// `as_fd` yields the same open descriptor for the whole life of the value, also when it is moved.
pub unsafe trait OwnsDescriptor: AsFd {}

// SAFETY: each of these is a wrapper around one `OwnedFd` that is never exchanged.
unsafe impl OwnsDescriptor for OwnedFd {}
// SAFETY: as above.
unsafe impl OwnsDescriptor for SeqPacket {}
// SAFETY: as above.
unsafe impl OwnsDescriptor for PidFd {}
// SAFETY: as above.
unsafe impl OwnsDescriptor for Inotify {}

/// A descriptor whose operations wait for readiness instead of blocking.
#[derive(Debug)]
pub struct Watched<T: OwnsDescriptor>(AsyncFd<Held<T>>);

#[derive(Debug)]
struct Held<T>(T);

impl<T: OwnsDescriptor> AsRawFd for Held<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<T: OwnsDescriptor> Watched<T> {
    /// Makes the descriptor non-blocking and registers it with the runtime around the caller.
    pub fn new(inner: T) -> io::Result<Self> {
        descriptor::set_nonblocking(&inner)?;
        // SAFETY: the value owns its descriptor and keeps it, by the contract of `OwnsDescriptor`.
        Ok(Self(unsafe { AsyncFd::register(Held(inner)) }.map_err(|error| error.into_parts().1)?))
    }

    /// Runs a reading operation when it will not block.
    pub async fn read<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        loop {
            let mut ready = self.0.readable().await?;
            if let Ok(result) = ready.try_io(|held| operation(&held.get_ref().0)) {
                return result;
            }
        }
    }

    /// Runs a writing operation when it will not block.
    pub async fn write<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        loop {
            let mut ready = self.0.writable().await?;
            if let Ok(result) = ready.try_io(|held| operation(&held.get_ref().0)) {
                return result;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_is_awaited_without_blocking_the_thread() {
        let (here, there) = SeqPacket::pair().unwrap();
        let there = Watched::new(there).unwrap();
        let reader = tokio::spawn(async move { there.read(SeqPacket::receive).await });
        tokio::task::yield_now().await;
        here.send(b"now", &[]).unwrap();
        assert_eq!(reader.await.unwrap().unwrap().unwrap().bytes, b"now");
    }
}
