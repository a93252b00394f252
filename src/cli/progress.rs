//! How far a command is, told while it runs.
//!
//! On a terminal it is one line on standard error: how many hosts have ended, how, and whom it waits for. Elsewhere a plain
//! line now and then, once it takes long. With `--jsonl` each host's end goes to standard output as it comes.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::context::Context;
use super::outcomes::counts;
use super::render;
use super::shape::{Shape, json_line};
use crate::fleet::{Outcome, Summary};
use crate::ids::HostName;

/// Where nobody looks on, nothing is said for so long, and then no more often than this.
const QUIET: Duration = Duration::from_secs(10);

/// So many characters of the names of those that are waited for.
const NAMES: usize = 40;

/// How far a command is. Gone from the screen when dropped.
pub(super) struct Progress(Shown);

enum Shown {
    Nothing,
    /// So many bytes on a terminal.
    Bytes(ProgressBar),
    /// Hosts, on a terminal.
    Bar(ProgressBar, Mutex<Hosts>),
    /// Hosts, in lines.
    Lines(Mutex<(Hosts, Instant)>),
    /// Hosts, for programs.
    Json(Mutex<Hosts>),
}

struct Hosts {
    total: usize,
    open: BTreeSet<HostName>,
    summary: Summary,
}

impl Progress {
    /// The hosts of a call.
    pub(super) fn of_hosts(context: &Context, shape: &Shape, hosts: impl IntoIterator<Item = HostName>) -> Self {
        let open: BTreeSet<HostName> = hosts.into_iter().collect();
        let hosts = Hosts { total: open.len(), open, summary: Summary::default() };
        if *shape == Shape::JsonLines {
            return Self(Shown::Json(Mutex::new(hosts)));
        }
        if context.json {
            return Self(Shown::Nothing);
        }
        if !io::stderr().is_terminal() {
            return Self(Shown::Lines(Mutex::new((hosts, Instant::now()))));
        }
        let bar = ProgressBar::with_draw_target(Some(hosts.total as u64), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.set_message(hosts.told());
        bar.enable_steady_tick(Duration::from_secs(1));
        Self(Shown::Bar(bar, Mutex::new(hosts)))
    }

    /// A bar for so many bytes; for as many as come, if that is 0.
    pub(super) fn bytes(context: &Context, total: u64) -> Self {
        if context.json || !io::stderr().is_terminal() {
            return Self(Shown::Nothing);
        }
        let bar = ProgressBar::with_draw_target((total > 0).then_some(total), ProgressDrawTarget::stderr());
        let template = match total {
            0 => "{bytes} {bytes_per_sec} {elapsed}",
            _ => "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self(Shown::Bytes(bar))
    }

    /// None at all.
    pub(super) fn hidden() -> Self {
        Self(Shown::Nothing)
    }

    /// So many more are done.
    pub(super) fn more(&self, done: u64) {
        if let Shown::Bytes(bar) = &self.0 {
            bar.inc(done);
        }
    }

    /// A host has ended.
    pub(super) fn ended(&self, host: &HostName, outcome: &Outcome) {
        match &self.0 {
            Shown::Nothing | Shown::Bytes(_) => {}
            Shown::Bar(bar, hosts) => {
                let mut hosts = hosts.lock().unwrap_or_else(PoisonError::into_inner);
                hosts.ended(host, outcome);
                bar.set_position(hosts.summary.total() as u64);
                bar.set_message(hosts.told());
            }
            Shown::Lines(told) => {
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                told.0.ended(host, outcome);
                if told.1.elapsed() > QUIET && !told.0.open.is_empty() {
                    told.1 = Instant::now();
                    Context::say(format!("{} of {} hosts: {}", told.0.summary.total(), told.0.total, told.0.told()));
                }
            }
            Shown::Json(hosts) => {
                if !hosts.lock().unwrap_or_else(PoisonError::into_inner).ended(host, outcome) {
                    return;
                }
                // Whoever has read enough closes the pipe; the call goes on, and its exit code tells the rest.
                let mut out = anstream::stdout().lock();
                let _ = writeln!(out, "{}", json_line(host, outcome)).and_then(|()| out.flush());
            }
        }
    }

    /// Prints something while the bar is off the screen.
    pub(super) fn aside(&self, print: impl FnOnce()) {
        match &self.0 {
            Shown::Bar(bar, _) | Shown::Bytes(bar) => bar.suspend(print),
            _ => print(),
        }
    }

    /// Takes the bar off the screen.
    pub(super) fn end(&self) {
        if let Shown::Bar(bar, _) | Shown::Bytes(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Hosts {
    /// Counts a host's end; whether it is news.
    fn ended(&mut self, host: &HostName, outcome: &Outcome) -> bool {
        let news = self.open.remove(host);
        if news {
            self.summary.add(outcome);
        }
        news
    }

    /// `3 ok, 1 failed; waiting for web[2-4]`
    fn told(&self) -> String {
        let count = self.open.len();
        let names = if count <= NAMES { render::compress(&self.open) } else { String::new() };
        let waiting = match count {
            0 => String::new(),
            _ if (1..=NAMES).contains(&names.len()) => format!("waiting for {names}"),
            _ => format!("waiting for {count} hosts"),
        };
        let parts: Vec<String> = [counts(&self.summary), waiting].into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("; ")
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Value;

    #[test]
    fn a_host_is_counted_once_and_those_that_are_open_are_named() {
        let host = |n: usize| format!("web{n}").parse::<HostName>().unwrap();
        let mut hosts = Hosts { total: 4, open: (1..=4).map(host).collect(), summary: Summary::default() };
        assert_eq!(hosts.told(), "waiting for web[1-4]");
        hosts.ended(&host(1), &Outcome::Ok(Value::Nil));
        hosts.ended(&host(1), &Outcome::Ok(Value::Nil));
        hosts.ended(&host(2), &Outcome::Cancelled);
        assert_eq!(hosts.told(), "1 ok, 1 cancelled; waiting for web[3-4]");
        hosts.open = (1..=9).map(|n| format!("a-rather-long-name-{n}-x.example").parse().unwrap()).collect();
        hosts.open.extend(["b", "c", "d", "e"].map(|name| name.parse().unwrap()));
        assert!(hosts.told().len() < 90, "{}", hosts.told());
    }
}
