//! Who called what, when, and what came of it: one JSON line for every call and every denial.
//!
//! A call to a module has two: one before anything of the module runs, which is there even if the call
//! ends the daemon, and one with what came of it. The id of the call ties them.
//!
//! A line is one `write` to a file opened for appending, before the caller is answered, so lines of
//! calls that run side by side never mix, and what was answered is in the log even when the daemon is
//! killed. Rotate it with `copytruncate`. A log that cannot be written to is reported loudly, and the
//! minion serves on: an operator must be able to reach a machine whose disk is full.

use std::{
    fmt::Write as _,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{
    ids::{Digest, HostName, MinionJobId, OverlordJobId, Serial},
    tls::Role,
    wire::Value,
};

/// One call, or one attempt.
#[derive(Debug, Clone, Serialize)]
pub struct AuditRecord<'a> {
    /// When it arrived.
    pub time: Timestamp,
    /// The common name of the caller's certificate.
    pub caller: &'a str,
    /// What the certificate was issued for.
    pub role: Option<Role>,
    /// The certificate's serial number.
    pub serial: &'a Serial,
    /// Where the call came from.
    pub from: SocketAddr,
    /// Which minion was called, where one process is many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minion: Option<&'a HostName>,
    /// The method's name as it was sent, cut at 200 characters; nothing for a request that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<&'a str>,
    /// The arguments, cut short: see [`summary`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<&'a str>,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// The reason, if it did not go well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Reason<'a>>,
    /// How long it took so far.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// The call to a module, the same in its line `begun` and in the one after. It is the id by which the
    /// module knows the call, unless a job was begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<&'a MinionJobId>,
    /// The job that was begun or asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<&'a MinionJobId>,
    /// The overlord's job that the call belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlord_job: Option<&'a OverlordJobId>,
    /// The module's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    /// The digest of the module's file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Whether only a check was asked for, which changes nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
    /// What the module was denied, if it was called and has ended. A job's are in the job's log.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<AuditedDenial<'a>>,
}

/// Something that a module asked for and that no grant allows.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct AuditedDenial<'a> {
    /// The host function.
    pub call: &'a str,
    /// What was asked for.
    pub message: &'a str,
    /// The lines of the configuration that would allow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<&'a str>,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditOutcome {
    /// Nothing yet: a module is about to be called, or a job of it to be accepted.
    Begun,
    /// It ran, and returned.
    Ok,
    /// A job was accepted.
    Accepted,
    /// It ran and failed, or could not be run.
    Failed,
    /// The caller may not call.
    Denied,
    /// The request was not understood.
    Malformed,
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1e6).round() / 1e3)
}

/// Why a call did not go well, written down as its first 1,000 characters.
#[derive(Debug, Clone, Copy)]
pub struct Reason<'a>(pub &'a str);

impl Serialize for Reason<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.char_indices().nth(1000) {
            None => serializer.serialize_str(self.0),
            Some((end, _)) => serializer.serialize_str(&format!("{}…", &self.0[..end])),
        }
    }
}

/// The audit log of one minion.
#[derive(Debug)]
pub struct AuditLog {
    file: Option<File>,
    /// How many lines could not be written since the last that could.
    lost: AtomicU64,
}

impl AuditLog {
    /// Opens the log for appending, making it with mode 0600.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        Ok(Self { file: Some(file), lost: AtomicU64::new(0) })
    }

    /// A log that keeps nothing, for simulations.
    pub fn none() -> Self {
        Self { file: None, lost: AtomicU64::new(0) }
    }

    /// Writes one line.
    pub fn record(&self, record: &AuditRecord<'_>) {
        let Some(file) = &self.file else { return };
        let lost = self.lost.load(Ordering::Relaxed);
        // A write that failed half-way has left the beginning of a line.
        let mut line = if lost > 0 { b"\n".to_vec() } else { Vec::with_capacity(512) };
        let written = serde_json::to_writer(&mut line, record).map_err(io::Error::other).and_then(|()| {
            line.push(b'\n');
            let mut file = file;
            file.write_all(&line)
        });
        match written {
            Ok(()) if lost > 0 => {
                let lost = self.lost.swap(0, Ordering::Relaxed);
                tracing::error!(lost, "the audit log can be written to again; some lines are lost");
            }
            Ok(()) => {}
            Err(error) => {
                // At the first, the second, the fourth: loud, but not as loud as the traffic.
                let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
                if lost.is_power_of_two() {
                    tracing::error!(%error, lost, "cannot write to the audit log; calls are served all the same");
                }
            }
        }
    }
}

/// Arguments for the log: JSON cut off after about 300 characters, long texts after 80, bytes as their
/// number. What an operator typed is recognised; what a program sent does not fill the disk.
pub fn summary(args: &[Value]) -> String {
    let mut out = String::new();
    list(&mut out, args);
    out
}

const ARGUMENTS: usize = 300;
const TEXT: usize = 80;

fn list(out: &mut String, items: &[Value]) {
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if out.len() > ARGUMENTS {
            out.push('…');
            break;
        }
        one(out, item);
    }
    out.push(']');
}

fn one(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => shown(out, text),
        Value::Bytes(bytes) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "<{} bytes>", bytes.len());
        }
        Value::Array(items) => list(out, items),
        Value::Struct(members) => {
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                if out.len() > ARGUMENTS {
                    out.push('…');
                    break;
                }
                shown(out, key);
                out.push(':');
                one(out, value);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_json().to_string()),
    }
}

fn shown(out: &mut String, text: &str) {
    let cut: String = text.chars().take(TEXT).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    out.push_str(&serde_json::Value::from(format!("{cut}{more}")).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(serial: &Serial) -> AuditRecord<'_> {
        AuditRecord {
            time: Timestamp::UNIX_EPOCH,
            caller: "boss",
            role: Some(Role::Overlord),
            serial,
            from: ([127, 0, 0, 1], 7).into(),
            minion: None,
            method: Some("test.add"),
            args: Some(r#"[1,"two\n"]"#),
            outcome: AuditOutcome::Ok,
            error: None,
            duration: Duration::from_micros(1500),
            call: None,
            job: None,
            overlord_job: None,
            version: Some("0.1.0"),
            digest: None,
            check: false,
            denials: Vec::new(),
        }
    }

    #[test]
    fn a_call_is_one_line_of_json() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let serial = "1f".parse().unwrap();
        for _ in 0..2 {
            AuditLog::open(&path).unwrap().record(&record(&serial));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 2);
        insta::assert_snapshot!(text.lines().next().unwrap(), @r#"{"time":"1970-01-01T00:00:00Z","caller":"boss","role":"overlord","serial":"1f","from":"127.0.0.1:7","method":"test.add","args":"[1,\"two\\n\"]","outcome":"ok","duration_ms":1.5,"version":"0.1.0"}"#);
    }

    #[test]
    fn a_reason_stays_short_whatever_a_module_says() {
        let serial = "1f".parse().unwrap();
        let long = "\u{e9}".repeat(100_000);
        let line = serde_json::to_string(&AuditRecord { error: Some(Reason(&long)), ..record(&serial) }).unwrap();
        assert!(line.contains("é…\"") && line.len() < 3000, "{}", line.len());
    }

    #[test]
    fn a_full_disk_is_counted_and_survived() {
        let log = AuditLog::open(Path::new("/dev/full")).unwrap();
        let serial = "1f".parse().unwrap();
        for _ in 0..3 {
            log.record(&record(&serial));
        }
        assert_eq!(log.lost.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_summary_stays_short_whatever_is_sent() {
        let long = "x".repeat(100_000);
        let args = [Value::structure([("k", Value::from(long.as_str()))]), Value::Bytes(vec![0; 1 << 20]), Value::Nil];
        assert!(summary(&args).contains("<1048576 bytes>,null]"), "{}", summary(&args));
        let many = vec![Value::from(vec![long.as_str(); 10]); 10];
        assert!(summary(&many).len() < 1500, "{}", summary(&many).len());
    }
}
