//! Running a program to its end, or to ours.
//!
//! It gets a process group of its own, a clean environment and no descriptor but its standard ones.
//! When its time is over, when the call is cancelled or given up, the whole group ends with it. When
//! it ends by itself, what it left running in the background stays (that is how services are
//! started), and its output is read for a moment longer and no more: a background process that holds
//! the pipe open must not hold the call.

use std::{
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::ExitStatusExt,
    },
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use nix::{
    sys::{
        signal::{Signal, killpg},
        wait::{Id, WaitPidFlag, WaitStatus, waitid},
    },
    unistd::{Pid, Uid, User},
};
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    time,
};

use super::{
    super::{
        Error, ErrorKind,
        denial::{failed, invalid, shown},
        error, until_set,
    },
    Output, Spec, Status,
    capture::Capture,
    program,
};
use crate::{access::changes_programs, sys};

/// How long output is still read after the program itself has ended.
const LINGER: Duration = Duration::from_millis(100);
/// How long a program has to end when it is asked to.
const GRACE: Duration = Duration::from_millis(500);

/// Bounds of one run.
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) bytes: usize,
    pub(super) cancelled: Arc<AtomicBool>,
}

/// Refuses what no program could be given.
pub(super) fn check(spec: &Spec) -> Result<(), Error> {
    let texts = [&spec.program].into_iter().chain(&spec.args).chain(&spec.cwd);
    let texts = texts.chain(spec.env.iter().flat_map(|(name, value)| [name, value]));
    if let Some(text) = texts.into_iter().find(|text| text.contains('\0')) {
        return Err(invalid(format!("`{}` has a NUL character in it", shown(text))));
    }
    for (name, _) in &spec.env {
        if name.is_empty() || name.contains('=') {
            return Err(invalid(format!("`{}` is no name of a variable", shown(name))));
        }
        if changes_programs(name) {
            let message = format!("the variable `{}` may not be set: it makes programs load other code", shown(name));
            return Err(error(ErrorKind::Denied, message, None));
        }
    }
    match &spec.cwd {
        Some(cwd) if !cwd.starts_with('/') => Err(invalid(format!("`{}` is not an absolute path", shown(cwd)))),
        _ => Ok(()),
    }
}

/// What may be started: the program, and the folder to start it in if that is not `/`. It is the folder that was
/// judged, whatever has its name by now.
pub(super) struct Prepared {
    pub(super) program: PathBuf,
    pub(super) folder: Option<OwnedFd>,
}

/// A program that was started. It ends, with its whole group, when this is dropped.
pub(super) struct Running {
    child: Child,
    group: Group,
    program: String,
    stdin: Option<Vec<u8>>,
    started: Instant,
}

impl Running {
    /// Starts a program. This may block: for the user's home, for the folder to start in, for the
    /// program itself.
    pub(super) fn start(prepared: &Prepared, spec: Spec) -> Result<Self, Error> {
        let started = Instant::now();
        let child = start(prepared, &spec)?;
        let group = Group::of(&child);
        Ok(Self { child, group, program: spec.program, stdin: spec.stdin, started })
    }

    /// Waits for its end, or makes one.
    pub(super) async fn until_its_end(self, bounds: Bounds) -> Result<Output, Error> {
        let Self { mut child, mut group, program, stdin, started } = self;
        let (mut stdout, mut stderr) = (Capture::new(bounds.bytes), Capture::new(bounds.bytes));
        let status = {
            let (out, err, input) = (child.stdout.take(), child.stderr.take(), child.stdin.take());
            let io = async { tokio::join!(stdout.drain(out), stderr.drain(err), feed(input, stdin)) };
            tokio::pin!(io);
            let mut io_ended = false;
            let over = time::sleep(bounds.time.saturating_sub(started.elapsed()));
            tokio::pin!(over);
            let status = loop {
                tokio::select! {
                    status = child.wait() => {
                        group.let_go();
                        break Some(status.map_err(|source| failed(&program, &source))?);
                    }
                    _ = &mut io, if !io_ended => io_ended = true,
                    () = &mut over => break None,
                    () = until_set(&bounds.cancelled) => {
                        group.end(&mut child).await;
                        return Err(error(ErrorKind::Cancelled, "the call was cancelled", None));
                    }
                }
            };
            if status.is_none() {
                group.end(&mut child).await;
            }
            if !io_ended {
                let _ = time::timeout(LINGER, &mut io).await;
            }
            status
        };
        Ok(Output {
            status: status.map_or(Status::TimedOut, ended),
            truncated: stdout.truncated() || stderr.truncated(),
            stdout: stdout.into_bytes(),
            stderr: stderr.into_bytes(),
            elapsed_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        })
    }
}

fn start(prepared: &Prepared, spec: &Spec) -> Result<Child, Error> {
    let mut command = std::process::Command::new(&prepared.program);
    // It is entered before what we hold is closed.
    let folder = prepared.folder.as_ref().map(|folder| format!("/proc/self/fd/{}", folder.as_raw_fd()));
    command
        .args(&spec.args)
        .env_clear()
        .env("PATH", program::PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", home())
        .envs(spec.env.iter().map(|(name, value)| (name, value)))
        .current_dir(folder.as_deref().unwrap_or("/"))
        .stdin(if spec.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    sys::contain::contain(&mut command);
    let mut command = Command::from(command);
    command
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| error(ErrorKind::Failed, format!("cannot start `{}`: {source}", shown(&spec.program)), None))
}

fn home() -> std::path::PathBuf {
    User::from_uid(Uid::effective()).ok().flatten().map_or_else(|| "/".into(), |user| user.dir)
}

async fn feed(input: Option<ChildStdin>, bytes: Option<Vec<u8>>) {
    if let (Some(mut input), Some(bytes)) = (input, bytes) {
        // A program may end or close its input without reading it.
        let _ = input.write_all(&bytes).await;
        let _ = input.shutdown().await;
    }
}

fn ended(status: ExitStatus) -> Status {
    match (status.code(), status.signal()) {
        (Some(code), _) => Status::Exited(code),
        (None, Some(signal)) => Status::Signalled(signal),
        (None, None) => Status::Signalled(0),
    }
}

/// The program's process group, which ends when this is dropped before the program has ended.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw))
    }

    /// The program has ended by itself: its number may belong to somebody else from now on.
    fn let_go(&mut self) {
        self.0 = None;
    }

    /// Asks the group to end, and ends it if it does not.
    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::SIGTERM);
        let latest = time::Instant::now() + GRACE;
        while time::Instant::now() < latest && !self.leader_has_ended() {
            time::sleep(Duration::from_millis(10)).await;
        }
        self.signal(Signal::SIGKILL);
        let _ = child.wait().await;
        self.0 = None;
    }

    /// Looks without reaping it: as long as it is not reaped, the group's number stays its own.
    fn leader_has_ended(&self) -> bool {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        self.0.is_none_or(|group| !matches!(waitid(Id::Pid(group), flags), Ok(WaitStatus::StillAlive)))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            let _ = killpg(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
    }
}
