//! Passphrases and secrets that are typed on a terminal are shown by nobody, and the terminal is afterwards as it was.

use std::fs;

use crate::harness::{Fleet, Terminal, guest, has};

const SECRET: &str = "correct-horse-zebra";

fn lacks_programs(test: &str) -> bool {
    !has(test, &["setsid"])
}

#[test]
fn a_new_passphrase_is_typed_twice_and_later_once() {
    if lacks_programs("a_new_passphrase_is_typed_twice_and_later_once") {
        return;
    }
    let fleet = Fleet::empty();
    let run = |words: &[&str]| Terminal::run(&fleet.command(words));
    let key = fleet.home().join("ca/ca-key.pem");
    let sealed = || fs::read_to_string(&key).unwrap().contains("ENCRYPTED");

    let mut differs = run(&["ca", "passphrase"]);
    assert!(differs.echoes());
    differs.until("new passphrase: ");
    assert!(!differs.echoes());
    differs.write(&format!("{SECRET}\n"));
    differs.until("the same again: ");
    differs.write("another\n");
    let (code, said, _) = differs.end();
    assert!(code == 2 && said.contains("differ") && !said.contains(SECRET) && !said.contains("another"), "{said}");
    assert!(!sealed());

    let mut seals = run(&["ca", "passphrase"]);
    for prompt in ["new passphrase: ", "the same again: "] {
        seals.until(prompt);
        seals.write(&format!("{SECRET}\n"));
    }
    let (code, said, echoes) = seals.end();
    assert!(code == 0 && !said.contains(SECRET) && sealed() && echoes, "{said}");

    let mut signs = run(&["ca", "issue", "web1", "--role", "reader"]);
    signs.until("passphrase of the authority's key: ");
    signs.write(&format!("{SECRET}\n"));
    let (code, said, _) = signs.end();
    assert!(code == 0 && !said.contains(SECRET) && !said.contains("again"), "{said}");
}

#[test]
fn ctrl_c_ends_the_command_and_leaves_a_terminal_that_shows_what_is_typed() {
    if lacks_programs("ctrl_c_ends_the_command_and_leaves_a_terminal_that_shows_what_is_typed") {
        return;
    }
    let fleet = Fleet::empty();
    for (words, prompt) in [
        (&["ca", "passphrase"][..], "new passphrase: "),
        (&["call", "web1", "keeper.hold", "@secret:?", "0"], "secret: "),
    ] {
        let mut terminal = Terminal::run(&fleet.command(words));
        terminal.until(prompt);
        terminal.write("half\u{3}");
        let (code, said, echoes) = terminal.end();
        assert!(echoes, "{words:?}");
        assert!(code == 130 && !said.contains("half"), "{code}: {said}");
    }
    assert!(!fs::read_to_string(fleet.home().join("ca/ca-key.pem")).unwrap().contains("ENCRYPTED"));
}

#[test]
fn a_secret_of_a_call_is_typed_and_arrives() {
    if lacks_programs("a_secret_of_a_call_is_typed_and_arrives") {
        return;
    }
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "", &[&guest("keeper")]);
    let mut call = Terminal::run(&fleet.command(["call", "web1", "keeper.hold", "@secret:?", "0", "--json"]));
    call.until("secret: ");
    assert!(!call.echoes());
    call.write(&format!("{SECRET}\n"));
    let (code, said, _) = call.end();
    assert!(code == 0 && said.contains(&format!("\"value\": {}", SECRET.len())) && !said.contains(SECRET), "{said}");
}
