//! Each fence is raised in a process of its own, which then tries what is forbidden.

use std::{
    fs::{self, File},
    io,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill},
        socket::{AddressFamily, SockFlag, SockType, socket},
    },
    unistd::Pid,
};

use super::*;
use crate::sys::skip::cannot;

/// Tells a process that it is the one behind the fence, and where it may write.
const INSIDE: &str = "FUNC_TEST_FENCE";

/// Runs `test` again in a process of its own with one thread, as far as a test can; nothing there, where the folder is.
fn outside(test: &str, folder: &Path) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let again = again.args(["--exact", &format!("sys::fence::tests::{test}"), "--test-threads", "1", "--nocapture"]);
    let again = again.env(INSIDE, folder).output().unwrap();
    let said = String::from_utf8_lossy(&again.stdout).into_owned() + &String::from_utf8_lossy(&again.stderr);
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
    true
}

fn folder() -> PathBuf {
    std::env::var_os(INSIDE).unwrap().into()
}

fn refused<T>(answer: io::Result<T>) -> bool {
    answer.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn status(key: &str) -> String {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim_start_matches(':').trim().to_owned()
}

#[test]
fn files_out_of_reach_cannot_be_opened() {
    if files::version() == 0 {
        cannot("files_out_of_reach_cannot_be_opened", "the kernel has no landlock");
        return;
    }
    let temporary = tempfile::tempdir().unwrap();
    for name in ["read", "write", "none"] {
        fs::create_dir(temporary.path().join(name)).unwrap();
        fs::write(temporary.path().join(name).join("file"), name).unwrap();
    }
    if outside("files_out_of_reach_cannot_be_opened", temporary.path()) {
        return;
    }
    let at = |name: &str| folder().join(name);
    let kept_open = File::open(at("none/file")).unwrap();
    let raised = Reach { read: vec![at("read")], write: vec![at("write")], ..Reach::default() }.raise().unwrap();
    assert!(raised);
    assert_eq!(fs::read(at("read/file")).unwrap(), b"read");
    fs::write(at("write/new"), "x").unwrap();
    fs::rename(at("write/new"), at("write/newer")).unwrap();
    for path in ["/etc/passwd".into(), at("none/file")] {
        assert!(refused(File::open(&path)), "{}", path.display());
    }
    assert!(refused(fs::write(at("read/file"), "x")) && refused(fs::write(at("none/new"), "x")));
    assert!(refused(fs::remove_file(at("none/file"))) && fs::hard_link(at("none/file"), at("write/link")).is_err());
    assert_eq!(fs::read_dir(at("none")).unwrap().count(), 1, "names are told");
    assert_eq!(io::read_to_string(kept_open).unwrap(), "none", "what is open stays so");
    assert!(refused(Command::new("/bin/true").spawn().map(drop)), "no program can be started");
    assert!(refused(TcpListener::bind("127.0.0.1:0")) || files::version() < 4);
    let init = kill(Pid::from_raw(std::os::unix::process::parent_id().cast_signed()), Signal::SIGCONT);
    assert!(init == Err(Errno::EPERM) || files::version() < 6, "{init:?}");
}

#[test]
fn connections_lead_only_to_the_ports_that_are_named() {
    if files::version() < 4 {
        cannot("connections_lead_only_to_the_ports_that_are_named", "the kernel's landlock knows no ports");
        return;
    }
    if outside("connections_lead_only_to_the_ports_that_are_named", Path::new("/")) {
        return;
    }
    let listen = || TcpListener::bind("127.0.0.1:0").unwrap();
    let listeners = (listen(), listen());
    let (granted, other) = (listeners.0.local_addr().unwrap(), listeners.1.local_addr().unwrap());
    let connect = Connect::Ports(vec![granted.port()]);
    Reach { connect, ..Reach::default() }.raise().unwrap();
    TcpStream::connect(granted).unwrap();
    assert!(refused(TcpStream::connect(other)));
}

#[test]
fn calls_that_no_module_needs_are_refused() {
    if !calls::available() {
        cannot("calls_that_no_module_needs_are_refused", "the kernel filters no system calls");
        return;
    }
    if outside("calls_that_no_module_needs_are_refused", Path::new("/")) {
        return;
    }
    let Some(calls) = Calls::compile() else { return };
    let temporary = tempfile::tempdir().unwrap();
    let socket_of_a_service = temporary.path().join("service");
    let service = std::os::unix::net::UnixListener::bind(&socket_of_a_service).unwrap();
    let open = File::open(temporary.path()).unwrap();
    calls.raise(Modes::Stay).unwrap();
    assert_eq!((status("Seccomp"), status("NoNewPrivs")), ("2".to_owned(), "1".to_owned()));
    let answer = |number: libc::c_long, first: libc::c_long| {
        // SAFETY: each of these calls is refused before it looks at an argument; were it not, null pointers, zeros and
        // the numbers below make each of them an error without an effect.
        let answer = unsafe { libc::syscall(number, first, 0_usize, 0_usize, 0_usize, 0_usize) };
        if answer < 0 { Errno::last() } else { Errno::from_raw(0) }
    };
    let forbidden = [
        ("execve", libc::SYS_execve, 0),
        ("ptrace", libc::SYS_ptrace, libc::c_long::from(libc::PTRACE_TRACEME)),
        ("mount", libc::SYS_mount, 0),
        ("keyctl", libc::SYS_keyctl, 0),
        ("bpf", libc::SYS_bpf, 0),
        ("unshare", libc::SYS_unshare, libc::c_long::from(libc::CLONE_NEWUSER)),
        ("setns", libc::SYS_setns, -1),
        ("finit_module", libc::SYS_finit_module, -1),
        ("perf_event_open", libc::SYS_perf_event_open, 0),
        ("io_uring_setup", libc::SYS_io_uring_setup, 0),
        ("clone", libc::SYS_clone, libc::c_long::from(libc::CLONE_NEWUSER)),
        ("prlimit64 of another", libc::SYS_prlimit64, libc::c_long::from(std::process::id())),
        ("setpriority", libc::SYS_setpriority, -1),
        ("fchmodat", libc::SYS_fchmodat, -1),
        ("fchownat", libc::SYS_fchownat, -1),
        ("setxattr", libc::SYS_setxattr, 0),
        ("fchmod", libc::SYS_fchmod, -1),
        ("fchown", libc::SYS_fchown, -1),
    ];
    for (name, number, first) in forbidden {
        assert_eq!(answer(number, first), Errno::EPERM, "{name}");
    }
    assert_eq!(answer(libc::SYS_clone3, 0), Errno::ENOSYS);
    #[cfg(target_arch = "x86_64")]
    assert_eq!(answer(libc::SYS_getpid | 0x4000_0000, 0), Errno::ENOSYS, "by its other number");
    let made = |family| socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    assert_eq!(made(AddressFamily::Packet).unwrap_err(), Errno::EPERM);
    assert_eq!(made(AddressFamily::Alg).unwrap_err(), Errno::EPERM);
    for family in [AddressFamily::Inet, AddressFamily::Inet6, AddressFamily::Netlink] {
        made(family).unwrap();
    }
    // No service of this machine is asked to do what is refused here; what is said among ourselves is another thing.
    assert!(refused(std::os::unix::net::UnixStream::connect(&socket_of_a_service)));
    std::os::unix::net::UnixStream::pair().unwrap();
    assert!(refused(fs::set_permissions("/tmp", fs::Permissions::from_mode(0o1777))));
    assert!(refused(open.set_permissions(fs::Permissions::from_mode(0o700))));
    nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE).unwrap();
    drop(service);
    assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7, "threads are made all the same");
    assert!(refused(Command::new("/bin/true").spawn().map(drop)));
}

#[test]
fn power_that_is_given_up_does_not_come_back() {
    if !nix::unistd::Uid::effective().is_root() {
        cannot("power_that_is_given_up_does_not_come_back", "only root has any");
        return;
    }
    if outside("power_that_is_given_up_does_not_come_back", Path::new("/")) {
        return;
    }
    let module: Capability = "CAP_SYS_MODULE".parse().unwrap();
    drop_capabilities(&[module]).unwrap();
    assert!(!effective_capabilities().unwrap().contains(&module));
    let child = Command::new("cat").arg("/proc/self/status").output().unwrap();
    let child = String::from_utf8(child.stdout).unwrap();
    let effective = child.lines().find_map(|line| line.strip_prefix("CapEff:\t")).unwrap();
    assert_eq!(u64::from_str_radix(effective, 16).unwrap() & (1 << 16), 0, "nor has what it starts");
    keep_capabilities(&Capability::FILES).unwrap();
    assert_eq!(effective_capabilities().unwrap().len(), Capability::FILES.len());
    assert_eq!(status("CapBnd"), status("CapEff"));
    assert!(keep_capabilities(&Capability::FILES).is_ok(), "twice is as good");
    assert!("CAP_FLY".parse::<Capability>().is_err());
}

#[test]
fn limits_cannot_be_raised_again() {
    if outside("limits_cannot_be_raised_again", Path::new("/")) {
        return;
    }
    limit(3600).unwrap();
    let status = fs::read_to_string("/proc/self/limits").unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line[26..].split_ascii_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(of("Max core file size"), ["0", "0"]);
    assert_eq!(of("Max cpu time"), ["3600", "3600"]);
    assert_eq!(of("Max open files"), ["1024", "1024"]);
}

#[test]
fn who_may_change_files_changes_modes_of_what_is_open_and_of_nothing_else() {
    const NAME: &str = "who_may_change_files_changes_modes_of_what_is_open_and_of_nothing_else";
    if !calls::available() {
        return cannot(NAME, "the kernel filters no system calls");
    }
    if outside(NAME, Path::new("/")) {
        return;
    }
    let Some(calls) = Calls::compile() else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    calls.raise(Modes::Change).unwrap();
    file.as_file().set_permissions(fs::Permissions::from_mode(0o640)).unwrap();
    assert!(refused(fs::set_permissions(file.path(), fs::Permissions::from_mode(0o4777))));
}
