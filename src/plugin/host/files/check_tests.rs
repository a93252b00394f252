//! Files in a check: nothing changes, and the module sees what it would have changed.

use std::{fs, path::Path, sync::Arc};

use super::{
    super::{ErrorKind, bindings::minion::host::files::Kind},
    *,
};
use crate::{
    access::Grant,
    plugin::{
        Mode, Trail,
        fixture::context,
        plan::{Contents, Effect, Plan},
    },
};

fn under(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

fn checking(read: &[String], write: &[String]) -> State {
    let grants = |texts: &[String]| texts.iter().map(|text| text.clone().try_into().unwrap()).collect();
    let mut context = context();
    context.grant = Arc::new(Grant { read: grants(read), write: grants(write), ..Grant::default() });
    context.limits.file_bytes = 1000;
    context.mode = Mode::Check;
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

fn granted() -> (tempfile::TempDir, std::path::PathBuf, State) {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let all = [under(&real, "**")];
    let state = checking(&all, &all);
    (folder, real, state)
}

fn plan(mut state: State) -> Plan {
    match state.mediation.end() {
        Trail::Plan(plan) => plan,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_planned_is_seen_and_nothing_is_changed() {
    let (_keep, folder, mut state) = granted();
    fs::write(folder.join("old"), "a\nb\nc\n").unwrap();
    fs::write(folder.join("doomed"), "x").unwrap();
    let (old, new) = (under(&folder, "old"), under(&folder, "sub/deep/new"));
    state.write(old.clone(), b"a\nB\nc\n".into(), None).await.unwrap();
    state.append(old.clone(), b"d\n".into()).await.unwrap();
    state.make_dir(under(&folder, "sub/deep")).await.unwrap();
    state.make_dir(under(&folder, "sub")).await.unwrap();
    state.create(new.clone(), b"n".into(), Some(0o600)).await.unwrap();
    state.remove(under(&folder, "doomed")).await.unwrap();

    assert_eq!(state.read_text(old.clone()).await.unwrap(), "a\nB\nc\nd\n");
    assert_eq!(state.read_part(old, 2, 1).await.unwrap(), b"B");
    assert_eq!(state.read(new.clone()).await.unwrap(), b"n");
    let stat = state.stat(new.clone()).await.unwrap();
    assert_eq!((stat.size, stat.mode), (1, 0o600));
    assert!(!state.exists(under(&folder, "doomed")).await.unwrap());
    assert_eq!(state.read(under(&folder, "doomed")).await.unwrap_err().kind, ErrorKind::NotFound);
    let names = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
    assert_eq!(names(state.list_dir(folder.to_str().unwrap().to_owned()).await.unwrap()), ["old", "sub"]);
    let deep = state.list_dir(under(&folder, "sub/deep")).await.unwrap();
    assert_eq!((deep.len(), deep[0].kind), (1, Kind::File));
    let twice = state.create(new.clone(), b"n".into(), None).await.unwrap_err();
    assert_eq!(twice.kind, ErrorKind::AlreadyExists);
    state.remove(new).await.unwrap();
    state.remove(under(&folder, "sub/deep")).await.unwrap();

    assert_eq!(fs::read_to_string(folder.join("old")).unwrap(), "a\nb\nc\n");
    assert!(folder.join("doomed").exists() && !folder.join("sub").exists());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "no draft either");
    let plan = plan(state);
    let calls: Vec<&str> = plan.steps.iter().map(|step| step.call).collect();
    let expected = ["write", "append", "make-dir", "create", "remove", "create", "remove", "remove"];
    assert_eq!(calls, expected.map(|name| format!("files.{name}")));
    let Effect::File { path, before: Some(Contents::File { size: 6, digest: Some(_) }), after: Some(_), diff } =
        &plan.steps[0].effect
    else {
        panic!("{:?}", plan.steps[0])
    };
    assert_eq!(path, &under(&folder, "old"));
    assert_eq!(diff.as_deref(), Some("@@ line 2 @@\n-b\n+B\n"));
    assert!(matches!(&plan.steps[5].effect, Effect::Failed { error } if error.contains("exists")), "{plan:?}");
}

#[tokio::test]
async fn a_check_denies_what_the_call_would_be_denied() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    fs::write(real.join("secret"), "old\n").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", real.join("link")).unwrap();
    let mut state = checking(&[], &[under(&real, "**")]);
    for path in ["/etc/motd", &under(&real, "link")] {
        assert_eq!(state.write(path.to_owned(), b"x".into(), None).await.unwrap_err().kind, ErrorKind::Denied);
    }
    assert_eq!(state.make_dir("/srv/x/y".to_owned()).await.unwrap_err().kind, ErrorKind::Denied);
    let setuid = state.write(under(&real, "secret"), b"x".into(), Some(0o4755)).await.unwrap_err();
    assert_eq!(setuid.kind, ErrorKind::Invalid);
    let big = state.write(under(&real, "secret"), vec![0; 2000], None).await.unwrap_err();
    assert_eq!(big.kind, ErrorKind::TooLarge);
    state.write(under(&real, "secret"), b"new\n".into(), None).await.unwrap();
    assert_eq!(state.read(under(&real, "secret")).await.unwrap_err().kind, ErrorKind::Denied, "writing is not reading");
    assert_eq!(fs::read_to_string(real.join("secret")).unwrap(), "old\n");
    let plan = plan(state);
    let [.., step] = &plan.steps[..] else { panic!("{plan:?}") };
    let Effect::File { diff, .. } = &step.effect else { panic!("{step:?}") };
    assert_eq!(*diff, None, "lines that the module may not read are not shown");
}

#[tokio::test]
async fn full_and_missing_things_fail_as_they_would() {
    let (_keep, folder, mut state) = granted();
    fs::create_dir(folder.join("full")).unwrap();
    fs::write(folder.join("full/x"), "").unwrap();
    let kind = |error: super::super::Error| error.kind;
    assert_eq!(state.remove(under(&folder, "full")).await.map_err(kind), Err(ErrorKind::Failed));
    assert_eq!(state.remove(under(&folder, "none")).await.map_err(kind), Err(ErrorKind::NotFound));
    assert_eq!(state.write(under(&folder, "full"), vec![], None).await.map_err(kind), Err(ErrorKind::Invalid));
    assert_eq!(state.write(under(&folder, "no/x"), vec![], None).await.map_err(kind), Err(ErrorKind::NotFound));
    assert_eq!(state.make_dir(under(&folder, "full/x/y")).await.map_err(kind), Err(ErrorKind::Invalid));
    assert_eq!(state.make_dir(under(&folder, "full")).await.map_err(kind), Ok(()));
}
