//! What the daemon gives up when it starts.
//!
//! Modules run in the daemon too (plain calls), and so do the programs that they may run, whatever is granted while it
//! runs. So it gives up only what no grant is for, and more where the operator says so:
//!
//! - **Capabilities**: those in `drop`, also for all that it starts, and for good. As shipped these are the ones that no
//!   module of the library and no usual program of an administrator needs.
//! - **`no_new_privileges`**: off as shipped, because it ends `sudo` and its like in programs that modules run.
//! - **`write`**: off as shipped. With a list, nothing else on the machine can be changed by the daemon, its modules and
//!   their programs (landlock), but its own folders, `/dev` and `/proc`. Landlock cannot be widened: a grant that is given
//!   later holds only within the list until the minion is started again. Behind it no program can mount anything, and
//!   processes outside cannot be looked into (`/proc/PID/exe`, `environ`).
//!
//! They are raised before the first thread is started, because a fence is for a thread and what comes of it.
//!
//! A control group that was delegated to the daemon is none that it gives up something by: it divides it among its jobs.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de};

use super::{Error, MinionConfig};
use crate::{
    sys::{
        cgroup::Delegated,
        durable,
        fence::{Available, Capability, Connect, Reach, drop_capabilities},
        process,
    },
    tls::IdentityFiles,
};

/// As shipped.
const DROPPED: [&str; 11] = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_READ",
    "CAP_BLOCK_SUSPEND",
    "CAP_BPF",
    "CAP_LEASE",
    "CAP_MAC_ADMIN",
    "CAP_MAC_OVERRIDE",
    "CAP_PERFMON",
    "CAP_SYS_BOOT",
    "CAP_SYS_MODULE",
    "CAP_WAKE_ALARM",
];
/// Changed by every program.
const ALWAYS: [&str; 2] = ["/dev", "/proc"];

/// What a minion gives up.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fences {
    /// Capabilities that neither the daemon nor what it starts has.
    #[serde(deserialize_with = "capabilities")]
    pub drop: Vec<Capability>,
    /// Whether no program can gain privileges.
    pub no_new_privileges: bool,
    /// The only places that can be changed; nothing, when every place can.
    pub write: Option<Vec<PathBuf>>,
}

impl Default for Fences {
    fn default() -> Self {
        let drop = DROPPED.iter().filter_map(|name| name.parse().ok()).collect();
        Self { drop, no_new_privileges: false, write: None }
    }
}

fn capabilities<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Capability>, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    names.into_iter().map(|name| name.parse().map_err(de::Error::custom)).collect()
}

/// Raises them, and says which are up. To be called while the process has one thread.
pub fn raise_fences(config: &MinionConfig) -> Result<(), Error> {
    let Fences { drop, no_new_privileges, write } = &config.fences;
    let raise = |fence, raised: io::Result<()>| raised.map_err(|source| Error::Fence { fence, source });
    let (available, delegated) = (Available::ask(), Delegated::to_self());
    let cgroups = match &delegated {
        Ok(delegated) => format!("one for each job, below {}", delegated.group().display()),
        Err(missing) => format!("none for jobs: {missing}"),
    };
    raise("capabilities", drop_capabilities(drop))?;
    if *no_new_privileges {
        raise("no_new_privileges", process::no_new_privileges())?;
    }
    let writable = match write {
        None => "everything".to_owned(),
        Some(places) if available.landlock == 0 => {
            tracing::warn!("the kernel has no landlock: `write` in [fences] does not hold");
            format!("everything, not only {}", places.len() + ALWAYS.len())
        }
        Some(places) => {
            let group = delegated.as_ref().ok().map(Delegated::group);
            raise("write", only_write(config, places, group))?;
            format!("{} places and its own folders", places.len())
        }
    };
    tracing::info!(
        workers = %available,
        cgroups,
        dropped = drop.len(),
        no_new_privileges,
        writable,
        "fences"
    );
    Ok(())
}

fn only_write(config: &MinionConfig, places: &[PathBuf], group: Option<&Path>) -> io::Result<()> {
    let folders = &config.folders;
    let IdentityFiles { certificate, key, authority, revoked } = &config.identity;
    // A certificate that is renewed, an authority that is replaced, and a list that is brought, are put in place by renames.
    let identity = [certificate, key, authority, revoked].map(|file| durable::folder_of(file).to_owned());
    let own = [&folders.modules, &folders.cache, &folders.jobs, &folders.replaced, &folders.incoming, &folders.state];
    let passed_on = config.overlord.inventory.is_some().then_some(&config.overlord.results);
    let own = own.into_iter().chain(&identity).chain(passed_on);
    // A rule is for what is there.
    own.clone().try_for_each(|folder| durable::create_folder(folder, 0o700))?;
    let audit = durable::folder_of(&folders.audit);
    durable::create_folder(audit, 0o700)?;
    let more = ALWAYS.map(Path::new).into_iter().chain([audit]).chain(group).map(Path::to_owned);
    let write = places.iter().chain(own).cloned().chain(more).collect();
    let reach = Reach {
        read: vec!["/".into()],
        write,
        connect: Connect::Anywhere,
        execute: true,
        others: true,
        ..Reach::default()
    };
    reach.raise().map(drop)
}
