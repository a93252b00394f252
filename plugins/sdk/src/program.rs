//! Running a program and judging how it ended.

use crate::{
    Error, ErrorKind, Result, checked,
    command::{self, Output, Spec, Status},
    job,
    json::Json,
    log,
};

/// How much of a program's complaint an error repeats, in characters.
const COMPLAINT: usize = 300;

/// A program to run: its name or absolute path, and its arguments.
///
/// ```no_run
/// # fn main() -> func_sdk::Result<()> {
/// let version = func_sdk::program::Program::new("uname").arg("-r").text()?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Program(Spec);

impl Program {
    /// A program without arguments, input or a time limit of its own.
    pub fn new(program: impl Into<String>) -> Self {
        Self(Spec {
            program: program.into(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            stdin: None,
            timeout_ms: None,
        })
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.0.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<T: Into<String>>(mut self, args: impl IntoIterator<Item = T>) -> Self {
        self.0.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// What the program reads on its standard input.
    #[must_use]
    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.0.stdin = Some(input.into());
        self
    }

    /// How long it may take, in milliseconds.
    #[must_use]
    pub fn timeout_ms(mut self, limit: u64) -> Self {
        self.0.timeout_ms = Some(limit);
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.env.push((name.into(), value.into()));
        self
    }

    /// Runs it, however it ends. That the machine has no such program is `unsupported`.
    pub fn run(&self) -> Result<Output> {
        command::run(&self.0).map_err(|error| match error.kind {
            ErrorKind::NotFound => {
                Error::unsupported(format!("this machine has no program `{}`", self.0.program)).hint("install it there")
            }
            _ => error,
        })
    }

    /// Runs it and gives its standard output as text. It is an error unless the program exits with 0.
    pub fn text(&self) -> Result<String> {
        judge(&self.0.program, self.run()?)
    }

    /// Runs it and reads its standard output as JSON. It is an error unless the program exits with 0.
    pub fn json(&self) -> Result<Json> {
        Json::written(&self.0.program, &self.look()?)
    }

    /// Runs it for what it tells, which is more than nothing. In a check that is `unsupported`, unless the program is
    /// granted as one that only reads: the host then plans it, and nobody knows what it would have told.
    pub fn look(&self) -> Result<String> {
        untold(&self.0.program, self.text()?)
    }

    /// Runs it for what it changes, and logs its command line. In a check the host plans it instead.
    pub fn change(&self) -> Result<()> {
        judge(&self.0.program, self.perform()?).map(drop)
    }

    /// The same, however it ends.
    pub fn perform(&self) -> Result<Output> {
        let line =
            checked::clipped(&[std::slice::from_ref(&self.0.program), &self.0.args[..]].concat().join(" "), COMPLAINT);
        log::info(&format!("{}: {line}", if job::dry_run() { "would run" } else { "runs" }));
        self.run()
    }
}

/// What a program that must tell something wrote; see [`Program::look`].
pub fn untold(program: &str, text: String) -> Result<String> {
    if text.is_empty() && job::dry_run() {
        let message = format!("a check does not run `{program}`, and cannot go on without what it tells");
        return Err(
            Error::unsupported(message).hint("grant it as `read-only` for the arguments with which it only reads")
        );
    }
    Ok(text)
}

/// The output of a program that ended with a code that means something was found, and not that anything went wrong: as if
/// it had ended with 0.
#[must_use]
pub fn fine_with(output: Output, code: i32) -> Output {
    if output.status == Status::Exited(code) { Output { status: Status::Exited(0), ..output } } else { output }
}

/// The standard output of a program that did well; otherwise an error that says how it ended and what it complained of.
pub fn judge(program: &str, output: Output) -> Result<String> {
    let how = match output.status {
        Status::Exited(0) if output.truncated => "wrote more than the host's limit".to_owned(),
        Status::Exited(0) => return Ok(lossy(output.stdout)),
        Status::Exited(code) => format!("exited with {code}"),
        Status::Signalled(signal) => format!("was ended by signal {signal}"),
        Status::TimedOut => {
            let message = format!("`{program}` took longer than {} ms", output.elapsed_ms);
            return Err(Error::new(ErrorKind::TimedOut, message));
        }
    };
    Err(Error::failed(match cause(program, &lossy(output.stderr)) {
        Some(line) => format!("`{program}` {how}: {line}"),
        None => format!("`{program}` {how}"),
    }))
}

/// The last line of what a program said, clipped.
pub fn complaint(stderr: &str) -> Option<String> {
    complaints(stderr).next_back().map(|line| checked::clipped(line, COMPLAINT))
}

/// The last line that a program marked as its error, else the last one: `nft` shows the place with carets below, and `mount`
/// where else to look.
fn cause(program: &str, stderr: &str) -> Option<String> {
    let name = program.rsplit('/').next().unwrap_or(program);
    let marked = |line: &&str| {
        let mark = line.split_once(':').map_or("", |(mark, _)| mark);
        mark == name || mark == "E" || mark.eq_ignore_ascii_case("error")
    };
    complaints(stderr).rfind(marked).map(|line| checked::clipped(line, COMPLAINT)).or_else(|| complaint(stderr))
}

fn complaints(stderr: &str) -> impl DoubleEndedIterator<Item = &str> {
    stderr.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// Text out of bytes: what is not UTF-8 is shown as U+FFFD.
pub fn lossy(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(status: Status, stderr: &str) -> Output {
        Output {
            status,
            stdout: b"out\xff".to_vec(),
            stderr: stderr.as_bytes().to_vec(),
            truncated: false,
            elapsed_ms: 7,
        }
    }

    #[test]
    fn a_program_that_exits_with_0_gives_its_output() {
        assert_eq!(judge("x", ended(Status::Exited(0), "a warning")).as_deref(), Ok("out\u{fffd}"));
    }

    #[test]
    fn any_other_end_is_an_error_with_the_last_complaint() {
        let error = |status, stderr| judge("x", ended(status, stderr)).map(drop).map_err(|e| (e.kind, e.message));
        let failed = |message: &str| Err((ErrorKind::Failed, message.to_owned()));
        assert_eq!(error(Status::Exited(2), "usage\nno such host\n\n"), failed("`x` exited with 2: no such host"));
        assert_eq!(error(Status::Signalled(9), ""), failed("`x` was ended by signal 9"));
        assert_eq!(error(Status::TimedOut, ""), Err((ErrorKind::TimedOut, "`x` took longer than 7 ms".to_owned())));
    }

    #[test]
    fn what_a_program_marks_as_its_error_is_the_cause() {
        let said = |program, stderr| cause(program, stderr).unwrap();
        assert_eq!(
            said("nft", "Error: syntax error, unexpected drop\nadd rule drop\n         ^^^^\n"),
            "Error: syntax error, unexpected drop"
        );
        let mount = "mount: /mnt: special device /dev/x does not exist.\n       dmesg(1) may have more information.\n";
        assert_eq!(said("/usr/bin/mount", mount), "mount: /mnt: special device /dev/x does not exist.");
        assert_eq!(said("apt-get", "W: old\nE: Unable to lock\nW: older\n"), "E: Unable to lock");
        assert_eq!(said("ip", "RTNETLINK answers: File exists\n"), "RTNETLINK answers: File exists");
    }

    #[test]
    fn a_complaint_is_clipped() {
        assert_eq!(complaint(&"x".repeat(1 << 20)).unwrap().chars().count(), COMPLAINT + 1);
        assert_eq!(complaint("\n \n"), None);
    }

    #[test]
    fn output_that_was_cut_is_not_passed_off_as_whole() {
        let output = Output { truncated: true, ..ended(Status::Exited(0), "") };
        assert!(judge("x", output).is_err());
    }
}
