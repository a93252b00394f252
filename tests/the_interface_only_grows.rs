//! What was built for an older `minion:host@0.1` is loaded and answered by every newer host of 0.1.
//!
//! `tests/interface/VERSION` holds the WIT of each release, word for word. The rules are in `src/README.md`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, iter};

use func::plugin::{CallContext, Engine, Events, Level, Plugin, examine};
use func::wire::Value;
use wit_component::{ComponentEncoder, StringEncoding, dummy_module, embed_component_metadata, semver_check};
use wit_parser::{ManglingAndAbi, PackageId, Resolve, SourceMap, WorldId};

use crate::harness::guest;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The texts of a folder of WIT, each with its name.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 5, "{files:?}");
    files.iter().map(|path| (path.display().to_string(), fs::read_to_string(path).unwrap())).collect()
}

fn push(resolve: &mut Resolve, texts: &[(String, String)]) -> PackageId {
    let mut sources = SourceMap::new();
    for (name, text) in texts {
        sources.push_str(name, text);
    }
    let group = sources.parse().map_err(|(_, error)| error.to_string()).unwrap();
    resolve.push_group(group).unwrap()
}

fn released() -> Vec<(String, Vec<(String, String)>)> {
    let releases = fs::read_dir(root().join("tests/interface")).unwrap().map(|entry| entry.unwrap().path());
    let mut releases: Vec<_> =
        releases.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), texts(&path))).collect();
    releases.sort();
    assert!(!releases.is_empty());
    releases
}

/// Whether today's interface, changed by `change`, is one that modules of the release can be run with.
fn grown_from(release: &[(String, String)], change: impl Fn(&str) -> String) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let old = push(&mut resolve, release);
    // Two packages of one version cannot lie side by side.
    let renamed = |text: &str| change(text).replace("package minion:host@0.1.0;", "package minion:host@0.1.999;");
    let today: Vec<_> = texts(&root().join("wit")).iter().map(|(name, text)| (name.clone(), renamed(text))).collect();
    let new = push(&mut resolve, &today);
    for (name, old_world) in resolve.packages[old].worlds.clone() {
        let new_world: WorldId =
            *resolve.packages[new].worlds.get(&name).ok_or_else(|| format!("the world `{name}` is gone"))?;
        semver_check(resolve.clone(), old_world, new_world).map_err(|error| format!("{name}: {error:#}"))?;
    }
    Ok(())
}

#[test]
fn nothing_of_a_release_is_changed_or_taken_away() {
    for (version, release) in released() {
        if let Err(why) = grown_from(&release, str::to_owned) {
            panic!("wit/ breaks the modules that were built for {version}: {why}");
        }
    }
}

#[test]
fn a_change_that_breaks_modules_is_noticed() {
    let (_, release) = released().remove(0);
    let replaced = |from: &'static str, to: &'static str| {
        let from_wit = texts(&root().join("wit")).iter().any(|(_, text)| text.contains(from));
        assert!(from_wit, "`{from}` is not in wit/");
        grown_from(&release, |text| text.replace(from, to))
    };
    replaced("  id: func() -> string;", "").unwrap_err();
    replaced("sleep: func(ms: u64)", "sleep: func(ms: u32)").unwrap_err();
    replaced("sleep: func(ms: u64)", "sleep: func(millis: u64)").unwrap_err();
    replaced("    hint: option<string>,", "    hint: option<string>, more: bool,").unwrap_err();
    replaced("    busy,", "    busy, other,").unwrap_err();
    replaced("  import config;", "").unwrap_err();
    // The minion calls what a module exports, so there nothing may be added either.
    replaced("  collect: func", "  more: func(); collect: func").unwrap_err();
    replaced("  id: func() -> string;", "  id: func() -> string; more: func() -> string;").unwrap();
}

/// A component that imports all there was.
fn importing_everything(release: &[(String, String)]) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let package = push(&mut resolve, release);
    let user = "package t:t; interface t { f: func(); } world w { include minion:host/module@0.1.0; export t; }";
    let user = resolve.push_source("t.wit", user).unwrap();
    assert_ne!(user, package);
    let world = resolve.packages[user].worlds["w"];
    let mut module = dummy_module(&resolve, world, ManglingAndAbi::Standard32);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    ComponentEncoder::default().module(&module).unwrap().encode().unwrap()
}

#[test]
fn this_host_offers_every_function_of_every_release() {
    let engine = Engine::serving().unwrap();
    for (version, release) in released() {
        let examined = examine(&engine, None, &importing_everything(&release)).unwrap();
        let functions: usize = examined.imports.iter().map(|import| import.functions.len()).sum();
        assert!(functions > 25, "only {functions} functions of {version} are imported");
        assert!(examined.misfit.is_none(), "{version}: {:?}", examined.misfit);
    }
}

/// What a call said besides its answer.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Events for Heard {
    fn log(&self, level: Level, message: &str, _: &[(String, String)]) {
        self.0.lock().unwrap().push(format!("{level} {message}"));
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        self.0.lock().unwrap().push(format!("{done} of {total:?} {note}"));
    }
}

#[tokio::test]
async fn a_module_of_the_first_release_loads_and_answers() {
    let bytes = fs::read(guest("since-0-1-0")).unwrap();
    let plugin = Plugin::compile(&Engine::serving().unwrap(), &bytes).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = fs::canonicalize(folder.path()).unwrap().join("a.txt");
    fs::write(&file, "text\n").unwrap();
    let heard = Arc::new(Heard::default());
    let mut context = CallContext::bare("test-minion", "tester", Duration::from_secs(20));
    context.grant = Arc::new(toml::from_str(&format!("read = [{:?}]", file.to_str().unwrap())).unwrap());
    context.settings = Arc::new(iter::once(("colour".to_owned(), "blue".to_owned())).collect());
    context.events = heard.clone();
    let path = Value::from(file.to_str().unwrap());
    let answer = plugin.call(&"first.report".parse().unwrap(), &[path], context).await.unwrap();
    assert_eq!(
        answer.to_json(),
        serde_json::json!(["file text", "caller tester", "setting blue", "clock true", "command ErrorKind::Denied"])
    );
    assert_eq!(heard.0.lock().unwrap()[..2], ["info reporting", "1 of Some(2) half"]);
    let value = Value::structure([("k", Value::Array(vec![Value::Nil, Value::Double(1.5)]))]);
    let context = CallContext::bare("test-minion", "tester", Duration::from_secs(20));
    let echoed = plugin.call(&"first.echo".parse().unwrap(), std::slice::from_ref(&value), context).await.unwrap();
    assert_eq!(echoed, value);
}
