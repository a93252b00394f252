//! What files would be, in a check: the changes planned so far, by the place where each really is.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::super::{Error, ErrorKind, error};

/// Contents that one check keeps, in bytes.
const MOST: usize = 64 << 20;

/// The changes that a check has planned.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Overlay {
    planned: BTreeMap<PathBuf, Planned>,
    bytes: usize,
}

/// What would be at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Planned {
    File { contents: Vec<u8>, mode: u32, owner: Option<(u32, u32)> },
    Folder,
    Gone,
}

impl Overlay {
    pub(super) fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    pub(super) fn at(&self, place: &Path) -> Option<&Planned> {
        self.planned.get(place)
    }

    pub(super) fn put(&mut self, place: PathBuf, planned: Planned) -> Result<(), Error> {
        let size = |planned: &Planned| if let Planned::File { contents, .. } = planned { contents.len() } else { 0 };
        let freed = self.planned.get(&place).map_or(0, size);
        let bytes = self.bytes - freed + size(&planned);
        if bytes > MOST {
            return Err(error(ErrorKind::TooLarge, format!("a check keeps no more than {MOST} bytes of files"), None));
        }
        self.bytes = bytes;
        self.planned.insert(place, planned);
        Ok(())
    }

    /// What is planned for the names in a folder.
    pub(super) fn children<'a>(&'a self, folder: &'a Path) -> impl Iterator<Item = (&'a str, &'a Planned)> {
        let below = self.planned.range(folder.to_owned()..).take_while(move |(place, _)| place.starts_with(folder));
        below
            .filter(move |(place, _)| place.parent() == Some(folder))
            .filter_map(|(place, planned)| Some((place.file_name()?.to_str()?, planned)))
    }
}
