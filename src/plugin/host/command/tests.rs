//! Programs through the host functions, without a guest.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use super::{
    super::{Error, ErrorKind},
    *,
};
use crate::{
    access::Grant,
    plugin::{Trail, fixture::context},
};

fn state() -> State {
    let mut context = context();
    let run = ["sh", "env"].map(|name| name.to_owned().try_into().unwrap()).into();
    let env = vec!["A".to_owned().try_into().unwrap()];
    context.grant = Arc::new(Grant { run, env, ..Grant::default() });
    context.limits.command_bytes = 1000;
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

fn spec(script: &str) -> Spec {
    Spec {
        program: "sh".to_owned(),
        args: vec!["-c".to_owned(), script.to_owned()],
        env: Vec::new(),
        cwd: None,
        stdin: None,
        timeout_ms: Some(5_000),
    }
}

async fn output(script: &str) -> Output {
    state().run(spec(script)).await.unwrap()
}

fn alive(pid: &str) -> bool {
    // An ended process whose parent has not looked yet still has a folder.
    std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_program_gets_its_arguments_input_and_little_else() {
    let told = output("echo out; echo err >&2; umask; pwd; exit 3").await;
    assert!(matches!(told.status, Status::Exited(3)));
    assert_eq!(told.stdout, b"out\n0022\n/\n");
    assert_eq!(told.stderr, b"err\n");
    let fed = state().run(Spec { stdin: Some(b"a b".into()), ..spec("cat; echo; echo \"$#\"") }).await.unwrap();
    assert_eq!(fed.stdout, b"a b\n0\n");
    let all = Spec { program: "env".to_owned(), args: vec![], env: vec![("A".to_owned(), "1".to_owned())], ..spec("") };
    let all = String::from_utf8(state().run(all).await.unwrap().stdout).unwrap();
    let mut names: Vec<_> = all.lines().filter_map(|line| line.split('=').next()).collect();
    names.sort_unstable();
    assert_eq!(names, ["A", "HOME", "LANG", "PATH"]);
}

#[tokio::test]
async fn a_program_inherits_no_descriptor() {
    let leaky = std::fs::File::open("/").unwrap();
    nix::fcntl::fcntl(&leaky, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let told = output("ls /proc/$$/fd").await;
    let open: Vec<u32> = String::from_utf8(told.stdout).unwrap().lines().map(|fd| fd.parse().unwrap()).collect();
    assert!(open.iter().all(|fd| *fd < 3 || *fd == 10 || *fd == 255), "a shell keeps 10 or 255 itself: {open:?}");
}

#[tokio::test]
async fn output_over_the_limit_is_dropped_and_the_program_goes_on() {
    let told = output("head -c 100000 /dev/zero; echo done >&2").await;
    assert_eq!((told.stdout.len(), told.truncated), (1000, true));
    assert_eq!(told.stderr, b"done\n");
}

#[tokio::test]
async fn time_that_is_over_ends_the_whole_group() {
    let started = Instant::now();
    let slow =
        Spec { timeout_ms: Some(200), ..spec("sleep 60 & echo $!; trap '' TERM; sleep 60 & echo $!; wait; sleep 60") };
    let told = state().run(slow).await.unwrap();
    assert!(matches!(told.status, Status::TimedOut));
    assert!(started.elapsed() < Duration::from_secs(5));
    let pids = String::from_utf8(told.stdout).unwrap();
    assert_eq!(pids.lines().count(), 2);
    for pid in pids.lines() {
        while alive(pid) {
            assert!(started.elapsed() < Duration::from_secs(5), "{pid} lives");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn what_a_program_leaves_behind_does_not_hold_the_call() {
    let started = Instant::now();
    let told = output("sleep 30 & echo $!").await;
    assert!(started.elapsed() < Duration::from_secs(5));
    let pid = String::from_utf8(told.stdout).unwrap().trim().to_owned();
    assert!(alive(&pid), "a service that was started goes on");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.parse().unwrap()), nix::sys::signal::Signal::SIGKILL)
        .unwrap();
}

#[tokio::test]
async fn a_call_that_is_cancelled_or_given_up_takes_its_program_along() {
    let mut cancelled = state();
    let flag = cancelled.cancellation();
    let (run, ()) = tokio::join!(cancelled.run(spec("sleep 60")), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        flag.store(true, Ordering::Relaxed);
    });
    assert_eq!(run.err().map(|error: Error| error.kind), Some(ErrorKind::Cancelled));

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    let mut given_up = state();
    let script = format!("echo $$ > {}; sleep 60", file.display());
    let run = given_up.run(spec(&script));
    let started = Instant::now();
    let written = async {
        loop {
            match std::fs::read_to_string(&file) {
                Ok(pid) if pid.ends_with('\n') => break pid.trim().to_owned(),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    };
    let pid = tokio::select! { _ = run => panic!("it ended"), pid = written => pid };
    while alive(&pid) {
        assert!(started.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_makes_no_sense_or_was_not_granted_is_refused() {
    let kind = async |spec: Spec| state().run(spec).await.err().map(|error| error.kind);
    assert_eq!(kind(Spec { program: "id".to_owned(), ..spec("") }).await, Some(ErrorKind::Denied));
    assert_eq!(kind(Spec { args: vec!["a\0b".to_owned()], ..spec("") }).await, Some(ErrorKind::Invalid));
    assert_eq!(kind(Spec { cwd: Some("tmp".to_owned()), ..spec("") }).await, Some(ErrorKind::Invalid));
    assert_eq!(kind(Spec { cwd: Some("/no/such".to_owned()), ..spec("") }).await, Some(ErrorKind::Denied));
    let with = |name: &str| Spec { env: vec![(name.to_owned(), "x".to_owned())], ..spec("") };
    assert_eq!(kind(with("A=B")).await, Some(ErrorKind::Invalid));
    assert_eq!(kind(with("B")).await, Some(ErrorKind::Denied), "a variable is granted by its name");
    assert!(state().find("sh".to_owned()).await.unwrap().unwrap().ends_with("/sh"));
    assert_eq!(state().find("no-such".to_owned()).await.unwrap(), None);
}

#[test]
fn variables_that_make_programs_load_other_code_are_refused_whatever_is_granted() {
    let kind = |name: &str| {
        let spec = Spec { env: vec![(name.to_owned(), "x".to_owned())], ..spec("") };
        run::check(&spec).map_err(|error| error.kind)
    };
    assert_eq!(kind("LD_PRELOAD"), Err(ErrorKind::Denied));
    assert_eq!(kind("TZ"), Ok(()));
}

#[tokio::test]
async fn a_program_starts_in_a_folder_that_was_granted() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().canonicalize().unwrap();
    let at = |name: &str| real.join(name).to_str().unwrap().to_owned();
    for name in ["read", "written", "other"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    std::fs::write(at("read/file"), "").unwrap();
    std::os::unix::fs::symlink(at("other"), at("read/way-out")).unwrap();
    let mut context = context();
    let text = format!("run = [\"pwd\"]\nread = [\"{}/**\"]\nwrite = [\"{}\"]", at("read"), at("written"));
    context.grant = Arc::new(toml::from_str(&text).unwrap());
    let mut state = State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap());
    let pwd = |cwd: &str| Spec { program: "pwd".to_owned(), args: vec![], cwd: Some(cwd.to_owned()), ..spec("") };
    for cwd in [at("read"), at("written"), "/".to_owned()] {
        let told = state.run(pwd(&cwd)).await.unwrap();
        assert_eq!(String::from_utf8(told.stdout).unwrap().trim_end(), cwd);
    }
    for cwd in [at("other"), at("read/way-out"), at("read/../other"), "/proc/self/cwd".to_owned(), "/etc".to_owned()] {
        let error = state.run(pwd(&cwd)).await.unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Denied), "{cwd}: {error:?}");
    }
    let denied = state.run(pwd(&at("other"))).await.unwrap_err();
    assert!(denied.hint.unwrap().ends_with(&format!("read = [\"{}\"]", at("other"))));
    assert_eq!(state.run(pwd(&at("read/file"))).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(state.run(pwd(&at("read/none"))).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_check_runs_only_what_the_operator_says_only_reads() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran");
    let mut context = context();
    let run = r#"run = ["sh", { program = "echo", read-only = true }]"#;
    context.grant = Arc::new(toml::from_str(run).unwrap());
    context.mode = crate::plugin::Mode::Check;
    let mut state = State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap());
    let planned = state.run(spec(&format!("echo > {}", mark.display()))).await.unwrap();
    assert!(matches!(planned.status, Status::Exited(0)) && planned.stdout.is_empty());
    assert!(!mark.exists());
    let echo = Spec { program: "echo".to_owned(), args: vec!["hello".to_owned()], ..spec("") };
    assert_eq!(state.run(echo).await.unwrap().stdout, b"hello\n");
    let kind = |error: Error| error.kind;
    let denied = state.run(Spec { program: "cat".to_owned(), ..spec("") }).await.map(drop).map_err(kind);
    assert_eq!(denied, Err(ErrorKind::Denied));
    let Trail::Plan(plan) = state.mediation.end() else { panic!("no plan") };
    let effects: Vec<_> = plan.steps.into_iter().map(|step| step.effect).collect();
    assert_eq!(effects, [plan::Effect::Run, plan::Effect::RanReadOnly]);
}

#[tokio::test]
async fn a_program_gets_the_arguments_that_were_granted_and_a_denial_names_the_line() {
    let mut context = context();
    context.grant = Arc::new(toml::from_str(r#"run = [{ program = "echo", args = ["-n", "*"] }]"#).unwrap());
    let mut state = State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap());
    let echo = |args: &[&str]| Spec {
        program: "echo".to_owned(),
        args: args.iter().map(|text| (*text).to_owned()).collect(),
        ..spec("")
    };
    assert_eq!(state.run(echo(&["-n", "it is"])).await.unwrap().stdout, b"it is");
    for args in [&["-n"][..], &["-n", "-e"], &["-e", "x"], &["-n", "x", "y"]] {
        let error = state.run(echo(args)).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Denied, "{args:?}");
        let line = error.hint.unwrap().split("[grants.m]\n").last().unwrap().to_owned();
        let granted: Grant = toml::from_str(&line).unwrap();
        let given: Vec<String> = args.iter().map(|text| (*text).to_owned()).collect();
        assert!(granted.may_run_with("/usr/bin/echo".as_ref(), true, &given, |path| Some(path.to_owned())), "{line}");
    }
}
