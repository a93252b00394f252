//! Files through the host functions, without a guest.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::Arc,
};

use super::super::ErrorKind;
use super::*;
use crate::{
    access::Grant,
    plugin::{fixture::context, host::bindings::minion::host::files::Kind},
};

fn state(read: &[String], write: &[String]) -> State {
    let grants = |texts: &[String]| texts.iter().map(|text| text.clone().try_into().unwrap()).collect();
    let mut context = context();
    context.grant = Arc::new(Grant { read: grants(read), write: grants(write), ..Grant::default() });
    context.limits.file_bytes = 1000;
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

fn under(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// A folder whose path has no links in it, and a state that may do everything beneath it.
fn granted() -> (tempfile::TempDir, std::path::PathBuf, State) {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let all = [under(&real, "**")];
    let state = state(&all, &all);
    (folder, real, state)
}

#[tokio::test]
async fn nothing_is_told_about_what_was_not_granted() {
    let mut state = state(&[], &[]);
    let mut kinds = Vec::new();
    for path in ["/etc/passwd", "/no/such/file"] {
        let path = path.to_owned();
        kinds.push(state.read(path.clone()).await.unwrap_err().kind);
        kinds.push(state.exists(path.clone()).await.unwrap_err().kind);
        kinds.push(state.stat(path.clone()).await.unwrap_err().kind);
        kinds.push(state.stat_link(path.clone()).await.unwrap_err().kind);
        kinds.push(state.list_dir(path.clone()).await.unwrap_err().kind);
        kinds.push(state.read_link(path.clone()).await.unwrap_err().kind);
        kinds.push(state.write(path.clone(), Vec::new(), None).await.unwrap_err().kind);
        kinds.push(state.create(path.clone(), Vec::new(), None).await.unwrap_err().kind);
        kinds.push(state.append(path.clone(), Vec::new()).await.unwrap_err().kind);
        kinds.push(state.remove(path.clone()).await.unwrap_err().kind);
        kinds.push(state.make_dir(path).await.unwrap_err().kind);
    }
    assert!(kinds.iter().all(|kind| *kind == ErrorKind::Denied), "{kinds:?}");
}

#[tokio::test]
async fn a_link_out_of_the_grant_is_denied_whichever_way_it_is_used() {
    let (_keep, folder, mut state) = granted();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "s").unwrap();
    symlink(outside.path(), folder.join("way")).unwrap();
    symlink(outside.path().join("secret"), folder.join("link")).unwrap();
    symlink(outside.path().join("new"), folder.join("dangling")).unwrap();
    let kind = |error: Error| error.kind;
    for name in ["link", "way/secret", "way/../secret"] {
        assert_eq!(state.read(under(&folder, name)).await.map_err(kind), Err(ErrorKind::Denied), "{name}");
    }
    for name in ["link", "way/secret", "way/new", "dangling"] {
        let path = under(&folder, name);
        assert_eq!(state.write(path.clone(), b"x".into(), None).await.map_err(kind), Err(ErrorKind::Denied), "{name}");
        assert_eq!(state.append(path, b"x".into()).await.map_err(kind), Err(ErrorKind::Denied), "{name}");
    }
    assert_eq!(state.make_dir(under(&folder, "way/sub/sub")).await.map_err(kind), Err(ErrorKind::Denied));
    assert_eq!(state.remove(under(&folder, "way/secret")).await.map_err(kind), Err(ErrorKind::Denied));
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"s");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    // The link itself is in the grant.
    assert!(state.read_link(under(&folder, "link")).await.unwrap().ends_with("secret"));
    state.remove(under(&folder, "link")).await.unwrap();
    assert!(outside.path().join("secret").exists());
}

#[tokio::test]
async fn open_files_are_not_found_by_way_of_proc() {
    let mut state = state(&["/**".to_owned()], &[]);
    let file = tempfile::tempfile().unwrap();
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file));
    assert!(state.read(path).await.is_err());
    assert!(state.read("/proc/self/root/etc/passwd".to_owned()).await.is_err());
}

#[tokio::test]
async fn a_grant_for_a_link_of_the_system_covers_what_it_leads_to() {
    let mut state = state(&["/proc/mounts".to_owned(), "/proc/self/**".to_owned()], &[]);
    state.context.limits.file_bytes = 1 << 20;
    assert!(state.read_text("/proc/mounts".to_owned()).await.unwrap().contains("/proc"));
    assert!(!state.read("/proc/self/stat".to_owned()).await.unwrap().is_empty());
    assert!(state.space("/".to_owned()).await.unwrap().total > 0);
    assert_eq!(state.space("/etc".to_owned()).await.map_err(|error| error.kind).unwrap_err(), ErrorKind::Denied);
}

#[tokio::test]
async fn a_file_is_replaced_whole_and_keeps_its_mode_and_links() {
    let (_keep, folder, mut state) = granted();
    let (file, link) = (under(&folder, "file"), under(&folder, "link"));
    state.write(file.clone(), b"one".into(), None).await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("file", &link).unwrap();
    state.write(link.clone(), b"two".into(), None).await.unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"two");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o640);
    state.write(file.clone(), b"three".into(), Some(0o600)).await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);
    let again = state.create(file.clone(), b"four".into(), None).await.unwrap_err();
    assert_eq!(again.kind, ErrorKind::AlreadyExists);
    state.append(file.clone(), b"!".into()).await.unwrap();
    assert_eq!(state.read_text(file).await.unwrap(), "three!");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft is left behind");
}

#[tokio::test]
async fn no_module_makes_a_program_that_runs_as_its_owner() {
    let (_keep, folder, mut state) = granted();
    let mode = |name: &str| fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o7777;
    for bits in [0o2755, 0o4755, 0o6000, 0o10644] {
        let write = state.write(under(&folder, "new"), b"x".into(), Some(bits)).await.unwrap_err();
        let create = state.create(under(&folder, "new"), b"x".into(), Some(bits)).await.unwrap_err();
        assert_eq!((write.kind, create.kind), (ErrorKind::Invalid, ErrorKind::Invalid));
        assert!(write.message.contains("0o1777"), "{write:?}");
    }
    assert!(!folder.join("new").exists());
    state.create(under(&folder, "sticky"), b"x".into(), Some(0o1777)).await.unwrap();
    assert_eq!(mode("sticky"), 0o1777);
    for name in ["replaced", "grown"] {
        fs::write(folder.join(name), "x").unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o6755)).unwrap();
        assert_eq!(mode(name), 0o6755);
    }
    state.write(under(&folder, "replaced"), b"y".into(), None).await.unwrap();
    state.append(under(&folder, "grown"), b"y".into()).await.unwrap();
    assert_eq!((mode("replaced"), mode("grown")), (0o755, 0o755));
}

#[tokio::test]
async fn what_is_no_regular_file_or_too_large_is_refused() {
    let (_keep, folder, mut state) = granted();
    let kind = |error: Error| error.kind;
    nix::unistd::mkfifo(&folder.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for name in ["fifo", "."] {
        assert_eq!(state.read(under(&folder, name)).await.map_err(kind), Err(ErrorKind::Invalid));
    }
    assert_eq!(state.append(under(&folder, "fifo"), b"x".into()).await.map_err(kind), Err(ErrorKind::Invalid));
    fs::write(folder.join("big"), vec![b'x'; 1001]).unwrap();
    assert_eq!(state.read(under(&folder, "big")).await.map_err(kind), Err(ErrorKind::TooLarge));
    assert_eq!(state.read_part(under(&folder, "big"), 999, 10).await.unwrap(), b"xx");
    assert_eq!(state.read_part(under(&folder, "big"), 0, 1001).await.map_err(kind), Err(ErrorKind::TooLarge));
    let large = state.write(under(&folder, "new"), vec![0; 1001], None).await;
    assert_eq!(large.map_err(kind), Err(ErrorKind::TooLarge));
    assert_eq!(state.read("relative".to_owned()).await.map_err(kind), Err(ErrorKind::Invalid));
    assert_eq!(state.read("/a\0b".to_owned()).await.map_err(kind), Err(ErrorKind::Invalid));
    fs::write(folder.join("latin"), [0xe9]).unwrap();
    assert_eq!(state.read_text(under(&folder, "latin")).await.map_err(kind), Err(ErrorKind::Invalid));
}

#[tokio::test]
async fn a_file_that_somebody_else_has_locked_is_not_waited_for_without_bound() {
    let (_keep, folder, mut state) = granted();
    fs::write(folder.join("log"), "a").unwrap();
    let holder = fs::File::open(folder.join("log")).unwrap();
    holder.lock().unwrap();
    let append = state.append(under(&folder, "log"), b"b".into());
    let busy = tokio::time::timeout(std::time::Duration::from_secs(20), append).await.unwrap().unwrap_err();
    assert_eq!(busy.kind, ErrorKind::Busy, "{busy:?}");
    assert!(busy.message.contains("another program"), "{busy:?}");
    assert_eq!(fs::read(folder.join("log")).unwrap(), b"a");
    drop(holder);
    state.append(under(&folder, "log"), b"b".into()).await.unwrap();
    assert_eq!(fs::read(folder.join("log")).unwrap(), b"ab");
}

#[tokio::test]
async fn a_file_that_blocks_does_not_hold_up_the_thread_that_serves_everybody() {
    let (_keep, folder, mut state) = granted();
    fs::write(folder.join("log"), "").unwrap();
    let holder = fs::File::open(folder.join("log")).unwrap();
    holder.lock().unwrap();
    // The test has one thread for all that waits.
    tokio::select! {
        biased;
        ended = state.append(under(&folder, "log"), b"b".into()) => panic!("the thread was held up: {ended:?}"),
        () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
    }
}

#[tokio::test]
async fn folders_are_made_listed_and_removed() {
    let (_keep, folder, mut state) = granted();
    state.make_dir(under(&folder, "a/b/c")).await.unwrap();
    state.make_dir(under(&folder, "a/b")).await.unwrap();
    fs::write(folder.join("a/b/z"), "").unwrap();
    let entries = state.list_dir(under(&folder, "a/b")).await.unwrap();
    let names: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    assert_eq!(names, [("c", Kind::Directory), ("z", Kind::File)]);
    assert_eq!(state.stat(under(&folder, "a")).await.unwrap().kind, Kind::Directory);
    assert!(!state.exists(under(&folder, "a/x")).await.unwrap());
    assert_eq!(state.remove(under(&folder, "a/b")).await.unwrap_err().kind, ErrorKind::Failed);
    state.remove(under(&folder, "a/b/c")).await.unwrap();
    assert_eq!(state.remove(under(&folder, "a/b/c")).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(state.make_dir(under(&folder, "a/b/z")).await.unwrap_err().kind, ErrorKind::Invalid);
}
