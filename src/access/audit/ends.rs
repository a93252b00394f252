//! The first and the last lines of a file of the log: what a start finds, and what a removed file ended with.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::Path,
    time::SystemTime,
};

use super::{Head, chain::Sealed};

/// No line is longer.
const LONGEST: u64 = 4 << 20;

/// The end of a file of lines.
pub(super) struct Tail {
    /// Up to where lines are whole.
    pub(super) whole: u64,
    pub(super) last: Option<Vec<u8>>,
    pub(super) torn: Vec<u8>,
}

impl Tail {
    pub(super) fn read(mut file: &File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let start = length.saturating_sub(LONGEST);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let torn = bytes.split_off(whole);
        let last =
            bytes.strip_suffix(b"\n").map(|lines| lines.rsplit(|byte| *byte == b'\n').next().unwrap_or(lines).to_vec());
        Ok(Self { whole: start + whole as u64, last, torn })
    }
}

pub(super) fn last_head(path: &Path) -> Option<Head> {
    let last = Tail::read(&File::open(path).ok()?).ok()?.last?;
    Sealed::read(&last).map(|sealed| sealed.head)
}

fn first_line(path: &Path) -> Option<Vec<u8>> {
    use std::io::BufRead as _;
    let file = File::open(path).ok().filter(|file| file.metadata().is_ok_and(|meta| meta.is_file()))?;
    let mut line = Vec::new();
    io::BufReader::new(file.take(LONGEST)).read_until(b'\n', &mut line).ok()?;
    line.pop();
    Some(line)
}

pub(super) fn first_seq(path: &Path) -> Option<u64> {
    Sealed::read(&first_line(path)?).map(|sealed| sealed.head.seq)
}

pub(super) fn first_time(path: &Path) -> Option<SystemTime> {
    let line: serde_json::Value = serde_json::from_slice(&first_line(path)?).ok()?;
    let time: jiff::Timestamp = line["time"].as_str()?.parse().ok()?;
    Some(time.into())
}
