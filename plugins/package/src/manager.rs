//! The two families of package managers.

use func_sdk::{
    Error, Result, file, files,
    program::{Program, fine_with, judge, lossy, untold},
};

use crate::{
    apt, dnf, dpkg,
    exports::base::packages::package::{Altered, Available, ChangedPackage, Installed},
    verified,
};

/// Which one the machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// dpkg and apt.
    Apt,
    /// rpm and dnf.
    Dnf,
}

impl Manager {
    /// Looks which one it is. A machine with both, such as one that builds packages, is the one whose files tell of
    /// packages.
    pub fn find() -> Result<Self> {
        if file::if_there(files::stat(dpkg::STATUS))?.is_some_and(|meta| meta.size > 0) {
            return Ok(Self::Apt);
        }
        match func_sdk::command::find("rpm")? {
            Some(_) => Ok(Self::Dnf),
            None => Err(Error::unsupported("this machine has neither dpkg nor rpm")),
        }
    }

    /// The installed packages, by name.
    pub fn installed(self) -> Result<Vec<Installed>> {
        let mut found = match self {
            Self::Apt => dpkg::parse(&file::text(dpkg::STATUS)?),
            Self::Dnf => dnf::installed(&Program::new("rpm").args(["-qa", "--queryformat", dnf::FORMAT]).look()?),
        };
        found.sort_by(|a, b| (&a.name, &a.architecture).cmp(&(&b.name, &b.architecture)));
        Ok(found)
    }

    /// The altered files of an installed package.
    pub fn verify(self, name: &str) -> Result<Vec<Altered>> {
        let (program, name) = match self {
            Self::Apt => ("dpkg", name.to_owned()),
            Self::Dnf => ("rpm", dnf::name(name)),
        };
        let output = Program::new(program).args(["--verify".to_owned(), name]).run()?;
        // 1 means that something was found.
        Ok(verified::parse(&judge(program, fine_with(output, 1))?))
    }

    /// The packages of which there are newer versions.
    pub fn available(self) -> Result<Vec<Available>> {
        match self {
            Self::Apt => Ok(apt::available(&self.simulated("upgrade", &[])?)),
            Self::Dnf => {
                let output = Program::new("dnf").args(["-q", "check-update"]).run()?;
                // 100 means that there are some.
                Ok(dnf::available(&judge("dnf", fine_with(output, 100))?))
            }
        }
    }

    /// Looks which versions there are.
    pub fn refresh(self) -> Result<()> {
        match self {
            Self::Apt => Program::new("apt-get").args(["-q", "update"]).change(),
            Self::Dnf => Program::new("dnf").args(["-q", "makecache"]).change(),
        }
    }

    /// Installs, removes or upgrades.
    pub fn change(self, verb: &str, names: &[String]) -> Result<()> {
        match self {
            Self::Apt => self.program(&[], verb, names).change(),
            Self::Dnf => judge("dnf", dnf::without_advice(self.program(&[], verb, names).perform()?)).map(drop),
        }
    }

    /// What that would change.
    pub fn would(self, verb: &str, names: &[String]) -> Result<Vec<ChangedPackage>> {
        match self {
            Self::Apt => Ok(apt::changes(&self.simulated(verb, names)?)),
            Self::Dnf => {
                let names = names.iter().map(|name| dnf::name(name));
                let output = dnf::without_advice(Program::new("dnf").args(["--assumeno", verb]).args(names).run()?);
                // It ends with 1 when there is something to do and it was told not to; then it has told what.
                let told = dnf::is_table(&lossy(output.stdout.clone()));
                let text = untold("dnf", judge("dnf", if told { fine_with(output, 1) } else { output })?)?;
                Ok(dnf::changes(&text, &self.installed()?))
            }
        }
    }

    fn simulated(self, verb: &str, names: &[String]) -> Result<String> {
        self.program(&["-s"], verb, names).look()
    }

    fn program(self, options: &[&str], verb: &str, names: &[String]) -> Program {
        match self {
            Self::Apt => {
                let verb = if verb == "upgrade" && !names.is_empty() { "install" } else { verb };
                Program::new("apt-get")
                    .args(apt::OPTIONS)
                    .args(options.iter().copied())
                    .arg(verb)
                    .args(names)
                    .env("DEBIAN_FRONTEND", "noninteractive")
            }
            Self::Dnf => Program::new("dnf").args(["-q", "-y", verb]).args(names.iter().map(|name| dnf::name(name))),
        }
    }
}
