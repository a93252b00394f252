//! Reads and sets the kernel's parameters.

mod key;
mod settings;

use exports::base::sysctl::sysctl::{Change, Forgotten, Guest};
use func_sdk::{Error, ErrorKind, Result, checked, file, files, files::Kind, log};
use key::Key;

func_sdk::module!(Sysctl);

const ROOT: &str = "/proc/sys";
/// What is set again at the next start.
const FILE: &str = "/etc/sysctl.d/90-func.conf";

struct Sysctl;

impl Guest for Sysctl {
    fn list(prefix: Option<String>) -> Result<Vec<(String, String)>> {
        let mut found = Vec::new();
        let Some(prefix) = prefix else {
            walk(ROOT, &mut found)?;
            return Ok(found);
        };
        let key = Key::parse(&prefix)?;
        if files::stat(&key.path()).map_err(|error| key.missing(error))?.kind == Kind::Directory {
            walk(&key.path(), &mut found)?;
        } else {
            found.push((key.name(), value(&key)?));
        }
        Ok(found)
    }

    fn get(name: String) -> Result<String> {
        value(&Key::parse(&name)?)
    }

    fn set(name: String, value: String, persist: Option<bool>) -> Result<Change> {
        let key = Key::parse(&name)?;
        let value = checked::line("value", value.trim())?;
        let before = self::value(&key)?;
        let set = !settings::same(&before, value);
        let persist = persist.unwrap_or(false);
        let kept = if persist { file::optional(FILE)?.unwrap_or_default() } else { String::new() };
        let wanted = if persist { settings::with(&kept, &key.name(), Some(value)) } else { String::new() };
        let changed = set || kept != wanted;
        if set {
            files::write(&key.path(), format!("{value}\n").as_bytes(), None)
                .map_err(|error| key.refused(value, error))?;
        }
        let after = self::value(&key)?;
        // What the kernel did not take is not asked of it again at each start.
        if kept != wanted {
            files::write(FILE, wanted.as_bytes(), None)?;
        }
        Ok(Change { name: key.name(), before, after, changed })
    }

    fn persisted() -> Result<Vec<(String, String)>> {
        Ok(settings::parse(&file::optional(FILE)?.unwrap_or_default()))
    }

    fn forget(name: String) -> Result<Forgotten> {
        let key = Key::parse(&name)?;
        let kept = file::optional(FILE)?.unwrap_or_default();
        let wanted = settings::with(&kept, &key.name(), None);
        let changed = kept != wanted;
        if changed {
            files::write(FILE, wanted.as_bytes(), None)?;
        }
        let value = |text: &str| settings::parse(text).into_iter().find(|(name, _)| *name == key.name());
        let before = value(&kept).map(|(_, value)| value);
        Ok(Forgotten { after: value(&wanted).map(|(_, value)| value), name: key.name(), before, changed })
    }
}

fn value(key: &Key) -> Result<String> {
    Ok(file::text(&key.path()).map_err(|error| key.missing(error))?.trim().to_owned())
}

/// Adds what is below a folder, by name. What cannot be read is left out, but not a folder that is not granted.
fn walk(folder: &str, found: &mut Vec<(String, String)>) -> Result<()> {
    let entries = match files::list_dir(folder) {
        Err(error) if error.kind != ErrorKind::Denied => return Ok(()),
        other => other?,
    };
    for entry in entries {
        let path = format!("{folder}/{}", entry.name);
        match entry.kind {
            Kind::Directory => walk(&path, found)?,
            _ => match file::text(&path) {
                Ok(value) => found.push((key::name_of(&path[ROOT.len() + 1..]), value.trim().to_owned())),
                Err(Error { kind: ErrorKind::Denied, .. }) => log::debug(&format!("{path} is not granted")),
                Err(_) => {}
            },
        }
    }
    Ok(())
}
