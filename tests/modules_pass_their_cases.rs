//! A case is a call whose host is a recording: it passes on any machine, and fails by what differs.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use func::author::{Case, case_files};

use crate::harness::{Answer, direct::compiled, shipped_modules};

fn func(arguments: &[&str], folder: &Path) -> Answer {
    let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().unwrap().into()
}

/// Each of them is tested with an answer and, if it asks anything of its host, with an error.
#[tokio::test]
async fn the_shipped_modules_pass_their_cases() {
    for built in &shipped_modules().modules {
        let module = built.name.as_str();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins").join(module);
        let (mut answers, mut errors, mut asks) = (0, 0, false);
        for file in case_files(&folder).unwrap() {
            let case = Case::load(&file).unwrap_or_else(|error| panic!("{}: {error:?}", file.display()));
            let report = case.run(file.display().to_string(), &compiled(module)).await;
            assert!(report.passed && report.unused.is_empty(), "{report:#?}");
            asks |= !case.calls.is_empty();
            *if case.expect.error.is_some() { &mut errors } else { &mut answers } += 1;
        }
        assert!(answers > 0 && (errors > 0 || !asks), "`{module}` has cases of {answers} answers and {errors} errors");
    }
}

#[test]
fn what_was_recorded_passes_and_every_difference_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let process = shipped_modules().modules.iter().find(|built| built.name == "process").unwrap();
    let component = process.path.to_str().unwrap();
    fs::write(folder.path().join("minion.toml"), "[grants.process]\nread = [\"/proc/loadavg\"]\n").unwrap();
    let record =
        ["module", "run", component, "process.loadavg", "--grant-file", "minion.toml", "--record", "cases/load.toml"];
    func(&record, folder.path()).expect(0);
    let again = func(&record, folder.path()).expect(3);
    assert!(again.err.contains("load.toml"), "a case that was edited is not written over: {}", again.err);
    let test = |code| func(&["module", "test", ".", "--component", component], folder.path()).expect(code);
    let passed = test(0);
    assert!(passed.out.contains("PASS") && passed.out.contains("1 case run: 1 passed"), "{}", passed.out);

    let case = folder.path().join("cases/load.toml");
    let recorded = fs::read_to_string(&case).unwrap();
    assert!(
        recorded.contains("name = \"files.read-text\"") && recorded.contains("path = \"/proc/loadavg\""),
        "{recorded}"
    );
    fs::write(&case, recorded.replace("path = \"/proc/loadavg\"", "path = \"/proc/other\"")).unwrap();
    let unrecorded = test(1);
    let named = "it asked what was not recorded: files.read-text(path = \"/proc/loadavg\")";
    assert!(unrecorded.out.contains("FAIL") && unrecorded.out.contains(named), "{}", unrecorded.out);
    assert!(
        unrecorded.out.contains("recorded, not asked for: files.read-text(path = \"/proc/other\")"),
        "{}",
        unrecorded.out
    );

    let inject = "[[inject]]\ncall = \"files.read-text\"\nerror = { kind = \"busy\", message = \"not now\" }\n";
    fs::write(&case, format!("{recorded}\n{inject}")).unwrap();
    let injected = test(1);
    assert!(injected.out.contains("+error busy: not now"), "{}", injected.out);

    fs::write(&case, "method = \"process.loadavg\"\nexpect.eror = 1\n").unwrap();
    let wrong = test(3);
    assert!(wrong.err.contains("load.toml") && wrong.err.contains("eror"), "{}", wrong.err);
}
