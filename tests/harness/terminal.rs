//! A terminal of its own for a command, on which a test types.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, tcgetattr};

/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(15);
/// What the shell says behind the command.
const ENDED: &str = "ended with ";

/// A command on a terminal.
pub struct Terminal {
    master: File,
    /// So that the terminal is there when the command is gone.
    _slave: OwnedFd,
    shell: Child,
    said: String,
    /// Up to here it was waited for.
    seen: usize,
}

impl Terminal {
    /// Runs it below a shell, which is left in charge of the terminal.
    pub fn run(command: &Command) -> Self {
        let pty = openpty(None, None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let script = format!("\"$0\" \"$@\"; echo \"{ENDED}$?.\"");
        let mut shell = Command::new("setsid");
        shell.args(["--ctty", "--wait", "sh", "-c", &script]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            shell.env(key, value.unwrap_or_default());
        }
        let shell = shell.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { master: pty.master.into(), _slave: pty.slave, shell, said: String::new(), seen: 0 }
    }

    /// Waits until it has said these words, after those that were waited for before.
    #[track_caller]
    pub fn until(&mut self, words: &str) {
        let began = Instant::now();
        loop {
            if let Some(at) = self.said[self.seen..].find(words) {
                self.seen += at + words.len();
                return;
            }
            assert!(began.elapsed() < PATIENCE, "no `{words}` in {:?}", self.said);
            let ready = {
                let mut wanted = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
                poll(&mut wanted, PollTimeout::from(100_u8)).unwrap() > 0
            };
            if ready {
                let mut bytes = [0; 4096];
                let count = self.master.read(&mut bytes).unwrap_or(0);
                self.said.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        }
    }

    /// Types this.
    pub fn write(&mut self, text: &str) {
        self.master.write_all(text.as_bytes()).unwrap();
    }

    /// Whether it shows what is typed.
    pub fn echoes(&self) -> bool {
        tcgetattr(&self.master).unwrap().local_flags.contains(LocalFlags::ECHO)
    }

    /// The command's exit code, all that was on the terminal, and whether that shows what is typed by now.
    #[track_caller]
    pub fn end(mut self) -> (i32, String, bool) {
        self.until(ENDED);
        self.until(".");
        let code = self.said.rsplit(ENDED).next().unwrap().split('.').next().unwrap().parse().unwrap();
        self.shell.wait().unwrap();
        (code, std::mem::take(&mut self.said), self.echoes())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The shell's end hangs the terminal up, and the command with it.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
