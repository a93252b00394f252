//! What the operator does: begin, switch, finish, abandon; and what stands in the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use jiff::Timestamp;
use rcgen::{KeyPair, SigningKey as _};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use super::{CROSS, NEXT_CERTIFICATE, NEXT_KEY, Rotation, Stage, Step, stages};
use crate::{
    ca::{
        Authority, Error, audit,
        authority::{CERTIFICATE, certify},
        key::{self, AtRest},
        lock, profile,
    },
    ids::{Digest, HostName},
    sys::durable,
    tls::{self, CA_FILE, CERTIFICATE_FILE, Peer, Statement, Trust, pem},
};

impl Authority {
    /// The rotation that is open, or the last one.
    pub fn rotation(&self) -> Option<&Rotation> {
        self.rotation.as_ref()
    }

    /// The statements in force; nothing if there never was a rotation.
    pub fn trust(&self) -> Result<Option<std::sync::Arc<Trust>>, Error> {
        match (&self.folder, &self.rotation) {
            (Some(folder), Some(rotation)) => rotation.trust(folder).map(Some),
            _ => Ok(None),
        }
    }

    /// Makes the next authority and the statement that names both, unless that is done.
    pub fn begin_rotation(self) -> Result<Self, Error> {
        let folder = self.folder()?.to_owned();
        let issuer = self.issuer()?;
        let _lock = lock::hold(&folder.join(CERTIFICATE))?;
        self.check_in_office()?;
        let last = Rotation::load(&folder)?;
        let Some(stage) = last.as_ref().map_or(Stage::Settled, |last| last.stage).after(Step::Begin) else {
            return self.reopened();
        };
        let own = der(&self.certificate).ok_or_else(|| damaged(&folder, CERTIFICATE))?;
        let name = successor_name(&Peer::from_certificate(&own).map_err(Error::Door)?.name);
        let (next_key, certificate) = self.next(&folder, &name)?;
        let cross = profile::cross(&name, self.ends)?.signed_by(&next_key, issuer).map_err(Error::Sign)?;
        write(&folder, CROSS, &cross.pem(), 0o644)?;
        let next = der(&certificate).ok_or_else(|| damaged(&folder, NEXT_CERTIFICATE))?;
        let statement = Statement::new(number_after(last.as_ref(), &folder)?, vec![own, next.clone()], Vec::new());
        let statement = signed(statement, &[issuer.key(), &next_key])?;
        let first = last.as_ref().map_or_else(|| self.fingerprint(), |last| last.first);
        let why = format!("next fingerprint {}", Digest::of(&next));
        audit::write(&folder, &[audit::Change::new(audit::Event::RotationBegun).why(why)])?;
        Rotation {
            stage,
            began: Timestamp::now(),
            statements: after(last.as_ref(), &folder, statement)?,
            first,
            hosts: BTreeMap::new(),
            left_behind: BTreeSet::new(),
        }
        .save(&folder)?;
        self.reopened()
    }

    /// The next authority's key and certificate: those that lie there from an attempt that broke off, or new ones.
    fn next(&self, folder: &Path, name: &str) -> Result<(KeyPair, String), Error> {
        let path = folder.join(NEXT_KEY);
        let key = if path.exists() {
            let pem = AtRest::read(&path)?.open(&path, self.passphrase.as_ref())?;
            KeyPair::from_pem(&pem).map_err(|error| Error::Damaged { path, why: error.to_string() })?
        } else {
            let key = profile::new_key()?;
            let pem = key::to_pem(&key, self.passphrase.as_ref())?;
            durable::write_new(&path, pem.as_bytes(), 0o600).map_err(|source| Error::Write { path, source })?;
            key
        };
        let path = folder.join(NEXT_CERTIFICATE);
        let fits = |text: &String| {
            let peer = der(text).and_then(|der| Peer::from_certificate(&der).ok());
            let pair = tls::Identity::from_pem(text, &key.serialize_pem(), text);
            pair.is_ok() && peer.is_some_and(|peer| peer.name == name)
        };
        if let Some(certificate) = fs::read_to_string(&path).ok().filter(fits) {
            return Ok((key, certificate));
        }
        let (_, certificate) = certify(name, &key)?;
        write(folder, NEXT_CERTIFICATE, &certificate, 0o644)?;
        Ok((key, certificate))
    }

    /// From here on the next authority signs. Every one of `hosts` must believe it, but for those that are left behind.
    pub fn switch(self, hosts: &[HostName], leave_behind: &BTreeSet<HostName>) -> Result<Self, Error> {
        let missing = self.not_told(hosts)?.into_iter().filter(|name| !leave_behind.contains(name)).collect::<Vec<_>>();
        if !missing.is_empty() {
            return Err(Error::NotTold { hosts: missing });
        }
        self.step(Step::Switch, |_, rotation| {
            rotation.left_behind.clone_from(leave_behind);
            Ok(())
        })
    }

    /// Gives the old authority up. Nobody may be left behind but those who are named.
    pub fn finish(self, hosts: &[HostName], leave_behind: &BTreeSet<HostName>) -> Result<Self, Error> {
        let stage = self.rotation.as_ref().map_or(Stage::Settled, |rotation| rotation.stage);
        if stage == Stage::Switched {
            let mut left = self.stragglers(hosts)?;
            left.retain(|straggler| !leave_behind.contains(&straggler.name));
            if !left.is_empty() {
                return Err(Error::LeftBehind { names: left.into_iter().map(|left| left.name).collect() });
            }
        }
        self.step(Step::Finish, |authority, rotation| {
            let folder = authority.folder()?;
            let own = der(&authority.certificate).ok_or_else(|| damaged(folder, CERTIFICATE))?;
            let old = authority.earlier.as_ref().and_then(|earlier| der(&earlier.certificate));
            let number = number_after(Some(rotation), folder)?;
            let statement = Statement::new(number, vec![own], old.into_iter().collect());
            rotation.statements = after(Some(rotation), folder, signed(statement, &[authority.issuer()?.key()])?)?;
            Ok(())
        })
    }

    /// Gives the next authority up, before it has signed anything.
    pub fn abandon(self) -> Result<Self, Error> {
        self.step(Step::Abandon, |authority, rotation| {
            let folder = authority.folder()?;
            let own = der(&authority.certificate).ok_or_else(|| damaged(folder, CERTIFICATE))?;
            let path = folder.join(NEXT_KEY);
            let pem = AtRest::read(&path)?.open(&path, authority.passphrase.as_ref())?;
            let next = KeyPair::from_pem(&pem).map_err(|error| Error::Damaged { path, why: error.to_string() })?;
            // Whoever has heard of the next authority listens to it alone.
            let statement = Statement::new(number_after(Some(rotation), folder)?, vec![own], Vec::new());
            let statement = signed(statement, &[authority.issuer()?.key(), &next])?;
            rotation.statements = after(Some(rotation), folder, statement)?;
            Ok(())
        })
    }

    /// Decides a step, durably, and moves the files.
    fn step(self, step: Step, decide: impl FnOnce(&Self, &mut Rotation) -> Result<(), Error>) -> Result<Self, Error> {
        let folder = self.folder()?.to_owned();
        let _lock = lock::hold(&folder.join(CERTIFICATE))?;
        self.issuer()?;
        self.check_in_office()?;
        let last = Rotation::load(&folder)?;
        let stage = last.as_ref().map_or(Stage::Settled, |last| last.stage);
        let (Some(mut rotation), Some(next)) = (last, stage.after(step)) else {
            return Err(Error::NoSuchStep { stage: stage.word() });
        };
        decide(&self, &mut rotation)?;
        rotation.stage = next;
        rotation.save(&folder)?;
        stages::settle_locked(&folder, rotation)?;
        self.reopened()
    }

    /// Makes an identity on this machine believe what the authority says now, if it believes the authority. Answers whether
    /// it does.
    pub fn tell(&self, folder: &Path) -> Result<bool, Error> {
        let (Some(trust), path) = (self.trust()?, folder.join(CA_FILE)) else { return Ok(false) };
        let Ok(text) = fs::read(&path) else { return Ok(false) };
        let _lock = lock::hold(&folder.join(CERTIFICATE_FILE))?;
        let Ok(there) = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>() else { return Ok(false) };
        let ours: BTreeSet<Digest> = self.generations(&trust);
        let (own, others): (Vec<_>, Vec<_>) = there.into_iter().partition(|der| ours.contains(&Digest::of(der)));
        if own.is_empty() {
            return Ok(false);
        }
        let others: String = others.iter().map(|der| pem("CERTIFICATE", der)).collect();
        let file = format!("{others}{}", trust.to_file());
        if file.as_bytes() != text {
            write(folder, CA_FILE, &file, 0o644)?;
        }
        Ok(true)
    }

    /// Every authority of ours that a folder may believe.
    fn generations(&self, trust: &Trust) -> BTreeSet<Digest> {
        let named = trust.statements().iter().flat_map(Statement::authorities).map(|der| Digest::of(der));
        named.chain([self.fingerprint()]).collect()
    }
}

/// `Func CA` is followed by `Func CA 2`: lists and certificates name their issuer, so no two may have one name.
fn successor_name(name: &str) -> String {
    let numbered = name.rsplit_once(' ').and_then(|(base, number)| Some((base, number.parse::<u32>().ok()?)));
    match numbered {
        Some((base, number)) => format!("{base} {}", number.saturating_add(1)),
        None => format!("{name} 2"),
    }
}

/// The clock may have been turned back; the number must not.
fn number_after(last: Option<&Rotation>, folder: &Path) -> Result<u64, Error> {
    let last = last.map_or(Ok(0), |last| last.trust(folder).map(|trust| trust.number()))?;
    Ok(u64::try_from(Timestamp::now().as_second()).unwrap_or_default().max(last.saturating_add(1)))
}

/// The text with one more statement.
fn after(last: Option<&Rotation>, folder: &Path, statement: Statement) -> Result<String, Error> {
    let earlier = last.map(|last| last.trust(folder)).transpose()?;
    let earlier = earlier.as_ref().map_or(&[][..], |trust| trust.statements());
    Ok(Trust::of(earlier, statement).to_pem())
}

fn signed(statement: Statement, keys: &[&KeyPair]) -> Result<Statement, Error> {
    let message = statement.message();
    keys.iter().try_fold(statement, |statement, key| Ok(statement.signed(key.sign(&message).map_err(Error::Sign)?)))
}

fn der(pem: &str) -> Option<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).ok()
}

fn damaged(folder: &Path, name: &str) -> Error {
    Error::Damaged { path: folder.join(name), why: "it holds no certificate in PEM form".to_owned() }
}

fn write(folder: &Path, name: &str, text: &str, mode: u32) -> Result<(), Error> {
    let path = folder.join(name);
    durable::write_atomic(&path, text.as_bytes(), mode).map_err(|source| Error::Write { path, source })
}
