//! `minion:host/processes`: signals.
//!
//! ```text
//! open (pidfd) ──▶ look at /proc/PID ──▶ still alive? ──▶ judge ──▶ signal by pidfd
//! ```
//!
//! A number can be given to another process only when its own has ended. So what /proc tells is about the
//! process that was opened if that is alive afterwards, and the signal goes to it or to nobody.

use std::{fs, os::fd::AsFd as _, path::PathBuf};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::signal::Signal,
    unistd::{Uid, User},
};
use serde::{Deserialize, Serialize};

use super::{
    Access, Error, ErrorKind,
    bindings::minion::host::processes::Host,
    blocking,
    call::{Effect, HostCall},
    denial::{denied_entry, failed, invalid, shown},
    error,
};
use crate::{
    plugin::{
        plan::{self, Rehearsal},
        state::State,
    },
    sys::pidfd::PidFd,
};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Started {
    pid: u32,
}

impl HostCall for Started {
    const NAME: &'static str = "processes.started";
    const EFFECT: Effect = Effect::Looks;
    type Answer = u64;

    async fn perform(self, access: Access) -> Result<u64, Error> {
        blocking(move || Target::open(&access, self.pid).map(|target| target.started)).await
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Send {
    pid: u32,
    name: String,
    since: Option<u64>,
}

impl Send {
    fn target(&self, access: &Access) -> Result<(Target, Signal), Error> {
        let signal = signal(&self.name)?;
        let target = Target::open(access, self.pid)?;
        if self.since.is_some_and(|since| since != target.started) {
            let message = format!("the process that was number {} has ended; another has its number now", self.pid);
            return Err(error(ErrorKind::NotFound, message, None));
        }
        Ok((target, signal))
    }
}

impl HostCall for Send {
    const NAME: &'static str = "processes.signal";
    const EFFECT: Effect = Effect::Changes;
    type Answer = ();

    async fn perform(self, access: Access) -> Result<(), Error> {
        blocking(move || {
            let (target, signal) = self.target(&access)?;
            target.process.signal(signal).map_err(|error| wrong(self.pid, &error))
        })
        .await
    }

    async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<(), Error> {
        let arguments = Rehearsal::arguments(&self);
        let planned = blocking(move || {
            let (target, signal) = self.target(&access)?;
            let program = target.program.map_or_else(String::new, |program| format!(" ({})", shown(&program)));
            let what = format!("{signal} would be sent to process {}{program} of {}", self.pid, target.user);
            Ok(Some(plan::Effect::Other { what }))
        });
        rehearsal.planned(Self::NAME, arguments, planned.await)
    }
}

impl Host for State {
    async fn started(&mut self, pid: u32) -> Result<u64, Error> {
        self.mediate(Started { pid }).await
    }

    async fn signal(&mut self, pid: u32, name: String, since: Option<u64>) -> Result<(), Error> {
        self.mediate(Send { pid, name, since }).await
    }
}

/// A process that may be signalled.
struct Target {
    process: PidFd,
    started: u64,
    /// The name of the program's file, where it can be seen.
    program: Option<String>,
    user: String,
}

impl Target {
    fn open(access: &Access, pid: u32) -> Result<Self, Error> {
        if pid < 2 || i32::try_from(pid).is_err() || pid == std::process::id() {
            return Err(invalid(format!("process {pid} is not signalled")));
        }
        if access.grant.signal.is_empty() {
            // Nothing of it is told, not even whether it is there.
            return Err(denied_entry(&access.module, &format!("signal process {pid}"), "signal", "PROGRAM"));
        }
        let process = PidFd::open(pid).map_err(|error| wrong(pid, &error))?;
        let target = Self::look(process, pid)?;
        if !target.is_alive() {
            return Err(gone(pid));
        }
        let may = access.grant.signal.iter().any(|grant| grant.covers(target.program.as_deref(), &target.user));
        if may { Ok(target) } else { Err(target.denied(access, pid)) }
    }

    fn look(process: PidFd, pid: u32) -> Result<Self, Error> {
        let about = PathBuf::from(format!("/proc/{pid}"));
        let read = |name: &str| fs::read(about.join(name)).map_err(|_| gone(pid));
        let stat = String::from_utf8_lossy(&read("stat")?).into_owned();
        let (started, is_of_the_kernel) = parse_stat(&stat).ok_or_else(|| gone(pid))?;
        if is_of_the_kernel {
            return Err(invalid(format!("process {pid} is a thread of the kernel")));
        }
        let status = String::from_utf8_lossy(&read("status")?).into_owned();
        let user = status.lines().find_map(|line| line.strip_prefix("Uid:")?.split_whitespace().next()?.parse().ok());
        let user: u32 = user.ok_or_else(|| gone(pid))?;
        let named = User::from_uid(Uid::from_raw(user)).ok().flatten();
        let user = named.map_or_else(|| user.to_string(), |user| user.name);
        let program = fs::read_link(about.join("exe")).ok().and_then(|path| {
            let name = path.file_name()?.to_str()?;
            // A program that was replaced while it runs is still that program.
            Some(name.strip_suffix(" (deleted)").unwrap_or(name).to_owned())
        });
        Ok(Self { process, started, program, user })
    }

    fn is_alive(&self) -> bool {
        let mut ended = [PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
        poll(&mut ended, PollTimeout::ZERO) == Ok(0)
    }

    fn denied(&self, access: &Access, pid: u32) -> Error {
        let entry = self.program.clone().unwrap_or_else(|| format!("user:{}", self.user));
        let what = format!("signal process {pid} (`{}`)", shown(&entry));
        denied_entry(&access.module, &what, "signal", &entry)
    }
}

/// When the process was started, and whether it is a thread of the kernel: fields 22 and 9 of its `stat`, in
/// which the name may have any characters.
fn parse_stat(stat: &str) -> Option<(u64, bool)> {
    const PF_KTHREAD: u64 = 0x0020_0000;
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // The first of these is the third field.
    let flags: u64 = fields.get(6)?.parse().ok()?;
    Some((fields.get(19)?.parse().ok()?, flags & PF_KTHREAD != 0))
}

fn signal(name: &str) -> Result<Signal, Error> {
    let upper = name.trim().to_ascii_uppercase();
    let found = match upper.parse::<i32>() {
        Ok(number) => Signal::try_from(number).ok(),
        Err(_) if upper.starts_with("SIG") => upper.parse().ok(),
        Err(_) => format!("SIG{upper}").parse().ok(),
    };
    found.ok_or_else(|| {
        error(ErrorKind::Invalid, format!("`{}` is no signal", shown(name)), Some("write a name such as TERM".into()))
    })
}

fn gone(pid: u32) -> Error {
    error(ErrorKind::NotFound, format!("there is no process {pid}"), None)
}

fn wrong(pid: u32, source: &std::io::Error) -> Error {
    match source.raw_os_error() {
        Some(nix::libc::ESRCH) => gone(pid),
        Some(nix::libc::ENOSYS) => {
            error(ErrorKind::Unsupported, "this kernel has no descriptors of processes (Linux 5.3 has)", None)
        }
        _ => failed(&format!("process {pid}"), source),
    }
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::ExitStatusExt as _,
        process::{Child, Command},
        sync::Arc,
    };

    use super::*;
    use crate::{
        access::Grant,
        plugin::{Mode, Trail, fixture::context},
    };

    fn state(signal: &[&str], mode: Mode) -> State {
        let mut context = context();
        let signal = signal.iter().map(|text| (*text).to_owned().try_into().unwrap()).collect();
        context.grant = Arc::new(Grant { signal, ..Grant::default() });
        context.mode = mode;
        State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
    }

    fn sleeper() -> Child {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        // Until then it is still this program.
        let exe = format!("/proc/{}/exe", child.id());
        while !fs::read_link(&exe).unwrap().ends_with("sleep") {
            std::thread::yield_now();
        }
        child
    }

    async fn send(state: &mut State, pid: u32, name: &str, since: Option<u64>) -> Result<(), Error> {
        Host::signal(state, pid, name.to_owned(), since).await
    }

    #[tokio::test]
    async fn a_signal_reaches_the_process_that_is_meant_or_none() {
        let mut child = sleeper();
        let mut state = state(&["sleep"], Mode::Perform);
        let since = Host::started(&mut state, child.id()).await.unwrap();
        let other = send(&mut state, child.id(), "TERM", Some(since + 1)).await.unwrap_err();
        assert_eq!(other.kind, ErrorKind::NotFound, "{other:?}");
        assert!(child.try_wait().unwrap().is_none());
        send(&mut state, child.id(), "term", Some(since)).await.unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        assert_eq!(send(&mut state, child.id(), "TERM", None).await.unwrap_err().kind, ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_process_that_was_not_granted_is_not_signalled_and_the_line_is_named() {
        let mut child = sleeper();
        let mut nothing = state(&[], Mode::Perform);
        assert_eq!(send(&mut nothing, child.id(), "KILL", None).await.unwrap_err().kind, ErrorKind::Denied);
        let absent = send(&mut nothing, 4_000_000, "KILL", None).await.unwrap_err();
        assert_eq!(absent.kind, ErrorKind::Denied, "whether it is there is not told");
        let mut other = state(&["nginx", "user:nobody"], Mode::Perform);
        let denied = send(&mut other, child.id(), "KILL", None).await.unwrap_err();
        assert!(denied.hint.as_deref().unwrap().ends_with("[grants.m]\nsignal = [\"sleep\"]"), "{denied:?}");
        let user = User::from_uid(Uid::effective()).unwrap().unwrap().name;
        let mut mine = state(&[&format!("user:{user}")], Mode::Perform);
        send(&mut mine, child.id(), "9", None).await.unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }

    #[tokio::test]
    async fn some_are_never_signalled_and_a_signal_is_one() {
        let mut state = state(&["*", "user:*"], Mode::Perform);
        for pid in [0, 1, u32::MAX, std::process::id()] {
            assert_eq!(send(&mut state, pid, "CONT", None).await.unwrap_err().kind, ErrorKind::Invalid, "{pid}");
        }
        for name in ["", "0", "-9", "32", "NOPE", "TERM 1", "SIGSIGTERM"] {
            assert_eq!(send(&mut state, 4_000_000, name, None).await.unwrap_err().kind, ErrorKind::Invalid, "{name:?}");
        }
    }

    #[tokio::test]
    async fn a_check_says_whom_it_would_reach() {
        let mut child = sleeper();
        let mut state = state(&["sleep"], Mode::Check);
        send(&mut state, child.id(), "KILL", None).await.unwrap();
        assert!(child.try_wait().unwrap().is_none());
        let Trail::Plan(plan) = state.mediation.end() else { panic!("no plan") };
        let plan::Effect::Other { what } = &plan.steps[0].effect else { panic!("{plan:?}") };
        assert!(what.starts_with(&format!("SIGKILL would be sent to process {} (sleep)", child.id())), "{what}");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_name_cannot_pretend_to_be_fields() {
        let fields = "1 1 1 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 0";
        assert_eq!(parse_stat(&format!("7 (a) S 9) R {fields}")), Some((12345, false)));
        assert_eq!(parse_stat("7 (x) S 1"), None);
    }
}
