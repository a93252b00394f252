//! What the README tells people to type is typed here.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use func::fleet::Outcome;
use func::tls::Identity;

use crate::harness::{Answer, Fleet, project, skip, until};

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
    let knows_zones = jiff::tz::TimeZone::get("Europe/Prague").is_ok();
    if !knows_zones {
        skip(
            "the_daily_commands_work_as_they_are_written",
            "in Europe/Prague: no zones are known here; in UTC instead",
        );
    }
    let script = block("Every day") + &block("Again and again");
    for line in script.lines().filter(|line| line.starts_with("func ")) {
        let jobs = fleet.func(["job", "list", "--json"]).expect(0).json();
        let newest = jobs.as_array().unwrap().last().map_or("none", |job| job["id"].as_str().unwrap());
        let line = if knows_zones { line.to_owned() } else { line.replace("Europe/Prague", "UTC") };
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
    let typed = |line: &str| Answer::from(shell(&fleet, line).env("FUNC_HOME", &home).output().unwrap()).expect(0).out;
    let script = block("A fleet of your own");
    let [init, serve, token] = script.lines().collect::<Vec<_>>()[..] else { panic!("{script}") };
    assert!(init.starts_with("func ca init ") && serve.starts_with("func ca serve "), "{script}");
    typed(init);
    // Not at the usual port, which somebody else may have.
    let mut command = shell(&fleet, "exec func ca serve --listen 127.0.0.1:0");
    let mut door = command.env("FUNC_HOME", &home).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(door.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim_end().rsplit(' ').next().unwrap();
    let (token, _) = token.split_once('#').unwrap();
    let join = typed(&format!("{token} --address {address}"));
    let web1 = fleet.folder().join("web1");
    let joined = shell(&fleet, &format!("{join} --name web1")).env("FUNC_HOME", &web1).output().unwrap();
    door.kill().unwrap();
    door.wait().unwrap();
    Answer::from(joined).expect(0);
    assert_eq!(Identity::in_folder(&web1.join("identity")).unwrap().peer().name, "web1");
    assert!(typed("func hosts").contains("web1"));
    typed("funcd --print-config").parse::<toml::Table>().unwrap();
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
