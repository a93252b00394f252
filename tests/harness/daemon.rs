//! The overlord's daemon of a test's fleet, and a client of its socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value as Json;

use super::Fleet;

/// `func daemon` of a fleet's overlord; killed when dropped.
pub struct Daemon {
    /// The process.
    pub process: Child,
    /// Where it answers.
    pub socket: PathBuf,
}

impl Daemon {
    /// Starts it, and waits until it serves.
    pub fn start(fleet: &Fleet) -> Self {
        Self::run(&mut fleet.command(["daemon"]))
    }

    /// The same with a command that was made ready.
    pub fn run(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let socket = line.trim_end().strip_prefix("listening on ").expect("a daemon that serves").into();
        Self { process, socket }
    }

    /// The status, the head and the body of an answer. HTTP/1.0, so that the body ends with the connection.
    pub fn ask(&self, request: &str, body: &str) -> (u16, String, String) {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        let (line, more) = request.split_once('\n').unwrap_or((request, ""));
        let length = body.len();
        write!(stream, "{line} HTTP/1.0\r\nHost: func\r\n{more}Content-Length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
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

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
