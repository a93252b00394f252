//! What a journal can say.
//!
//! Payloads are postcard. The parts that other modules own and may extend (grants, limits) are JSON
//! inside it, where a field that a later version adds has a default: a journal must stay readable over
//! an upgrade.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::frame::{Frame, TooLong};
use crate::{
    access::Grant,
    ids::{Digest, MethodName, MinionJobId, OverlordJobId},
    plugin::{Budget, Level, Limits},
    sys::clock::Moment,
    wire::{RemoteError, Secrets, Value},
};

/// The longest text of a budget, which with the end must fit into the reserve of a full disk.
const MOST_BUDGET: usize = 4 << 10;

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Record {
    /// What is to be done: always the first record.
    Call(Box<Call>),
    /// A worker is about to be made for it.
    HandOver(Moment),
    /// A worker has it; after this the call is never made again.
    Started(Started),
    /// A line of the job's log.
    Log(LogLine),
    /// How far the method has come.
    Progress(Progress),
    /// The log was full: so many lines and bytes were left out.
    LeftOut(LeftOut),
    /// What became of the job: counts once it is durable.
    Ended(Ended),
    /// The owner has been given the result.
    Acknowledged(Moment),
    /// The job has been purged; only enough is left to know its id again.
    Tombstone(Tombstone),
    /// What the call has used: just before the end.
    Budget(Box<Budget>),
    /// A record of a later version: kept, not understood.
    Foreign(u8),
}

/// The call, as it was accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: MinionJobId,
    /// The common name of the caller's certificate.
    pub(super) owner: String,
    pub(super) overlord_job: Option<OverlordJobId>,
    pub(super) method: MethodName,
    /// Its secrets are not written: see [`Secrets`].
    pub(super) args: Vec<Value>,
    /// The component that was current when the call was accepted.
    pub(super) digest: Digest,
    #[serde(with = "as_json")]
    pub(super) grant: Grant,
    pub(super) settings: BTreeMap<String, String>,
    #[serde(with = "as_json")]
    pub(super) limits: Limits,
    /// Counted from `accepted`.
    pub(super) deadline: Duration,
    pub(super) accepted: Moment,
}

impl Call {
    /// Whether it was called with a secret, which is not in the journal.
    pub(super) fn takes_secrets(&self) -> bool {
        !Secrets::of(&self.args).is_empty()
    }

    /// What makes two calls the same: method and arguments. A secret is no part of it: from a digest that
    /// covers it, it could be guessed. So a repeated call with another secret is the same job, under an id that
    /// its owner alone knows and chose for one call.
    pub(super) fn fingerprint(&self) -> Digest {
        fingerprint(&self.method, &self.args)
    }
}

/// The sha256 of a method and its arguments.
pub(super) fn fingerprint(method: &MethodName, args: &[Value]) -> Digest {
    // Every value can be written as postcard; were one not, its calls would only never be "the same".
    Digest::of(&postcard::to_stdvec(&(method, args)).unwrap_or_else(|_| MinionJobId::fresh().to_string().into_bytes()))
}

/// A worker's first record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) at: Moment,
    pub(super) pid: u32,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LogLine {
    pub(super) at: Timestamp,
    pub(super) level: Level,
    pub(super) message: String,
    pub(super) fields: Vec<(String, String)>,
}

/// How far a method has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    pub(super) done: u64,
    pub(super) total: Option<u64>,
    pub(super) note: String,
}

/// What did not fit into the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeftOut {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

/// A job's end and its time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ended {
    pub(super) at: Moment,
    pub(super) end: End,
}

/// What became of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum End {
    /// The method returned.
    Finished(Value),
    /// The method failed, or could not be called.
    Failed(RemoteError),
    /// Its deadline passed.
    TimedOut { after: Duration },
    /// Its worker died without a word, or it could never be started.
    Lost { why: String },
    /// Its owner ended it.
    Cancelled,
}

/// What is left of a purged job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tombstone {
    pub(super) owner: String,
    pub(super) fingerprint: Digest,
    pub(super) purged: Moment,
}

impl Tombstone {
    /// The mark of a job that was cancelled before it was accepted, so that nothing is known of it.
    pub(super) fn of_nothing(owner: &str, now: Moment) -> Self {
        Self { owner: owner.to_owned(), fingerprint: no_call(), purged: now }
    }

    /// Whether there never was a job.
    pub(super) fn is_of_nothing(&self) -> bool {
        self.fingerprint == no_call()
    }
}

/// The fingerprint of no call: one has a name.
fn no_call() -> Digest {
    Digest::of(b"")
}

impl Record {
    /// The record's bytes in the file.
    pub(super) fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let (kind, payload) = match self {
            Self::Call(call) => (1, postcard::to_stdvec(call)),
            Self::HandOver(at) => (2, postcard::to_stdvec(at)),
            Self::Started(started) => (3, postcard::to_stdvec(started)),
            Self::Log(line) => (4, postcard::to_stdvec(line)),
            Self::Progress(progress) => (5, postcard::to_stdvec(progress)),
            Self::LeftOut(left_out) => (6, postcard::to_stdvec(left_out)),
            Self::Ended(ended) => (7, postcard::to_stdvec(ended)),
            Self::Acknowledged(at) => (8, postcard::to_stdvec(at)),
            Self::Tombstone(tombstone) => (9, postcard::to_stdvec(tombstone)),
            // JSON, so that a figure that a later version adds has a default.
            Self::Budget(budget) => (12, postcard::to_stdvec(&budget.to_json(MOST_BUDGET))),
            Self::Foreign(kind) => (*kind, Ok(Vec::new())),
        };
        Ok(Frame { kind, payload: &payload? }.encode()?)
    }

    /// Reads a whole frame. A payload that this version cannot read is foreign.
    pub(super) fn decode(frame: Frame<'_>) -> Self {
        fn read<T: DeserializeOwned>(frame: Frame<'_>, record: impl FnOnce(T) -> Record) -> Record {
            postcard::from_bytes(frame.payload).map_or(Record::Foreign(frame.kind), record)
        }
        match frame.kind {
            1 => read(frame, |call| Self::Call(Box::new(call))),
            2 => read(frame, Self::HandOver),
            3 => read(frame, Self::Started),
            4 => read(frame, Self::Log),
            5 => read(frame, Self::Progress),
            6 => read(frame, Self::LeftOut),
            7 => read(frame, Self::Ended),
            8 => read(frame, Self::Acknowledged),
            9 => read(frame, Self::Tombstone),
            12 => {
                let budget = postcard::from_bytes::<String>(frame.payload).ok();
                let budget = budget.and_then(|text| serde_json::from_str(&text).ok());
                budget.map_or(Self::Foreign(frame.kind), |budget| Self::Budget(Box::new(budget)))
            }
            kind => Self::Foreign(kind),
        }
    }
}

/// Why a record has no bytes.
#[derive(Debug, thiserror::Error)]
pub(super) enum EncodeError {
    #[error("a record cannot be written")]
    Postcard(#[from] postcard::Error),
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// A field as JSON text inside postcard.
mod as_json {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned, ser};

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(value).map_err(ser::Error::custom)?)
    }

    pub(super) fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        serde_json::from_str(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{frame::Frames, samples},
        *,
    };

    fn read(bytes: &[u8]) -> Record {
        Record::decode(Frames::new(bytes).next().unwrap())
    }

    #[test]
    fn every_record_is_read_as_it_was_written() {
        let at = samples::moment(0);
        let tombstone = Tombstone { owner: "a".to_owned(), fingerprint: Digest::of(b""), purged: at };
        for record in [
            Record::Call(Box::new(samples::call())),
            Record::HandOver(at),
            samples::started(),
            samples::line(Level::Warn, "disk full"),
            samples::progress(5),
            Record::LeftOut(LeftOut { lines: 3, bytes: 900 }),
            samples::ended(End::Finished(Value::Array(vec![
                Value::Nil,
                Value::Double(0.5),
                Value::Bytes(vec![0, 255]),
            ]))),
            samples::ended(End::Failed(RemoteError::new("Trap", "unreachable"))),
            samples::ended(End::TimedOut { after: Duration::from_millis(1500) }),
            samples::ended(End::Lost { why: "gone".to_owned() }),
            samples::ended(End::Cancelled),
            Record::Budget(Box::new(Budget { denied: 3, ..Budget::default() })),
            Record::Acknowledged(at),
            Record::Tombstone(tombstone),
        ] {
            assert_eq!(read(&record.encode().unwrap()), record);
        }
    }

    #[test]
    fn a_record_of_a_later_version_is_kept_as_foreign() {
        assert_eq!(read(&Frame { kind: 200, payload: b"?" }.encode().unwrap()), Record::Foreign(200));
        assert_eq!(read(&Frame { kind: 3, payload: b"" }.encode().unwrap()), Record::Foreign(3));
    }

    #[test]
    fn calls_are_the_same_by_method_and_arguments() {
        let call = samples::call();
        let same = Call { id: MinionJobId::fresh(), owner: "b".to_owned(), deadline: Duration::ZERO, ..call.clone() };
        assert_eq!(same.fingerprint(), call.fingerprint());
        let other_args = Call { args: vec![Value::String("1".to_owned())], ..call.clone() };
        let other_method = Call { method: "test.sub".parse().unwrap(), ..call.clone() };
        assert_ne!(other_args.fingerprint(), call.fingerprint());
        assert_ne!(other_method.fingerprint(), call.fingerprint());
    }
}
