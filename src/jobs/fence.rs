//! What a worker gives up before any guest code runs.
//!
//! The guest is in its sandbox already; these fences are for the day on which it gets out of it. How much can be given up
//! depends on the grant of the call, because what the operator granted must work:
//!
//! | the call may | no new privileges | system calls, capabilities, limits | landlock |
//! | --- | --- | --- | --- |
//! | run programs or change services | | | |
//! | look at services (without systemd, by their programs) | yes | | |
//! | send signals, or read files of other processes | yes | yes | |
//! | anything else | yes | yes | yes |
//!
//! What the last kind of call gives up besides landlock is the same for all of them that change no file. So there is a fork
//! server that gives it up itself, for good, and makes workers for those only ([`Calling::Ordinary`]): raising it anew in
//! each worker was a fifth of what a short job cost. Landlock and the limits stay with the worker, because they are for
//! this very call and for what is there when it begins.
//!
//! Programs inherit every fence and would break in ours: `apt-get`, `sudo`, `mount`. A process behind landlock cannot look
//! at those outside of it, not even where a file of theirs was granted.
//!
//! No socket of a service on this machine is opened, because systemd, by D-Bus, and others start programs for root, outside of
//! every fence. So in such a worker nobody knows names of users and hosts that only a service tells (sssd's are in a file).
//! Modes and owners are no affair of landlock's: they are changed only by descriptor, and only where files may be changed.
//!
//! Landlock's rules are for what is there when the call begins: a plain path that is granted for reading means that very
//! file, and one that takes its place meanwhile is out of reach; for writing it means its folder, because a file is
//! replaced by a rename. So these are wider or narrower than the grant here and there; the grant itself is held against
//! every access as ever (`plugin`).

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    access::{Grant, NetworkGrant, PathGrant},
    sys::{
        durable, family,
        fence::{Calls, Capability, Connect, Modes, Reach, keep_capabilities, know_capabilities, limit},
        process as own,
    },
};

/// Where names of users and hosts, times and the libraries for them come from.
const NAMES: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share/zoneinfo",
    "/var/lib/sss/mc",
    "/dev/null",
    "/dev/urandom",
    "/proc",
];
const HOSTS: &[&str] = &["/etc/hosts", "/etc/host.conf", "/etc/resolv.conf", "/etc/gai.conf", "/etc/services"];
/// Names are looked up there when the answer is too long for a datagram.
const NAME_SERVER: u16 = 53;
/// Processor time that a call may use beyond its deadline before the kernel ends it: its own ways come first.
const GRACE: Duration = Duration::from_mins(2);
/// Threads that use it at once. A worker has few, so this is generous.
const THREADS: u64 = 8;

/// Which calls a fork server makes workers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Calling {
    /// All of them.
    Any,
    /// Those that neither run programs, nor look at services or processes, nor change files. What their workers give up in
    /// common is half of what raising fences costs, so the fork server gives it up itself, and its workers begin without.
    Ordinary,
}

impl Calling {
    /// Who makes the worker of a call with this grant.
    pub(super) fn of(grant: &Grant) -> Self {
        let ordinary = !may_run_programs(grant)
            && grant.services_read.is_empty()
            && grant.write.is_empty()
            && !looks_at_processes(grant);
        if ordinary { Self::Ordinary } else { Self::Any }
    }
}

/// What is made once for all workers.
pub(super) struct Fences {
    calls: Option<Calls>,
    /// Whose fences are up already, as far as these calls have them in common.
    raised: Calling,
}

impl Fences {
    pub(super) fn prepare() -> Self {
        know_capabilities();
        Self { calls: Calls::compile(), raised: Calling::Any }
    }

    /// Raises what such calls have in common, here and so in all workers. What cannot be raised is left to the workers,
    /// who have a way to say so.
    pub(super) fn raise_common(&mut self, calling: Calling) {
        let ordinary = || {
            own::no_new_privileges()?;
            keep_capabilities(&Capability::FILES)?;
            self.calls.as_ref().map_or(Ok(()), |calls| calls.raise(Modes::Stay))
        };
        if calling == Calling::Ordinary && ordinary().is_ok() {
            self.raised = calling;
        }
    }

    /// Raises those that a call with this grant can live with, for good.
    ///
    /// `kept` is where its module keeps what it keeps; `left` is the time that it has.
    pub(super) fn raise(&self, grant: &Grant, kept: Option<&Path>, left: Duration) -> io::Result<()> {
        own::no_core_files()?;
        if self.raised == Calling::Ordinary && Calling::of(grant) != Calling::Ordinary {
            return Err(io::Error::other("its grant needs what its fork server has given up"));
        }
        // So that whatever its programs leave behind can be found while it runs. When it ends, they are init's as ever.
        family::adopt_orphans()?;
        if may_run_programs(grant) {
            return Ok(());
        }
        own::no_new_privileges()?;
        if !grant.services_read.is_empty() {
            return Ok(());
        }
        limit(left.saturating_add(GRACE).as_secs().saturating_mul(THREADS))?;
        if !looks_at_processes(grant) {
            reach(grant, kept).raise()?;
        }
        if self.raised == Calling::Ordinary {
            return Ok(());
        }
        // The kernel's own files ask for power of all kinds.
        if !grant.write.iter().any(is_of_kernel) {
            keep_capabilities(&capabilities(grant))?;
        }
        let modes = if grant.write.is_empty() { Modes::Stay } else { Modes::Change };
        // Last: it refuses what the others need.
        self.calls.as_ref().map_or(Ok(()), |calls| calls.raise(modes))
    }
}

/// Whether a call with this grant may start programs of its own choice.
pub(super) fn may_run_programs(grant: &Grant) -> bool {
    // What a script starts a service with, the service keeps.
    !grant.run.is_empty() || !grant.services.is_empty()
}

/// Whether a call may wait for a socket or for a program.
pub(super) fn waits_for_others(grant: &Grant) -> bool {
    may_run_programs(grant) || !grant.services_read.is_empty() || !grant.network.is_empty()
}

/// Whether a call may need what only the owner of another process, or root, is told.
fn looks_at_processes(grant: &Grant) -> bool {
    let of_others = |path: &PathGrant| {
        let Ok(rest) = path.beginning().strip_prefix("/proc") else { return path.beginning() == Path::new("/") };
        match rest.iter().next().and_then(|name| name.to_str()) {
            None => path.is_pattern(),
            Some(name) => name.bytes().all(|byte| byte.is_ascii_digit()),
        }
    };
    !grant.signal.is_empty() || grant.read.iter().chain(&grant.write).any(of_others)
}

fn is_of_kernel(path: &PathGrant) -> bool {
    let beginning = path.beginning();
    beginning == Path::new("/") || beginning.starts_with("/proc") || beginning.starts_with("/sys")
}

fn capabilities(grant: &Grant) -> Vec<Capability> {
    let mut kept = Capability::FILES.to_vec();
    if !grant.signal.is_empty() {
        kept.push(Capability::SIGNAL);
    }
    if looks_at_processes(grant) {
        kept.push(Capability::LOOK);
    }
    kept
}

fn reach(grant: &Grant, kept: Option<&Path>) -> Reach {
    let mut reach = Reach { read: NAMES.iter().map(PathBuf::from).collect(), ..Reach::default() };
    if let Some(kept) = kept {
        // Made here, because a rule is for what is there. Where it cannot be made, the module is told when it wants it.
        let _ = durable::create_folder(kept, 0o700);
        reach.write.push(kept.to_owned());
    }
    for path in &grant.read {
        let beginning = path.beginning();
        reach.read.extend(if beginning.exists() { Some(beginning) } else { standing(beginning) }.map(Path::to_owned));
    }
    for path in &grant.write {
        let beginning = path.beginning();
        // With the folder that it leads to, where it is written with links.
        for beginning in [Some(beginning.to_owned()), beginning.canonicalize().ok()].into_iter().flatten() {
            let inside = path.is_pattern() && beginning.is_dir();
            let folder = if inside { Some(&*beginning) } else { beginning.parent().and_then(lasting) };
            reach.write.extend(folder.map(Path::to_owned));
            if inside {
                reach.folders.extend(beginning.parent().map(Path::to_owned));
            }
        }
    }
    if !grant.network.is_empty() {
        reach.read.extend(HOSTS.iter().map(PathBuf::from));
        let ports = grant.network.iter().filter_map(NetworkGrant::one_port);
        let every = grant.network.iter().any(NetworkGrant::is_every_port);
        reach.connect = if every { Connect::Anywhere } else { Connect::Ports(ports.chain([NAME_SERVER]).collect()) };
    }
    reach
}

/// The folder nearest to a path that is not there, but never the root of all.
fn standing(path: &Path) -> Option<&Path> {
    path.ancestors().skip(1).find(|path| path.exists()).filter(|path| path.parent().is_some())
}

/// The same of a folder that may be there.
fn lasting(folder: &Path) -> Option<&Path> {
    if folder.exists() { Some(folder) } else { standing(folder) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_granted_is_within_reach_and_little_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(at("srv/data")).unwrap();
        std::fs::write(at("file"), "").unwrap();
        let text = format!(
            "read = [\"{0}/file\", \"{0}/srv/data/*\", \"{0}/missing/x\", \"/none/x\"]\nwrite = [\"{0}/srv/app.conf\", \"{0}/srv/data/**\"]",
            at("").display().to_string().trim_end_matches('/')
        );
        let kept = at("state/a:b/c");
        let reach = reach(&grant(&text), Some(&kept));
        assert!(kept.is_dir());
        let own: Vec<_> = reach.read.iter().skip(NAMES.len()).cloned().collect();
        assert_eq!(own, [at("file"), at("srv/data"), at("").components().collect::<PathBuf>()]);
        let write: std::collections::BTreeSet<_> = reach.write.iter().cloned().collect();
        assert_eq!(write, [kept, at("srv"), at("srv/data")].into());
        assert_eq!((reach.connect, reach.execute, reach.others), (Connect::Nowhere, false, false));
    }

    #[test]
    fn ports_are_those_that_are_granted() {
        let connect = |network: &str| reach(&grant(&format!("network = [{network}]")), None).connect;
        assert_eq!(connect("\"db1.example:5432\""), Connect::Ports(vec![5432, NAME_SERVER]));
        assert_eq!(connect("\"db1.example:5432\", \"10.0.0.0/8:*\""), Connect::Anywhere);
        assert_eq!(connect("\"db1.example:ping\""), Connect::Ports(vec![NAME_SERVER]));
    }

    #[test]
    fn only_a_call_that_loses_nothing_by_the_common_fences_is_ordinary() {
        for ordinary in ["", "read = [\"/etc/**\"]", "network = [\"db1.example:5432\"]"] {
            assert_eq!(Calling::of(&grant(ordinary)), Calling::Ordinary, "{ordinary}");
        }
        for other in
            ["run = [\"/bin/df\"]", "write = [\"/srv/x\"]", "read = [\"/proc/*/exe\"]", "services-read = [\"*\"]"]
        {
            assert_eq!(Calling::of(&grant(other)), Calling::Any, "{other}");
        }
    }

    #[test]
    fn who_reads_files_of_other_processes_must_see_them() {
        for path in ["/proc/*/exe", "/proc/1/environ", "/**", "/proc/**"] {
            assert!(looks_at_processes(&grant(&format!("read = [\"{path}\"]"))), "{path}");
        }
        for path in ["/proc/self/mountinfo", "/proc/net/{tcp,udp}", "/proc/meminfo", "/proc", "/etc/**"] {
            assert!(!looks_at_processes(&grant(&format!("read = [\"{path}\"]"))), "{path}");
        }
    }
}
