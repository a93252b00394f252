//! An operator grants, and takes back, without a restart, and sees what waits.

use std::fs;

use func::fleet::Outcome;
use nix::sys::signal::{Signal, kill};

use crate::harness::{Answer, Fleet, shipped_modules, until};

/// A command on the minion's own machine.
fn on(fleet: &Fleet, minion: &str, words: &[&str]) -> Answer {
    fleet.command(words).env("FUNC_HOME", fleet.folder().join(minion)).output().unwrap().into()
}

fn reads(fleet: &Fleet) -> bool {
    matches!(fleet.ask("web1", "disk.usage", vec![]), Outcome::Ok(_))
}

#[test]
fn a_grant_is_taken_at_once_and_a_broken_file_changes_nothing() {
    let mut fleet = Fleet::with(["web1"], "# mine\n[settings.greeting] # and this\n");
    assert!(!reads(&fleet));
    let granted = on(&fleet, "web1", &["module", "grant", "disk", "--read", "/proc/self/mountinfo"]).expect(0);
    assert_eq!(granted.out, "[grants.disk]\nread = [\"/proc/self/mountinfo\"]");
    until("the grant", || reads(&fleet).then_some(()));

    let file = fleet.folder().join("web1/minion.toml");
    let good = fs::read_to_string(&file).unwrap();
    assert!(good.contains("# mine\n[settings.greeting] # and this\n"), "{good}");
    fs::write(&file, format!("{good}[grants.disk\n")).unwrap();
    until("the complaint", || {
        fleet.minion("web1").log().contains("the last good rules and grants stay in force").then_some(())
    });
    assert!(reads(&fleet));
    on(&fleet, "web1", &["module", "grant", "disk", "--read", "/etc/hosts"]).expect(3);
    let told = fleet.func(["modules"]).expect(0).out;
    let line =
        told.lines().find(|line| line.starts_with("web1  minion.toml  failed: ")).unwrap_or_else(|| panic!("{told}"));
    assert!(line.contains("line ") || line.contains("unclosed") || line.contains("expected"), "{line}");
    assert!(
        line.contains("before its change stay in force") || told.contains("before its change stay in force"),
        "{told}"
    );

    fs::write(&file, good.replace("/proc/self/mountinfo", "/nothing")).unwrap();
    kill(fleet.minion("web1").pid(), Signal::SIGHUP).unwrap();
    until("the grant's end", || (!reads(&fleet)).then_some(()));
    assert!(!fleet.func(["modules"]).expect(0).out.contains("minion.toml"), "the file is good again");
    let log = fleet.minion("web1").log();
    let denial = log.lines().find(|line| line.contains("may not read")).unwrap();
    assert!(denial.contains("; allow: [grants.disk] read = [\"/proc/") && !denial.contains("fields="), "{denial}");
}

#[test]
fn a_version_that_would_signal_processes_is_held_and_shown_with_what_it_wants() {
    let fleet = Fleet::start(["web1"]);
    let folder = fleet.folder().join("web1/modules");
    let mut bytes = fs::read(&shipped_modules().greeting_2.path).unwrap();
    // A custom section, as `func module build` would pack it.
    let asks = br#"{"asks":{"signal":["nginx","user:www-data"]}}"#;
    let name = b"func-manifest";
    bytes.extend([0, u8::try_from(1 + name.len() + asks.len()).unwrap(), u8::try_from(name.len()).unwrap()]);
    bytes.extend(name.iter().chain(asks));
    fs::write(folder.join(".greeting"), bytes).unwrap();
    fs::rename(folder.join(".greeting"), folder.join("greeting.wasm")).unwrap();
    let shown = until("the held version", || {
        let shown = fleet.func(["modules"]).expect(0).out;
        shown.contains("greeting  held: ").then_some(shown)
    });
    assert!(
        shown.contains("[grants.greeting]") && shown.contains("signal = [\"nginx\", \"user:www-data\"]"),
        "{shown}"
    );
    let goodbye = || fleet.ask("web1", "greeting.goodbye", vec!["you".into()]);
    assert!(!matches!(goodbye(), Outcome::Ok(_)), "the old version serves");
    on(&fleet, "web1", &["module", "grant", "greeting", "--signal", "nginx", "--signal", "user:www-data"]).expect(0);
    until("the new version", || matches!(goodbye(), Outcome::Ok(_)).then_some(()));
    assert!(!fleet.func(["modules"]).expect(0).out.contains("held"));
}

#[test]
fn a_name_that_no_module_has_is_told() {
    let fleet = Fleet::with(["web1"], "");
    let granted = on(&fleet, "web1", &["module", "grant", "nosuch", "--read", "/etc/hosts"]).expect(0);
    assert!(granted.err.contains("warning: no module `nosuch` is in the plugin folder"), "{}", granted.err);
    for known in ["disk", "copyfile"] {
        let granted = on(&fleet, "web1", &["module", "grant", known, "--read", "/etc/hosts"]).expect(0);
        assert!(!granted.err.contains("warning"), "{}", granted.err);
    }
    let near = on(&fleet, "web1", &["module", "grants", "disl"]).expect(3).err;
    assert!(near.contains("did you mean `disk`?"), "{near}");
    // Elsewhere there is nothing, and nothing is made.
    let elsewhere = fleet.folder().join("no/minion");
    let there =
        |words: &[&str]| -> Answer { fleet.command(words).env("FUNC_HOME", &elsewhere).output().unwrap().into() };
    let refused = there(&["module", "grant", "nosuch", "--read", "/etc/hosts"]).expect(3).err;
    assert!(refused.contains("there is no folder") && refused.contains("FUNC_HOME"), "{refused}");
    let nothing = there(&["module", "grants"]).expect(0);
    assert!(
        nothing.out.is_empty() && nothing.err.contains("is not there") && nothing.err.contains("FUNC_HOME"),
        "{}",
        nothing.err
    );
    assert!(!elsewhere.exists());
}

#[test]
fn what_cannot_be_granted_is_refused_before_it_is_written() {
    let fleet = Fleet::with(["web1"], "");
    let file = fleet.folder().join("web1/minion.toml");
    let before = fs::read_to_string(&file).unwrap();
    for wrong in
        [&["--read", "etc/passwd"][..], &["--env", "A=B"], &["--network", "nowhere"], &["--run", "{ program = 1 }"]]
    {
        let words: Vec<&str> = ["module", "grant", "disk"].into_iter().chain(wrong.iter().copied()).collect();
        on(&fleet, "web1", &words).expect(3);
    }
    on(&fleet, "web1", &["module", "grant", "disk"]).expect(2);
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
    let run = r#"{ program = "df", args = ["-h", "*"] }"#;
    let granted = on(&fleet, "web1", &["module", "grant", "disk", "--run", run, "--json"]).expect(0);
    assert_eq!(granted.json()[0]["lines"], format!("[grants.disk]\nrun = [{run}]"));
    let shown = on(&fleet, "web1", &["module", "grants", "disk"]).expect(0).out;
    assert!(shown.contains("disk  (unsigned)") && shown.contains(r#"  + run = [{ program = "df""#), "{shown}");
}

#[test]
fn what_a_job_was_denied_becomes_the_grants_that_it_needs() {
    let fleet = Fleet::with(["web1"], "");
    fleet.func(["call", "web1", "disk.usage", "--async"]).expect(1);
    let suggested = fleet.func(["module", "suggest", "--last"]).expect(0);
    assert!(
        suggested.err.contains("what the job ") && suggested.err.contains("(disk.usage) was denied:"),
        "{}",
        suggested.err
    );
    let suggested = suggested.out;
    assert!(suggested.starts_with("[grants.disk]\nread = ["), "{suggested}");
    let file = fleet.folder().join("web1/minion.toml");
    fs::write(&file, format!("{}\n{suggested}\n", fs::read_to_string(&file).unwrap())).unwrap();
    until("the grant", || reads(&fleet).then_some(()));
    fleet.func(["call", "web1", "disk.usage", "--async"]).expect(0);
    let nothing = fleet.func(["module", "suggest", "--last"]).expect(0).err;
    assert!(
        nothing.contains("nothing was denied") && nothing.contains("--budget") && nothing.contains("(disk.usage)"),
        "{nothing}"
    );
}

#[test]
fn versions_that_differ_from_host_to_host_are_marked() {
    let fleet = Fleet::start(["web1", "web2"]);
    let folder = fleet.folder().join("web2/modules");
    fs::copy(&shipped_modules().greeting_2.path, folder.join(".greeting")).unwrap();
    fs::rename(folder.join(".greeting"), folder.join("greeting.wasm")).unwrap();
    fs::write(folder.join("junk.wasm"), "junk").unwrap();
    let shown = until("the other version", || {
        let shown = fleet.func(["modules", "--json"]).expect(0).json();
        (shown["differing"][0] == "greeting").then_some(shown)
    });
    assert_eq!(shown["differing"].as_array().unwrap().len(), 1, "{shown}");
    let text = until("the broken file", || {
        let text = fleet.func(["modules", "web*"]).expect(0).out;
        text.contains("junk.wasm").then_some(text)
    });
    let marked = text.lines().filter(|line| line.contains("greeting") && line.contains(" *")).count();
    assert!(marked >= 2 && text.contains("not WebAssembly") && text.contains("* differs from host to host"), "{text}");
}
