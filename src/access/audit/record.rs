//! What a line of the audit log says of a call.

use std::{net::SocketAddr, time::Duration};

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{
    ids::{Digest, HostName, MinionJobId, OverlordJobId, Serial},
    tls::Role,
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
    /// For whom the caller, a sub-overlord, says that it calls. Nobody has checked it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub says_on_behalf_of: Option<&'a str>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
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
            says_on_behalf_of: None,
            version: Some("0.1.0"),
            digest: None,
            check: false,
            denials: Vec::new(),
        }
    }

    #[test]
    fn a_call_is_one_line_of_json() {
        let serial = "1f".parse().unwrap();
        insta::assert_snapshot!(serde_json::to_string(&record(&serial)).unwrap(), @r#"{"time":"1970-01-01T00:00:00Z","caller":"boss","role":"overlord","serial":"1f","from":"127.0.0.1:7","method":"test.add","args":"[1,\"two\\n\"]","outcome":"ok","duration_ms":1.5,"version":"0.1.0"}"#);
    }

    #[test]
    fn a_reason_stays_short_whatever_a_module_says() {
        let serial = "1f".parse().unwrap();
        let long = "\u{e9}".repeat(100_000);
        let line = serde_json::to_string(&AuditRecord { error: Some(Reason(&long)), ..record(&serial) }).unwrap();
        assert!(line.contains("é…\"") && line.len() < 3000, "{}", line.len());
    }
}
