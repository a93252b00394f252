//! What is in a folder, for whoever fetches it: its files and folders, and what cannot be fetched, each by its name.
//!
//! Nothing is told of what the grant does not cover. Whoever fetches takes what is listed for everything, so whatever else the
//! grant covers is told with the reason why it is not among it.

use std::{
    ffi::OsStr,
    fs, io,
    os::{
        fd::AsRawFd,
        unix::{ffi::OsStrExt, fs::FileTypeExt},
    },
};

use nix::{fcntl::OFlag, sys::stat::SFlag};

use super::{
    super::{
        Error, ErrorKind,
        denial::{Right, failed, shown},
        error,
    },
    reach::kind_of,
    whole::{FileError, FileFacts, HostFiles},
};

/// As deep as a folder is looked into.
const DEEPEST: usize = 64;

/// A file, or a folder with what is in it.
#[derive(Debug, Default)]
pub struct Tree {
    /// What can be fetched, folders before what is in them.
    pub found: Vec<FileFacts>,
    /// What cannot.
    pub left_out: Vec<LeftOut>,
}

/// Something in a folder that cannot be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its path from the folder. Bytes that are not UTF-8, and control characters, are escaped.
    pub path: String,
    /// Why not.
    pub why: String,
    /// Whether it is a file or a folder, and so missing where the others are taken for everything.
    pub missing: bool,
}

impl HostFiles {
    /// A file, or a folder with what is in it, of which there may be so much.
    pub fn tree(&self, path: &str, most: usize) -> Result<Tree, FileError> {
        let reached = self.access.reach(path)?;
        let stat = reached.stat().map_err(|source| failed(path, &source))?;
        let mut walk = Walk { files: self, root: path, most, tree: Tree::default() };
        walk.tree.found.push(FileFacts::of(String::new(), &stat));
        if kind_of(&stat) == SFlag::S_IFDIR {
            walk.descend("", 0)?;
        }
        Ok(walk.tree)
    }
}

struct Walk<'a> {
    files: &'a HostFiles,
    root: &'a str,
    most: usize,
    tree: Tree,
}

impl Walk<'_> {
    fn descend(&mut self, below: &str, depth: usize) -> Result<(), Error> {
        let access = &self.files.access;
        let path = joined(self.root, below);
        let wrong = |source: io::Error| failed(&path, &source);
        let reached = access.reach(&path)?;
        let folder = reached.reopen(OFlag::O_RDONLY | OFlag::O_DIRECTORY).map_err(wrong)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd())).map_err(wrong)? {
            let entry = entry.map_err(wrong)?;
            let kind = entry.file_type().map_err(wrong)?;
            let name = entry.file_name();
            match (no_file(kind), name.to_str()) {
                (None, Some(name)) => names.push(name.to_owned()),
                _ if !access.covers(Right::Read, &reached.real.join(&name)) => {}
                (what, _) => {
                    let why = what.map_or("its name is not UTF-8".to_owned(), |what| format!("it is {what}"));
                    self.leave_out(joined(below, &escaped(&name)), why, what.is_none())?;
                }
            }
        }
        names.sort();
        for name in names {
            self.enter(&joined(below, &name), depth)?;
        }
        Ok(())
    }

    /// Takes in what is there. It is reached and judged anew: it may have become something else meanwhile.
    fn enter(&mut self, inside: &str, depth: usize) -> Result<(), Error> {
        let reached = match self.files.access.reach(&joined(self.root, inside)) {
            Ok(reached) => reached,
            Err(Error { kind: ErrorKind::Denied | ErrorKind::NotFound, .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let stat = reached.stat().map_err(|source| failed(inside, &source))?;
        match kind_of(&stat) {
            SFlag::S_IFREG => self.take(FileFacts::of(inside.to_owned(), &stat)),
            SFlag::S_IFDIR if depth == DEEPEST => {
                self.leave_out(escaped(OsStr::new(inside)), "it is too deep in the directory".to_owned(), true)
            }
            SFlag::S_IFDIR => {
                self.take(FileFacts::of(inside.to_owned(), &stat))?;
                match self.descend(inside, depth + 1) {
                    Err(Error { kind: ErrorKind::Failed, message, .. }) => {
                        self.leave_out(escaped(OsStr::new(inside)), message, true)
                    }
                    other => other,
                }
            }
            _ => Ok(()),
        }
    }

    fn take(&mut self, facts: FileFacts) -> Result<(), Error> {
        self.has_room()?;
        self.tree.found.push(facts);
        Ok(())
    }

    fn leave_out(&mut self, path: String, why: String, missing: bool) -> Result<(), Error> {
        self.has_room()?;
        self.tree.left_out.push(LeftOut { path, why, missing });
        Ok(())
    }

    fn has_room(&self) -> Result<(), Error> {
        if self.tree.found.len() + self.tree.left_out.len() < self.most {
            return Ok(());
        }
        let message = format!("there is more in `{}` than {} files and directories", shown(self.root), self.most);
        Err(error(ErrorKind::TooLarge, message, None))
    }
}

/// What it is that is neither a file nor a folder.
fn no_file(kind: fs::FileType) -> Option<&'static str> {
    match kind {
        kind if kind.is_file() || kind.is_dir() => None,
        kind if kind.is_symlink() => Some("a symbolic link"),
        kind if kind.is_socket() => Some("a socket"),
        kind if kind.is_fifo() => Some("a pipe"),
        _ => Some("a device"),
    }
}

fn joined(folder: &str, name: &str) -> String {
    match (folder, name) {
        ("", name) => name.to_owned(),
        (folder, "") => folder.to_owned(),
        (folder, name) => format!("{}/{name}", folder.trim_end_matches('/')),
    }
}

/// A name as text in which each byte that is no part of a plain text is visible.
fn escaped(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() { text.extend(c.escape_default()) } else { text.push(c) }
        }
        text.extend(chunk.invalid().iter().flat_map(|byte| format!("\\x{byte:02x}").into_bytes()).map(char::from));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_told_with_what_is_odd_about_it() {
        for (name, told) in
            [(&b"a b"[..], "a b"), (b"\xc3\xa9", "é"), (b"a\xffb", "a\\xffb"), (b"a\n\x1b", "a\\n\\u{1b}")]
        {
            assert_eq!(escaped(OsStr::from_bytes(name)), told);
        }
    }
}
