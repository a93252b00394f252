//! A gate that a job waits at until the test lets it pass, and a ledger of how often it ran.

use std::fs;
use std::path::{Path, PathBuf};

/// The files of one minion for `rogue.pass_gate`.
pub struct Gate {
    gate: PathBuf,
    ledger: PathBuf,
}

impl Gate {
    /// A closed gate and an empty ledger for the minion of this name.
    pub fn new(folder: &Path, minion: &str) -> Self {
        Self { gate: folder.join(format!("{minion}.gate")), ledger: folder.join(format!("{minion}.ledger")) }
    }

    /// What `minion.toml` needs for it.
    pub fn settings(&self) -> String {
        let (gate, ledger) = (self.gate.display(), self.ledger.display());
        format!(
            "[settings.rogue]\ngate = \"{gate}\"\nledger = \"{ledger}\"\n\
             [grants.rogue]\nread = [\"{gate}\"]\nwrite = [\"{ledger}\"]\n"
        )
    }

    /// The lines of the ledger: one for each time that the method ran.
    pub fn lines(&self) -> Vec<String> {
        fs::read_to_string(&self.ledger).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Lets everybody pass; they answer `text`.
    pub fn open(&self, text: &str) {
        let arriving = self.gate.with_extension("arriving");
        fs::write(&arriving, text).unwrap();
        fs::rename(arriving, &self.gate).unwrap();
    }
}
