//! One call to many minions on loopback, against hyper and rustls alone.

use std::time::{Duration, Instant};

use bytes::Bytes;
use func::config::Home;
use func::fleet::{Fleet, FleetOptions, Request, Width};
use func::tls::{self, Identity};
use func::wire::{self, Call};
use futures_util::StreamExt as _;

use crate::floor;
use crate::simulation::{Simulation, cpu_of};
use crate::table::{Table, quantile, ratio, time};

const ROUNDS: usize = 7;

/// Wall time and our CPU time, round by round.
#[derive(Default)]
struct Samples {
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
}

impl Samples {
    fn take(&mut self, began: Instant, cpu: f64) {
        self.wall.push(began.elapsed());
        self.cpu.push(Duration::from_secs_f64((cpu_of(std::process::id()) - cpu).max(0.0)));
    }
}

pub fn run() {
    let count = std::env::var("FUNC_BENCH_HOSTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    func::sys::descriptor::raise_open_files_limit().unwrap();
    let simulation = Simulation::start(count);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let [floor_cold, ours_cold, floor_warm, ours_warm] = runtime.block_on(measure(&simulation, count));
    let mut table = Table::new(
        &format!("test.ping to {count} minions in one process, {ROUNDS} rounds in turn, medians (CPU: the client's)"),
        ["connections", "bare hyper+rustls", "CPU", "func", "CPU", "wall ratio", "CPU ratio"],
    );
    for (name, mut floor, mut ours) in [("cold", floor_cold, ours_cold), ("kept alive", floor_warm, ours_warm)] {
        let [floor_wall, floor_cpu, wall, cpu] =
            [&mut floor.wall, &mut floor.cpu, &mut ours.wall, &mut ours.cpu].map(|samples| quantile(samples, 0.5));
        table.row([
            name.to_owned(),
            time(floor_wall),
            time(floor_cpu),
            time(wall),
            time(cpu),
            ratio(wall, floor_wall),
            ratio(cpu, floor_cpu),
        ]);
    }
    table.print();
    println!("  goal: wall within 1.5×. The simulated minions used {:.2} s of CPU in all.", simulation.cpu());
}

async fn measure(simulation: &Simulation, count: usize) -> [Samples; 4] {
    let folder = Home::at(simulation.home()).identity();
    let [certificate, key, ca] = [tls::CERTIFICATE_FILE, tls::KEY_FILE, tls::CA_FILE].map(|name| folder.join(name));
    let connector = floor::connector(&certificate, &key, &ca);
    let addresses = simulation.addresses();
    let identity = Identity::in_folder(&folder).unwrap();
    let hosts = simulation.hosts();
    let call = Call::new("test.ping", Vec::new());
    let body = Bytes::from(wire::encode_call(&call));
    let request = Request::new(&call);
    let width = Width::of(count);
    let mut samples: [Samples; 4] = Default::default();
    for _ in 0..ROUNDS {
        let (began, cpu) = (Instant::now(), cpu_of(std::process::id()));
        let open = floor::fan_out(&addresses, &connector, None, count, &body).await;
        samples[0].take(began, cpu);
        let (began, cpu) = (Instant::now(), cpu_of(std::process::id()));
        let open = floor::fan_out(&addresses, &connector, Some(open), count, &body).await;
        samples[2].take(began, cpu);
        drop(open);

        // A fleet of its own for each round: no session is remembered.
        let options = FleetOptions { sessions: count, keep: count, ..FleetOptions::default() };
        let fleet = Fleet::new(&identity, options).unwrap();
        for warm in [1, 3] {
            let (began, cpu) = (Instant::now(), cpu_of(std::process::id()));
            let calls = hosts.iter().map(|host| (host.clone(), request.clone())).collect::<Vec<_>>();
            let outcomes: Vec<_> = fleet.fan_out(calls, width).collect().await;
            samples[warm].take(began, cpu);
            let failed = outcomes.iter().find(|(_, outcome)| !outcome.is_ok());
            assert!(failed.is_none() && outcomes.len() == count, "{failed:?}");
        }
        assert_eq!(fleet.connections_opened(), count as u64, "the second call reused every connection");
    }
    samples
}
