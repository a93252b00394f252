//! Seeing that a worker is done.
//!
//! A worker that this daemon started holds one end of a socket, and its end is the socket's. One
//! that an earlier daemon started is seen by inotify: the system reports that a file opened for writing
//! was closed. It reports the name the file was opened under, which for a job is that of its birth.
//!
//! Both only say that it is time to look: the lock may be freed a moment later, and only the journal
//! says what became of the job.

use std::{io, os::unix::net::UnixStream, path::Path};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use super::birth::id_in_temporary_name;
use crate::{ids::MinionJobId, sys::watched::Watched};

/// Returns when every copy of the other end is closed.
pub(super) async fn closed(here: UnixStream) -> io::Result<()> {
    here.set_nonblocking(true)?;
    let here = tokio::net::UnixStream::from_std(here)?;
    let mut byte = [0; 16];
    loop {
        here.readable().await?;
        match here.try_read(&mut byte) {
            Ok(0) => return Ok(()),
            // It ended without having read what was said to it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Reports journals that are closed by their writers.
#[derive(Debug)]
pub(super) struct Closings(Watched<Inotify>);

impl Closings {
    /// Begins to watch a folder.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch(folder, AddWatchFlags::IN_CLOSE_WRITE)?;
        Ok(Self(Watched::new(inotify)?))
    }

    /// The next jobs to look at.
    pub(super) async fn next(&self) -> io::Result<Vec<MinionJobId>> {
        let events = self.0.read(|inotify| Ok(inotify.read_events()?)).await?;
        let job = |name: &str| name.parse().ok().or_else(|| id_in_temporary_name(name));
        let names = events.into_iter().filter_map(|event| event.name?.into_string().ok());
        Ok(names.filter_map(|name| job(&name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, File},
        io::Write as _,
    };

    use super::*;

    #[tokio::test]
    async fn a_worker_is_gone_with_the_last_copy_of_its_end() {
        for said in [false, true] {
            let (here, there) = UnixStream::pair().unwrap();
            let copy = there.try_clone().unwrap();
            if said {
                here.try_clone().unwrap().write_all(b"x").unwrap();
            }
            let end = tokio::spawn(closed(here));
            drop(there);
            tokio::task::yield_now().await;
            assert!(!end.is_finished());
            drop(copy);
            end.await.unwrap().unwrap();
        }
    }

    #[tokio::test]
    async fn a_journal_opened_under_its_birth_name_is_recognised_when_it_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let id = MinionJobId::fresh();
        let birth = folder.path().join(format!(".{id}.0123.new"));
        let file = File::create(&birth).unwrap();
        fs::hard_link(&birth, folder.path().join(id.as_str())).unwrap();
        fs::remove_file(&birth).unwrap();
        // As after a restart: the file was opened, linked and unlinked before anybody watched.
        let closings = Closings::of(folder.path()).unwrap();
        drop(file);
        assert_eq!(closings.next().await.unwrap(), [id]);
    }
}
