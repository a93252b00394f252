//! ACL files of the original: `*.acl` in a folder, lines like `web1-1234567890 = disk.*, test.add`.
//!
//! The left side is a shell glob over the caller's common name, a dash, and the hash of the certificate's subject,
//! decimal or hexadecimal; the right side are globs over methods, between commas or blanks. `#` begins a comment
//! line. A line only allows. Files are read whole: one that cannot be read or understood spoils all, because a
//! policy with a part of its lines is not what somebody wrote.

use std::{fmt, fs, io, path::Path};

use super::{
    Asked, Asker, InvalidPattern,
    pattern::{Pattern, listed},
};

/// Why a folder of ACL files cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AclError {
    /// The folder or a file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// What cannot be read.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A line makes no sense.
    #[error("{file}, line {line}: {why}; a line is `CALLER-HASH = METHOD, METHOD`")]
    Line {
        /// The file's name.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

/// The lines of all files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Acl(Vec<AclLine>);

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct AclLine {
    file: String,
    line: usize,
    caller: Pattern,
    methods: Vec<Pattern>,
}

impl Acl {
    /// Reads every `*.acl` of a folder, by their names. A folder that is not there holds none.
    pub fn read_folder(folder: &Path) -> Result<Self, AclError> {
        let read = |path: &Path, source| AclError::Read { path: path.display().to_string(), source };
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            entries => entries.map_err(|error| read(folder, error))?,
        };
        let mut paths = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| read(folder, error))?.path();
            if path.extension().is_some_and(|extension| extension == "acl") {
                paths.push(path);
            }
        }
        paths.sort();
        let mut lines = Vec::new();
        for path in paths {
            let text = fs::read_to_string(&path).map_err(|error| read(&path, error))?;
            let file = path.file_name().unwrap_or_default().to_string_lossy();
            lines.extend(Self::parse(&file, &text)?.0);
        }
        Ok(Self(lines))
    }

    /// The lines of one file.
    pub fn parse(file: &str, text: &str) -> Result<Self, AclError> {
        let mut lines = Vec::new();
        for (index, text) in text.lines().enumerate() {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') {
                continue;
            }
            let line = index + 1;
            let refuse = |why: String| AclError::Line { file: file.to_owned(), line, why };
            let (caller, methods) = text.split_once('=').ok_or_else(|| refuse("there is no `=`".to_owned()))?;
            let pattern = |text: &str| Pattern::new(text).map_err(|error: InvalidPattern| refuse(error.to_string()));
            let methods = methods.split([',', ' ', '\t']).filter(|method| !method.is_empty());
            let methods: Vec<_> = methods.map(pattern).collect::<Result<_, _>>()?;
            if methods.is_empty() {
                return Err(refuse("it names no method".to_owned()));
            }
            lines.push(AclLine { file: file.to_owned(), line, caller: pattern(caller.trim())?, methods });
        }
        Ok(Self(lines))
    }

    pub(super) fn lines(&self) -> &[AclLine] {
        &self.0
    }
}

impl AclLine {
    pub(super) fn is_for(&self, asker: Asker<'_>) -> bool {
        let Some(subject) = asker.subject else { return false };
        subject.written(asker.name).iter().any(|written| self.caller.fits(written))
    }

    pub(super) fn fits(&self, asker: Asker<'_>, asked: &Asked<'_>) -> bool {
        self.is_for(asker) && self.methods.iter().any(|method| asked.has_name(|name| method.fits(name)))
    }
}

impl fmt::Display for AclLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}: {} = {}", self.file, self.line, self.caller, listed(&self.methods))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{MethodClass, SubjectHash};

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text: String) {
            let _ = Acl::parse("x.acl", &text);
        }
    }

    #[test]
    fn files_are_taken_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("b.acl"), "# who\n\nweb1-* = test.*,disk.usage  process.list\n").unwrap();
        fs::write(folder.path().join("a.acl"), "boss-3735928559=*\n").unwrap();
        fs::write(folder.path().join("c.acl.bak"), "junk\n").unwrap();
        let acl = Acl::read_folder(folder.path()).unwrap();
        let shown: Vec<_> = acl.lines().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["a.acl, line 1: boss-3735928559 = *", "b.acl, line 3: web1-* = test.*, disk.usage, process.list"]
        );
        fs::write(folder.path().join("c.acl"), "junk\n").unwrap();
        let error = Acl::read_folder(folder.path()).unwrap_err().to_string();
        assert!(error.starts_with("c.acl, line 1: there is no `=`"), "{error}");
        assert!(Acl::read_folder(Path::new("/no/such/folder")).unwrap().lines().is_empty());
    }

    #[test]
    fn a_hash_is_decimal_or_hexadecimal() {
        let hash = SubjectHash::for_tests(0xdead_beef);
        let asked = Asked::new("test.add", MethodClass::Other, None);
        let may = |line: &str, subject| {
            let asker = Asker { name: "web1", role: None, subject };
            Acl::parse("x.acl", line).unwrap().lines()[0].fits(asker, &asked)
        };
        for line in ["web1-3735928559 = *", "web1-deadbeef = test.*", "web1-DEADBEEF = test.add", "web?-* = *.add"] {
            assert!(may(line, Some(hash)), "{line}");
            assert!(!may(line, None), "{line}");
        }
        for line in ["web1-3735928558 = *", "web1 = *", "web2-* = *", "web1-deadbeef = disk.*"] {
            assert!(!may(line, Some(hash)), "{line}");
        }
    }
}
