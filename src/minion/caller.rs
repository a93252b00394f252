//! Who is calling, and what the request says besides the call.

use std::{net::SocketAddr, time::Duration};

use hyper::HeaderMap;

use crate::{
    access::{Asker, SubjectHash},
    ids::{MinionJobId, OverlordJobId},
    tls::{Chain, Peer},
    wire::{Fault, header},
};

/// The other end of a connection.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) peer: Peer,
    /// What it has shown.
    pub(super) chain: Chain,
    pub(super) from: SocketAddr,
    /// By which old ACL files name the certificate.
    pub(super) subject: Option<SubjectHash>,
}

impl Caller {
    /// As the policy sees it.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker { name: &self.peer.name, role: self.peer.role, subject: self.subject }
    }
}

/// What the headers of our own say. A stock client sends none of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Extras {
    pub(super) job_id: Option<MinionJobId>,
    pub(super) overlord_job: Option<OverlordJobId>,
    pub(super) timeout: Option<Duration>,
    /// For whom a sub-overlord says that it calls. Nothing but its word, which decides nothing.
    pub(super) on_behalf_of: Option<String>,
    /// Whether the answer is to say what the call has used.
    pub(super) budget: bool,
    /// When a digest is wanted.
    pub(super) digest: DigestTold,
}

/// When the digest of a file that is offered is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum DigestTold {
    /// With the offer, which has to wait for it.
    #[default]
    AtOnce,
    /// Behind the bytes.
    Trailing,
}

impl Extras {
    /// Reads the headers; one that is malformed is a fault, because ignoring a job id would run a job twice.
    pub(super) fn read(headers: &HeaderMap) -> Result<Self, Fault> {
        let milliseconds = |text: &str| text.parse().ok().filter(|n| *n > 0).map(Duration::from_millis);
        Ok(Self {
            job_id: one(headers, header::JOB_ID, |text| text.parse().ok())?,
            overlord_job: one(headers, header::OVERLORD_JOB, |text| text.parse().ok())?,
            timeout: one(headers, header::TIMEOUT_MS, milliseconds)?,
            on_behalf_of: one(headers, header::ON_BEHALF_OF, |text| {
                (text.len() <= header::NAMES).then(|| text.to_owned())
            })?,
            budget: one(headers, header::BUDGET, |text| (text == "1").then_some(()))?.is_some(),
            digest: one(headers, header::DIGEST, |text| (text == "trailing").then_some(DigestTold::Trailing))?
                .unwrap_or_default(),
        })
    }
}

fn one<T>(headers: &HeaderMap, name: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Fault> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(parse).filter(|_| values.next().is_none());
    parsed.map(Some).ok_or_else(|| Fault::refused(format!("the header `{name}` is malformed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_header_is_a_fault_and_not_ignored() {
        let id = MinionJobId::fresh();
        let mut headers = HeaderMap::new();
        assert!(Extras::read(&headers).unwrap().job_id.is_none());
        headers.insert(header::JOB_ID, id.as_str().parse().unwrap());
        headers.insert(header::TIMEOUT_MS, "1500".parse().unwrap());
        let extras = Extras::read(&headers).unwrap();
        assert_eq!((extras.job_id, extras.timeout), (Some(id.clone()), Some(Duration::from_millis(1500))));
        headers.append(header::JOB_ID, id.as_str().parse().unwrap());
        assert!(Extras::read(&headers).is_err(), "twice");
        for text in ["", "0", "-1", "1.5", "99999999999999999999"] {
            let headers = HeaderMap::from_iter([(
                hyper::header::HeaderName::from_static(header::TIMEOUT_MS),
                text.parse().unwrap(),
            )]);
            assert!(Extras::read(&headers).unwrap_err().message.contains(header::TIMEOUT_MS), "{text}");
        }
    }

    #[test]
    fn whatever_stands_in_the_headers_of_a_call_is_read_or_a_fault() {
        use hyper::header::{HeaderName, HeaderValue};
        let names = [
            header::JOB_ID,
            header::OVERLORD_JOB,
            header::TIMEOUT_MS,
            header::ON_BEHALF_OF,
            header::BUDGET,
            header::DIGEST,
        ];
        let id = MinionJobId::fresh();
        let seed = format!("0{id}\n21500\n3web1\n41\n5trailing");
        let words = ["0", "1", "2", "3", "4", "5", "\n", "-minion", "18446744073709551615", "\u{9}", "é", ","];
        crate::sys::fuzz::fuzz("call_headers", &[seed.as_bytes()], &words, |bytes| {
            let mut headers = HeaderMap::new();
            for line in bytes.split(|byte| *byte == b'\n') {
                let Some((which, value)) = line.split_first() else { continue };
                let name = HeaderName::from_static(names[usize::from(*which) % names.len()]);
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.append(name, value);
                }
            }
            Extras::read(&headers)
                .map(|extras| (extras.job_id.is_some(), extras.timeout.is_some(), extras.on_behalf_of.is_some()))
                .map_err(|fault| fault.message)
        });
    }
}
