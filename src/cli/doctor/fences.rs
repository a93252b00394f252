//! The fences of the minion that runs on this machine.

use super::Finding;
use crate::{
    minion::MinionConfig,
    sys::{
        cgroup::Delegated,
        fence::{Available, still_has},
        lock,
    },
};

const CHECK: &str = "fences";
/// What to do where the kernel lacks something.
const KERNEL: &str = "run a kernel that has it (5.13 or newer, and `landlock` among `lsm=`)";

/// Which are up, and what does not hold.
pub(super) fn check(config: &MinionConfig) -> (String, Vec<Finding>) {
    let available = Available::ask();
    let mut findings = kernel(config, available);
    // Whoever holds the folder of jobs is the minion; one that does not run is told of as its port is.
    let Some(minion) = lock::holder(&config.folders.jobs) else { return (available.to_string(), findings) };
    let had: Vec<_> = still_has(minion, &config.fences.drop).iter().map(ToString::to_string).collect();
    if !had.is_empty() {
        let what = format!("the minion that runs has not given up {}", had.join(", "));
        findings.push(Finding::wrong(CHECK, what, "restart it: `drop` in [fences] holds from the start on"));
    }
    let groups = match Delegated::to_process(minion) {
        Ok(delegated) => {
            findings.extend(bounds(config, &delegated));
            "one for each job".to_owned()
        }
        Err(missing) => {
            let what = format!("jobs have no control groups of their own: {missing}");
            let todo = "start the minion by the unit that `funcd --print-unit` prints; until then, what leaves the family of a \
                        cancelled job may live on";
            findings.push(Finding::note(CHECK, what, todo));
            "none".to_owned()
        }
    };
    (format!("{available}, control groups {groups}"), findings)
}

fn kernel(config: &MinionConfig, available: Available) -> Vec<Finding> {
    let mut findings = Vec::new();
    if available.landlock == 0 && config.fences.write.is_some() {
        let what = "`write` in [fences] does not hold: the kernel has no landlock";
        findings.push(Finding::wrong(CHECK, what, KERNEL));
    } else if available.landlock == 0 {
        findings.push(Finding::note(CHECK, "workers reach every file: the kernel has no landlock", KERNEL));
    }
    if !available.seccomp {
        let what = "workers can make every system call: the kernel filters none";
        findings.push(Finding::note(CHECK, what, "run a kernel with CONFIG_SECCOMP_FILTER"));
    }
    findings
}

/// Bounds on jobs that do not hold. One that nobody asked for is no more than worth knowing.
fn bounds(config: &MinionConfig, delegated: &Delegated) -> Vec<Finding> {
    let wanted = config.jobs.bounds();
    let holds = delegated.holds(wanted);
    let todo = "have the minion started with DelegateSubgroup=daemon (systemd 254), on a machine whose control groups are all \
                of version 2, and restart it";
    let mut findings = Vec::new();
    if wanted.memory != holds.memory {
        findings.push(Finding::wrong(CHECK, "`memory` in [jobs] does not hold", todo));
    }
    if wanted.processes != holds.processes {
        findings.push(Finding::note(CHECK, "`processes` in [jobs] does not hold", todo));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_the_kernel_lacks_is_wrong_where_it_was_asked_for() {
        let told = |text: &str, landlock: u32, seccomp: bool| {
            let config: MinionConfig = crate::config::parse(text, Path::new("minion.toml")).unwrap();
            let found = kernel(&config, Available { landlock, seccomp });
            found.into_iter().map(|finding| finding.wrong).collect::<Vec<_>>()
        };
        assert!(told("", 6, true).is_empty());
        assert_eq!(told("", 0, true), [false]);
        assert_eq!(told("[fences]\nwrite = [\"/srv\"]\n", 0, false), [true, false]);
    }
}
