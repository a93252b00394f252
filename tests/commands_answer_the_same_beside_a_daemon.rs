//! A daemon that serves the same overlord changes nothing of what commands answer.
//!
//! Every command that touches the store or the fleet is run with and without one, and output, errors and exit codes are
//! compared. `FUNC_TESTS_DAEMON=1` runs every other test that starts commands beside a daemon, too.

use std::fs;
use std::thread;

use crate::harness::{Fleet, until};

/// A command, its exit code, and by what name later commands mean the job that it makes: `{NAME}`.
type Step = (&'static str, i32, Option<&'static str>);

const STEPS: &[Step] = &[
    ("group add both m1 m2", 0, None),
    ("group list", 0, None),
    ("group show both", 0, None),
    ("group refresh", 0, None),
    ("hosts set m3 127.0.0.1:1", 0, None),
    ("hosts", 0, None),
    ("hosts @both --json", 0, None),
    ("ping", 1, None),
    ("ping @both --json", 0, None),
    ("facts refresh @both", 0, None),
    ("facts @both", 0, None),
    ("doc", 0, None),
    ("doc test.add", 0, None),
    ("modules @both", 0, None),
    ("map build", 1, None),
    ("map show", 0, None),
    ("call * test.add 1 2", 1, None),
    ("call @both test.add 20 22 --json", 0, None),
    ("call @both test.add 20 22 --jsonl", 0, None),
    ("call @both test.add 1 2 --batch 1 --canary 1 --max-fail 0", 0, None),
    ("call @both test.add 1 2 --check", 0, None),
    ("call @both test.explode", 1, None),
    ("call m1 test.add one 2", 2, None),
    ("call m1 no.such", 3, None),
    ("call nobody test.add 1 2", 5, None),
    ("call m3 test.ping", 6, None),
    ("job list", 0, None),
    ("call @both test.add 1 2 --async", 0, Some("sum")),
    ("call @both test.progress 2 --follow", 0, Some("progress")),
    ("call @both test.explode --async --batch 1 --max-fail 0", 1, Some("stopped")),
    ("call @both test.sleep 300 --async --no-wait", 0, Some("sleep")),
    ("job cancel {sleep}", 0, None),
    ("job list --state finished --method test.* --host m1", 0, None),
    ("job list --limit 2 --json", 0, None),
    ("job show {stopped}", 0, None),
    ("job status {stopped}", 1, None),
    ("job status {sleep} --json", 1, None),
    ("job wait {sum}", 0, None),
    ("job follow {progress}", 0, None),
    ("job resume {sum}", 0, None),
    ("job retry {sum} --failed", 5, None),
    ("job retry {stopped} --failed --skipped", 1, Some("again")),
    ("job purge {sum}", 0, None),
    ("job status {sum}", 3, None),
    ("copy {folder}/file m1:{folder}/open/file", 0, None),
    ("copy {folder}/file m2:{folder}/open/file", 1, None),
    ("fetch m1:{folder}/open/file {folder}/fetched", 0, None),
    ("module push {folder}/file @both", 1, None),
    ("module rollback nothing @both", 1, None),
    ("doctor", 1, None),
    ("ca init", 3, None),
    ("ca issue other --role reader --out {folder}/other", 0, None),
    ("ca token --for other*", 0, None),
    ("ca list", 0, None),
    ("ca show m1", 0, None),
    ("ca sign nobody", 3, None),
    ("ca deny nobody", 3, None),
    ("ca renew m1", 0, None),
    ("ca revoke other", 0, None),
    ("audit show", 0, None),
    ("audit verify", 0, None),
    ("audit head @both", 0, None),
    ("hosts remove m3", 0, None),
    ("group remove both m2", 0, None),
];

/// Commands that the daemon cannot touch, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("daemon", "is the daemon"),
    ("minion", "serves a minion, which knows neither store nor inventory"),
    ("minion join", "makes a machine a minion, which knows neither store nor inventory"),
    ("schedule add", "is about what a daemon does, and warns where there is none"),
    ("schedule list", "is about what a daemon does, and warns where there is none"),
    ("schedule show", "is about what a daemon does, and warns where there is none"),
    ("schedule run", "is about what a daemon does, and warns where there is none"),
    ("schedule pause", "is about what a daemon does, and warns where there is none"),
    ("schedule resume", "is about what a daemon does, and warns where there is none"),
    ("schedule remove", "is about what a daemon does, and warns where there is none"),
    ("sim", "serves a fleet and an overlord of its own"),
    ("demo", "has a fleet and an overlord of its own"),
    ("ca serve", "serves the authority until it is stopped"),
    ("ca rotate", "puts another authority in the place of the present one: a test of its own does it beside minions"),
    ("ca passphrase", "asks on a terminal; the daemon reads no key of the authority's before a renewal"),
    ("acl list", "reads a minion's own policy"),
    ("acl explain", "reads a minion's own policy"),
    ("module new", "an author's tool: there is neither store nor fleet"),
    ("module build", "an author's tool: there is neither store nor fleet"),
    ("module check", "an author's tool: there is neither store nor fleet"),
    ("module run", "an author's tool: there is neither store nor fleet"),
    ("module test", "an author's tool: there is neither store nor fleet"),
    ("module docs", "an author's tool: there is neither store nor fleet"),
    ("module inspect", "an author's tool: there is neither store nor fleet"),
    ("module sign", "an author's tool: there is neither store nor fleet"),
    ("module verify", "an author's tool: there is neither store nor fleet"),
    ("module sdk", "an author's tool: there is neither store nor fleet"),
    ("module grants", "reads and writes a minion's own configuration"),
    ("module grant", "reads and writes a minion's own configuration"),
    ("module suggest", "reads and writes a minion's own configuration"),
];

/// What can be run: every command, but those that only stand before others.
fn runnable(command: &clap::Command, words: &str, found: &mut Vec<String>) {
    if !words.is_empty() && !command.is_subcommand_required_set() {
        found.push(words.to_owned());
    }
    for below in command.get_subcommands() {
        runnable(below, format!("{words} {}", below.get_name()).trim(), found);
    }
}

#[test]
fn no_command_is_forgotten() {
    let mut commands = Vec::new();
    runnable(&func::cli::command_line(), "", &mut commands);
    // The longest that a line begins with is what it runs.
    let is = |line: &str, command: &str| line == command || line.starts_with(&format!("{command} "));
    let runs = |line: &str| commands.iter().filter(|command| is(line, command)).max_by_key(|command| command.len());
    for command in &commands {
        let run = STEPS.iter().any(|(line, ..)| runs(line) == Some(command));
        let left_out = LEFT_OUT.iter().any(|(left, _)| left == command);
        assert!(run != left_out, "`func {command}` is run and left out, or neither: {run}");
    }
    for (left, _) in LEFT_OUT {
        assert!(commands.iter().any(|command| command == left), "there is no `func {left}`");
    }
}

/// Two runs differ in times, ports, ids and digests: runs of digits and what belongs to them become `#`.
fn normalised(text: &str) -> String {
    let part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '-' | 'T');
    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(if end == 0 { first.len_utf8() } else { end });
        let digits = run.chars().filter(char::is_ascii_digit).count();
        let unit = after.trim_start_matches(' ');
        let is_time = digits > 0
            && ["ms", "µs", "s ", "s,", "s\n", "m ", "seconds", "second"].iter().any(|end| unit.starts_with(end));
        shown.push_str(if digits >= 4 || is_time { "#" } else { run });
        rest = after;
    }
    // A rule is as long as its table is wide, and a token is another one each time.
    let word = |word: &str| if word.len() > 60 || word.starts_with('─') { "#".to_owned() } else { word.to_owned() };
    let words = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    shown.lines().map(words).collect::<Vec<_>>().join("\n")
}

/// The lines in an order of their own: hosts answer in any.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.contains(": [1/")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

/// What each step answered, in order.
fn run(fleet: &Fleet) -> Vec<String> {
    let folder = fleet.folder().to_str().unwrap().to_owned();
    fs::write(fleet.folder().join("file"), "something").unwrap();
    let mut jobs: Vec<(String, String)> = vec![("{folder}".to_owned(), folder)];
    let mut told = Vec::new();
    for (line, code, names) in STEPS {
        let fill = |word: &str| jobs.iter().fold(word.to_owned(), |word, (name, value)| word.replace(name, value));
        let answer = fleet.func(line.split(' ').map(fill));
        // Hosts are heard in any order, and may be asked at another step of their work.
        let unordered = ["--jsonl", "follow"].iter().any(|word| line.contains(word));
        let out = if unordered { sorted(&answer.out) } else { answer.out };
        let mut text = format!("{out}\n{}", sorted(&answer.err));
        if let Some(name) = names {
            let newest =
                || fleet.func(["job", "list", "--limit", "1", "--json"]).json()[0]["id"].as_str().map(str::to_owned);
            let job = until("the job", newest);
            if line.ends_with("--no-wait") {
                // What comes next must not find it half handed out, by whomever.
                until("the job with its hosts", || (fleet.stored(&job)["status"] != "RUNNING").then_some(()));
            }
            jobs.push((format!("{{{name}}}"), job));
        }
        for (name, value) in jobs.iter().rev() {
            text = text.replace(value, name);
        }
        told.push(format!("$ func {line}\nexit {} (meant: {code})\n{}", answer.code, normalised(&text)));
    }
    told
}

#[test]
fn with_it_and_without_it() {
    let fleets = || {
        let mut fleet = Fleet::alone();
        let open = fleet.folder().join("open");
        fs::create_dir(&open).unwrap();
        let open = open.display();
        let grants = format!("[grants.copyfile]\nwrite = [\"{open}/**\"]\n[grants.getfile]\nread = [\"{open}/**\"]\n");
        fleet.add("m1", &grants);
        fleet.add("m2", "");
        fleet
    };
    let (alone, beside) = thread::scope(|scope| {
        let alone = scope.spawn(|| run(&fleets()));
        let beside = scope.spawn(|| {
            let fleet = fleets();
            fleet.accompany();
            let told = run(&fleet);
            assert!(fleet.is_accompanied(), "the daemon has not lived to the end");
            told
        });
        (alone.join().unwrap(), beside.join().unwrap())
    });
    let differ: Vec<String> = alone
        .iter()
        .zip(&beside)
        .filter(|(alone, beside)| alone != beside)
        .map(|(alone, beside)| format!("{alone}\n-- beside a daemon:\n{beside}\n"))
        .collect();
    assert!(differ.is_empty(), "{} of {} differ:\n{}", differ.len(), alone.len(), differ.join("\n"));
    let codes = alone.iter().filter(|told| {
        let line = told.lines().nth(1).unwrap();
        let (code, meant) = line.trim_start_matches("exit ").split_once(" (meant: ").unwrap();
        meant.trim_end_matches(')') != code
    });
    let codes: Vec<&String> = codes.collect();
    assert!(codes.is_empty(), "{codes:#?}");
}
