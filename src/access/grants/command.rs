//! Programs in grants.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use globset::GlobMatcher;
use serde::{Deserialize, Serialize};

use super::{
    Arguments, InvalidGrant,
    pattern::{compile, fixed_part},
};

/// A program: an absolute path, a bare name, or a glob over either.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "WrittenCommand", into = "WrittenCommand")]
pub struct CommandGrant {
    pub(super) text: String,
    glob: Option<GlobMatcher>,
    /// Nothing where any arguments will do.
    pub(super) args: Option<Arguments>,
    /// Whether the operator says that it changes nothing.
    pub(super) read_only: bool,
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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    options: Vec<String>,
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
        match self.clone().into() {
            WrittenCommand::Plain(program) => toml::Value::from(program).to_string(),
            WrittenCommand::Table(CommandTable { program, options, args, read_only }) => {
                let list = |name: &str, list: Vec<String>| format!(", {name} = {}", toml::Value::from(list));
                let options = Some(options).filter(|options| !options.is_empty());
                let options = options.map(|options| list("options", options)).unwrap_or_default();
                let args = args.map(|args| list("args", args)).unwrap_or_default();
                let reads = if read_only { ", read-only = true" } else { "" };
                format!("{{ program = {}{options}{args}{reads} }}", toml::Value::from(program))
            }
        }
    }

    /// Whether the program may be given these arguments.
    pub(super) fn takes(&self, arguments: &[String]) -> bool {
        self.args.as_ref().is_none_or(|granted| granted.cover(arguments))
    }

    /// Whether this grant covers a program of this name anywhere. A pattern of paths may.
    pub(super) fn might_cover(&self, name: &OsStr) -> bool {
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

    pub(super) fn matches(&self, path: &Path) -> bool {
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
            WrittenCommand::Table(CommandTable { program, options, args, read_only }) => {
                if args.is_none() && !options.is_empty() {
                    return Err(InvalidGrant::new(&program, "`options` say nothing without the `args` behind them"));
                }
                let args = args.map(|args| Arguments::try_from(args)?.with_options(options)).transpose()?;
                Ok(Self { args, read_only, ..program.try_into()? })
            }
        }
    }
}

impl From<CommandGrant> for WrittenCommand {
    fn from(grant: CommandGrant) -> Self {
        let CommandGrant { text: program, args, read_only, .. } = grant;
        if args.is_some() || read_only {
            let options = args.as_ref().map(Arguments::options).unwrap_or_default();
            Self::Table(CommandTable { program, options, args: args.map(Vec::from), read_only })
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
