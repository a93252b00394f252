//! `minion:host/files`: the machine's files.
//!
//! A path is opened first and judged afterwards: the grant must cover the file that was really
//! reached, and everything that follows works on that open file or folder. Nobody can put a link in
//! between. A hard link is as good a name as any: what lies in a folder that was granted may be read there, and is
//! replaced there, which leaves its other names alone; only an append would reach them, so it is refused. Whether a file exists is told only to modules whose grant covers its name.
//!
//! Files may lie on a network that hangs, so all of this happens on threads that may block; a call
//! whose time is over does not wait for them.

mod calls;
mod change;
mod look;
mod overlay;
mod reach;
mod rehearse;
mod space;
mod tree;
mod walk;
mod whole;

pub use tree::{LeftOut, Tree};
pub use whole::{FileError, FileFacts, HostFiles, Manner};

pub(in crate::plugin) use overlay::Overlay;

use super::{
    Access, Error,
    bindings::minion::host::files::{Entry, Host, Metadata, Usage},
};
use crate::plugin::state::State;

impl Host for State {
    async fn read(&mut self, path: String) -> Result<Vec<u8>, Error> {
        self.mediate(calls::Read { path }).await
    }

    async fn read_text(&mut self, path: String) -> Result<String, Error> {
        self.mediate(calls::ReadText { path }).await
    }

    async fn read_part(&mut self, path: String, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        self.mediate(calls::ReadPart { path, offset, length }).await
    }

    async fn list_dir(&mut self, path: String) -> Result<Vec<Entry>, Error> {
        self.mediate(calls::ListDir { path }).await
    }

    async fn stat(&mut self, path: String) -> Result<Metadata, Error> {
        self.mediate(calls::Stat { path }).await
    }

    async fn stat_link(&mut self, path: String) -> Result<Metadata, Error> {
        self.mediate(calls::StatLink { path }).await
    }

    async fn exists(&mut self, path: String) -> Result<bool, Error> {
        self.mediate(calls::Exists { path }).await
    }

    async fn read_link(&mut self, path: String) -> Result<String, Error> {
        self.mediate(calls::ReadLink { path }).await
    }

    async fn space(&mut self, path: String) -> Result<Usage, Error> {
        self.mediate(calls::Space { path }).await
    }

    async fn write(&mut self, path: String, contents: Vec<u8>, mode: Option<u32>) -> Result<(), Error> {
        self.mediate(calls::Write { path, contents, mode }).await
    }

    async fn create(&mut self, path: String, contents: Vec<u8>, mode: Option<u32>) -> Result<(), Error> {
        self.mediate(calls::Create { path, contents, mode }).await
    }

    async fn append(&mut self, path: String, contents: Vec<u8>) -> Result<(), Error> {
        self.mediate(calls::Append { path, contents }).await
    }

    async fn remove(&mut self, path: String) -> Result<(), Error> {
        self.mediate(calls::Remove { path }).await
    }

    async fn make_dir(&mut self, path: String) -> Result<(), Error> {
        self.mediate(calls::MakeDir { path }).await
    }
}

#[cfg(test)]
mod check_tests;
#[cfg(test)]
mod escape_tests;
#[cfg(test)]
mod race_tests;
#[cfg(test)]
mod tests;
