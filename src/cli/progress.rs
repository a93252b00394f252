//! A progress bar on standard error, if somebody looks on.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::Context;

/// How far a fan-out is. Gone from the screen when dropped.
pub(super) struct Progress(Option<ProgressBar>);

impl Progress {
    /// A bar for so many hosts; nothing unless standard error is a terminal.
    pub(super) fn new(context: &Context, hosts: usize) -> Self {
        if context.json || !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(Some(hosts as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed}") {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// A bar for so many bytes; for as many as come, if that is 0.
    pub(super) fn bytes(context: &Context, total: u64) -> Self {
        if context.json || !io::stderr().is_terminal() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr());
        let template = match total {
            0 => "{bytes} {bytes_per_sec} {elapsed}",
            _ => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(Some(bar))
    }

    /// So many more are done.
    pub(super) fn more(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.inc(done);
        }
    }

    /// None at all.
    pub(super) fn hidden() -> Self {
        Self(None)
    }

    /// Takes the bar off the screen.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }

    /// So many are done.
    pub(super) fn at(&self, done: usize) {
        if let Some(bar) = &self.0 {
            bar.set_position(done as u64);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
