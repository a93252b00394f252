//! Whether a log is what was written.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use super::{Head, chain::Sealed};

/// More findings than these are only counted.
const FINDINGS: usize = 100;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Checked {
    /// How many lines were read.
    pub lines: u64,
    /// The number of the first line that is kept.
    pub first: u64,
    /// The last line.
    pub last: Option<Head>,
    /// What is wrong.
    pub findings: Vec<String>,
    /// How many more findings there are.
    pub more: u64,
    /// What the log says of itself and nobody has to have a hand in: lines that were lost, a start after a crash.
    pub notes: Vec<String>,
}

/// The files of a log, the oldest first; its own is the last.
pub fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let (folder, name) = (crate::sys::durable::folder_of(path), path.file_name().unwrap_or_default().to_string_lossy());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let entry_name = entry.file_name();
        let number = entry_name.to_str().and_then(|entry| entry.strip_prefix(&*name)?.strip_prefix('.'));
        if number.is_some_and(|number| number.len() >= 12 && number.bytes().all(|byte| byte.is_ascii_digit())) {
            found.push(entry.path());
        }
    }
    found.sort();
    if path.exists() {
        found.push(path.to_owned());
    }
    Ok(found)
}

pub(super) fn head_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".head");
    name.into()
}

/// Holds all files of a log against their chain, its head file, and a head that was noted elsewhere.
pub fn verify(path: &Path, noted: Option<Head>) -> io::Result<Checked> {
    // Before the lines: a minion that runs writes on meanwhile.
    let head = match fs::read_to_string(head_path(path)) {
        Ok(text) => serde_json::from_str::<Head>(&text).ok(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let mut walk = Walk::default();
    let files = files(path)?;
    for (index, file) in files.iter().enumerate() {
        let last = index + 1 == files.len();
        let mut reader = BufReader::new(File::open(file)?);
        let (mut number, mut line) = (0, Vec::new());
        while {
            line.clear();
            reader.read_until(b'\n', &mut line)? > 0
        } {
            number += 1;
            let shown = format!("{}, line {number}", file.file_name().unwrap_or_default().to_string_lossy());
            match line.strip_suffix(b"\n") {
                Some(line) => walk.line(line, &shown, noted),
                // A minion that runs may be writing it.
                None if last => walk.checked.notes.push(format!("{shown} is not finished")),
                None => walk.find(format!("{shown} is not finished")),
            }
        }
    }
    walk.end(head, noted);
    Ok(walk.checked)
}

#[derive(Default)]
struct Walk {
    checked: Checked,
    /// The first line's number and bytes, until it is known what it follows.
    unproven: Option<(u64, Vec<u8>)>,
    noted_seen: bool,
}

impl Walk {
    fn find(&mut self, finding: String) {
        if self.checked.findings.len() < FINDINGS {
            self.checked.findings.push(finding);
        } else {
            self.checked.more += 1;
        }
    }

    fn line(&mut self, line: &[u8], shown: &str, noted: Option<Head>) {
        self.checked.lines += 1;
        let Some(sealed) = Sealed::read(line) else {
            return self.find(format!("{shown} is no line of the chain: it was altered or put in"));
        };
        let seq = sealed.head.seq;
        let json: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
        match self.checked.last {
            None => {
                self.checked.first = seq;
                if seq > 1 {
                    self.unproven = Some((seq, line.to_vec()));
                } else if !sealed.follows(&Head::beginning().hash) {
                    self.find(format!("{shown} (number {seq}) was altered"));
                }
            }
            Some(before) => {
                let told = json["missing"].as_u64().filter(|_| json["event"] == "found").unwrap_or(0);
                let expected = before.seq + 1;
                if seq != expected + told {
                    self.find(match seq.checked_sub(expected) {
                        Some(gap) if gap > told => {
                            format!("{} lines before {shown} (number {seq}) are missing", gap - told)
                        }
                        _ => format!("{shown} (number {seq}) is out of order: number {expected} was to come"),
                    });
                    if !sealed.follows(&before.hash) {
                        // Said already: it follows a line that is not here.
                        self.checked.last = Some(sealed.head);
                        self.noted_seen |= noted == Some(sealed.head);
                        return;
                    }
                } else if !sealed.follows(&before.hash) {
                    self.find(format!("{shown} (number {seq}) was altered, or the line before it"));
                }
            }
        }
        self.checked.last = Some(sealed.head);
        self.noted_seen |= noted == Some(sealed.head);
        self.event(&json, shown);
    }

    /// What a line says of the log itself.
    fn event(&mut self, json: &serde_json::Value, shown: &str) {
        let time = json["time"].as_str().unwrap_or("?").to_owned();
        match json["event"].as_str() {
            Some("removed") => {
                let last = serde_json::from_value::<Head>(json["last"].clone()).ok();
                if let (Some(last), Some((seq, line))) = (last, &self.unproven)
                    && last.seq + 1 == *seq
                    && Sealed::read(line).is_some_and(|sealed| sealed.follows(&last.hash))
                {
                    self.unproven = None;
                }
            }
            Some("lost") => {
                self.checked.notes.push(format!("{shown}: {} lines could not be written before {time}", json["lines"]));
            }
            Some("disturbed") => self.find(format!("{shown}: at {time} {}", json["found"].as_str().unwrap_or("?"))),
            Some("found") => {
                if let Some(missing) = json["missing"].as_u64().filter(|missing| *missing > 0) {
                    self.find(format!(
                        "{missing} lines were missing when the log was opened at {time}: a power cut may take the last \
                         lines, or somebody removed them"
                    ));
                } else if json["head"].is_object() {
                    self.find(format!("the last line was not the one noted when the log was opened at {time}"));
                }
                if json["headless"] == true {
                    self.find(format!("the head file was missing when the log was opened at {time}"));
                }
                if json["torn"].is_string() {
                    let note = "who wrote before had ended in the middle of a line";
                    self.checked.notes.push(format!("{shown}: {note}; what there was of it is kept in this line"));
                }
                if let Some(name) = json["unchained"].as_str() {
                    self.checked.notes.push(format!("{shown}: `{name}` is of no chain, and was put aside at {time}"));
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, head: Option<Head>, noted: Option<Head>) {
        if let Some((seq, _)) = self.unproven.take() {
            self.find(format!("the log begins with number {seq}, and nothing in it says that what came before was removed in good order"));
        }
        let last = self.checked.last.unwrap_or(Head::beginning());
        match head {
            Some(head) if head.seq > last.seq => {
                self.find(format!(
                    "the end is cut off: {} lines after number {} are missing",
                    head.seq - last.seq,
                    last.seq
                ));
            }
            Some(head) if head.seq == last.seq && head.hash != last.hash => {
                self.find(format!(
                    "the last line, number {}, is not the one that was noted when it was written",
                    last.seq
                ));
            }
            None if last.seq > 0 => {
                self.find("there is no head file: whether the end is cut off cannot be told".to_owned());
            }
            _ => {}
        }
        if let Some(noted) = noted
            && !self.noted_seen
        {
            self.find(format!("number {} of the hash that was noted is not in this log", noted.seq));
        }
    }
}
