//! What the demo tells, step by step. Everything shown really happens.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;

use super::super::context::Context;
use super::super::exit::Exit;
use super::super::failure::{Failure, OrExit};
use super::super::fleet_options::everybody;
use super::super::handing_out::hand_out_and_wait;
use super::super::job::JobReport;
use super::super::outcomes::Outcomes;
use super::super::progress::Progress;
use super::super::report::Report;
use super::fleet::DemoFleet;
use crate::author::Shipped;
use crate::config::Home;
use crate::fleet::{Outcome, Rollout, Selector};
use crate::ids::{HostName, MethodName, OverlordJobId};
use crate::overlord::{CallOptions, JobOptions, JobView, Overlord, OverlordConfig};
use crate::wire::Value;

/// Tells the story over a running fleet, and stops the fleet at its end.
pub(in crate::cli) fn tell(mut fleet: DemoFleet, shipped: &Shipped) -> Result<(), Failure> {
    let context = Context { home: Home::at(fleet.home().state()), json: false };
    let overlord = keep_open(&context)?;
    let names: Vec<&str> = fleet.minions().iter().map(|minion| minion.name().as_str()).collect();
    title(&format!(
        "{} minions run on this machine, each with a certificate of its own: {}",
        names.len(),
        names.join(", ")
    ));

    title("1. A call: typed arguments, equal answers shown once");
    call(&overlord, "test.add", vec![Value::Int(1), Value::Int(2)], "test.add 1 2")?;
    call(&overlord, "facts.kernel", vec![], "facts.kernel")?;

    title("2. A job: the minions work in the background, db1 slower than the others");
    let id = job(&overlord)?;

    title("3. The minions are stopped; the finished job is answered from the overlord's store");
    fleet.stop()?;
    let opened = overlord.connections_opened();
    prompt(&format!("func job status '{id}'"));
    let view = Context::block_on(async { Ok(overlord.poll(&id).await?) })?;
    show(&JobReport(view))?;
    println!("({} connections were opened for this answer)", overlord.connections_opened() - opened);

    title("4. A module is replaced while its minion runs");
    fleet.launch()?;
    replace(&overlord, &fleet, shipped)?;

    fleet.stop()?;
    title("What to try next");
    println!("  func demo --serve --dir /tmp/fleet      keep such a fleet up, then in another terminal:");
    println!("  export FUNC_HOME=/tmp/fleet/overlord");
    println!("  func ping");
    println!("  func doc");
    println!("  func call '*' disk.usage");
    println!("  func call 'web*' test.progress 20 --async");
    println!("  func job list");
    println!("(`func` is target/release/func; README.md tells how to set up a fleet of your own)");
    Ok(())
}

fn title(text: &str) {
    let bold = anstyle::Style::new().bold();
    anstream::println!("\n{bold}{text}{bold:#}");
}

fn prompt(command: &str) {
    let dim = anstyle::Style::new().dimmed();
    anstream::println!("{dim}${dim:#} {command}");
}

fn show(report: &dyn Report) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    report.text(&mut out).and_then(|()| out.flush()).or_exit(Exit::Internal)
}

fn options() -> CallOptions {
    CallOptions { forks: 16, timeout: Some(Duration::from_secs(30)), rollout: Rollout::default() }
}

/// An overlord that looks into its store often.
fn keep_open(context: &Context) -> Result<Overlord, Failure> {
    Ok(Overlord::open(OverlordConfig { keep_store_open: true, ..OverlordConfig::at(&context.home) })?)
}

/// Asks everybody at once.
async fn ask_all(overlord: &Overlord, method: &str, args: Vec<Value>) -> Result<Vec<(HostName, Outcome)>, Failure> {
    let selection = overlord.select(&Selector::new(everybody()?))?;
    let method: MethodName = method.parse().or_exit(Exit::Internal)?;
    Ok(overlord.call(selection, &method, args, options())?.collect().await)
}

/// Calls everybody, and shows the command that does the same.
fn call(overlord: &Overlord, method: &str, args: Vec<Value>, words: &str) -> Result<(), Failure> {
    prompt(&format!("func call '*' {words}"));
    let hosts = Context::block_on(ask_all(overlord, method, args))?;
    show(&Outcomes { method: method.to_owned(), hosts })
}

/// Submits a job and shows each state that it goes through.
fn job(overlord: &Overlord) -> Result<OverlordJobId, Failure> {
    prompt("func call '*' test.progress 5 --async");
    let target = everybody()?;
    let selection = overlord.select(&Selector::new(target.clone()))?;
    let method: MethodName = "test.progress".parse().or_exit(Exit::Internal)?;
    let options = JobOptions { forks: 1, ..JobOptions::default() };
    Context::block_on(async {
        let fan_out = overlord.submit(target.as_str(), selection, method, vec![Value::Int(5)], options).await?;
        let id = fan_out.id().clone();
        let mut shown = String::new();
        states(&overlord.status(&id).await?, &mut shown);
        let unseen = Progress::hidden();
        let work = hand_out_and_wait(overlord, fan_out, &unseen);
        let watch = async {
            loop {
                states(&overlord.status(&id).await?, &mut shown);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let view = tokio::select! {
            view = work => view?,
            failed = watch => {
                let never: Result<(), Failure> = failed;
                return never.map(|()| id);
            }
        };
        states(&view, &mut shown);
        println!();
        show(&JobReport(view))?;
        Ok(id)
    })
}

/// One line for each change: the job's state, and every host's beside it.
fn states(view: &JobView, shown: &mut String) {
    let hosts: BTreeMap<&str, String> =
        view.hosts.iter().map(|(name, host)| (name.as_str(), host.state.word().to_owned())).collect();
    let columns: Vec<String> = hosts.iter().map(|(name, state)| format!("{name} {state:<12}")).collect();
    let line = format!("  {:<9}   {}", view.status().word(), columns.join("  "));
    if *shown != line {
        println!("{}", line.trim_end());
        let _ = io::stdout().flush();
        *shown = line;
    }
}

/// Drops a new version of `greeting` into every plugin folder and calls what only it can do.
fn replace(overlord: &Overlord, fleet: &DemoFleet, shipped: &Shipped) -> Result<(), Failure> {
    let pids = |fleet: &DemoFleet| fleet.minions().iter().map(super::fleet::DemoMinion::pid).collect::<Vec<_>>();
    let before = pids(fleet);
    let name = || vec![Value::from("operator")];
    call(overlord, "greeting.hello", name(), "greeting.hello operator")?;
    call(overlord, "greeting.goodbye", name(), "greeting.goodbye operator")?;
    prompt("mv greeting.wasm greeting.wasm.minisig MODULES/      # the new version, on each minion");
    for minion in fleet.minions() {
        minion.install(fleet.key(), &shipped.greeting_2.path, "greeting.wasm")?;
    }
    let waited = wait_for_goodbye(overlord)?;
    call(overlord, "greeting.goodbye", name(), "greeting.goodbye operator")?;
    let same = before == pids(fleet);
    println!("(served {} ms after the file was in place, by the same processes: {same})", waited.as_millis());
    Ok(())
}

/// Asks until every minion knows the new method.
fn wait_for_goodbye(overlord: &Overlord) -> Result<Duration, Failure> {
    let start = Instant::now();
    Context::block_on(async {
        loop {
            let answers = ask_all(overlord, "greeting.list_methods", vec![]).await?;
            let new = |value: &Value| matches!(value, Value::Array(m) if m.contains(&Value::from("goodbye")));
            if answers.iter().all(|(_, outcome)| outcome.value().is_some_and(new)) {
                return Ok(start.elapsed());
            }
            if start.elapsed() > Duration::from_secs(30) {
                return Err(Failure::new(Exit::SomeFailed, "the minions do not serve the new version of `greeting`"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
}
