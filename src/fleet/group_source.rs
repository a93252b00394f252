//! A program that tells groups: JSON on its standard output, each group with its members.
//!
//! ```json
//! {"web": ["web{1..20}", "proxy*"], "production": ["@web", "db1"]}
//! ```
//!
//! It is started without a shell, in `/`, with this user's environment, and neither it nor the way to it may be for others to
//! change: it runs as this user. It ends within its time, with all that it has started, and what it prints is bounded.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    thread,
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::{Pid, geteuid},
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    runtime,
};

use super::{GroupName, InvalidGroupName, InvalidTarget, Target};
use crate::{config::Period, sys::contain::contain};

/// No more is read of an answer.
const MOST: u64 = 4 << 20;

/// No more is read of what it says is wrong.
const MOST_SAID: u64 = 4 << 10;

/// A program that tells groups, and how it is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupSource {
    /// Its absolute path.
    pub program: PathBuf,
    /// Its arguments.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// How long it may take.
    #[serde(default = "a_while")]
    pub timeout: Period,
    /// How long its answer is used before it is asked again.
    #[serde(default = "some_minutes")]
    pub keep: Period,
}

fn a_while() -> Period {
    Period::seconds(10)
}

fn some_minutes() -> Period {
    Period::seconds(600)
}

/// Why a source told nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// It is somebody else's to change.
    #[error("`{}` {why}, so it is not run", path.display())]
    Unsafe {
        /// The program, or a folder on the way to it.
        path: PathBuf,
        /// Who may change it, or what else is wrong.
        why: &'static str,
    },
    /// It cannot be started or read.
    #[error("cannot run `{}`", path.display())]
    Run {
        /// The program.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It took too long.
    #[error("it was ended after {0}")]
    TimedOut(Period),
    /// It told too much.
    #[error("it printed more than {} MiB", MOST >> 20)]
    TooMuch,
    /// It failed.
    #[error("it ended with {status}{}", if said.is_empty() { String::new() } else { format!(" and said: {said}") })]
    Failed {
        /// How.
        status: ExitStatus,
        /// The end of what it wrote to standard error.
        said: String,
    },
    /// It told something else.
    #[error("what it printed is no JSON object of groups, each a list of members")]
    Form(#[source] serde_json::Error),
    /// A group's name is none.
    #[error("`{name}` among its groups")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        source: InvalidGroupName,
    },
    /// A member is not a target.
    #[error("the member `{member}` of the group `{group}`")]
    Member {
        /// Whose.
        group: GroupName,
        /// As it was told.
        member: String,
        /// What is wrong with it.
        source: InvalidTarget,
    },
}

impl GroupSource {
    /// Runs it to its end. Blocks for as long as it may take.
    pub(super) fn ask(&self) -> Result<BTreeMap<GroupName, Vec<Target>>, SourceError> {
        let program = safe_program(&self.program)?;
        // A runtime of its own, on a thread of its own: whoever asks may be on one already.
        let failed = |source| SourceError::Run { path: self.program.clone(), source };
        let answer = thread::scope(|scope| {
            let run = || {
                let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
                runtime.block_on(self.run(&program))
            };
            scope
                .spawn(run)
                .join()
                .unwrap_or_else(|_| Err(failed(io::Error::other("the thread that ran it broke off"))))
        })?;
        read(&answer)
    }

    async fn run(&self, program: &Path) -> Result<Vec<u8>, SourceError> {
        let failed = |source| SourceError::Run { path: self.program.clone(), source };
        let mut command = Command::new(program);
        command.args(&self.args).current_dir("/");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        contain(command.as_std_mut());
        let mut child = command.spawn().map_err(failed)?;
        let group = child.id();
        let ended = tokio::time::timeout(self.timeout.duration(), output(&mut child, &failed)).await;
        // It has not been waited for where it is ended, so its number is still its own.
        let kill = || {
            if let Some(id) = group.and_then(|id| i32::try_from(id).ok()) {
                let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
            }
        };
        let output = ended.unwrap_or(Err(SourceError::TimedOut(self.timeout)));
        let (told, said) = output.inspect_err(|_| kill())?;
        let status = child.wait().await.map_err(failed)?;
        if status.success() { Ok(told) } else { Err(SourceError::Failed { status, said: last_line(&said) }) }
    }
}

/// Both outputs to their ends.
async fn output(
    child: &mut Child,
    failed: &impl Fn(io::Error) -> SourceError,
) -> Result<(Vec<u8>, Vec<u8>), SourceError> {
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let told = async {
        let told = head(stdout.as_mut(), MOST + 1).await.map_err(failed)?;
        if told.len() as u64 > MOST { Err(SourceError::TooMuch) } else { Ok(told) }
    };
    let said = async {
        let said = head(stderr.as_mut(), MOST_SAID).await.map_err(failed)?;
        // It may have more to say than is kept, and must not be held up by that.
        if let Some(stderr) = &mut stderr {
            tokio::io::copy(stderr, &mut tokio::io::sink()).await.map_err(failed)?;
        }
        Ok(said)
    };
    tokio::try_join!(told, said)
}

async fn head(from: Option<&mut (impl AsyncRead + Unpin)>, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(most).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

fn last_line(said: &[u8]) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    line.escape_debug().take(200).collect()
}

fn read(told: &[u8]) -> Result<BTreeMap<GroupName, Vec<Target>>, SourceError> {
    let shown = |text: &str| text.escape_debug().take(80).collect::<String>();
    let groups: BTreeMap<String, Vec<String>> = serde_json::from_slice(told).map_err(SourceError::Form)?;
    let group = |(name, members): (String, Vec<String>)| {
        let group: GroupName = name.parse().map_err(|source| SourceError::Name { name: shown(&name), source })?;
        let member = |text: String| {
            text.parse().map_err(|source| SourceError::Member { group: group.clone(), member: shown(&text), source })
        };
        let members = members.into_iter().map(member).collect::<Result<Vec<Target>, _>>()?;
        Ok((group, members))
    };
    groups.into_iter().map(group).collect()
}

/// The program's file, if nobody but this user and root can put another in its place.
fn safe_program(path: &Path) -> Result<PathBuf, SourceError> {
    let refused = |path: &Path, why| SourceError::Unsafe { path: path.to_owned(), why };
    if !path.is_absolute() {
        return Err(refused(path, "is no absolute path"));
    }
    let program = path.canonicalize().map_err(|source| SourceError::Run { path: path.to_owned(), source })?;
    if !program.is_file() {
        return Err(refused(&program, "is no regular file"));
    }
    // The way as it is written, links and all, and the way that it comes to.
    for place in path.ancestors().chain(program.ancestors()) {
        let meta = fs::metadata(place).map_err(|source| SourceError::Run { path: place.to_owned(), source })?;
        if let Some(why) = for_others(&meta) {
            return Err(refused(place, why));
        }
    }
    Ok(program)
}

/// Why what a file is, or what a folder holds, may be changed by somebody else.
fn for_others(meta: &fs::Metadata) -> Option<&'static str> {
    const STICKY: u32 = 0o1000;
    if meta.uid() != 0 && meta.uid() != geteuid().as_raw() {
        return Some("belongs to another user");
    }
    let shared = meta.mode() & 0o022 != 0 && !(meta.is_dir() && meta.mode() & STICKY != 0);
    shared.then_some("can be written by others (`chmod go-w`)")
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::PermissionsExt as _,
        time::{Duration, Instant},
    };

    use super::*;

    fn source(folder: &Path, script: &str) -> GroupSource {
        let program = folder.join("source");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).unwrap();
        GroupSource { program, args: vec!["a b".into()], timeout: a_while(), keep: some_minutes() }
    }

    fn refused(script: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        crate::telemetry::chain(&source(folder.path(), script).ask().unwrap_err())
    }

    #[test]
    fn what_a_program_tells_becomes_groups() {
        let folder = tempfile::tempdir().unwrap();
        let told = source(folder.path(), r#"echo "{\"Web\": [\"web{1..3}\", \"$1;x\"], \"none\": []}""#).ask();
        // Its arguments reach it as they are: no shell is between.
        assert!(told.unwrap_err().to_string().contains("`a b;x` of the group `web`"));
        let told =
            source(folder.path(), r#"echo '{"Web": ["web{1..3}", "@db and not x"], "none": []}'"#).ask().unwrap();
        let web: GroupName = "web".parse().unwrap();
        assert_eq!((told.len(), told[&web][1].as_str()), (2, "@db and not x"));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        assert!(refused("echo '[1]'").contains("no JSON object"));
        assert!(refused(r#"echo '{"a b": []}'"#).contains("`a b` among its groups: this cannot be a group's name"));
        let failed = refused("echo first >&2; printf 'no\\033[2Jway\\n' >&2; exit 3");
        assert_eq!(failed, "it ended with exit status: 3 and said: no\\u{1b}[2Jway");
        assert!(refused("head -c 5000000 /dev/zero").contains("more than 4 MiB"));
        assert!(refused("head -c 200000 /dev/zero >&2; exit 1").contains("exit status: 1"));
    }

    #[test]
    fn one_that_hangs_is_ended_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let slow = source(folder.path(), &format!("sleep 600 & echo $! > {}; wait", pid.display()));
        let began = Instant::now();
        let ended = GroupSource { timeout: Period::seconds(1), ..slow }.ask().unwrap_err();
        assert!(matches!(ended, SourceError::TimedOut(_)) && began.elapsed() < Duration::from_mins(1));
        let child: i32 = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
        let gone = || !fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z"));
        assert!(
            (0..1000).any(|_| gone() || {
                thread::sleep(Duration::from_millis(10));
                false
            }),
            "its child is left"
        );
    }

    #[test]
    fn what_others_may_change_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let source = source(folder.path(), "echo '{}'");
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(source.ask().unwrap().is_empty());
        for (path, open, shut) in [(&*source.program, 0o722, 0o700), (folder.path(), 0o777, 0o700)] {
            mode(path, open);
            let refused = source.ask().unwrap_err().to_string();
            assert!(
                refused.contains("can be written by others") && refused.contains(path.to_str().unwrap()),
                "{refused}"
            );
            mode(path, shut);
        }
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&source.program, &link).unwrap();
        assert!(GroupSource { program: link, ..source.clone() }.ask().is_ok());
        let relative = GroupSource { program: "source".into(), ..source };
        assert!(matches!(relative.ask(), Err(SourceError::Unsafe { .. })));
    }

    #[test]
    fn whatever_a_program_prints_is_groups_or_an_error() {
        let printed = br#"{"web": ["web{1..20}", "proxy*"], "production": ["@web", "db1 and not x"]}"#;
        let words =
            ["{", "}", "[", "]", "\"", ",", ":", "@", "{1..9}", "{1..99999999999}", " and ", "(", ")", "\\ud800"];
        crate::sys::fuzz::fuzz("printed_groups", &[printed], &words, |bytes| {
            read(bytes).map(|groups| groups.len()).map_err(|error| crate::telemetry::chain(&error))
        });
    }
}
