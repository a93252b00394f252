//! What was recorded is heard again, whatever the machine says by then.

use std::sync::Arc;

use super::{
    bindings::minion::host::{clock, command, config, files},
    *,
};
use crate::{
    access::Grant,
    plugin::{
        Mode, Trail,
        fixture::context,
        recording::{Injection, RecordedError, Recording, Replay, Replayed},
    },
};

fn state(mode: Mode, read: &str) -> State {
    let mut context = context();
    let run = vec!["sh".to_owned().try_into().unwrap()];
    let env = vec!["A".to_owned().try_into().unwrap()];
    context.grant = Arc::new(Grant { run, env, read: vec![read.to_owned().try_into().unwrap()], ..Grant::default() });
    context.mode = mode;
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

async fn read(state: &mut State, path: &str) -> Result<Vec<u8>, ErrorKind> {
    files::Host::read(state, path.to_owned()).await.map_err(|error| error.kind)
}

async fn echo(state: &mut State) -> command::Output {
    let args = vec!["-c".to_owned(), "printf 'a\\377'; exit 3".to_owned()];
    let (env, cwd, stdin) = (vec![("A".to_owned(), "1".to_owned())], None, Some(b"in".to_vec()));
    let spec = command::Spec { program: "sh".to_owned(), args, env, cwd, stdin, timeout_ms: None };
    command::Host::run(state, spec).await.unwrap()
}

/// A recording that has been written and read again, as people do.
async fn recorded(path: &str) -> Recording {
    let mut state = state(Mode::Record, path);
    assert_eq!(read(&mut state, path).await.unwrap(), b"one\ntwo\n");
    assert_eq!(read(&mut state, "/etc/shadow").await, Err(ErrorKind::Denied));
    echo(&mut state).await;
    clock::Host::now(&mut state);
    config::Host::get(&mut state, "no".to_owned());
    let Trail::Recording(recording) = state.mediation.end() else { panic!("nothing recorded") };
    let text = toml::to_string_pretty(&recording).unwrap();
    assert!(text.contains("[[call]]") && text.contains("one\ntwo\n") && text.contains("kind = \"denied\""), "{text}");
    let read: Recording = toml::from_str(&text).unwrap();
    assert_eq!(read, recording, "{text}");
    read
}

fn replay(recording: Recording, injections: Vec<Injection>) -> State {
    state(Mode::Replay(Box::new(Replay { recording, injections })), "/nothing")
}

fn end(mut state: State) -> Replayed {
    match state.mediation.end() {
        Trail::Replayed(replayed) => replayed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_recording_answers_without_the_machine() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().canonicalize().unwrap().to_str().unwrap().to_owned();
    std::fs::write(&path, "one\ntwo\n").unwrap();
    let recording = recorded(&path).await;
    drop(file);
    let mut state = replay(recording, Vec::new());
    let output = echo(&mut state).await;
    assert!(matches!(output.status, command::Status::Exited(3)) && output.stdout == b"a\xff", "{output:?}");
    assert_eq!(read(&mut state, &path).await.unwrap(), b"one\ntwo\n");
    let (first, moment) = (clock::Host::now(&mut state), clock::Host::now(&mut state));
    assert!(first.seconds <= moment.seconds);
    let replayed = end(state);
    assert_eq!(replayed.unrecorded.iter().map(|call| call.name.as_str()).collect::<Vec<_>>(), ["clock.now"]);
    let unused: Vec<&str> = replayed.unused.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(unused, ["files.read", "config.get"]);
    assert!(!replayed.is_complete());
}

#[tokio::test]
async fn a_call_that_was_not_recorded_fails_and_is_named_with_its_arguments() {
    let mut state = replay(Recording::default(), Vec::new());
    let error = files::Host::read(&mut state, "/etc/passwd".to_owned()).await.unwrap_err();
    assert_eq!(error.message, "the recording has no files.read(path = \"/etc/passwd\")");
    assert_eq!(end(state).unrecorded[0].to_string(), "files.read(path = \"/etc/passwd\")");
}

#[tokio::test]
async fn failures_are_injected_and_answers_of_another_type_are_named() {
    let recording = "[[call]]\nname = \"files.exists\"\nargs = { path = \"/a\" }\nanswer = true\n\
        [[call]]\nname = \"files.exists\"\nargs = { path = \"/b\" }\nanswer = \"perhaps\"\n";
    let error = RecordedError { kind: "busy".to_owned(), message: "not now".to_owned(), hint: None };
    let at = |nth| Injection { call: "files.exists".to_owned(), nth, error: error.clone() };
    let mut state = replay(toml::from_str(recording).unwrap(), vec![at(1), at(9)]);
    let mut exists = async |path: &str| files::Host::exists(&mut state, path.to_owned()).await;
    assert_eq!(exists("/a").await.unwrap_err().kind, ErrorKind::Busy);
    assert_eq!(exists("/b").await.unwrap_err().kind, ErrorKind::Failed);
    let replayed = end(state);
    assert_eq!((replayed.not_injected, replayed.unused.len()), (vec![at(9)], 0));
    assert!(replayed.misfits[0].starts_with("the answer of files.exists(path = \"/b\"): "), "{:?}", replayed.misfits);
}
