//! The overlord's daemon of a test's fleet, and a client of its socket.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value as Json;

use super::Fleet;

/// `func daemon` of a fleet's overlord; killed when dropped.
pub struct Daemon {
    /// The process.
    pub process: Child,
    /// Where it answers.
    pub socket: PathBuf,
    said: BufReader<ChildStdout>,
}

impl Daemon {
    /// Starts it, and waits until it serves. What it logs is in `daemon.log` in the fleet's folder.
    pub fn start(fleet: &Fleet) -> Self {
        let log = File::options().create(true).append(true).open(fleet.folder().join("daemon.log")).unwrap();
        Self::logging_to(log.into(), &mut fleet.command(["daemon"]))
    }

    /// The same with a command that was made ready; nobody sees what it logs.
    pub fn run(command: &mut Command) -> Self {
        Self::logging_to(Stdio::null(), command)
    }

    fn logging_to(log: Stdio, command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let socket = listening_on(&mut said).into();
        Self { process, socket, said }
    }

    /// Where else it serves, which it says next.
    pub fn address(&mut self) -> SocketAddr {
        listening_on(&mut self.said).parse().unwrap()
    }

    /// The status, the head and the body of an answer. HTTP/1.0, so that the body ends with the connection.
    pub fn ask(&self, request: &str, body: &str) -> (u16, String, String) {
        self.try_ask(request, body).unwrap()
    }

    /// The same of one that may be killed meanwhile.
    pub fn try_ask(&self, request: &str, body: &str) -> io::Result<(u16, String, String)> {
        exchange(&mut UnixStream::connect(&self.socket)?, request, body)
    }

    /// Kills it without a word, and does not wait for its end.
    pub fn signal_kill(&self) {
        let pid = Pid::from_raw(self.process.id().try_into().unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
    }

    /// What a path answers, which must be all right.
    #[track_caller]
    pub fn get(&self, path: &str) -> Json {
        let (status, _, body) = self.ask(&format!("GET {path}"), "");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// What it answers to a body, with this status.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Json, status: u16) -> Json {
        let (answered, _, text) = self.ask(&format!("POST {path}"), &body.to_string());
        assert_eq!(answered, status, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }
}

fn listening_on(said: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    if said.buffer().is_empty() {
        let mut polled = [PollFd::new(said.get_ref().as_fd(), PollFlags::POLLIN)];
        assert!(poll(&mut polled, 30_000_u16).unwrap() > 0, "the daemon does not say where it listens");
    }
    said.read_line(&mut line).unwrap();
    line.trim_end().strip_prefix("listening on ").expect("a daemon that serves").into()
}

/// The status, the head and the body of an answer on any connection.
pub fn exchange(
    stream: &mut (impl io::Read + io::Write),
    request: &str,
    body: &str,
) -> io::Result<(u16, String, String)> {
    let (line, more) = request.split_once('\n').unwrap_or((request, ""));
    let length = body.len();
    write!(stream, "{line} HTTP/1.0\r\nHost: func\r\n{more}Content-Length: {length}\r\n\r\n{body}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok((status, head.to_lowercase(), body.to_owned()))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
