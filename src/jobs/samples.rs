//! Made-up calls and times for this module's tests.

use std::{collections::BTreeMap, fs, io, path::Path, time::Duration};

use super::{
    birth::{self, Birth},
    journal::Journal,
    record::{Call, End, Ended, LogLine, Progress, Record, Started},
};
use crate::{
    access::Grant,
    ids::{Digest, MinionJobId},
    plugin::{Level, Limits},
    sys::clock::{BootId, Moment},
    wire::Value,
};

/// Now, moved by some seconds.
pub(super) fn moment(seconds: i64) -> Moment {
    let now = BootId::current().now();
    let offset = jiff::SignedDuration::from_secs(seconds);
    let since_boot = jiff::SignedDuration::try_from(now.since_boot).unwrap() + offset;
    Moment {
        boot: now.boot,
        since_boot: Duration::try_from(since_boot).unwrap_or_default(),
        wall: now.wall.checked_add(offset).unwrap(),
    }
}

/// A call that was just accepted and has an hour.
pub(super) fn call() -> Call {
    Call {
        id: MinionJobId::fresh(),
        owner: "overlord".to_owned(),
        overlord_job: Some("web_1-test-add-1700000000".parse().unwrap()),
        method: "test.add".parse().unwrap(),
        args: vec![
            Value::Int(1),
            Value::structure([("when", Value::DateTime("2007-09-01T12:00:00".parse().unwrap()))]),
        ],
        digest: Digest::of(b"component"),
        grant: serde_json::from_str::<Grant>(r#"{"read": ["/proc/**"], "run": ["/bin/df"]}"#).unwrap(),
        settings: BTreeMap::from([("depth".to_owned(), "3".to_owned())]),
        limits: Limits::default(),
        deadline: Duration::from_hours(1),
        accepted: moment(0),
    }
}

pub(super) fn started() -> Record {
    Record::Started(Started { at: moment(0), pid: 4711 })
}

pub(super) fn ended(end: End) -> Record {
    Record::Ended(Ended { at: moment(0), end })
}

pub(super) fn line(level: Level, message: &str) -> Record {
    let fields = vec![("key".to_owned(), "value".to_owned())];
    Record::Log(LogLine { at: moment(0).wall, level, message: message.to_owned(), fields })
}

pub(super) fn progress(done: u64) -> Record {
    Record::Progress(Progress { done, total: Some(10), note: "half way".to_owned() })
}

/// The writer of a new job's file.
pub(super) fn born(folder: &Path, call: Call) -> Journal {
    match birth::create(folder, call, drop).unwrap() {
        Birth::New(journal) => journal,
        Birth::Taken => panic!("the id is taken"),
    }
}

/// A job's file with these records behind the call, whose writer is gone.
pub(super) fn left_behind(folder: &Path, call: Call, records: &[Record]) -> MinionJobId {
    let id = call.id.clone();
    let mut journal = born(folder, call);
    for record in records {
        journal.append_durably(record).unwrap();
    }
    id
}

/// Appends bytes to a job's file as a crash in the middle of a write does.
pub(super) fn tear(path: &Path, record: &Record, cut: usize) -> io::Result<()> {
    let bytes = record.encode().map_err(io::Error::other)?;
    let mut content = fs::read(path)?;
    content.extend_from_slice(&bytes[..bytes.len() - cut]);
    fs::write(path, content)
}
