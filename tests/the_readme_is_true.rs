//! What the README tells people to type is typed here.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use func::fleet::Outcome;
use func::tls::Identity;

use crate::harness::{Answer, Fleet, project, until};

/// The first `sh` block below a heading.
fn block(heading: &str) -> String {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let below = readme.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no heading `{heading}`")).1;
    let (_, block) = below.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// A shell in which `func` is this build's.
fn shell(fleet: &Fleet, script: &str) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_func")).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-e", "-c", script]).env("PATH", path).env("FUNC_HOME", fleet.home());
    command.current_dir(fleet.folder()).stdin(Stdio::null());
    command
}

#[test]
fn the_daily_commands_work_as_they_are_written() {
    let fleet = Fleet::with(["web1", "db1"], &fs::read_to_string("plugins/grants.toml").unwrap());
    // A process that may be signalled, for the command that only says what it would do.
    let mut sleeper = Command::new("sleep").arg("600").spawn().unwrap();
    let pid = sleeper.id().to_string();
    let mut tried = 0;
    for line in block("Every day").lines().filter(|line| line.starts_with("func ")) {
        let jobs = fleet.func(["job", "list", "--json"]).expect(0).json();
        let newest = jobs.as_array().unwrap().last().map_or("none", |job| job["id"].as_str().unwrap());
        let line = line.replace("sleep 30", "sleep 0").replace("4711", &pid).replace(" ID", &format!(" '{newest}'"));
        let answer = Answer::from(shell(&fleet, &line).output().unwrap());
        // The status of a job that was just detached may be that it runs still.
        let fine = answer.code == 0 || (line.starts_with("func job status") && answer.code == 7);
        assert!(fine, "`{line}` ended with {}:\n{}\n{}", answer.code, answer.out, answer.err);
        tried += 1;
    }
    assert!(sleeper.try_wait().unwrap().is_none(), "a check has signalled it");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(tried > 8, "only {tried} commands were found");
}

#[test]
fn a_fleet_is_set_up_as_it_is_written() {
    let fleet = Fleet::empty();
    let home = fleet.folder().join("fresh");
    let script = block("A fleet of your own");
    let typed = Answer::from(shell(&fleet, &script).env("FUNC_HOME", &home).output().unwrap());
    assert_eq!(typed.code, 0, "{}\n{}", typed.out, typed.err);
    assert!(script.contains("issued/web1/{cert,key,ca}.pem"), "{script}");
    let issued = fleet.folder().join("issued/web1");
    let issued = if issued.exists() { issued } else { home.join("issued/web1") };
    Identity::in_folder(&issued).unwrap();
    let printed = Answer::from(shell(&fleet, "funcd --print-config").output().unwrap()).expect(0);
    printed.out.parse::<toml::Table>().unwrap();
}

#[test]
fn the_module_of_the_readme_is_built_dropped_in_and_called() {
    let mut fleet = Fleet::empty();
    let folder = fleet.add_with("web1", "", &[]).modules();
    let script = block("Write a module");
    // The first command is run by the harness, once for all tests.
    let (first, script) = script.split_once('\n').unwrap();
    assert!(first.starts_with("func module new hello "), "{first}");
    let tried = Answer::from(shell(&fleet, script).current_dir(project().parent().unwrap()).output().unwrap());
    assert_eq!(tried.code, 0, "{}\n{}", tried.out, tried.err);
    assert!(script.contains("Hello, you!") && tried.out.ends_with("\nHello, you!"), "{}", tried.out);
    fs::copy(project().join("target/modules/hello.wasm"), folder.join("hello.wasm")).unwrap();
    let answer = || fleet.ask("web1", "hello.greet", vec!["you".into()]);
    until("the new module", || (answer() == Outcome::Ok("Hello, you!".into())).then_some(()));
    let doc = fleet.func(["doc", "hello.greet"]).expect(0);
    assert!(doc.out.contains("Greets somebody.") && doc.out.contains("whom to greet"), "{}", doc.out);
}

#[test]
fn the_exit_codes_of_the_readme_are_those_of_the_program() {
    let readme = fs::read_to_string("README.md").unwrap();
    for code in [0, 1, 2, 3, 4, 5, 6, 7, 70] {
        assert!(readme.contains(&format!("\n| {code} | ")), "{code}");
    }
    let mut fleet = Fleet::start(["web1"]);
    fleet.func(["call", "web1", "test.add", "1", "2"]).expect(0);
    fleet.func(["call", "web1", "test.explode"]).expect(1);
    fleet.func(["call", "web1", "test.add", "one", "2"]).expect(2);
    fleet.func(["job", "status", "no-such-job-1"]).expect(3);
    fleet.func(["call", "nobody", "test.ping"]).expect(5);
    fleet.func(["call", "web1", "test.sleep", "1", "--async", "--no-wait"]).expect(0);
    fleet.minion("web1").stop();
    fleet.func(["ping"]).expect(6);
    fs::remove_file(fleet.home().join("identity/cert.pem")).unwrap();
    let answer = fleet.func(["ping"]).expect(4);
    assert!(answer.err.contains("cert.pem") && answer.err.contains("hint: "), "{}", answer.err);
}
