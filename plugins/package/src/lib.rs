//! Lists, verifies and changes the machine's packages.

mod apt;
mod difference;
mod dnf;
mod dpkg;
mod manager;
mod names;
mod verified;

use exports::base::packages::package::{
    Action, Altered, Available, Change, ChangedPackage, Guest, Installed, Refreshed,
};
use func_sdk::{Error, Result, checked, job, pattern};
use manager::Manager;

func_sdk::module!(Package);

struct Package;

impl Guest for Package {
    fn inventory() -> Result<Vec<Installed>> {
        Manager::find()?.installed()
    }

    fn glob(pattern: String) -> Result<Vec<Installed>> {
        let pattern = checked::line("pattern", &pattern)?;
        let mut found = Manager::find()?.installed()?;
        found.retain(|package| pattern::fits(pattern, &package.name));
        Ok(found)
    }

    fn verify(name: String) -> Result<Vec<Altered>> {
        let name = names::one(&name)?;
        let manager = Manager::find()?;
        require(&manager.installed()?, std::slice::from_ref(&name))?;
        manager.verify(&name)
    }

    fn check_update() -> Result<Vec<Available>> {
        Manager::find()?.available()
    }

    fn refresh() -> Result<Refreshed> {
        let manager = Manager::find()?;
        // Perhaps it is because of what it knows that it cannot tell.
        let before = manager.available().ok();
        manager.refresh()?;
        if job::dry_run() {
            return Ok(Refreshed { before, after: None, changed: true });
        }
        let after = manager.available()?;
        let versions = |packages: &[Available]| -> Vec<(String, String)> {
            packages.iter().map(|package| (package.name.clone(), package.version.clone())).collect()
        };
        let changed = before.as_deref().map(versions) != Some(versions(&after));
        Ok(Refreshed { before, after: Some(after), changed })
    }

    fn preview(action: Action, names: Vec<String>) -> Result<Vec<ChangedPackage>> {
        let names = names::all(&names)?;
        let verb = match action {
            Action::Install => "install",
            Action::Remove => "remove",
            Action::Update => "upgrade",
        };
        Manager::find()?.would(verb, &names)
    }

    fn install(names: Vec<String>) -> Result<Change> {
        let mut names = names::all(&names)?;
        change("install", |installed| {
            names.retain(|name| !names::is_in(installed, name));
            Ok(Some(names).filter(|names| !names.is_empty()))
        })
    }

    fn remove(names: Vec<String>) -> Result<Change> {
        let mut names = names::all(&names)?;
        change("remove", |installed| {
            names.retain(|name| names::is_in(installed, name));
            Ok(Some(names).filter(|names| !names.is_empty()))
        })
    }

    fn update(names: Option<Vec<String>>) -> Result<Change> {
        let names = names.as_deref().map(names::all).transpose()?;
        change("upgrade", |installed| match names {
            None => Ok(Some(Vec::new())),
            Some(names) => {
                require(installed, &names)?;
                Ok(Some(names).filter(|names| !names.is_empty()))
            }
        })
    }
}

/// Lets the package manager do something with the names that are chosen in view of what is installed; without names there
/// is nothing to do.
fn change(verb: &str, choose: impl FnOnce(&[Installed]) -> Result<Option<Vec<String>>>) -> Result<Change> {
    let manager = Manager::find()?;
    let before = manager.installed()?;
    let Some(names) = choose(&before)? else { return Ok(Change { packages: Vec::new(), changed: false }) };
    if job::dry_run() {
        let packages = manager.would(verb, &names)?;
        manager.change(verb, &names)?;
        return Ok(Change { changed: !packages.is_empty(), packages });
    }
    manager.change(verb, &names)?;
    let packages = difference::between(&before, &manager.installed()?);
    Ok(Change { changed: !packages.is_empty(), packages })
}

fn require(installed: &[Installed], names: &[String]) -> Result<()> {
    match names.iter().find(|name| !names::is_in(installed, name)) {
        Some(name) => Err(Error::no_such("installed package", name, "package.inventory")),
        None => Ok(()),
    }
}
