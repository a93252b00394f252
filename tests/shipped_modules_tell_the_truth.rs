//! The shipped modules, compiled and called with the grants that are recommended for them, say what the machine says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock, Mutex},
    time::Duration,
};

use func::{
    access::{Grant, Grants},
    author::{Artifact, Built, Inspection, Quiet, SHIPPED_GRANTS, Severity, check},
    plugin::{CallContext, CallError, Engine, Events, Level, Metadata, Plugin},
    wire::Value,
};

use crate::harness::shipped_modules;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| Engine::serving().unwrap());

/// Level, message, fields.
type Line = (Level, String, Vec<(String, String)>);

/// What a call said besides its answer.
#[derive(Default)]
struct Heard {
    lines: Mutex<Vec<Line>>,
    progress: Mutex<Vec<(u64, Option<u64>)>>,
}

impl Events for Heard {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        self.lines.lock().unwrap().push((level, message.to_owned(), fields.to_vec()));
    }

    fn progress(&self, done: u64, total: Option<u64>, _: &str) {
        self.progress.lock().unwrap().push((done, total));
    }
}

fn plugin(built: &Built) -> Plugin {
    Plugin::compile(&ENGINE, &std::fs::read(&built.path).unwrap()).unwrap()
}

fn shipped(name: &str) -> Plugin {
    plugin(shipped_modules().modules.iter().find(|built| built.name == name).unwrap())
}

/// The grants in a part of a minion's configuration.
fn grants(text: &str) -> Grants {
    #[derive(serde::Deserialize)]
    struct File {
        grants: Grants,
    }
    toml::from_str::<File>(text).unwrap_or_else(|error| panic!("{error}: {text}")).grants
}

/// The grants that are recommended.
fn recommended() -> Grants {
    grants(SHIPPED_GRANTS)
}

async fn call_heard(method: &str, args: &[Value], heard: Arc<Heard>) -> Result<Value, CallError> {
    let module = method.split('.').next().unwrap().parse().unwrap();
    let mut context = CallContext::bare("test-minion", "tester", Duration::from_secs(20));
    context.grant = Arc::new(recommended().for_module(&module, &module));
    context.events = heard;
    shipped(module.as_str()).call(&method.parse().unwrap(), args, context).await
}

async fn call(method: &str, args: &[Value]) -> serde_json::Value {
    call_heard(method, args, Arc::default()).await.unwrap().to_json()
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap().trim_end().to_owned()
}

#[tokio::test]
async fn test_answers_adds_and_counts_past_32_bits() {
    assert_eq!(call("test.ping", &[]).await, 1);
    assert_eq!(call("test.add", &[Value::Int(40), Value::Int(2)]).await, 42);
    assert_eq!(call("test.bigint", &[]).await, 17_592_186_044_416_i64);
}

#[tokio::test]
async fn test_echoes_data_of_any_shape() {
    let inner =
        BTreeMap::from([("k".to_owned(), Value::Array(vec![Value::Nil, Value::Bool(true), Value::Double(1.5)]))]);
    let value = Value::Array(vec![Value::Int(1), Value::String("é".to_owned()), Value::Struct(inner)]);
    let answer = call_heard("test.echo", std::slice::from_ref(&value), Arc::default()).await.unwrap();
    assert_eq!(answer, value);
}

#[tokio::test]
async fn a_panic_reaches_the_caller_as_its_message_and_place() {
    let heard = Arc::new(Heard::default());
    let error = call_heard("test.explode", &[], heard.clone()).await.unwrap_err();
    let CallError::Trapped { message, trace, .. } = &error else { panic!("{error:?}") };
    assert!(message.contains("khhhhhhaaaaaan!!!!!!"), "{message}");
    assert!(trace.contains("explode"), "the names of functions are kept: {trace}");
    let lines = heard.lines.lock().unwrap();
    let (level, _, fields) = lines.last().unwrap();
    assert_eq!(*level, Level::Error);
    assert!(fields[0].0 == "panicked-at" && fields[0].1.contains("src/lib.rs:"), "{fields:?}");
}

#[tokio::test]
async fn progress_is_reported_at_each_step() {
    let heard = Arc::new(Heard::default());
    let answer = call_heard("test.progress", &[Value::Int(3), Value::Int(1)], heard.clone()).await.unwrap();
    assert_eq!(answer, Value::Int(3));
    assert_eq!(*heard.progress.lock().unwrap(), [(1, Some(3)), (2, Some(3)), (3, Some(3))]);
    assert_eq!(heard.lines.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn facts_are_those_of_this_machine() {
    let all = call("facts.all", &[]).await;
    assert_eq!(text(&all["hostname"]), read("/proc/sys/kernel/hostname"));
    assert_eq!(text(&all["kernel"]["release"]), read("/proc/sys/kernel/osrelease"));
    assert!(read("/etc/os-release").contains(text(&all["os"]["title"])));
    assert!(all["cpus"]["count"].as_u64().unwrap() >= 1);
    assert!(all["memory"]["total"].as_u64().unwrap() > 1 << 20);
    assert!(all["addresses"].is_array());
}

#[tokio::test]
async fn disk_usage_is_told_for_the_root_and_not_for_proc() {
    let usage = call("disk.usage", &[]).await;
    let mounts = usage.as_object().unwrap();
    assert!(!mounts.contains_key("/proc"), "{mounts:?}");
    let (point, told) = mounts.iter().next().unwrap();
    let space = nix::sys::statvfs::statvfs(point.as_str()).unwrap();
    let total = space.blocks() * space.fragment_size();
    assert_eq!(told["total"].as_u64(), Some(total));
    let of_path = call("disk.usage", &[Value::String("/usr".to_owned())]).await;
    assert_eq!(of_path.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn processes_include_this_one() {
    let own = i64::from(std::process::id());
    let list = call("process.list", &[]).await;
    let found = list.as_array().unwrap().iter().find(|info| info["pid"] == own).unwrap().clone();
    assert!(found["resident"].as_u64().unwrap() > 0);
    assert!(found["threads"].as_u64().unwrap() >= 1);
    let memory = call("process.mem", &[]).await;
    assert!(memory["total"].as_u64() >= memory["available"].as_u64());
    assert!(call("process.loadavg", &[]).await["one_minute"].is_number());
}

#[tokio::test]
async fn a_process_is_ended_and_init_is_not() {
    let mut child = std::process::Command::new("sleep").arg("20").spawn().unwrap();
    let told = call("process.kill", &[Value::Int(child.id().into())]).await;
    assert_eq!((&told["before"]["name"], &told["before"]["pid"]), (&"sleep".into(), &child.id().into()), "{told}");
    assert!(told["changed"] == true && (told["after"].is_null() || told["after"]["pid"] == child.id()), "{told}");
    assert!(!child.wait().unwrap().success());
    let error = call_heard("process.kill", &[Value::Int(1)], Arc::default()).await.unwrap_err();
    assert!(error.to_string().contains("process 1 is not signalled"), "{error}");
}

#[tokio::test]
async fn command_runs_nothing_that_is_not_granted() {
    let error = call_heard("command.run", &[Value::String("uname -a".to_owned())], Arc::default()).await.unwrap_err();
    let CallError::Failed { kind, .. } = &error else { panic!("{error:?}") };
    assert_eq!(kind, "denied");
    assert_eq!(call("command.exists", &[Value::String("sh".to_owned())]).await, true);
    assert_eq!(call("command.exists", &[Value::String("no-such-program".to_owned())]).await, false);
}

#[tokio::test]
async fn command_runs_what_is_granted_and_answers_text() {
    let mut context = CallContext::bare("test-minion", "tester", Duration::from_secs(20));
    context.grant = Arc::new(toml::from_str(r#"run = ["sh"]"#).unwrap());
    let line = Value::String("sh -c 'echo out; echo err >&2; exit 3'".to_owned());
    let answer = shipped("command").call(&"command.run".parse().unwrap(), &[line], context).await.unwrap().to_json();
    assert_eq!(answer["status"], serde_json::json!({"exited": 3}));
    assert_eq!((text(&answer["stdout"]), text(&answer["stderr"])), ("out\n", "err\n"));
    assert_eq!(answer["truncated"], false);
}

#[test]
fn every_method_and_parameter_is_documented() {
    for built in shipped_modules().modules.iter().chain([&shipped_modules().greeting_2]) {
        for module in plugin(built).modules() {
            assert!(!module.version.is_empty() && !module.description.is_empty(), "{}", module.name);
            for (name, method) in &module.methods {
                let at = format!("{}.{name}", module.name);
                let first = method.doc.split("\n\n").next().unwrap();
                assert!(first.ends_with(['.', ')']), "{at}: {first}");
                let fails = method.result.as_ref().is_some_and(|result| result.starts_with("result<"));
                assert_eq!(fails, method.doc.contains("\n\nErrors: "), "{at} tells its errors, and only if it has any");
                for param in &method.params {
                    assert!(!param.doc.is_empty(), "{at}: {}", param.name);
                }
            }
        }
    }
}

#[test]
fn the_greeting_module_has_a_successor_of_the_same_name() {
    let (old, new) = (shipped("greeting"), plugin(&shipped_modules().greeting_2));
    assert_eq!(old.modules()[0].name, new.modules()[0].name);
    assert!(!old.modules()[0].methods.contains_key("goodbye"));
    assert!(new.modules()[0].methods.contains_key("goodbye"));
}

/// What a module asks for, or is granted, as texts.
fn rights(grant: &Grant) -> BTreeSet<String> {
    grant.lines().into_iter().map(|(list, entry)| format!("{list} {entry}")).collect()
}

#[test]
fn the_recommended_grants_are_what_the_modules_ask_for() {
    let grants = recommended();
    let mut asking = 0;
    for built in &shipped_modules().modules {
        let manifest = Metadata::read(&std::fs::read(&built.path).unwrap()).manifest.unwrap();
        for module in plugin(built).modules() {
            let granted = rights(&grants.for_module(&module.name, &module.full_name));
            let asked = rights(&manifest.asks);
            let (more, less): (Vec<_>, Vec<_>) =
                (granted.difference(&asked).collect(), asked.difference(&granted).collect());
            assert!(
                more.is_empty() && less.is_empty(),
                "plugins/grants.toml grants {} {more:?}, which [package.metadata.func.asks] in its Cargo.toml does not ask \
                 for, and lacks {less:?}, which it asks for",
                module.name
            );
            asking += usize::from(!asked.is_empty());
        }
    }
    assert!(asking >= 3, "{asking}");
}

/// Warnings that are meant, each with what is before and in the place of it.
const MEANT: [(&str, &str); 0] = [];

#[test]
fn nothing_is_to_be_said_against_them() {
    for built in &shipped_modules().modules {
        let artifact = Artifact::of(&built.path, &Quiet).unwrap().remove(0);
        let findings = check(&ENGINE, None, &artifact);
        let bad = findings.iter().filter(|finding| finding.severity > Severity::Note);
        let bad: Vec<_> = bad.filter(|finding| !MEANT.contains(&(&built.name, &finding.place))).collect();
        assert!(bad.is_empty(), "{}: {bad:#?}", built.name);
    }
}

/// Everything has a comment, types have names, and what a module asks for can be copied into a configuration as it stands.
#[test]
fn the_page_of_each_is_for_people() {
    for built in &shipped_modules().modules {
        let artifact = Artifact::of(&built.path, &Quiet).unwrap().remove(0);
        let told = Inspection::of(&ENGINE, None, &artifact).unwrap();
        for method in told.modules.iter().flat_map(|module| &module.methods) {
            let (params, types) = (method.parameters.iter(), method.types.iter().flat_map(|docs| &docs.parts));
            let all = params.map(|p| (&p.name, &p.doc)).chain(types.map(|part| (&part.name, &part.doc)));
            for (name, doc) in all.chain([(&method.name, &method.doc)]) {
                assert!(!doc.is_empty(), "{}: {}: {name} has no comment", built.name, method.name);
            }
        }
        let page = told.to_markdown();
        let anonymous = page
            .lines()
            .find(|line| ["record {", "enum {", "variant {", "flags {"].iter().any(|open| line.contains(open)));
        assert_eq!(anonymous, None, "{}", built.name);
        if let Some(table) = page.split("```toml\n").nth(1) {
            let granted = grants(table.split("```").next().unwrap());
            let module = built.name.parse().unwrap();
            assert_eq!(rights(&granted.for_module(&module, &module)), rights(&told.asks), "{}", built.name);
        }
    }
}
