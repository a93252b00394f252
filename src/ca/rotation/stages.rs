//! The moves that a stage in brackets stands for. Each can be repeated, and a crash between any two is mended by the next
//! who opens the authority.

use std::{fs, io, path::Path};

use super::{CROSS, NEXT_CERTIFICATE, NEXT_KEY, OLD_CERTIFICATE, OLD_KEY, Rotation, Stage};
use crate::{
    ca::{
        Error, audit,
        authority::{CERTIFICATE, KEY},
        lock, revoke,
    },
    sys::durable,
};

/// One move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// The present file is kept under the second name, and the third takes its place.
    Replace(&'static str, &'static str, &'static str),
    /// The file goes.
    Remove(&'static str),
    /// The revocation list of the authority of this file goes out of the others.
    DropList(&'static str),
}

/// What a stage in brackets does, in this order.
pub(super) fn moves(stage: Stage) -> &'static [Move] {
    match stage {
        Stage::Switching => {
            &[Move::Replace(KEY, OLD_KEY, NEXT_KEY), Move::Replace(CERTIFICATE, OLD_CERTIFICATE, NEXT_CERTIFICATE)]
        }
        // The certificate last: it says which list goes.
        Stage::Finishing => &[
            Move::Remove(OLD_KEY),
            Move::DropList(OLD_CERTIFICATE),
            Move::Remove(CROSS),
            Move::Remove(OLD_CERTIFICATE),
        ],
        Stage::Abandoning => &[Move::Remove(NEXT_KEY), Move::Remove(NEXT_CERTIFICATE), Move::Remove(CROSS)],
        Stage::Spreading | Stage::Switched | Stage::Settled => &[],
    }
}

impl Move {
    pub(super) fn make(self, folder: &Path) -> Result<(), Error> {
        let done = match self {
            Self::Replace(name, kept, next) => replace(folder, name, kept, next),
            Self::Remove(name) => remove(&folder.join(name)),
            Self::DropList(name) => return revoke::drop_list(folder, name),
        };
        done.and_then(|()| durable::sync_folder(folder)).map_err(|source| Error::Write { path: folder.into(), source })
    }
}

/// As long as the next file is there, the present one is the old one.
fn replace(folder: &Path, name: &str, kept: &str, next: &str) -> io::Result<()> {
    let [name, kept, next] = [name, kept, next].map(|name| folder.join(name));
    if !next.exists() {
        return Ok(());
    }
    match durable::link_new(&name, &kept) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => durable::sync_folder(folder)?,
    }
    fs::rename(next, name)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Ends what broke off. Nobody who holds the lock of the authority calls this.
pub(in crate::ca) fn settle(folder: &Path) -> Result<(), Error> {
    let passing = |rotation: &Rotation| rotation.stage != rotation.stage.settled();
    if !Rotation::load(folder)?.is_some_and(|rotation| passing(&rotation)) {
        return Ok(());
    }
    let _lock = lock::hold(&folder.join(CERTIFICATE))?;
    match Rotation::load(folder)?.filter(passing) {
        Some(rotation) => settle_locked(folder, rotation),
        None => Ok(()),
    }
}

/// The same for who holds the lock.
pub(super) fn settle_locked(folder: &Path, mut rotation: Rotation) -> Result<(), Error> {
    moves(rotation.stage).iter().try_for_each(|one| one.make(folder))?;
    let event = match rotation.stage {
        Stage::Switching => audit::Event::RotationSwitched,
        Stage::Abandoning => audit::Event::RotationAbandoned,
        _ => audit::Event::RotationFinished,
    };
    // A line too many after a crash, rather than one too few.
    audit::write(folder, &[audit::Change::new(event)])?;
    rotation.stage = rotation.stage.settled();
    rotation.save(folder)
}
