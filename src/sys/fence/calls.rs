//! Seccomp: system calls that are refused, whatever the process may do otherwise.
//!
//! A list of what is refused and not of what is allowed: which calls a C library makes differs between versions and
//! machines, and one that is missing from such a list breaks a worker years later. What is refused answers EPERM.

use std::io;

use seccompiler::{BpfProgram, apply_filter};

use super::filter::{self, Verdict};

/// Refused whatever their arguments: they start programs, look into other processes, change what is mounted, load code
/// into the kernel, make name spaces, change the machine's clock, name or power, or have been the kernel's weak places.
const REFUSED: &[libc::c_long] = &[
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
const NAME_SPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP;
/// Sockets that may be made. Others (packets, the kernel's crypto, virtual machines, …) are for nothing that a module does.
/// Those of this machine (`AF_UNIX`) lead to services that do for root whatever it asks: D-Bus, and systemd behind it.
const FAMILIES: &[libc::c_int] = &[libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
/// Both ends of a pair are our own.
const PAIRS: &[libc::c_int] = &[libc::AF_UNIX];
/// The limits of another process are refused; one's own are number 0.
const OWN: &[libc::c_int] = &[0];

/// The filter, compiled once and installed in every worker.
#[derive(Debug, Clone)]
pub struct Calls {
    changing: BpfProgram,
    staying: BpfProgram,
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
    /// Compiles it. Nothing on a machine for which this cannot be done.
    pub fn compile() -> Option<Self> {
        Some(Self { changing: compile(Modes::Change)?, staying: compile(Modes::Stay)? })
    }

    /// Installs it for this thread and what it starts, for good. Implies `no_new_privs`.
    pub fn raise(&self, modes: Modes) -> io::Result<()> {
        let filter = match modes {
            Modes::Change => &self.changing,
            Modes::Stay => &self.staying,
        };
        apply_filter(filter).map_err(io::Error::other)
    }
}

fn compile(modes: Modes) -> Option<BpfProgram> {
    let refused = REFUSED.iter().chain(MODES.iter().filter(|_| modes == Modes::Stay));
    let refused = refused.map(|call| (*call, Verdict::Refuse(libc::EPERM)));
    let others = |values| Verdict::RefuseOthers(values, libc::EPERM);
    let by_arguments = [
        (libc::SYS_clone, Verdict::RefuseFlags(NAME_SPACES.cast_unsigned(), libc::EPERM)),
        // Its arguments lie where no filter looks; C libraries then take clone, whose flags are in sight.
        (libc::SYS_clone3, Verdict::Refuse(libc::ENOSYS)),
        (libc::SYS_socket, others(FAMILIES)),
        (libc::SYS_socketpair, others(PAIRS)),
        (libc::SYS_prlimit64, others(OWN)),
    ];
    let named = refused.chain(by_arguments).map(|(call, verdict)| Some((u32::try_from(call).ok()?, verdict)));
    filter::compile(&named.collect::<Option<_>>()?)
}

/// Whether the kernel filters system calls.
pub(super) fn available() -> bool {
    // SAFETY: a null pointer for the filter is an address that the kernel refuses with EFAULT, if it knows filters at all.
    let answer =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, std::ptr::null::<libc::c_void>()) };
    answer < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::EFAULT)
}
