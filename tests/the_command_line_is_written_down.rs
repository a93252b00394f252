//! The reference of the command line: a change of it is seen, and meant.

use std::process::Command;

/// A command and everything below it, each by its words.
fn commands(command: &clap::Command, words: &[String]) -> Vec<Vec<String>> {
    let below = command.get_subcommands().flat_map(|below| {
        let words = [words, &[below.get_name().to_owned()]].concat();
        commands(below, &words)
    });
    std::iter::once(words.to_vec()).chain(below).collect()
}

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let commands = commands(&func::cli::command_line(), &[]);
    let helps: Vec<String> = commands
        .iter()
        .map(|words| {
            let output = Command::new(env!("CARGO_BIN_EXE_func")).args(words).arg("--help").output().unwrap();
            assert!(output.status.success(), "{words:?}");
            let name = [&["func".to_owned()], &words[..]].concat().join(" ");
            let help = String::from_utf8(output.stdout).unwrap();
            let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
            format!("$ {name} --help\n{}\n\n", lines.join("\n").trim_end())
        })
        .collect();
    insta::assert_snapshot!("command_line", helps.concat());
}
