//! A module in Python or in JavaScript goes the way of one in Rust: begun, tested, built, checked, tried out, dropped into
//! a minion that runs, and called there, at once and as a job.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use func::fleet::Outcome;
use func::ids::Digest;
use func::wire::{RemoteError, Value};

use crate::harness::{Answer, Fleet, skip, until};
use crate::secrets_stay_secret::{SECRET, leaking};

/// A language, and what a machine must have for it.
struct Language {
    /// What `--lang` calls it.
    name: &'static str,
    /// What makes components of it.
    componentizer: &'static str,
    /// What runs a project's tests.
    tests: &'static [&'static str],
    /// The file with the module's methods, where the methods `explode` and `keep` are added, and their code.
    code: (&'static str, &'static str, &'static str),
    /// The method `motto`, which reads a file of the machine, and what it needs at the top of the file.
    motto: (&'static str, &'static str),
    /// What an exception says that nobody caught, and where the job's log has it.
    exception: (&'static str, &'static str),
}

const PYTHON: Language = Language {
    name: "python",
    componentizer: "componentize-py",
    tests: &["python3", "-m", "unittest"],
    code: (
        "app.py",
        "    def greet",
        "    def explode(self) -> int:\n        print('about to explode')\n        return {}['nothing']\n\n    def keep(self, \
         password) -> int:\n        job.log(job.Level.INFO, f'it is {password.secret}', [])\n        return \
         len(password.secret)\n\n",
    ),
    motto: (
        "    def motto(self, path: str) -> str:\n        return files.read_text(path).strip()\n\n",
        "from wit_world.imports import files, job\n",
    ),
    exception: ("KeyError: 'nothing'", "File \"/0/app.py\""),
};

const JAVASCRIPT: Language = Language {
    name: "js",
    componentizer: "componentize-qjs",
    tests: &["node", "--test"],
    code: (
        "app.js",
        "  greet(name)",
        "  explode() {\n    return undefined.nothing;\n  },\n  keep(password) {\n    log(\"info\", \
         `it is ${password.secret}`, []);\n    return password.secret.length;\n  },\n",
    ),
    motto: (
        "  motto(path) {\n    return readText(path).trim();\n  },\n",
        "import { readText } from \"minion:host/files@0.1.0\";\nimport { log } from \"minion:host/job@0.1.0\";\n",
    ),
    exception: ("cannot read property 'nothing' of undefined", "at explode (/app.js:"),
};

const METHODS: &str = "  /// Fails in a way that its author did not foresee.\n  explode: func() -> u32;\n\n  /// Counts the characters of a password.\n  ///\n  /// - `password`: the password.\n  keep: func(password: secret) -> u32;\n\n  /// Reads a motto.\n  ///\n  /// - `path`: where it is.\n  motto: func(path: string) -> result<string, error>;\n\n  /// Greets";

#[test]
fn a_module_in_python_is_one_like_any_other() {
    goes_the_whole_way("a_module_in_python_is_one_like_any_other", &PYTHON);
}

#[test]
fn a_module_in_javascript_is_one_like_any_other() {
    goes_the_whole_way("a_module_in_javascript_is_one_like_any_other", &JAVASCRIPT);
}

#[test]
fn a_tool_that_is_missing_is_named_with_the_command_that_installs_it() {
    for (language, command) in
        [(&PYTHON, "pip install componentize-py=="), (&JAVASCRIPT, "npm install --save-dev componentize-qjs@")]
    {
        let folder = tempfile::tempdir().unwrap();
        let project = begin(folder.path(), language);
        let refused = func(folder.path()).args(["module", "build"]).arg(&project).env("PATH", "/nowhere").output();
        let refused = Answer::from(refused.unwrap()).expect(3);
        for part in [language.componentizer, command] {
            assert!(refused.err.contains(part), "{part}: {}", refused.err);
        }
    }
}

/// A `func` command of an author whose files lie in this folder.
fn func(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_func"));
    command.env("FUNC_HOME", home).stdin(Stdio::null());
    command
}

/// A new project with three methods more.
fn begin(home: &Path, language: &Language) -> PathBuf {
    let folder = home.join("hello");
    let made = func(home).args(["module", "new", "hello", "--lang", language.name, "--path"]).arg(&folder).output();
    Answer::from(made.unwrap()).expect(0);
    let insert = |file: &str, before: &str, text: &str| {
        let old = fs::read_to_string(folder.join(file)).unwrap();
        assert!(old.contains(before), "{old}");
        fs::write(folder.join(file), old.replacen(before, text, 1)).unwrap();
    };
    insert("wit/hello.wit", "  /// Greets", METHODS);
    insert("wit/hello.wit", "{error}", "{error, secret}");
    fs::write(folder.join("motto.txt"), "Always be kind.\n").unwrap();
    let (file, before, method) = language.code;
    // Its caller names the file, so nobody but the operator can know it.
    let about = fs::read_to_string(folder.join("module.toml")).unwrap();
    fs::write(folder.join("module.toml"), format!("operator-chooses = [\"read\", \"write\"]\n{about}")).unwrap();
    let (motto, import) = language.motto;
    insert(file, before, &format!("{method}{motto}{before}"));
    let code = fs::read_to_string(folder.join(file)).unwrap();
    let at = code.find(if import.starts_with("from") { "from " } else { "import " }).unwrap();
    fs::write(folder.join(file), format!("{}{import}{}", &code[..at], &code[at..])).unwrap();
    insert(
        "wit/hello.wit",
        "  export hello;",
        "  import minion:host/files@0.1.0;\n  import minion:host/job@0.1.0;\n  export hello;",
    );
    folder
}

fn goes_the_whole_way(test: &str, language: &Language) {
    for program in [language.componentizer, language.tests[0]] {
        if let Err(error) = Command::new(program).arg("--help").output() {
            return skip(test, &format!("{program} cannot be started: {error}"));
        }
    }
    let home = tempfile::tempdir().unwrap();
    let project = begin(home.path(), language);
    let tested = Command::new(language.tests[0]).args(&language.tests[1..]).current_dir(&project).output().unwrap();
    Answer::from(tested).expect(0);

    let module = |words: &[&str]| -> Answer {
        func(home.path()).arg("module").args(words).current_dir(&project).output().unwrap().into()
    };
    module(&["build"]).expect(0);
    let component = project.join("target/modules/hello.wasm");
    assert!(project.join("target/modules/hello.wasm.minisig").is_file());
    let left = fs::read_dir(project.join("target/modules")).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with(".work")), "nothing is left behind");

    let component_path = component.to_str().unwrap();
    let checked = module(&["check", "--strict", component_path]).expect(0);
    assert!(checked.out.contains("0 errors, 0 warnings"), "{}", checked.out);
    assert!(checked.out.contains("its runtime imports wasi:"), "{}", checked.out);
    let ran = module(&["run", component_path, "hello.greet", "you"]).expect(0);
    assert_eq!(ran.out, "Hello, you!");
    explained(&module, component_path);
    recorded(&module, component_path, &project);
    is_served(language, &component);
}

/// The component tells what it is, and nothing of what its runtime exports besides.
fn explained(module: &dyn Fn(&[&str]) -> Answer, component: &str) {
    let sheet = module(&["inspect", component, "--json"]).expect(0).json()[0].clone();
    assert_eq!((&sheet["name"], &sheet["version"]), (&"hello".into(), &"0.1.0".into()), "{sheet}");
    assert_eq!(sheet["description"], "Greets people");
    let modules = sheet["modules"].as_array().unwrap();
    assert_eq!(modules.len(), 1, "{sheet}");
    assert_eq!(modules[0]["full_name"], "local:hello/hello");
    let signatures: Vec<_> = modules[0]["methods"].as_array().unwrap().iter().map(|one| &one["signature"]).collect();
    let greet = "hello.greet(name: string) -> result<string, error>";
    let (keep, motto) = ("hello.keep(password: secret) -> u32", "hello.motto(path: string) -> result<string, error>");
    assert_eq!(signatures, ["hello.explode() -> u32", greet, keep, motto]);
    // The page is written from the same, and a large component takes long to compile.
    let told = sheet["modules"][0]["methods"][1].to_string();
    assert!(told.contains("Greets somebody.") && told.contains("whom to greet"), "{told}");
}

/// A call is recorded, answered from the recording where the file is gone, and fails where it asks something else.
fn recorded(module: &dyn Fn(&[&str]) -> Answer, component: &str, project: &Path) {
    let file = project.join("motto.txt").canonicalize().unwrap();
    let path = file.to_str().unwrap();
    module(&["run", component, "hello.motto", path, "--read", path, "--record", "cases/motto.toml"]).expect(0);
    fs::remove_file(&file).unwrap();
    let test = || module(&["test", ".", "--component", component]);
    assert!(test().expect(0).out.contains("1 case run: 1 passed"));
    let case = project.join("cases/motto.toml");
    let text = fs::read_to_string(&case).unwrap();
    assert!(text.contains("files.read-text") && text.contains("Always be kind."), "{text}");
    fs::write(&case, text.replacen("files.read-text", "files.read", 1)).unwrap();
    let unrecorded = test().expect(1).out;
    assert!(unrecorded.contains("it asked what was not recorded: files.read-text(path = "), "{unrecorded}");
    let inject = "[[inject]]\ncall = \"files.read-text\"\nerror = { kind = \"busy\", message = \"not now\" }\n";
    fs::write(&case, format!("{text}\n{inject}")).unwrap();
    let injected = test().expect(1).out;
    assert!(injected.contains("+error") && injected.contains("not now"), "{injected}");
}

/// A minion that runs takes it, and calls it in the daemon and in workers.
fn is_served(language: &Language, component: &Path) {
    let mut fleet = Fleet::empty();
    let modules = fleet.add_with("m1", "", &[]).modules();
    let written = modules.join(".hello.wasm");
    fs::copy(component, &written).unwrap();
    fs::rename(written, modules.join("hello.wasm")).unwrap();
    let greet = |name: &str| vec![Value::from(name)];
    until("the module's code", || {
        // Meanwhile the minion answers others.
        assert!(matches!(fleet.ask("m1", "system.list_modules", vec![]), Outcome::Ok(_)));
        fleet.minion("m1").log().contains("loaded a plugin").then_some(())
    });
    if fs::metadata(component).unwrap().len() > 4 << 20 {
        assert!(fleet.minion("m1").log().contains("compiling a large module"));
    }
    assert_eq!(fleet.ask("m1", "hello.greet", greet("you")), Outcome::Ok("Hello, you!".into()));
    assert_eq!(fleet.ask_as_job("m1", "hello.greet", greet("you")), Outcome::Ok("Hello, you!".into()));

    // An error of the author's is the method's, with its kind.
    for error in
        [fleet.failure("m1", "hello.greet", greet(" ")), failed(fleet.ask_as_job("m1", "hello.greet", greet(" ")))]
    {
        assert_eq!(error.kind, "invalid");
        assert_eq!(error.message, "there is nobody to greet (hint: give a name)");
    }
    // An exception that nobody caught is told, too.
    let (message, place) = language.exception;
    let error = fleet.failure("m1", "hello.explode", vec![]);
    assert!(error.kind == "Trap" && error.message.contains(message), "{error:?}");
    let Outcome::Ok(Value::String(job)) = fleet.ask("m1", "async.hello.explode", vec![]) else { panic!("no job") };
    let result = until("the job's end", || {
        let answer = fleet.ask("m1", "jobs.wait", vec![job.as_str().into(), 10.into()]);
        let Outcome::Ok(Value::Array(pair)) = answer else { panic!("{answer:?}") };
        RemoteError::from_value(&pair[1])
    });
    assert!(result.message.contains(message), "{result:?}");
    let log = fleet.job_log("m1", &job);
    assert!(log.contains(place) && log.contains(message), "{log}");

    keeps_a_secret(&fleet);

    // The code of a component that nobody builds twice is not left to the other tests.
    let digest = Digest::of(&fs::read(component).unwrap()).to_string();
    for entry in fs::read_dir(Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled")).unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&digest) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// A secret arrives, and is in no file and no log, although the module logs it.
fn keeps_a_secret(fleet: &Fleet) {
    let length = Outcome::Ok(i64::try_from(SECRET.chars().count()).unwrap().into());
    assert_eq!(fleet.ask("m1", "hello.keep", vec![SECRET.into()]), length);
    let Outcome::Ok(Value::String(job)) = fleet.ask("m1", "async.hello.keep", vec![SECRET.into()]) else {
        panic!("no job")
    };
    until("the job's end", || {
        let answer = fleet.ask("m1", "jobs.wait", vec![job.as_str().into(), 10.into()]);
        matches!(answer, Outcome::Ok(Value::Array(pair)) if pair[0] == 1.into()).then_some(())
    });
    let log = fleet.job_log("m1", &job);
    assert!(log.contains("it is [secret]"), "{log}");
    let leaking = leaking(fleet.folder());
    assert!(leaking.is_empty(), "{leaking:?}");
}

#[track_caller]
fn failed(outcome: Outcome) -> RemoteError {
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}
