//! Ways out of a grant that /proc, /dev, hard links and old kernels offer.

use std::{
    fs,
    os::unix::fs::{MetadataExt, symlink},
    path::Path,
    sync::Arc,
};

use nix::{
    fcntl::{AT_FDCWD, OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::fstat,
};

use super::{super::ErrorKind, walk::walk, *};
use crate::{access::Grant, plugin::fixture::context};

fn state(text: &str) -> State {
    let mut context = context();
    context.grant = Arc::new(toml::from_str::<Grant>(text).unwrap());
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

/// Links that the kernel follows to open files and into other roots, whatever they say.
fn magic() -> Vec<String> {
    let parent = std::os::unix::process::parent_id();
    [
        "/proc/self/cwd/Cargo.toml".to_owned(),
        "/proc/self/root/etc/passwd".to_owned(),
        format!("/proc/{}/root/etc/passwd", std::process::id()),
        format!("/proc/{parent}/cwd"),
        "/proc/thread-self/root/etc/passwd".to_owned(),
        "/proc/self/task/../root/etc/passwd".to_owned(),
        "/proc/self/exe".to_owned(),
        "/proc/self/fd/0".to_owned(),
        "/proc/self/ns/mnt".to_owned(),
        "/dev/stdin".to_owned(),
        "/dev/stdout".to_owned(),
        "/dev/fd/0".to_owned(),
        "/dev/fd/../root/etc/passwd".to_owned(),
    ]
    .into()
}

#[tokio::test]
async fn the_magic_links_of_proc_lead_nowhere_even_where_all_is_granted() {
    let mut state = state("read = [\"/**\"]\nwrite = [\"/proc/**\", \"/dev/**\"]");
    for path in magic() {
        assert!(state.read(path.clone()).await.is_err(), "{path} was read");
        assert!(state.stat(path.clone()).await.is_err(), "{path} was looked at");
        assert!(state.list_dir(path.clone()).await.is_err(), "{path} was listed");
        assert!(state.read_part(path.clone(), 0, 1).await.is_err(), "{path} was read in part");
        assert!(state.make_dir(format!("{path}/made")).await.is_err(), "{path} was gone through");
        assert!(state.create(format!("{path}/made"), Vec::new(), None).await.is_err(), "{path} was gone through");
    }
    // What is written behind such a link is what its text names, which was not granted.
    let folder = tempfile::tempdir().unwrap();
    let held = fs::File::create(folder.path().join("held")).unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&held));
    assert_eq!(state.write(path.clone(), b"x".into(), None).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(state.append(path, b"x".into()).await.unwrap_err().kind, ErrorKind::Denied);
    assert_eq!(fs::read(folder.path().join("held")).unwrap(), b"");
}

#[tokio::test]
async fn memory_is_not_a_file_that_can_be_granted() {
    let mut state = state("read = [\"/proc/**\", \"/proc/self/mem\"]\nwrite = [\"/proc/**\", \"/proc/self/mem\"]");
    let task = format!("/proc/self/task/{}/mem", nix::unistd::gettid());
    for path in ["/proc/self/mem", &task, &format!("/proc/{}/mem", std::process::id()), "/proc/thread-self/mem"] {
        let path = path.to_owned();
        assert_eq!(state.read_part(path.clone(), 4096, 1).await.unwrap_err().kind, ErrorKind::Denied, "{path}");
        assert_eq!(state.write(path.clone(), b"x".into(), None).await.unwrap_err().kind, ErrorKind::Denied, "{path}");
        assert_eq!(state.append(path.clone(), b"x".into()).await.unwrap_err().kind, ErrorKind::Denied, "{path}");
    }
    assert!(!state.read("/proc/self/stat".to_owned()).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_written_under_a_hard_link_does_not_reach_the_file_s_other_names() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let at = |name: &str| real.join(name).to_str().unwrap().to_owned();
    fs::create_dir(at("open")).unwrap();
    fs::write(at("outside"), "outside").unwrap();
    fs::hard_link(at("outside"), at("open/link")).unwrap();
    let mut state = state(&format!("read = [\"{0}/**\"]\nwrite = [\"{0}/**\"]", at("open")));
    let appended = state.append(at("open/link"), b"x".into()).await.unwrap_err();
    assert_eq!(appended.kind, ErrorKind::Invalid);
    assert!(appended.message.contains("hard links"), "{appended:?}");
    state.write(at("open/link"), b"inside".into(), None).await.unwrap();
    assert_eq!(
        (fs::read(at("outside")).unwrap(), fs::read(at("open/link")).unwrap()),
        (b"outside".into(), b"inside".into())
    );
    assert_eq!(fs::metadata(at("outside")).unwrap().nlink(), 1);
    fs::hard_link(at("outside"), at("open/again")).unwrap();
    state.remove(at("open/again")).await.unwrap();
    assert_eq!(fs::read(at("outside")).unwrap(), b"outside");
}

/// What a kernel that can be told to leave magic links alone finds.
fn asked(path: &Path) -> Option<(u64, u64)> {
    let how = OpenHow::new().flags(OFlag::O_PATH | OFlag::O_CLOEXEC).resolve(ResolveFlag::RESOLVE_NO_MAGICLINKS);
    let stat = fstat(openat2(AT_FDCWD, path, how).ok()?).unwrap();
    Some((stat.st_dev, stat.st_ino))
}

fn walked(path: &Path) -> Option<(u64, u64)> {
    let stat = fstat(walk(path).ok()?).unwrap();
    Some((stat.st_dev, stat.st_ino))
}

#[test]
fn a_kernel_that_knows_no_openat2_is_led_to_the_same_files() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let at = |name: &str| real.join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/file"), "").unwrap();
    symlink("../a/./b/..//file", at("a/relative")).unwrap();
    symlink(at("a"), at("absolute")).unwrap();
    symlink("absolute/relative", at("chain")).unwrap();
    symlink("loop", at("loop")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    symlink("a/file/", at("slash")).unwrap();
    symlink("/../..", at("up")).unwrap();
    let mut last = "a/file".to_owned();
    for number in 0..41 {
        symlink(&last, at(&format!("long{number}"))).unwrap();
        last = format!("long{number}");
    }
    let there = ["a", "a/", "a/file", "a/relative", "absolute/b/../file", "chain", "up", "up/etc", "long39", "a/b/."];
    let not = ["a/file/", "a/file/.", "a/file/..", "loop", "dangling", "slash", "a/none", "a/none/..", "long40"];
    for name in there {
        assert!(walked(&at(name)).is_some(), "{name}");
        assert_eq!(walked(&at(name)), asked(&at(name)), "{name}");
    }
    for name in not {
        assert_eq!((walked(&at(name)), asked(&at(name))), (None, None), "{name}");
    }
    for path in ["/", "//", "/..", "/proc/mounts", "/proc/self/status", "/proc/net/dev", "/etc/os-release"] {
        assert_eq!(walked(path.as_ref()), asked(path.as_ref()), "{path}");
    }
    for path in magic() {
        assert_eq!((walked(path.as_ref()), asked(path.as_ref())), (None, None), "{path}");
    }
}
