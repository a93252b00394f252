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
//! search path (never on that of a caller or of the daemon). As `{ program = "systemctl", args =
//! ["status", "*"] }` it may be given only such arguments: see [`Arguments`].
//!
//! A program that changes nothing may be granted as `{ program = "df", read-only = true }`: then a check of
//! a call (see `plugin`) runs it, where it only notes others.
//!
//! With `signer = "ops"` or `digest = "sha256:…"` a table holds only for modules that this signer signed,
//! or for this very file.

mod arguments;
mod missing;
mod names;
mod network;
mod variables;

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};
use serde::{Deserialize, Serialize};

use super::signers::{Provenance, SignerName};
use crate::ids::{Digest, ModuleName};

pub use arguments::Arguments;
pub use names::{ServiceGrant, SignalGrant};
pub use network::{NetworkGrant, reserved};
pub use variables::{VariableGrant, changes_programs};

/// The grants of every module, as the minion's configuration lists them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(BTreeMap<ModuleName, Bound>);

/// Which module a call is to, of which file and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Bearer<'a> {
    /// The module's short name.
    pub short: &'a ModuleName,
    /// Its full name.
    pub full: &'a ModuleName,
    /// The digest of its file, where that is known.
    pub digest: Option<Digest>,
    /// Who signed it.
    pub provenance: &'a Provenance,
}

impl Grants {
    /// What a module may do of whose file nothing is known: no table holds that is bound to a signer or to
    /// a file.
    pub fn for_module(&self, short: &ModuleName, full: &ModuleName) -> Grant {
        self.for_bearer(Bearer { short, full, digest: None, provenance: &Provenance::Unsigned })
    }

    /// What a module may do: the table under its short name together with the one under its full
    /// name, as far as they hold for it.
    pub fn for_bearer(&self, bearer: Bearer<'_>) -> Grant {
        let mut grant = Grant::default();
        for bound in self.tables(bearer).filter(|bound| bound.holds_for(bearer)) {
            grant.extend(bound.grant());
        }
        grant
    }

    /// Why tables with the module's name do not hold for it.
    pub fn withheld(&self, bearer: Bearer<'_>) -> Vec<String> {
        self.tables(bearer).filter_map(|bound| bound.unmet(bearer)).collect()
    }

    fn tables(&self, bearer: Bearer<'_>) -> impl Iterator<Item = &Bound> {
        let full = Some(bearer.full).filter(|full| *full != bearer.short);
        [Some(bearer.short), full].into_iter().flatten().filter_map(|name| self.0.get(name))
    }

    /// Adds to what a module may do, whoever signed it.
    pub fn grant(&mut self, module: ModuleName, more: Grant) {
        self.0.entry(module).or_default().extend(more);
    }

    /// The modules that have a table.
    pub fn modules(&self) -> impl Iterator<Item = &ModuleName> {
        self.0.keys()
    }

    /// The signers that tables are bound to, each with the table's name.
    pub fn signers(&self) -> impl Iterator<Item = (&ModuleName, &SignerName)> {
        self.0.iter().filter_map(|(module, bound)| Some((module, bound.signer.as_ref()?)))
    }
}

/// A module's table: grants, and for whom they hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Bound {
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<SignerName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<BoundDigest>,
    run: Vec<CommandGrant>,
    read: Vec<PathGrant>,
    write: Vec<PathGrant>,
    env: Vec<VariableGrant>,
    services: Vec<ServiceGrant>,
    #[serde(rename = "services-read")]
    services_read: Vec<ServiceGrant>,
    network: Vec<NetworkGrant>,
    signal: Vec<SignalGrant>,
}

impl Bound {
    fn holds_for(&self, bearer: Bearer<'_>) -> bool {
        self.unmet(bearer).is_none()
    }

    /// What the module would have to be and is not.
    fn unmet(&self, bearer: Bearer<'_>) -> Option<String> {
        if let Some(signer) = self.signer.as_ref().filter(|signer| bearer.provenance.name() != Some(*signer)) {
            return Some(format!("its grants hold only if `{signer}` signed it, and that is {}", bearer.provenance));
        }
        let digest = self.digest.as_ref().filter(|digest| Some(digest.0) != bearer.digest)?;
        let is = bearer.digest.map_or("not known".to_owned(), |digest| digest.short());
        Some(format!("its grants hold only for the file {}, and it is {is}", digest.0.short()))
    }

    fn grant(&self) -> Grant {
        let Self { run, read, write, env, services, services_read, network, signal, .. } = self.clone();
        Grant { run, read, write, env, services, services_read, network, signal }
    }

    fn extend(&mut self, more: Grant) {
        let mut grant = self.grant();
        grant.extend(more);
        let Grant { run, read, write, env, services, services_read, network, signal } = grant;
        let (signer, digest) = (self.signer.take(), self.digest.take());
        *self = Self { signer, digest, run, read, write, env, services, services_read, network, signal };
    }
}

/// `sha256:` and 64 digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct BoundDigest(Digest);

impl TryFrom<String> for BoundDigest {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        let digest = text.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
        digest.map(Self).ok_or_else(|| InvalidGrant::new(&text, "a digest is `sha256:` and 64 hexadecimal digits"))
    }
}

impl From<BoundDigest> for String {
    fn from(digest: BoundDigest) -> Self {
        format!("sha256:{}", digest.0)
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
    /// Variables that it may set for programs that it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<VariableGrant>,
    /// Services that it may look at and change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceGrant>,
    /// Services that it may look at.
    #[serde(rename = "services-read", skip_serializing_if = "Vec::is_empty")]
    pub services_read: Vec<ServiceGrant>,
    /// Where on the network it may connect to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<NetworkGrant>,
    /// Processes that it may send signals to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signal: Vec<SignalGrant>,
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

    /// Whether a grant that covers the program and these arguments says that it only reads.
    pub fn only_reads(
        &self,
        location: &Path,
        on_path: bool,
        arguments: &[String],
        resolve: impl Fn(&Path) -> Option<PathBuf>,
    ) -> bool {
        let reads = |grant: &CommandGrant| grant.read_only && grant.takes(arguments);
        self.run.iter().any(|grant| reads(grant) && grant.covers(location, on_path, &resolve))
    }

    /// Whether it may be given these arguments; see [`Arguments`].
    pub fn may_run_with(
        &self,
        location: &Path,
        on_path: bool,
        arguments: &[String],
        resolve: impl Fn(&Path) -> Option<PathBuf>,
    ) -> bool {
        self.run.iter().any(|grant| grant.takes(arguments) && grant.covers(location, on_path, &resolve))
    }

    /// Whether any program of this name, wherever it is, might be run: false means that no look at the
    /// disk could make it so.
    pub fn might_run(&self, name: &OsStr) -> bool {
        self.run.iter().any(|grant| grant.might_cover(name))
    }

    /// Adds more.
    pub fn extend(&mut self, more: Self) {
        self.run.extend(more.run);
        self.read.extend(more.read);
        self.write.extend(more.write);
        self.env.extend(more.env);
        self.services.extend(more.services);
        self.services_read.extend(more.services_read);
        self.network.extend(more.network);
        self.signal.extend(more.signal);
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
    /// Nothing where any arguments will do.
    args: Option<Arguments>,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    args: Option<Vec<String>>,
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

    /// The grant as a value in TOML.
    pub fn to_toml(&self) -> String {
        let program = toml::Value::from(self.text.as_str());
        match self.args.clone().map(Vec::from) {
            None if !self.read_only => program.to_string(),
            args => {
                let args = args.map(|args| format!(", args = {}", toml::Value::from(args))).unwrap_or_default();
                let reads = if self.read_only { ", read-only = true" } else { "" };
                format!("{{ program = {program}{args}{reads} }}")
            }
        }
    }

    /// Whether the program may be given these arguments.
    fn takes(&self, arguments: &[String]) -> bool {
        self.args.as_ref().is_none_or(|granted| granted.cover(arguments))
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
        Ok(Self { text, glob, args: None, read_only: false })
    }
}

impl TryFrom<WrittenCommand> for CommandGrant {
    type Error = InvalidGrant;

    fn try_from(written: WrittenCommand) -> Result<Self, InvalidGrant> {
        match written {
            WrittenCommand::Plain(text) => text.try_into(),
            WrittenCommand::Table(CommandTable { program, args, read_only }) => {
                Ok(Self { args: args.map(Arguments::try_from).transpose()?, read_only, ..program.try_into()? })
            }
        }
    }
}

impl From<CommandGrant> for WrittenCommand {
    fn from(grant: CommandGrant) -> Self {
        let CommandGrant { text: program, args, read_only, .. } = grant;
        if args.is_some() || read_only {
            Self::Table(CommandTable { program, args: args.map(Vec::from), read_only })
        } else {
            Self::Plain(program)
        }
    }
}

impl PartialEq for CommandGrant {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.args == other.args && self.read_only == other.read_only
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

    fn of(grants: &Grants, short: &str, full: &str) -> Grant {
        grants.for_module(&short.parse().unwrap(), &full.parse().unwrap())
    }

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
        let grant = of(&grants("[grants.disk]\nread = [\"/etc/**\"]"), "process", "func:process/process");
        assert_eq!(grant, Grant::default());
        assert!(!grant.may_read(Path::new("/etc/passwd"), as_is));
    }

    #[test]
    fn short_and_full_names_add_up() {
        let both = grants("[grants.disk]\nread = [\"/a\"]\n[grants.\"acme:disk/disk\"]\nread = [\"/b\"]");
        let grant = of(&both, "disk", "acme:disk/disk");
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
        let unknown = toml::from_str::<BTreeMap<String, Bound>>("[disk]\nruns = [\"df\"]");
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
        let text = "[grants.a]\nrun = [\"df\", { program = \"/opt/*\", read-only = true }]";
        let grant = of(&grants(text), "a", "x:a/a");
        let text = serde_json::to_string(&grant).unwrap();
        assert_eq!(text, r#"{"run":["df",{"program":"/opt/*","read-only":true}],"read":[],"write":[]}"#);
        assert_eq!(serde_json::from_str::<Grant>(&text).unwrap(), grant);
        assert!(grant.only_reads(Path::new("/opt/x"), false, &[], as_is));
        assert!(!grant.only_reads(Path::new("/usr/bin/df"), true, &[], as_is));
        let wrong = toml::from_str::<Grant>("run = [{ program = \"df\", readonly = true }]").unwrap_err();
        assert!(wrong.to_string().contains("a table with its name"), "{wrong}");
        let narrow =
            of(&grants("[grants.a]\nrun = [\"df\", { program = \"df\", args = [], read-only = true }]"), "a", "x:a/a");
        let reads = |arguments: &[String]| narrow.only_reads(Path::new("/usr/bin/df"), true, arguments, as_is);
        assert!(reads(&[]) && !reads(&["--sync".to_owned()]), "with these arguments only");
    }

    #[test]
    fn grants_come_back_as_they_were_written() {
        let text = r#"[grants.a]
            run = ["df", "/opt/*", { program = "systemctl", args = ["status", "*"] }]
            env = ["LC_ALL"]
            services = ["app@*"]
            network = ["10.0.0.0/8:443"]"#;
        let grant = of(&grants(text), "a", "x:a/a");
        let json = serde_json::to_string(&grant).unwrap();
        assert_eq!(serde_json::from_str::<Grant>(&json).unwrap(), grant);
        assert!(json.contains(r#"{"program":"systemctl","args":["status","*"],"read-only":false}"#), "{json}");
    }

    #[test]
    fn arguments_are_part_of_what_is_granted() {
        let grant = of(
            &grants(
                r#"[grants.a]
            run = [{ program = "systemctl", args = ["status", "*"] }]"#,
            ),
            "a",
            "x:a/a",
        );
        let may = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
            grant.may_run_with(Path::new("/usr/bin/systemctl"), true, &arguments, as_is)
        };
        assert!(may(&["status", "nginx"]) && !may(&["stop", "nginx"]) && !may(&["status", "--root=/x"]));
        assert!(grant.may_run(Path::new("/usr/bin/systemctl"), true, as_is));
        for text in
            ["{ program = \"df\", argv = [] }", "{ args = [] }", "{ program = \"df\", args = [\"**\", \"x\"] }", "1"]
        {
            let text = format!("[disk]\nrun = [{text}]");
            assert!(toml::from_str::<BTreeMap<String, Bound>>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_table_may_hold_for_one_signer_or_one_file_only() {
        let digest = Digest::of(b"this");
        let text = format!(
            "[grants.a]\nsigner = \"ops\"\nread = [\"/a\"]\n[grants.b]\ndigest = \"sha256:{digest}\"\nread = [\"/b\"]"
        );
        let grants = grants(&text);
        let key = "RWShUuMOxxGeyOIF3wnegTvOTS3mVslyp+6Rzde0yG9skoVXswgJr6tB".parse().unwrap();
        let by =
            |name: Option<&str>| Provenance::Signed { key, name: name.map(|name| name.to_owned().try_into().unwrap()) };
        let full: ModuleName = "x:y/z".parse().unwrap();
        let reads = |short: &str, digest, provenance: &Provenance| {
            let short = short.parse().unwrap();
            let bearer = Bearer { short: &short, full: &full, digest: Some(digest), provenance };
            assert_eq!(grants.withheld(bearer).is_empty(), !grants.for_bearer(bearer).read.is_empty());
            grants.for_bearer(bearer).read.len()
        };
        assert_eq!(reads("a", digest, &by(Some("ops"))), 1);
        for provenance in [by(Some("dev")), by(None), Provenance::Unsigned] {
            assert_eq!(reads("a", digest, &provenance), 0);
            assert_eq!(reads("b", digest, &provenance), 1);
            assert_eq!(reads("b", Digest::of(b"other"), &provenance), 0);
        }
        for text in ["digest = \"abc\"", "signer = \"a b\"", "signers = []", "env = [\"A=B\"]", "network = [\"x\"]"] {
            assert!(toml::from_str::<Bound>(text).is_err(), "{text}");
        }
    }
}
