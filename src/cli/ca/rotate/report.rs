//! How far a rotation is, for people and for programs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::json;

use super::spread::Answers;
use crate::ca::{Authority, Left, Stage, Straggler};
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::render::{self, visible};
use crate::cli::report::Report;
use crate::ids::{Digest, HostName};

/// What is known of it.
pub(super) struct RotationReport {
    stage: Stage,
    began: Option<Timestamp>,
    fingerprint: Digest,
    hosts: BTreeMap<HostName, Standing>,
    /// Others who have a certificate of the old authority alone.
    others: Vec<HostName>,
    void: usize,
    only_looks: bool,
}

/// How it stands with one host.
struct Standing {
    /// Why it would be left behind.
    left: Option<Left>,
    /// Why it has not answered.
    missing: Option<String>,
}

impl RotationReport {
    pub(super) fn of(authority: &Authority, answers: &Answers) -> Result<Self, Failure> {
        let rotation = authority.rotation();
        let stage = rotation.map_or(Stage::Settled, |rotation| rotation.stage);
        let mut left: BTreeMap<HostName, Left> = if stage == Stage::Switched {
            let stragglers = authority.stragglers(&answers.hosts).or_exit(Exit::Configuration)?;
            stragglers.into_iter().map(|Straggler { name, why }| (name, why)).collect()
        } else {
            let not_told = authority.not_told(&answers.hosts).or_exit(Exit::Configuration)?;
            not_told.into_iter().map(|name| (name, Left::Statement)).collect()
        };
        let mut hosts = BTreeMap::new();
        for name in answers.hosts.iter().filter(|_| rotation.is_some()) {
            let missing = answers.missing.get(name).cloned();
            hosts.insert(name.clone(), Standing { left: left.remove(name), missing });
        }
        Ok(Self {
            stage,
            began: rotation.map(|rotation| rotation.began),
            fingerprint: authority.fingerprint(),
            hosts,
            others: left.into_keys().collect(),
            void: 0,
            only_looks: false,
        })
    }

    /// The same, for who only looks: nothing is missing that should have been done.
    pub(super) fn status(self) -> Self {
        Self { only_looks: true, ..self }
    }

    /// The same, with so many tokens that nobody can use any more.
    pub(super) fn with_void_tokens(self, void: usize) -> Self {
        Self { void, ..self }
    }

    fn left(&self) -> Vec<HostName> {
        self.hosts.iter().filter(|(_, one)| one.left.is_some()).map(|(name, _)| name.clone()).collect()
    }

    fn next(&self) -> String {
        let left = self.left();
        match self.stage {
            Stage::Settled if left.is_empty() => "nothing is under way".to_owned(),
            Stage::Settled => "nothing: who was not told is told by the next call".to_owned(),
            Stage::Spreading => {
                let names = render::compress(&left);
                format!("func ca rotate, once {names} can be reached; or with --leave-behind, and their names")
            }
            _ if left.is_empty() && self.others.is_empty() => "func ca rotate --finish".to_owned(),
            _ if left.is_empty() => {
                "func ca issue for each of the others; then func ca rotate --finish, with --leave-behind for who may end"
                    .to_owned()
            }
            _ => {
                let names = render::compress(&left);
                format!("func ca rotate, once {names} can be reached; then func ca rotate --finish")
            }
        }
    }
}

impl Standing {
    fn told(&self) -> bool {
        self.left != Some(Left::Statement)
    }

    fn certificate(&self, stage: Stage) -> &'static str {
        match (stage, self.left) {
            (Stage::Switched, Some(_)) | (Stage::Spreading, _) => "old",
            _ => "new",
        }
    }
}

impl Report for RotationReport {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "fingerprint  {}", self.fingerprint)?;
        match self.began {
            None => return writeln!(out, "rotation     none; func ca rotate begins one"),
            Some(began) => writeln!(out, "rotation     {}, begun {began:.0}", self.stage.word())?,
        }
        let open = self.stage != Stage::Settled;
        let rows = self.hosts.iter().filter(|(_, one)| open || one.left.is_some()).map(|(name, one)| {
            let told = if one.told() { "yes" } else { "no" };
            let why = one.missing.as_deref().map(visible).unwrap_or_default();
            vec![name.to_string(), told.to_owned(), one.certificate(self.stage).to_owned(), why]
        });
        let rows: Vec<Vec<String>> = rows.collect();
        if !rows.is_empty() {
            writeln!(out, "{}", render::table(&["host", "told", "certificate", "why"], &rows, &[]))?;
        }
        if !self.others.is_empty() {
            let names = render::compress(&self.others);
            writeln!(out, "others with a certificate of the old authority alone: {names}")?;
        }
        if self.void > 0 {
            writeln!(out, "{} tokens were made before, name the old authority and let nobody in any more", self.void)?;
        }
        writeln!(out, "next: {}", self.next())
    }

    fn json(&self) -> serde_json::Value {
        let host = |(name, one): (&HostName, &Standing)| {
            let data = json!({ "told": one.told(), "certificate": one.certificate(self.stage), "why": one.missing });
            (name.to_string(), data)
        };
        json!({
            "fingerprint": self.fingerprint, "stage": self.stage.word(), "began": self.began,
            "hosts": self.hosts.iter().map(host).collect::<serde_json::Map<_, _>>(),
            "others": self.others, "void_tokens": self.void, "next": self.next(),
        })
    }

    fn exit(&self) -> Exit {
        if self.only_looks || self.left().is_empty() { Exit::Ok } else { Exit::SomeFailed }
    }
}
