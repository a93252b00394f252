//! A journal's records, read from the first to the last.

use super::{
    frame::Frames,
    record::{Call, Ended, LeftOut, LogLine, Progress, Record, Started, Tombstone},
};
use crate::{plugin::Budget, sys::clock::Moment};

/// What a journal says, summed up.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct History {
    /// What is to be done.
    pub(super) call: Option<Box<Call>>,
    /// How often a worker was about to be made for it.
    pub(super) hand_overs: u32,
    /// The worker that has, or had, it.
    pub(super) started: Option<Started>,
    /// The job's log.
    pub(super) log: Vec<LogLine>,
    /// What did not fit into the log.
    pub(super) left_out: LeftOut,
    /// The last progress.
    pub(super) progress: Option<Progress>,
    /// What the call has used.
    pub(super) budget: Option<Box<Budget>>,
    /// What became of the job.
    pub(super) ended: Option<Ended>,
    /// When its owner was given the result.
    pub(super) fetched: Option<Moment>,
    /// Set when the job has been purged.
    pub(super) tombstone: Option<Tombstone>,
    /// Where the last whole record ends.
    pub(super) whole: u64,
}

impl History {
    /// Reads a journal. Never fails: what is not a whole record is as good as not written.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let mut history = Self::default();
        let mut frames = Frames::new(bytes);
        for frame in frames.by_ref() {
            history.add(Record::decode(frame));
        }
        history.whole = frames.end() as u64;
        history
    }

    /// Takes one more record into account. Of two calls, starts or ends the first counts.
    pub(super) fn add(&mut self, record: Record) {
        match record {
            Record::Call(call) => drop(self.call.get_or_insert(call)),
            Record::HandOver(_) => self.hand_overs += 1,
            Record::Started(started) => drop(self.started.get_or_insert(started)),
            Record::Log(line) => self.log.push(line),
            Record::Progress(progress) => self.progress = Some(progress),
            Record::LeftOut(left_out) => self.left_out = left_out,
            Record::Ended(ended) => drop(self.ended.get_or_insert(ended)),
            Record::Acknowledged(at) => self.fetched = Some(at),
            Record::Tombstone(tombstone) => self.tombstone = Some(tombstone),
            Record::Budget(budget) => drop(self.budget.get_or_insert(budget)),
            Record::Foreign(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{record::End, samples},
        *,
    };
    use crate::{plugin::Level, wire::Value};

    fn journal() -> (Vec<u8>, Vec<usize>) {
        let records = [
            Record::Call(Box::new(samples::call())),
            Record::HandOver(samples::moment(0)),
            samples::started(),
            samples::line(Level::Info, "one"),
            samples::progress(5),
            samples::ended(End::Finished(Value::Int(3))),
            Record::Acknowledged(samples::moment(1)),
        ];
        let mut ends = vec![0];
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend(record.encode().unwrap());
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn any_bytes_are_read_as_some_journal() {
        use super::super::frame::Frame;
        let (bytes, _) = journal();
        crate::sys::fuzz::fuzz("journals", &[&bytes], &["\u{1}", "\u{3}", "func", "\u{0}\u{0}\u{0}"], |bytes| {
            let history = History::read(bytes);
            assert!(history.whole <= bytes.len() as u64);
            (history.call.is_some(), history.started.is_some(), history.ended.is_some(), history.hand_overs)
        });
        // Behind the checksum, which hardly any change survives.
        let payloads: Vec<Vec<u8>> =
            Frames::new(&bytes).map(|frame| [&[frame.kind][..], frame.payload].concat()).collect();
        let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
        crate::sys::fuzz::fuzz("records", &payloads, &["\u{1}", "\u{3}", "\u{7f}\u{7f}\u{7f}\u{7f}"], |bytes| {
            let Some((kind, payload)) = bytes.split_first() else { return String::new() };
            let mut history = History::default();
            history.add(Record::decode(Frame { kind: *kind, payload }));
            // Digits do not tell kinds of answers apart.
            let kind = char::from(b'a' + kind % 16);
            format!("{kind} {} {:?}", history.call.is_some(), history.ended.is_some())
        });
    }

    #[test]
    fn a_whole_journal_tells_all() {
        let (bytes, _) = journal();
        let history = History::read(&bytes);
        assert_eq!(history.whole, bytes.len() as u64);
        assert_eq!(history.hand_overs, 1);
        assert_eq!(history.started.unwrap().pid, 4711);
        assert_eq!(history.log.len(), 1);
        assert_eq!(history.progress.as_ref().unwrap().done, 5);
        assert_eq!(history.ended.as_ref().unwrap().end, End::Finished(Value::Int(3)));
        assert!(history.fetched.is_some());
    }

    #[test]
    fn the_first_end_counts() {
        let mut history = History::default();
        history.add(samples::ended(End::Finished(Value::Nil)));
        history.add(samples::ended(End::Cancelled));
        assert_eq!(history.ended.unwrap().end, End::Finished(Value::Nil));
    }

    #[test]
    fn at_every_cut_the_whole_records_before_it_are_there() {
        let (bytes, ends) = journal();
        for cut in 0..=bytes.len() {
            let whole = ends.iter().rev().find(|&&end| end <= cut).unwrap();
            assert_eq!(History::read(&bytes[..cut]), History::read(&bytes[..*whole]));
        }
    }

    proptest! {
        #[test]
        fn damage_never_invents_a_result(bit in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>()) {
            let (mut bytes, ends) = journal();
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes.truncate(cut.index(bytes.len() + 1));
            let history = History::read(&bytes);
            let undamaged = ends.iter().rev().find(|&&end| end <= bytes.len().min(bit / 8)).unwrap();
            prop_assert_eq!(history.whole, *undamaged as u64);
        }
    }
}
