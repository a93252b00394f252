//! A blob that is taken out of the folder.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::Blob;

/// A whole blob that belongs to whoever holds this.
#[derive(Debug)]
pub struct Taken {
    /// The file, open for reading.
    pub file: File,
    /// Where it is; rename it away, or it is removed.
    pub path: PathBuf,
    back: PathBuf,
}

impl Taken {
    /// Takes a whole blob out of `folder`; nothing if it is not there whole.
    pub(super) fn out_of(folder: &Path, blob: &Blob) -> io::Result<Option<Self>> {
        let path = blob.whole(folder);
        // Of two who want it one gets it.
        let mine = folder.join(format!("{}.taken", uuid::Uuid::now_v7().simple()));
        match fs::rename(&path, &mine) {
            Ok(()) => Ok(Some(Self { file: File::open(&mine)?, path: mine, back: path })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leaves it staged after all, for another attempt.
    pub fn put_back(self) {
        let _ = fs::rename(&self.path, &self.back);
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
