//! From nothing to a module that runs: the author needs `func` and Rust, no checkout, no minion, no certificates.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Answer, guest, project, shipped_modules};

fn func(arguments: &[&str], folder: &Path) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap().into()
}

/// Runs a shipped module.
fn run(module: &str, arguments: &[&str]) -> Answer {
    let built = shipped_modules().modules.iter().find(|built| built.name == module).unwrap();
    let path = built.path.to_str().unwrap();
    func(&[&["module", "run", path], arguments].concat(), Path::new("/"))
}

#[test]
fn the_tests_of_a_new_module_pass() {
    // Optimised, because its dependencies are compiled that way already.
    let tested = Command::new(env!("CARGO"))
        .args(["test", "--release"])
        .current_dir(project())
        .env_remove("CARGO_TARGET_DIR")
        .output()
        .unwrap();
    let tested = Answer::from(tested);
    assert!(tested.code == 0 && tested.out.contains("2 passed"), "{}\n{}", tested.out, tested.err);
}

#[test]
fn a_call_shows_its_answer_on_standard_output_alone() {
    let answer = func(&["module", "run", ".", "hello.greet", "you"], project()).expect(0);
    assert_eq!(answer.out, "Hello, you!");
    assert!(answer.err.contains("hello is granted nothing"), "{}", answer.err);
    let answer = func(&["module", "run", ".", "hello.greet", "you", "--json"], project()).expect(0);
    assert_eq!(answer.json(), serde_json::json!({"method": "hello.greet", "outcome": "ok", "value": "Hello, you!"}));
}

#[test]
fn a_method_that_fails_says_why_and_the_exit_code_tells() {
    let answer = func(&["module", "run", ".", "hello.greet", ""], project()).expect(1);
    assert!(answer.out.is_empty() && answer.err.contains("there is nobody to greet"), "{}", answer.err);
    let answer = run("test", &["test.explode"]).expect(1);
    assert!(answer.err.contains("khhhhhhaaaaaan!!!!!!"), "{}", answer.err);
    let answer = run("test", &["test.ad", "1", "2"]).expect(2);
    assert!(answer.err.contains("progress") && answer.err.contains("add"), "the methods are named: {}", answer.err);
}

#[test]
fn words_become_what_the_method_declares() {
    assert_eq!(run("test", &["test.add", "1", "-2"]).expect(0).out, "-1");
    let answer = run("test", &["test.add", "1"]).expect(2);
    assert!(answer.err.contains("test.add(a: s64, b: s64)"), "{}", answer.err);
}

#[test]
fn what_the_module_logs_and_how_far_it_is_stands_beside_the_answer() {
    let answer = run("test", &["test.progress", "2", "1"]).expect(0);
    assert_eq!(answer.out, "2");
    assert!(answer.err.contains("progress: 1 of 2") && answer.err.contains("progress: 2 of 2"), "{}", answer.err);
    assert!(answer.err.contains("info: "), "{}", answer.err);
}

#[test]
fn nothing_is_granted_but_what_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let denied = run("facts", &["facts.hostname"]).expect(1);
    assert!(denied.err.contains("\n[grants.facts]\nread = [\"/proc/sys/kernel/hostname\"]"), "{}", denied.err);
    let config = folder.path().join("minion.toml");
    fs::write(&config, "[grants.facts]\nread = [\"/proc/sys/kernel/hostname\"]\n").unwrap();
    let granted = run("facts", &["facts.hostname", "--grant-file", config.to_str().unwrap()]).expect(0);
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(granted.out, hostname.trim_end());
    assert!(granted.err.contains("facts is granted read = [\"/proc/sys/kernel/hostname\"]"), "{}", granted.err);
}

#[test]
fn a_denial_tells_the_author_what_to_do_next() {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let denied = run("facts", &["facts.hostname"]).expect(1).err;
    assert!(denied.contains("to try it here with that granted, add: --read /proc/sys/kernel/hostname\n"), "{denied}");
    for part in ["[package.metadata.func.asks]", "--grants-from-asks", "    read = [\"/proc/sys/kernel/hostname\"]"] {
        assert!(denied.contains(part), "{part}: {denied}");
    }
    let granted = run("facts", &["facts.hostname", "--read", "/proc/sys/kernel/hostname"]).expect(0);
    assert_eq!(granted.out, hostname.trim_end());
    assert!(!granted.err.contains("to try it here"), "{}", granted.err);
    assert!(run("facts", &["facts.hostname", "--read", "relative"]).expect(2).err.contains("a path begins with `/`"));
}

#[test]
fn a_project_is_found_from_within_and_need_not_be_named() {
    let inside = project().join("src");
    for arguments in [&["module", "run", "hello.greet", "you"][..], &["module", "run", ".", "hello.greet", "you"]] {
        assert_eq!(func(arguments, project()).expect(0).out, "Hello, you!");
        let answer = func(arguments, &inside).expect(0);
        assert!(answer.out == "Hello, you!" && answer.err.contains("taking the project in "), "{}", answer.err);
    }
    assert!(func(&["module", "check"], &inside).expect(0).out.ends_with("0 warnings"));
    let none = func(&["module", "test"], &inside).expect(2).err;
    assert!(none.contains("has no cases") && !none.contains("/src`"), "{none}");

    let folder = tempfile::tempdir().unwrap();
    for command in ["build", "check", "test"] {
        let lost = func(&["module", command], folder.path()).expect(3).err;
        assert!(lost.contains("nor a folder above it has a Cargo.toml") && lost.contains("func module new"), "{lost}");
    }
    for (words, why) in [
        (&["hello"][..], "`hello` is neither a file, a folder nor a method's name"),
        (&["."], "say which method of `.` to call"),
        (&[".", "greet"], "greet"),
    ] {
        let refused = func(&[&["module", "run"], words].concat(), project()).expect(2).err;
        assert!(refused.contains(why) && refused.contains("[MODULE] METHOD"), "{refused}");
    }
}

#[test]
fn what_was_compiled_once_is_not_compiled_again() {
    use std::os::unix::fs::MetadataExt as _;

    let home = tempfile::tempdir().unwrap();
    let process = shipped_modules().modules.iter().find(|built| built.name == "process").unwrap();
    let module = |words: &[&str]| -> Answer {
        let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
        command.args(["module"]).args(words).arg(&process.path).env("FUNC_HOME", home.path());
        let answer = if words == ["run"] { command.arg("process.loadavg").output() } else { command.output() };
        answer.unwrap().into()
    };
    let code = || {
        let files = fs::read_dir(home.path().join("compiled")).unwrap().map(|entry| entry.unwrap());
        files.map(|entry| (entry.path(), entry.metadata().unwrap().ino())).collect::<Vec<_>>()
    };
    module(&["check"]).expect(0);
    let first = code();
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].0.file_name().unwrap().to_string_lossy().starts_with(&process.digest.to_string()));
    for command in ["inspect", "docs", "check"] {
        module(&[command]).expect(0);
        assert_eq!(code(), first, "{command}");
    }
    module(&["run"]).expect(1);
    assert_eq!(code(), first);
    // What does not load is made again.
    fs::write(&first[0].0, "damaged").unwrap();
    module(&["inspect"]).expect(0);
    assert!(fs::metadata(&first[0].0).unwrap().len() > 10_000);
}

#[test]
fn a_module_ends_when_its_time_is_over() {
    let rogue = guest("rogue");
    let answer = func(&["module", "run", rogue.to_str().unwrap(), "rogue.spin", "--timeout", "1s"], Path::new("/"));
    assert!(answer.expect(1).err.contains("longer than 1 s"));
}

#[test]
fn nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("hello")).unwrap();
    fs::write(folder.path().join("hello/mine"), "").unwrap();
    let refused = func(&["module", "new", "hello"], folder.path()).expect(3);
    assert!(refused.err.contains("`hello` is there already"), "{}", refused.err);
    let refused = func(&["module", "new", "func"], folder.path()).expect(2);
    assert!(refused.err.contains("a word of WIT"), "{}", refused.err);
}

#[test]
fn the_sdk_of_a_project_is_renewed_whole() {
    let folder = tempfile::tempdir().unwrap();
    func(&["module", "new", "hello"], folder.path()).expect(0);
    let sdk = folder.path().join("hello/vendor/func-sdk");
    fs::write(sdk.join("src/lib.rs"), "of another version").unwrap();
    func(&["module", "sdk", "hello"], folder.path()).expect(0);
    assert!(fs::read_to_string(sdk.join("src/lib.rs")).unwrap().contains("forbid(unsafe_code)"));
    let refused = func(&["module", "sdk", "."], folder.path()).expect(3);
    assert!(refused.err.contains("hint: "), "{}", refused.err);
}

#[test]
fn a_new_module_gives_no_reason_to_complain() {
    let answer = func(&["module", "check", ".", "--strict"], project()).expect(0);
    assert!(answer.out.ends_with("hello.wasm: 0 errors, 0 warnings"), "{}", answer.out);
}

#[test]
fn what_a_minion_would_refuse_is_an_error_and_what_people_stumble_over_a_warning() {
    let check = |name: &str, more: &[&str]| {
        let path = guest(name);
        func(&[&["module", "check", path.to_str().unwrap(), "--json"], more].concat(), Path::new("/"))
    };
    let findings = |answer: &Answer| answer.json()[0]["findings"].as_array().unwrap().clone();
    let missing = check("wants-more", &[]).expect(1);
    let missing = findings(&missing);
    let errors: Vec<_> = missing.iter().filter(|finding| finding["severity"] == "error").collect();
    assert!(errors.len() >= 2, "every missing import by itself: {missing:?}");
    assert!(errors.iter().all(|finding| finding["place"].as_str().unwrap().contains('#')), "{errors:?}");
    let careless = findings(&check("rogue", &[]).expect(0));
    let places: Vec<&str> = careless.iter().map(|finding| finding["place"].as_str().unwrap()).collect();
    for place in ["asks: run", "asks: read", "asks: write"] {
        assert!(places.contains(&place), "{place}: {places:?}");
    }
    assert!(careless.iter().all(|finding| finding["severity"] == "warning"), "{careless:?}");
    check("rogue", &["--strict"]).expect(1);
}

#[test]
fn the_documentation_comes_from_the_component_alone() {
    let page = func(&["module", "docs", "."], project()).expect(0).out;
    for part in
        ["# hello", "## hello.greet", "Greets somebody.", "whom to greet", "hello.greet(name: string)", "Errors:"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let process = shipped_modules().modules.iter().find(|built| built.name == "process").unwrap();
    let page = func(&["module", "docs", process.path.to_str().unwrap()], Path::new("/")).expect(0).out;
    assert!(page.contains("[grants.process]") && page.contains("signal = [\"*\"]"), "{page}");
}

#[test]
fn what_a_component_imports_cannot_be_hidden() {
    let inspect = |name: &str| {
        let built = shipped_modules().modules.iter().find(|built| built.name == name).unwrap();
        func(&["module", "inspect", built.path.to_str().unwrap(), "--json"], Path::new("/")).expect(0).json()[0].clone()
    };
    let process = inspect("process");
    assert_eq!(process["name"], "process");
    assert_eq!(process["licence"], "Apache-2.0");
    assert_eq!(process["asks"]["signal"], serde_json::json!(["*"]));
    let uses = |sheet: &serde_json::Value| {
        let uses = sheet["uses"].as_array().unwrap().iter().map(|found| found["what"].as_str().unwrap().to_owned());
        uses.collect::<Vec<_>>()
    };
    assert_eq!(uses(&process), ["reads files", "signals processes"]);
    assert_eq!(inspect("command")["operator_chooses"], serde_json::json!(["run"]));
    assert!(uses(&inspect("greeting")).is_empty());
}

#[test]
fn what_it_asks_for_is_granted_only_when_that_is_said() {
    let hostname = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let answer = run("facts", &["facts.hostname", "--grants-from-asks"]).expect(0);
    assert_eq!(answer.out, hostname.trim_end());
}
