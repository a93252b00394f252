//! The reference of the command line: a change of it is seen, and meant.

use std::process::Command;

#[test]
fn the_help_of_every_command_is_as_it_was() {
    let commands: [&[&str]; 35] = [
        &[],
        &["call"],
        &["copy"],
        &["fetch"],
        &["job"],
        &["job", "list"],
        &["job", "status"],
        &["job", "wait"],
        &["job", "resume"],
        &["ping"],
        &["hosts"],
        &["group"],
        &["group", "list"],
        &["group", "show"],
        &["group", "add"],
        &["group", "remove"],
        &["doc"],
        &["ca"],
        &["ca", "init"],
        &["ca", "issue"],
        &["ca", "list"],
        &["ca", "revoke"],
        &["module"],
        &["module", "new"],
        &["module", "build"],
        &["module", "check"],
        &["module", "run"],
        &["module", "docs"],
        &["module", "inspect"],
        &["module", "push"],
        &["module", "rollback"],
        &["module", "sdk"],
        &["minion"],
        &["sim"],
        &["demo"],
    ];
    let helps = commands.map(|command| {
        let output = Command::new(env!("CARGO_BIN_EXE_func")).args(command).arg("--help").output().unwrap();
        assert!(output.status.success());
        let name = [&["func"], command].concat().join(" ");
        let help = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        format!("$ {name} --help\n{}\n\n", lines.join("\n").trim_end())
    });
    insta::assert_snapshot!("command_line", helps.concat());
}
