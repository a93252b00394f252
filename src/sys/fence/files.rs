//! Landlock: which files a process reaches, where it connects, whom it sends signals.
//!
//! A rule is for what lies at a path when the fence is raised, and for all below it. Names can be listed everywhere;
//! contents are out of reach but for the rules. What is open already stays open.

use std::{io, path::PathBuf, ptr};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};

/// The newest version whose rights are handled. A kernel that knows fewer enforces those.
const VERSION: ABI = ABI::V6;

/// What is left within reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reach {
    /// To be read, with all that is below.
    pub read: Vec<PathBuf>,
    /// To be read and changed, with all that is below.
    pub write: Vec<PathBuf>,
    /// Where folders, and only folders, may be made and removed.
    pub folders: Vec<PathBuf>,
    /// TCP connections.
    pub connect: Connect,
    /// Whether programs may be started, and gain privileges; then only root can raise this.
    pub execute: bool,
    /// Whether signals may be sent to processes other than its own descendants, and abstract sockets be spoken to.
    pub others: bool,
}

/// Where TCP connections may lead. Nobody listens, but where everything is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Connect {
    /// Nowhere.
    #[default]
    Nowhere,
    /// To these ports.
    Ports(Vec<u16>),
    /// To every port, and to listen.
    Anywhere,
}

impl Reach {
    /// Leaves nothing else within reach of this thread. Says whether any of it holds: without landlock nothing does.
    pub fn raise(&self) -> io::Result<bool> {
        let status = self.restrict().map_err(io::Error::other)?;
        Ok(status.ruleset != RulesetStatus::NotEnforced)
    }

    fn restrict(&self) -> Result<RestrictionStatus, landlock::RulesetError> {
        // Who starts programs lets them do with devices what they do.
        let free = if self.execute { AccessFs::Execute | AccessFs::IoctlDev } else { BitFlags::EMPTY };
        let handled = AccessFs::from_all(VERSION) & !free;
        let mut rules = Ruleset::default().handle_access(handled)?;
        if self.connect != Connect::Anywhere {
            rules = rules.handle_access(AccessNet::BindTcp | AccessNet::ConnectTcp)?;
        }
        if !self.others {
            rules = rules.scope(Scope::Signal | Scope::AbstractUnixSocket)?;
        }
        let contents: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::ReadDir;
        let mut made = rules
            .create()?
            .add_rules(path_beneath_rules(["/"], AccessFs::ReadDir))?
            .add_rules(path_beneath_rules(&self.read, contents))?
            .add_rules(path_beneath_rules(&self.folders, AccessFs::MakeDir | AccessFs::RemoveDir))?
            .add_rules(path_beneath_rules(&self.write, handled & !AccessFs::Execute))?;
        if let Connect::Ports(ports) = &self.connect {
            let rules = ports.iter().map(|port| NetPort::new(*port, AccessNet::ConnectTcp));
            made = made.add_rules(rules.map(Ok::<_, landlock::RulesetError>))?;
        }
        made.no_new_privs(!self.execute).restrict_self()
    }
}

/// The version of landlock that the kernel has, 0 for none.
pub(super) fn version() -> u32 {
    const VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the call takes no attributes (a null pointer of length 0) and only answers a number.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, ptr::null::<libc::c_void>(), 0_usize, VERSION) };
    u32::try_from(answer).unwrap_or(0)
}
