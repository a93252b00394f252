//! The Unix socket: one daemon for each, and nobody else's program on the other side.
//!
//! A lock beside the socket says who serves; the system frees it however that process ends. Whoever has the lock may
//! remove a socket that was left behind.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use nix::unistd::geteuid;
use tokio::net::{UnixListener, UnixStream};

use super::Error;
use crate::sys::lock::{Attempt, open_lock_file, try_exclusive};

/// A socket that this process serves; gone when dropped.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    listener: UnixListener,
    _lock: File,
}

impl Socket {
    /// Takes the place and listens. The folder must be there, or be one that can be made; it is made for its owner alone.
    pub fn bind(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Listen { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            crate::sys::durable::create_folder(folder, 0o700).map_err(failed)?;
        }
        let lock = open_lock_file(&path.with_extension("lock")).map_err(failed)?;
        if try_exclusive(&lock).map_err(failed)? == Attempt::Busy {
            return Err(Error::Serving { path: path.to_owned() });
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), listener, _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection of this user or of root, and whose it is; others are closed, and logged.
    pub(super) async fn accept(&self) -> io::Result<(UnixStream, u32)> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            match stream.peer_cred() {
                Ok(peer) if peer.uid() == 0 || peer.uid() == geteuid().as_raw() => return Ok((stream, peer.uid())),
                Ok(peer) => {
                    tracing::warn!(uid = peer.uid(), pid = peer.pid(), "a connection was refused: another user");
                }
                Err(error) => tracing::warn!(%error, "a connection was refused: it is not known whose it is"),
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The lock is still held.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_serves_a_socket_and_what_was_left_behind_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/overlord.sock");
        let socket = Socket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(Socket::bind(&path), Err(Error::Serving { .. })));
        drop(socket);
        assert!(!path.exists());
        // As a killed daemon leaves it.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let socket = Socket::bind(&path).unwrap();
        let (_client, accepted) = tokio::join!(UnixStream::connect(&path), socket.accept());
        assert_eq!(accepted.unwrap().1, geteuid().as_raw());
    }
}
