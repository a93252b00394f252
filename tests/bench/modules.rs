//! What a module in each language weighs: to compile, to load, to call.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use func::author::{BuildRequest, Language, NewProject, Quiet, build};
use func::ids::Digest;
use func::plugin::{Cache, CallContext, Engine};
use func::wire::Value;

use crate::table::{Table, quantile, time};

const LOADS: usize = 50;
const CALLS: usize = 500;

pub fn run() {
    let mut table = Table::new(
        &format!("`hello.greet` in each language; loads p50 of {LOADS}, calls p50 of {CALLS}"),
        ["", "built in", "component", "compiled in", "code", "loaded in", "first call", "call"],
    );
    for (name, language, program) in [
        ("Rust", Language::Rust, "cargo"),
        ("JavaScript", Language::JavaScript, "componentize-qjs"),
        ("Python", Language::Python, "componentize-py"),
    ] {
        if Command::new(program).arg("--help").output().is_err() {
            println!("{name} is left out: {program} is not on the PATH");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let (project, greet) = (folder.path().join("hello"), "hello".parse().unwrap());
        NewProject { name: greet, namespace: "local".parse().unwrap(), language, folder: project.clone() }
            .write()
            .unwrap();
        let began = Instant::now();
        let request = BuildRequest { crate_dir: project, out_dir: folder.path().join("out"), toolchain: None };
        let built = build(&request, &Quiet).unwrap().remove(0);
        let took = began.elapsed();
        table.row(measured(name, took, &built.path, &folder.path().join("cache")));
    }
    table.print();
    println!("  goal: loaded in well under 100 ms.");
}

fn measured(name: &str, built: Duration, component: &Path, cache: &Path) -> [String; 8] {
    let bytes = std::fs::read(component).unwrap();
    let (engine, cache) = (Engine::serving().unwrap(), Cache::open(cache).unwrap());
    let began = Instant::now();
    drop(cache.load(&engine, &bytes).unwrap());
    let compiled = began.elapsed();
    let code = std::fs::metadata(cache.path(&engine, &Digest::of(&bytes))).unwrap().len();
    let mut loads: Vec<Duration> = (0..LOADS)
        .map(|_| {
            let began = Instant::now();
            drop(cache.load(&engine, &bytes).unwrap());
            began.elapsed()
        })
        .collect();
    let plugin = cache.load(&engine, &bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let method = "hello.greet".parse().unwrap();
    let call = || {
        let began = Instant::now();
        let context = CallContext::bare("bench", "bench", Duration::from_secs(10));
        let answer = runtime.block_on(plugin.call(&method, &["you".into()], context));
        assert_eq!(answer.unwrap(), Value::from("Hello, you!"));
        began.elapsed()
    };
    let first = call();
    let mut calls: Vec<Duration> = (0..CALLS).map(|_| call()).collect();
    let megabytes = |bytes: u64| format!("{:.2} MB", bytes as f64 / 1e6);
    [
        name.to_owned(),
        time(built),
        megabytes(bytes.len() as u64),
        time(compiled),
        megabytes(code),
        time(quantile(&mut loads, 0.5)),
        time(first),
        time(quantile(&mut calls, 0.5)),
    ]
}
