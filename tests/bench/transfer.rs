//! A large file to one minion over loopback, against a bare PUT of the same bytes that nobody keeps.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use func::ca::{Host, Inventory};
use func::config::Home;
use func::fleet::{Fleet as Client, FleetOptions, Outcome, Request, Source};
use func::tls::{Identity, server_config};
use func::transfer::{Coding, FileBody};
use func::wire::{Call, Value};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Response, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::floor::connector;
use crate::harness::Fleet;
use crate::table::{Table, ratio, time};

pub fn run() {
    let size: u64 = std::env::var("FUNC_BENCH_BYTES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000_000);
    let mut fleet = Fleet::empty();
    let open = fleet.folder().canonicalize().unwrap().join("open");
    fs::create_dir(&open).unwrap();
    let all = open.join("**").display().to_string();
    let grants = format!("[grants.copyfile]\nwrite = [\"{all}\"]\n[grants.getfile]\nread = [\"{all}\"]\n");
    fleet.add_with("m1", &grants, &[]);
    let pid = fleet.minions[0].pid().to_string();
    let local = fleet.folder().join("local");
    fill(&local, size);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let mut table = Table::new(
        &format!("{} MB to one minion over loopback", size / 1_000_000),
        ["", "time", "MB/s", "× floor", "memory here", "there"],
    );

    let plain = write_alone(&local, &fleet.folder().join("alone"));
    let floor = best(|| runtime.block_on(bare(&fleet, &local, size)));
    let row = |name: &str, took: Duration, here: String, there: String| {
        #[allow(clippy::cast_precision_loss, reason = "a rough figure")]
        let rate = format!("{:.0}", size as f64 / 1e6 / took.as_secs_f64());
        [name.to_owned(), time(took), rate, ratio(took, floor), here, there]
    };
    table.row(row("floor: bare PUT, thrown away", floor, String::new(), String::new()));
    table.row(row("the disk alone: copy and fsync", plain, String::new(), String::new()));

    let home = Home::at(fleet.home());
    let client = Client::new(&Identity::in_folder(&home.identity()).unwrap(), FleetOptions::default()).unwrap();
    let host: Host = Inventory::load(&home.inventory()).unwrap().hosts().remove(0);
    let began = Instant::now();
    let source = Source::open(&local).unwrap();
    table.row(row("digest of the source, once for all hosts", began.elapsed(), String::new(), String::new()));
    forget_peak("self");
    forget_peak(&pid);
    let before = (resident("self", "VmRSS"), resident(&pid, "VmRSS"));
    let mut number = 0;
    let staged = best(|| {
        number += 1;
        let began = Instant::now();
        runtime.block_on(client.send(&host, &source, &|_| {})).unwrap();
        let took = began.elapsed();
        for entry in fs::read_dir(fleet.folder().join("m1/incoming")).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        took
    });
    let grown = |who: &str, before: u64| format!("+{:.1} MB", (resident(who, "VmHWM") - before) as f64 / 1024.0);
    table.row(row("staged: verified and fsynced", staged, grown("self", before.0), grown(&pid, before.1)));
    let placed = best(|| {
        number += 1;
        let path = open.join(format!("copy{number}")).display().to_string();
        let manner = Value::structure([("mode", Value::Int(0o644))]);
        let digest = format!("sha256:{}", source.digest);
        let size = i64::try_from(size).unwrap();
        let call = Call::new("copyfile.put", vec![path.clone().into(), digest.into(), size.into(), manner]);
        let began = Instant::now();
        let outcome = runtime.block_on(client.deliver(&host, &Request::new(&call), &source, &|_| {}));
        assert!(matches!(outcome, Outcome::Ok(_)), "{outcome:?}");
        let took = began.elapsed();
        fs::remove_file(path).unwrap();
        took
    });
    table.row(row("copied: staged and in its place", placed, grown("self", before.0), grown(&pid, before.1)));
    fs::rename(&local, open.join("big")).unwrap();
    // A file that was changed within a few ticks of the clock is read twice.
    std::thread::sleep(Duration::from_millis(200));
    let fetch = || {
        let folder = fleet.folder().join("back");
        let began = Instant::now();
        let path = open.join("big").display().to_string();
        let outcome = runtime.block_on(client.fetch_tree(&host, &path, &folder, &Request::new, &|_| {}));
        assert!(matches!(outcome, Outcome::Ok(_)), "{outcome:?}");
        let took = began.elapsed();
        fs::remove_dir_all(folder).unwrap();
        took
    };
    let fetched = fetch();
    table.row(row("fetched: digested while it goes out", fetched, grown("self", before.0), grown(&pid, before.1)));
    let again = best(fetch);
    table.row(row("fetched again: the digest is known there", again, grown("self", before.0), grown(&pid, before.1)));
    table.print();
    println!("  goal: copied and fetched within 2 × the floor. FUNC_BENCH_BYTES sets the size.");
}

/// The better of two: the disk has its moods.
fn best(mut once: impl FnMut() -> Duration) -> Duration {
    let first = once();
    once().min(first)
}

fn fill(path: &Path, size: u64) {
    let (mut from, mut to) = (File::open("/dev/urandom").unwrap().take(size), File::create(path).unwrap());
    std::io::copy(&mut from, &mut to).unwrap();
    to.sync_all().unwrap();
}

fn write_alone(from: &Path, to: &Path) -> Duration {
    best(|| {
        let began = Instant::now();
        // Not `io::copy`: the file system may share the blocks.
        let (mut from, mut file, mut piece) =
            (File::open(from).unwrap(), File::create(to).unwrap(), vec![0; 256 << 10]);
        while let Ok(count @ 1..) = from.read(&mut piece) {
            file.write_all(&piece[..count]).unwrap();
        }
        file.sync_all().unwrap();
        let took = began.elapsed();
        fs::remove_file(to).unwrap();
        took
    })
}

/// hyper and rustls with nothing around them: the bytes of the file go through TLS and are dropped.
async fn bare(fleet: &Fleet, file: &Path, size: u64) -> Duration {
    let identity = Identity::in_folder(&fleet.folder().join("m1/identity")).unwrap();
    let acceptor = TlsAcceptor::from(server_config(&identity).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = acceptor.accept(stream).await.unwrap();
        let drop_all = service_fn(|request: hyper::Request<Incoming>| async {
            let mut body = request.into_body();
            while let Some(Ok(frame)) = body.frame().await {
                drop(frame);
            }
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        });
        let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), drop_all).await;
    });
    let folder = Home::at(fleet.home()).identity();
    let tls = connector(&folder.join("cert.pem"), &folder.join("key.pem"), &folder.join("ca.pem"));
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let stream = tls.connect(ServerName::try_from("m1").unwrap(), tcp).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let began = Instant::now();
    let body = FileBody::new(Arc::new(File::open(file).unwrap()), 0, size, Coding::Plain);
    let request = hyper::Request::put("/").header("host", "m1").body(body).unwrap();
    assert!(sender.send_request(request).await.unwrap().status().is_success());
    began.elapsed()
}

/// The peak of memory begins anew.
fn forget_peak(process: &str) {
    let _ = fs::write(format!("/proc/{process}/clear_refs"), "5");
}

/// Kilobytes.
fn resident(process: &str, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
