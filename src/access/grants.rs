//! What the operator allows each module to touch.
//!
//! A module only *asks*; these tables of the minion's configuration *grant*. Nothing is granted by
//! default, and everything a module does to its host is checked against them at the moment of the
//! call:
//!
//! ```toml
//! [grants.disk]
//! run = ["/bin/df", "lsblk"]
//! read = ["/proc/mounts", "/sys/block/**"]
//! write = []
//! ```
//!
//! The table is named after the module, by its short name or in full (`[grants."acme:disk/disk"]`).
//! Paths are absolute and may be globs: `*` stays inside one folder, `**` does not, and `/srv/**`
//! covers `/srv` itself. A program is an absolute path, or a bare name that is looked up on a fixed
//! search path (never on that of a caller or of the daemon).
//!
//! A program that changes nothing may be granted as `{ program = "df", read-only = true }`: then a check of
//! a call (see `plugin`) runs it, where it only notes others.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use crate::ids::ModuleName;

/// The grants of every module, as the minion's configuration lists them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(BTreeMap<ModuleName, Grant>);

impl Grants {
    /// What a module may do: the table under its short name together with the one under its full
    /// name.
    pub fn for_module(&self, short: &ModuleName, full: &ModuleName) -> Grant {
        let mut grant = self.0.get(short).cloned().unwrap_or_default();
        if short != full
            && let Some(more) = self.0.get(full)
        {
            grant.extend(more.clone());
        }
        grant
    }

    /// Adds to what a module may do.
    pub fn grant(&mut self, module: ModuleName, more: Grant) {
        self.0.entry(module).or_default().extend(more);
    }

    /// The modules that have a table.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleName> {
        self.0.keys()
    }
}

/// What one module may do. The default is nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grant {
    /// Programs it may run.
    pub run: Vec<CommandGrant>,
    /// Files and folders it may read.
    pub read: Vec<PathGrant>,
    /// Files and folders it may create, change or remove. Writing does not include reading.
    pub write: Vec<PathGrant>,
}

impl Grant {
    /// Whether `path`, which is absolute and free of symbolic links, may be read. `resolve` makes such
    /// a path of one that a grant names.
    pub fn may_read(&self, path: &Path, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        self.read.iter().any(|grant| grant.leads_to(path, &resolve))
    }

    /// Whether `path`, which is absolute and free of symbolic links, may be written.
    pub fn may_write(&self, path: &Path, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        self.write.iter().any(|grant| grant.leads_to(path, &resolve))
    }

    /// Whether the program at `location` may be run; see [`CommandGrant::covers`].
    pub fn may_run(&self, location: &Path, on_path: bool, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        self.run.iter().any(|grant| grant.covers(location, on_path, &resolve))
    }

    /// Whether a grant that covers the program says that it only reads.
    pub fn only_reads(&self, location: &Path, on_path: bool, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        self.run.iter().any(|grant| grant.read_only && grant.covers(location, on_path, &resolve))
    }

    /// Whether any program of this name, wherever it is, might be run: false means that no look at the
    /// disk could make it so.
    pub fn might_run(&self, name: &OsStr) -> bool {
        self.run.iter().any(|grant| grant.might_cover(name))
    }

    fn extend(&mut self, more: Self) {
        self.run.extend(more.run);
        self.read.extend(more.read);
        self.write.extend(more.write);
    }
}

/// A text in a table of grants that grants nothing sensible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` cannot be granted: {why}")]
pub struct InvalidGrant {
    text: String,
    why: String,
}

impl InvalidGrant {
    fn new(text: &str, why: impl Into<String>) -> Self {
        Self { text: text.to_owned(), why: why.into() }
    }
}

/// Files and folders: an absolute path or a glob over absolute paths.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PathGrant {
    text: String,
    /// Nothing for a plain path, which is compared as it stands.
    glob: Option<GlobMatcher>,
}

impl PathGrant {
    /// Whether this grant covers `path`, compared without looking at the disk.
    pub fn covers(&self, path: &Path) -> bool {
        let itself = self.text.strip_suffix("/**").unwrap_or(&self.text);
        path == Path::new(itself) || self.glob.as_ref().is_some_and(|glob| glob.is_match(path))
    }

    /// Whether this grant covers `path`, which is free of symbolic links, although it may be written
    /// with some: `/proc/mounts` is `/proc/self/mounts`, and what `/bin/*` covers is in `/usr/bin`.
    fn leads_to(&self, path: &Path, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        if self.covers(path) {
            return true;
        }
        let fixed = fixed_part(&self.text, self.glob.is_some());
        let Some(real) = resolve(fixed) else { return false };
        match (&self.glob, path.strip_prefix(&real)) {
            (None, _) => path == real,
            (Some(_), Ok(rest)) => {
                self.covers(&if rest.as_os_str().is_empty() { fixed.to_owned() } else { fixed.join(rest) })
            }
            (Some(_), Err(_)) => false,
        }
    }

    /// The text as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl TryFrom<String> for PathGrant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        if !text.starts_with('/') {
            return Err(InvalidGrant::new(&text, "a path begins with `/`"));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(InvalidGrant::new(&text, "`..` has no place in a grant"));
        }
        let glob = compile(&text)?;
        Ok(Self { text, glob })
    }
}

impl From<PathGrant> for String {
    fn from(grant: PathGrant) -> Self {
        grant.text
    }
}

impl PartialEq for PathGrant {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// A program: an absolute path, a bare name, or a glob over either.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "WrittenCommand", into = "WrittenCommand")]
pub struct CommandGrant {
    text: String,
    glob: Option<GlobMatcher>,
    /// Whether the operator says that it changes nothing.
    read_only: bool,
}

/// A program as the operator writes it: its name, or a table for whatever more there is to say.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a program's name or a table with its name as `program`")]
enum WrittenCommand {
    Plain(String),
    Table(CommandTable),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CommandTable {
    program: String,
    #[serde(default)]
    read_only: bool,
}

impl CommandGrant {
    /// Whether this grant covers a program.
    ///
    /// `location` is where it is: the folder free of symbolic links, the file's own name kept (on
    /// systems where one program answers to many names, the name is what was granted). `on_path`
    /// says that the program is what its bare name means on the fixed search path; `resolve` turns
    /// the path of a grant into such a location.
    pub fn covers(&self, location: &Path, on_path: bool, resolve: impl Fn(&Path) -> Option<PathBuf>) -> bool {
        if self.is_bare() {
            return on_path && location.file_name().is_some_and(|name| self.matches(Path::new(name)));
        }
        if self.matches(location) {
            return true;
        }
        if self.glob.is_none() {
            return resolve(Path::new(&self.text)).is_some_and(|granted| granted == location);
        }
        // The folders before the pattern may be written with links: any name in them tells where they are.
        let fixed = fixed_part(&self.text, true);
        let real = resolve(&fixed.join("x")).and_then(|inside| Some(inside.parent()?.to_owned()));
        real.and_then(|real| location.strip_prefix(real).ok().map(|rest| fixed.join(rest)))
            .is_some_and(|written| self.matches(&written))
    }

    /// Whether this grant covers a program of this name anywhere. A pattern of paths may.
    fn might_cover(&self, name: &OsStr) -> bool {
        match (self.is_bare(), &self.glob) {
            (true, _) => self.matches(Path::new(name)),
            (false, None) => Path::new(&self.text).file_name() == Some(name),
            (false, Some(_)) => true,
        }
    }

    /// Whether this is a name to look up rather than a path.
    pub fn is_bare(&self) -> bool {
        !self.text.starts_with('/')
    }

    /// The text as the operator wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn matches(&self, path: &Path) -> bool {
        path == Path::new(&self.text) || self.glob.as_ref().is_some_and(|glob| glob.is_match(path))
    }
}

impl TryFrom<String> for CommandGrant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        if text.is_empty() {
            return Err(InvalidGrant::new(&text, "it is empty"));
        }
        if !text.starts_with('/') && text.contains('/') {
            return Err(InvalidGrant::new(&text, "a program is an absolute path or a bare name"));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(InvalidGrant::new(&text, "`..` has no place in a grant"));
        }
        let glob = compile(&text)?;
        Ok(Self { text, glob, read_only: false })
    }
}

impl TryFrom<WrittenCommand> for CommandGrant {
    type Error = InvalidGrant;

    fn try_from(written: WrittenCommand) -> Result<Self, InvalidGrant> {
        match written {
            WrittenCommand::Plain(text) => text.try_into(),
            WrittenCommand::Table(CommandTable { program, read_only }) => Ok(Self { read_only, ..program.try_into()? }),
        }
    }
}

impl From<CommandGrant> for WrittenCommand {
    fn from(grant: CommandGrant) -> Self {
        let CommandGrant { text: program, read_only, .. } = grant;
        if read_only { Self::Table(CommandTable { program, read_only }) } else { Self::Plain(program) }
    }
}

impl PartialEq for CommandGrant {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.read_only == other.read_only
    }
}

/// The path, or the folders of it before the first that is a pattern.
fn fixed_part(text: &str, pattern: bool) -> &Path {
    match text.find(META) {
        Some(meta) if pattern => Path::new(&text[..text[..meta].rfind('/').unwrap_or(0).max(1)]),
        _ => Path::new(text),
    }
}

/// The characters that make a pattern.
const META: [char; 7] = ['*', '?', '[', ']', '{', '}', '\\'];

/// The pattern in `text`, or nothing when it is a plain path: most are, and a plain comparison
/// spares each worker the compilation.
fn compile(text: &str) -> Result<Option<GlobMatcher>, InvalidGrant> {
    if !text.contains(META) {
        return Ok(None);
    }
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.map(|glob| Some(glob.compile_matcher())).map_err(|error| InvalidGrant::new(text, error.kind().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grants(text: &str) -> Grants {
        #[derive(Deserialize)]
        struct Config {
            grants: Grants,
        }
        toml::from_str::<Config>(text).unwrap().grants
    }

    #[expect(clippy::unnecessary_wraps, reason = "stands for a function that looks at the disk")]
    fn as_is(path: &Path) -> Option<PathBuf> {
        Some(path.to_owned())
    }

    #[test]
    fn a_grant_written_with_links_covers_what_it_leads_to() {
        let resolve = |path: &Path| {
            Some(match path.to_str()? {
                "/proc/mounts" => "/proc/7/mounts".into(),
                "/bin" => "/usr/bin".into(),
                other => other.into(),
            })
        };
        let leads =
            |grant: &str, path: &str| PathGrant::try_from(grant.to_owned()).unwrap().leads_to(Path::new(path), resolve);
        assert!(leads("/proc/mounts", "/proc/7/mounts") && !leads("/proc/mounts", "/proc/8/mounts"));
        assert!(leads("/bin/*", "/usr/bin/df") && leads("/bin/**", "/usr/bin") && leads("/**", "/usr/bin/df"));
        assert!(!leads("/bin/*", "/usr/sbin/df") && !leads("/bin/a*", "/usr/bin/df"));
    }

    #[test]
    fn nothing_is_granted_by_default() {
        let grant = grants("[grants.disk]\nread = [\"/etc/**\"]")
            .for_module(&"process".parse().unwrap(), &"func:process/process".parse().unwrap());
        assert_eq!(grant, Grant::default());
        assert!(!grant.may_read(Path::new("/etc/passwd"), as_is));
    }

    #[test]
    fn short_and_full_names_add_up() {
        let grant = grants("[grants.disk]\nread = [\"/a\"]\n[grants.\"acme:disk/disk\"]\nread = [\"/b\"]")
            .for_module(&"disk".parse().unwrap(), &"acme:disk/disk".parse().unwrap());
        assert!(grant.may_read(Path::new("/a"), as_is) && grant.may_read(Path::new("/b"), as_is));
        assert!(!grant.may_write(Path::new("/a"), as_is));
    }

    #[test]
    fn a_star_stays_in_its_folder_and_two_do_not() {
        let covers = |grant: &str, path: &str| PathGrant::try_from(grant.to_owned()).unwrap().covers(Path::new(path));
        assert!(covers("/sys/block/*", "/sys/block/sda"));
        assert!(!covers("/sys/block/*", "/sys/block/sda/size"));
        assert!(covers("/srv/**", "/srv") && covers("/srv/**", "/srv/a/b"));
        assert!(!covers("/srv/**", "/srvx") && !covers("/srv", "/srv/a"));
    }

    #[test]
    fn what_grants_nothing_sensible_is_refused() {
        for text in ["", "etc/passwd", "/srv/../etc/**", "/a/[", "relative/*"] {
            assert!(PathGrant::try_from(text.to_owned()).is_err(), "{text:?}");
        }
        for text in ["", "bin/df", "/bin/../df", "./df"] {
            assert!(CommandGrant::try_from(text.to_owned()).is_err(), "{text:?}");
        }
        let unknown = toml::from_str::<BTreeMap<String, Grant>>("[disk]\nruns = [\"df\"]");
        assert!(unknown.unwrap_err().to_string().contains("runs"));
    }

    #[test]
    fn a_program_is_granted_by_where_it_is() {
        let covers = |grant: &str, location: &str, on_path| {
            let resolve = |path: &Path| Some(PathBuf::from(path.to_str()?.replacen("/bin/", "/usr/bin/", 1)));
            CommandGrant::try_from(grant.to_owned()).unwrap().covers(Path::new(location), on_path, resolve)
        };
        assert!(covers("df", "/usr/bin/df", true));
        assert!(!covers("df", "/tmp/df", false), "a bare name is what the search path says");
        assert!(covers("/bin/df", "/usr/bin/df", true), "through the link in the folder");
        assert!(!covers("/bin/df", "/usr/bin/sh", true));
        assert!(covers("/usr/bin/apt-*", "/usr/bin/apt-get", false) && covers("*", "/usr/bin/df", true));
        assert!(!covers("*", "/tmp/df", false) && covers("/**", "/tmp/df", false));
    }

    #[test]
    fn a_name_that_no_grant_is_for_needs_no_look_at_the_disk() {
        let grant = |text: &str| Grant { run: vec![text.to_owned().try_into().unwrap()], ..Grant::default() };
        let might = |text: &str, name: &str| grant(text).might_run(OsStr::new(name));
        assert!(!Grant::default().might_run(OsStr::new("df")));
        assert!(might("df", "df") && might("d*", "df") && might("/bin/df", "df") && might("/opt/*", "df"));
        assert!(!might("df", "sh") && !might("d*", "sh") && !might("/bin/df", "sh"));
    }

    #[test]
    fn grants_travel_as_they_are_written() {
        let grant = grants("[grants.a]\nrun = [\"df\", { program = \"/opt/*\", read-only = true }]")
            .for_module(&"a".parse().unwrap(), &"x:a/a".parse().unwrap());
        let text = serde_json::to_string(&grant).unwrap();
        assert_eq!(text, r#"{"run":["df",{"program":"/opt/*","read-only":true}],"read":[],"write":[]}"#);
        assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
        assert!(grant.only_reads(Path::new("/opt/x"), false, as_is));
        assert!(!grant.only_reads(Path::new("/usr/bin/df"), true, as_is));
        let wrong = toml::from_str::<Grant>("run = [{ program = \"df\", readonly = true }]").unwrap_err();
        assert!(wrong.to_string().contains("a table with its name"), "{wrong}");
    }
}
