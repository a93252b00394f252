//! One call to many minions on loopback, against hyper and rustls alone.

use std::pin::pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use func::config::Home;
use func::fleet::{Fleet, FleetOptions, Request, Width};
use func::tls::{self, Identity};
use func::wire::{self, Call};
use futures_util::StreamExt as _;

use crate::floor;
use crate::simulation::{Simulation, own_cpu, sizes};
use crate::table::{Table, quantile, ratio, time};

/// So many calls are under way at a time, at most.
const WIDTH: usize = 1000;

/// Wall time, our CPU time, and the time to the first answer, round by round.
#[derive(Default)]
struct Samples {
    wall: Vec<Duration>,
    cpu: Vec<Duration>,
    first: Vec<Duration>,
}

impl Samples {
    fn take(&mut self, began: Instant, cpu: Duration) {
        self.wall.push(began.elapsed());
        self.cpu.push(own_cpu().saturating_sub(cpu));
    }
}

pub fn run() {
    let mut table = Table::new(
        &format!("test.ping, {WIDTH} calls under way at most, medians of rounds in turn (CPU: the client's)"),
        [
            "hosts",
            "connections",
            "bare hyper+rustls",
            "CPU",
            "func",
            "CPU",
            "first answer",
            "wall a host",
            "wall ratio",
            "CPU ratio",
        ],
    );
    let mut others = Vec::new();
    for count in sizes() {
        let simulation = Simulation::start(count);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let [floor_cold, ours_cold, floor_warm, ours_warm] = runtime.block_on(measure(&simulation, count));
        others.push(format!("{:.2} s of {count}", simulation.cpu()));
        for (name, mut floor, mut ours) in [("cold", floor_cold, ours_cold), ("kept alive", floor_warm, ours_warm)] {
            let [floor_wall, floor_cpu, wall, cpu, first] =
                [&mut floor.wall, &mut floor.cpu, &mut ours.wall, &mut ours.cpu, &mut ours.first]
                    .map(|samples| quantile(samples, 0.5));
            table.row([
                count.to_string(),
                name.to_owned(),
                time(floor_wall),
                time(floor_cpu),
                time(wall),
                time(cpu),
                time(first),
                time(wall / u32::try_from(count).unwrap()),
                ratio(wall, floor_wall),
                ratio(cpu, floor_cpu),
            ]);
        }
    }
    table.print();
    println!("  CPU of the simulated minions in all: {}.", others.join(", "));
    println!("  goal: wall within 1.5×, and the same for each host whatever the size.");
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
    let width = WIDTH.min(count);
    let mut samples: [Samples; 4] = Default::default();
    // A small fleet is over in moments, so it takes more of them to know.
    for _ in 0..(10_000 / count).clamp(3, 9) {
        let (began, cpu) = (Instant::now(), own_cpu());
        let open = floor::fan_out(&addresses, &connector, None, width, &body).await;
        samples[0].take(began, cpu);
        let (began, cpu) = (Instant::now(), own_cpu());
        let open = floor::fan_out(&addresses, &connector, Some(open), width, &body).await;
        samples[2].take(began, cpu);
        drop(open);

        // A fleet of its own for each round: no session is remembered.
        let options = FleetOptions { sessions: count, keep: count, ..FleetOptions::default() };
        let fleet = Fleet::new(&identity, options).unwrap();
        for warm in [1, 3] {
            let (began, cpu) = (Instant::now(), own_cpu());
            let calls = hosts.iter().map(|host| (host.clone(), request.clone())).collect::<Vec<_>>();
            let mut answers = pin!(fleet.fan_out(calls, Width::of(width)));
            let mut outcomes: Vec<_> = answers.next().await.into_iter().collect();
            samples[warm].first.push(began.elapsed());
            outcomes.extend(answers.collect::<Vec<_>>().await);
            samples[warm].take(began, cpu);
            let failed = outcomes.iter().find(|(_, outcome)| !outcome.is_ok());
            assert!(failed.is_none() && outcomes.len() == count, "{failed:?}");
        }
        assert_eq!(fleet.connections_opened(), count as u64, "the second call reused every connection");
    }
    samples
}
