//! `minion:host/files`: the machine's files.
//!
//! A path is opened first and judged afterwards: the grant must cover the file that was really
//! reached, and everything that follows works on that open file or folder. Nobody can put a link in
//! between. Whether a file exists is told only to modules whose grant covers its name.
//!
//! Files may lie on a network that hangs, so all of this happens on threads that may block; a call
//! whose time is over does not wait for them.

mod change;
mod look;
mod reach;
mod space;

use std::{sync::Arc, time::Duration};

use super::{
    Error,
    bindings::minion::host::files::{Entry, Host, Metadata, Usage},
    blocking,
};
use crate::{
    access::Grant,
    ids::ModuleName,
    plugin::{context::Limits, state::State},
};

/// Who asks, and what it may.
struct Access {
    module: ModuleName,
    grant: Arc<Grant>,
    limits: Limits,
    /// What was left of the call's time when it asked.
    time: Duration,
}

impl State {
    /// Does something with files on a thread that may block.
    fn with_files<T, F>(&self, work: F) -> impl Future<Output = Result<T, Error>> + Send + use<T, F>
    where
        T: Send + 'static,
        F: FnOnce(&Access) -> Result<T, Error> + Send + 'static,
    {
        let context = &self.context;
        let access = Access {
            module: self.module.clone(),
            grant: Arc::clone(&context.grant),
            limits: context.limits.clone(),
            time: self.remaining(),
        };
        blocking(move || work(&access))
    }
}

impl Host for State {
    async fn read(&mut self, path: String) -> Result<Vec<u8>, Error> {
        self.with_files(move |access| look::read(access, &path)).await
    }

    async fn read_text(&mut self, path: String) -> Result<String, Error> {
        self.with_files(move |access| look::read_text(access, &path)).await
    }

    async fn read_part(&mut self, path: String, offset: u64, length: u32) -> Result<Vec<u8>, Error> {
        self.with_files(move |access| look::read_part(access, &path, offset, length)).await
    }

    async fn list_dir(&mut self, path: String) -> Result<Vec<Entry>, Error> {
        self.with_files(move |access| look::list(access, &path)).await
    }

    async fn stat(&mut self, path: String) -> Result<Metadata, Error> {
        self.with_files(move |access| look::stat(access, &path)).await
    }

    async fn stat_link(&mut self, path: String) -> Result<Metadata, Error> {
        self.with_files(move |access| look::stat_link(access, &path)).await
    }

    async fn exists(&mut self, path: String) -> Result<bool, Error> {
        self.with_files(move |access| look::exists(access, &path)).await
    }

    async fn read_link(&mut self, path: String) -> Result<String, Error> {
        self.with_files(move |access| look::read_link(access, &path)).await
    }

    async fn space(&mut self, path: String) -> Result<Usage, Error> {
        self.with_files(move |access| space::space(access, &path)).await
    }

    async fn write(&mut self, path: String, contents: Vec<u8>, mode: Option<u32>) -> Result<(), Error> {
        self.with_files(move |access| change::write(access, &path, &contents, mode)).await
    }

    async fn create(&mut self, path: String, contents: Vec<u8>, mode: Option<u32>) -> Result<(), Error> {
        self.with_files(move |access| change::create(access, &path, &contents, mode)).await
    }

    async fn append(&mut self, path: String, contents: Vec<u8>) -> Result<(), Error> {
        self.with_files(move |access| change::append(access, &path, &contents)).await
    }

    async fn remove(&mut self, path: String) -> Result<(), Error> {
        self.with_files(move |access| change::remove(access, &path)).await
    }

    async fn make_dir(&mut self, path: String) -> Result<(), Error> {
        self.with_files(move |access| change::make_dir(access, &path)).await
    }
}

#[cfg(test)]
mod tests;
