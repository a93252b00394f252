//! Seccomp: system calls that are refused, whatever the process may do otherwise.
//!
//! A list of what is refused and not of what is allowed: which calls a C library makes differs between versions and
//! machines, and one that is missing from such a list breaks a worker years later. What is refused answers EPERM.

use std::{collections::BTreeMap, env::consts::ARCH, io};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition as Condition,
    SeccompFilter, SeccompRule, apply_filter, sock_filter,
};

/// Refused whatever their arguments: they start programs, look into other processes, change what is mounted, load code
/// into the kernel, make name spaces, change the machine's clock, name or power, or have been the kernel's weak places.
const REFUSED: &[i64] = &[
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_open_by_handle_at,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    #[cfg(not(target_arch = "riscv64"))]
    libc::SYS_kexec_file_load,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_reboot,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_mknodat,
    // On processes of the same user these take no power at all, and all of root's are of one user.
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_setaffinity,
    // By path, modes, owners and attributes of every file of the same user are within reach, whatever landlock says. Who
    // needs it does it by descriptor.
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchownat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    REMOVEXATTRAT,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chmod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_chown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_lchown,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];
/// Calls that the C library does not know everywhere; new ones have one number on all machines.
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
/// Refused besides where no file may be changed: the same by descriptor, also of what can only be read.
const MODES: [i64; 4] = [libc::SYS_fchmod, libc::SYS_fchown, libc::SYS_fsetxattr, libc::SYS_fremovexattr];
/// With these a clone begins in a name space of its own.
const NAME_SPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWCGROUP,
];
/// Sockets that may be made. Others (packets, the kernel's crypto, virtual machines, …) are for nothing that a module does.
/// Those of this machine (`AF_UNIX`) lead to services that do for root whatever it asks: D-Bus, and systemd behind it.
const FAMILIES: [libc::c_int; 3] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// Both ends of a pair are our own.
const PAIRS: [libc::c_int; 1] = [libc::AF_UNIX];

/// The filters, compiled once and installed in every worker.
#[derive(Debug, Clone)]
pub struct Calls {
    always: Vec<BpfProgram>,
    modes: BpfProgram,
}

/// Whether a process may change modes and owners of files that it has open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modes {
    /// It may.
    Change,
    /// Nobody wants it to.
    Stay,
}

impl Calls {
    /// Compiles them. Nothing on a machine for which this cannot be done.
    pub fn compile() -> io::Result<Option<Self>> {
        let Ok(machine) = ARCH.try_into() else { return Ok(None) };
        let compile = |rules, refusal| -> Result<BpfProgram, seccompiler::BackendError> {
            SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(refusal), machine)?.try_into()
        };
        let compiled = || -> Result<_, seccompiler::BackendError> {
            let mut refused = compile(rules()?, libc::EPERM.cast_unsigned())?;
            refuse_other_numbers(&mut refused);
            // Its arguments lie where no filter looks; C libraries then take clone, whose flags are in sight.
            let unknown = compile([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS.cast_unsigned())?;
            let modes = compile(MODES.map(|call| (call, Vec::new())).into(), libc::EPERM.cast_unsigned())?;
            Ok(Self { always: vec![refused, unknown], modes })
        };
        compiled().map(Some).map_err(io::Error::other)
    }

    /// Installs them for this thread and what it starts, for good. Implies `no_new_privs`.
    pub fn raise(&self, modes: Modes) -> io::Result<()> {
        let more = (modes == Modes::Stay).then_some(&self.modes);
        self.always.iter().chain(more).try_for_each(|filter| apply_filter(filter)).map_err(io::Error::other)
    }
}

fn rules() -> Result<BTreeMap<i64, Vec<SeccompRule>>, seccompiler::BackendError> {
    let mut rules: BTreeMap<_, _> = REFUSED.iter().map(|call| (*call, Vec::new())).collect();
    let spaces = NAME_SPACES.into_iter().map(|flag| {
        let flag = u64::from(flag.cast_unsigned());
        SeccompRule::new(vec![Condition::new(0, Length::Qword, Is::MaskedEq(flag), flag)?])
    });
    rules.insert(libc::SYS_clone, spaces.collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socket, vec![other_than(&FAMILIES)?]);
    rules.insert(libc::SYS_socketpair, vec![other_than(&PAIRS)?]);
    // The limits of another process; one's own are number 0.
    rules.insert(libc::SYS_prlimit64, vec![other_than(&[0])?]);
    Ok(rules)
}

/// For a call whose first argument is none of these.
fn other_than(allowed: &[libc::c_int]) -> Result<SeccompRule, seccompiler::BackendError> {
    let none = |value: &libc::c_int| Condition::new(0, Length::Dword, Is::Ne, u64::from(value.cast_unsigned()));
    SeccompRule::new(allowed.iter().map(none).collect::<Result<_, _>>()?)
}

/// On x86-64 the same calls have a second set of numbers (x32), from 2^30 on.
fn refuse_other_numbers(filter: &mut BpfProgram) {
    if ARCH == "x86_64" {
        let instruction = |code, jt, jf, k| sock_filter { code, jt, jf, k };
        filter.splice(
            0..0,
            [
                // The call's number, which is the first word of what a filter sees.
                instruction(0x20, 0, 0, 0),
                // Below 2^30: on to the rest.
                instruction(0x35, 0, 1, 0x4000_0000),
                instruction(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()),
            ],
        );
    }
}

/// Whether the kernel filters system calls.
pub(super) fn available() -> bool {
    // SAFETY: a null pointer for the filter is an address that the kernel refuses with EFAULT, if it knows filters at all.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::null::<libc::c_void>()) };
    answer < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}
