//! A job's log, as callers see it.
//!
//! Methods log lines with a level. The protocol of old knows two outputs instead, so `tail_output`
//! shows warnings and errors as the standard error, everything else as the standard output; what a
//! module prints is logged as `info` and `warn` to begin with, and so lands where it was printed to.

use std::fmt::Write;

use super::{history::History, record::LogLine};
use crate::plugin::Level;

/// How many lines of each output `tail_output` shows.
const TAIL_LINES: usize = 50;
/// How much of the log is given out at a time.
const PIECE_MAX: usize = 64 << 10;

/// A piece of a job's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPiece {
    /// The text from the offset that was asked for.
    pub bytes: Vec<u8>,
    /// The offset of what follows.
    pub next: u64,
    /// Whether nothing will ever follow: the job has ended, and this reaches its log's end.
    pub ended: bool,
}

/// The last lines of what counts as standard output, and as standard error.
pub(super) fn tails(history: &History) -> (String, String) {
    let tail = |wanted: fn(Level) -> bool| {
        let text: Vec<String> = history.log.iter().filter(|line| wanted(line.level)).map(text).collect();
        // One record may hold several lines.
        let lines: Vec<&str> = text.iter().flat_map(|text| text.lines()).collect();
        let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        tail.iter().fold(String::new(), |tail, line| tail + line + "\n")
    };
    (tail(|level| level < Level::Warn), tail(|level| level >= Level::Warn))
}

/// The whole log from an offset in its text, in pieces.
pub(super) fn piece(history: &History, offset: u64, ended: bool) -> LogPiece {
    let mut whole = history.log.iter().fold(String::new(), |mut whole, line| {
        let _ = writeln!(whole, "{} {:5} {}", line.at, line.level.as_str(), text(line));
        whole
    });
    if history.left_out.lines > 0 {
        let _ = writeln!(whole, "({} more lines, {} bytes, left out)", history.left_out.lines, history.left_out.bytes);
    }
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(whole.len());
    let end = whole.len().min(start + PIECE_MAX);
    LogPiece { bytes: whole.as_bytes()[start..end].to_vec(), next: end as u64, ended: ended && end == whole.len() }
}

fn text(line: &LogLine) -> String {
    line.fields.iter().fold(line.message.clone(), |mut text, (key, value)| {
        // Several lines are there to be copied.
        let _ = if value.contains('\n') { write!(text, " {key}:\n{value}") } else { write!(text, " {key}={value}") };
        text
    })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            record::{LeftOut, Record},
            samples,
        },
        *,
    };

    fn history(records: impl IntoIterator<Item = Record>) -> History {
        let mut history = History::default();
        records.into_iter().for_each(|record| history.add(record));
        history
    }

    #[test]
    fn warnings_and_errors_are_the_standard_error() {
        let levels = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
        let history = history(levels.map(|level| samples::line(level, level.as_str())));
        let (out, err) = tails(&history);
        assert_eq!(out, "trace key=value\ndebug key=value\ninfo key=value\n");
        assert_eq!(err, "warn key=value\nerror key=value\n");
    }

    #[test]
    fn a_tail_has_fifty_lines() {
        let history = history((0..40).map(|n| samples::line(Level::Info, &format!("{n} a\n{n} b"))));
        let (out, err) = tails(&history);
        assert_eq!(out.lines().count(), 50);
        assert!(out.starts_with("15 a\n"), "{out}");
        assert!(err.is_empty());
    }

    #[test]
    fn pieces_put_together_are_the_whole_log() {
        let mut records: Vec<Record> = (0..3000).map(|n| samples::line(Level::Info, &format!("line {n}"))).collect();
        records.push(Record::LeftOut(LeftOut { lines: 7, bytes: 70 }));
        let history = history(records);
        let (mut whole, mut offset, mut pieces) = (Vec::new(), 0, 0);
        loop {
            let piece = piece(&history, offset, true);
            whole.extend_from_slice(&piece.bytes);
            (offset, pieces) = (piece.next, pieces + 1);
            if piece.ended {
                break;
            }
        }
        let text = String::from_utf8(whole).unwrap();
        assert!(pieces > 1);
        assert_eq!(text.lines().count(), 3001);
        assert!(text.ends_with("(7 more lines, 70 bytes, left out)\n"));
        assert!(!piece(&history, offset, false).ended);
        assert_eq!(piece(&history, u64::MAX, true).next, offset);
    }
}
