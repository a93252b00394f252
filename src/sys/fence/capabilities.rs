//! The parts of root's power.

use std::{fmt, io, str::FromStr, sync::LazyLock};

use caps::{CapSet, CapsHashSet, errors::CapsError};

/// One of them: `CAP_SYS_MODULE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Capability(caps::Capability);

/// Why a text names none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no capability: they are written like `CAP_SYS_MODULE`, see capabilities(7)")]
pub struct InvalidCapability(String);

impl Capability {
    /// To read and to change files of others.
    pub const FILES: [Self; 5] = [
        Self(caps::Capability::CAP_CHOWN),
        Self(caps::Capability::CAP_DAC_OVERRIDE),
        Self(caps::Capability::CAP_DAC_READ_SEARCH),
        Self(caps::Capability::CAP_FOWNER),
        Self(caps::Capability::CAP_FSETID),
    ];
    /// To send signals to processes of others.
    pub const SIGNAL: Self = Self(caps::Capability::CAP_KILL);
    /// To look at processes of others.
    pub const LOOK: Self = Self(caps::Capability::CAP_SYS_PTRACE);
}

impl FromStr for Capability {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Self, InvalidCapability> {
        text.parse().map(Self).map_err(|_| InvalidCapability(text.to_owned()))
    }
}

impl TryFrom<String> for Capability {
    type Error = InvalidCapability;

    fn try_from(text: String) -> Result<Self, InvalidCapability> {
        text.parse()
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(to)
    }
}

/// Gives these up, here and in whatever this thread starts. What it does not have is given up already.
pub fn drop_capabilities(dropped: &[Capability]) -> io::Result<()> {
    let dropped = |capability: &caps::Capability| dropped.iter().any(|dropped| dropped.0 == *capability);
    let kept: Vec<_> = EVERY.iter().copied().filter(|capability| !dropped(capability)).collect();
    keep_all(&kept).map_err(io::Error::other)
}

/// Gives up all but these.
pub fn keep_capabilities(kept: &[Capability]) -> io::Result<()> {
    let kept: Vec<_> = kept.iter().map(|kept| kept.0).collect();
    keep_all(&kept).map_err(io::Error::other)
}

/// All that there are, listed once: every worker goes through them.
static EVERY: LazyLock<Vec<caps::Capability>> = LazyLock::new(|| caps::all().into_iter().collect());

fn keep_all(kept: &[caps::Capability]) -> Result<(), CapsError> {
    // Only who may change the sets may make the bounding set smaller. Others get nothing out of it: programs that would
    // give them more are what `no_new_privs` is for.
    if caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP)? {
        for capability in &*EVERY {
            if !kept.contains(capability) && caps::has_cap(None, CapSet::Bounding, *capability).unwrap_or(false) {
                caps::drop(None, CapSet::Bounding, *capability)?;
            }
        }
    }
    // A permitted one can be made effective again, so it goes last: what is inherited must be permitted.
    for set in [CapSet::Inheritable, CapSet::Effective, CapSet::Permitted] {
        let mut still = CapsHashSet::new();
        for capability in kept {
            if caps::has_cap(None, set, *capability)? {
                still.insert(*capability);
            }
        }
        caps::set(None, set, &still)?;
    }
    Ok(())
}

/// Which of these a process has. Nothing where it cannot be asked.
pub fn still_has(process: u32, given_up: &[Capability]) -> Vec<Capability> {
    let Some(has) = i32::try_from(process).ok().and_then(|pid| caps::read(Some(pid), CapSet::Permitted).ok()) else {
        return Vec::new();
    };
    given_up.iter().copied().filter(|capability| has.contains(&capability.0)).collect()
}

/// Looks up what keeping some asks for, so that forked copies need not.
pub fn know_capabilities() {
    LazyLock::force(&EVERY);
}

/// What this thread has.
pub fn effective_capabilities() -> io::Result<Vec<Capability>> {
    let mut names: Vec<_> =
        caps::read(None, CapSet::Effective).map_err(io::Error::other)?.into_iter().map(Capability).collect();
    names.sort_by_key(|capability| capability.0.index());
    Ok(names)
}
