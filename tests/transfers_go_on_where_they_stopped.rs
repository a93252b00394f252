//! Bytes that were cut off go on where they stopped, and count when they are whole and right.

use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use func::ca::Host;
use func::fleet::{Fleet as Client, FleetOptions, Outcome, Sent, Source};
use func::ids::Digest;
use func::tls::Identity;
use tokio::runtime::Runtime;

use crate::harness::{Cutting, Fleet, Minion, noise, until};

/// The size of a large file.
const LARGE: usize = 8 << 20;
const SIZE: u64 = LARGE as u64;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn source(bytes: &[u8]) -> Source {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    Source::of(file).unwrap()
}

fn client(fleet: &Fleet, home: &str) -> Client {
    let home = if home.is_empty() { fleet.home().join("identity") } else { fleet.folder().join(home) };
    Client::new(&Identity::in_folder(&home).unwrap(), FleetOptions::default()).unwrap()
}

fn send(fleet: &Fleet, address: std::net::SocketAddr, source: &Source) -> Result<Sent, Outcome> {
    let host = Host { name: "web1".parse().unwrap(), address: address.into() };
    runtime().block_on(client(fleet, "").send(&host, source, &|_| {}))
}

/// The files in a minion's `incoming` that end so.
fn staged(minion: &Minion, suffix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(minion.home.join("incoming")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == suffix)).collect()
}

#[test]
fn a_cut_connection_costs_what_was_under_way_and_no_more() {
    let mut fleet = Fleet::empty();
    let minion = fleet.add_with("web1", "", &[]).address;
    let source = source(&noise(1, LARGE));
    // Anywhere: in the handshake, in the head, in the bytes.
    let mut at = 1000;
    let cuts: Vec<u64> = std::iter::repeat_with(|| {
        at = (at * 48271) % 0x7fff_ffff;
        at % (SIZE / 16)
    })
    .take(6)
    .chain([SIZE / 2])
    .collect();
    let way = Cutting::to(minion, &cuts);
    let sent = send(&fleet, way.address(), &source).unwrap();
    // One that was cut in its handshake has never been one.
    assert!((sent.cuts as usize) + 1 >= cuts.len(), "{sent:?}");
    assert_eq!(way.connections(), cuts.len() + 1);
    // A cut may cost what lay in the buffers of two sockets, of TLS and of the proxy; never a beginning anew.
    let resent = sent.bytes - SIZE;
    assert!(way.passed() < SIZE * 5 / 4, "{} bytes for {SIZE}, {resent} of them again", way.passed());
    let whole = staged(fleet.minion("web1"), "whole");
    assert_eq!(Digest::of(&fs::read(&whole[0]).unwrap()), source.digest);
    assert!(staged(fleet.minion("web1"), "part").is_empty());

    // A minion that has it gets no byte of it.
    let before = way.passed();
    assert_eq!(send(&fleet, way.address(), &source).unwrap(), Sent::default());
    assert!(way.passed() - before < 16 << 10);
}

#[test]
fn what_gets_smaller_is_compressed_both_ways_and_goes_on_where_it_was_cut() {
    let mut fleet = Fleet::empty();
    let open = fleet.folder().canonicalize().unwrap().join("open");
    fs::create_dir(&open).unwrap();
    let grants = format!("[grants.getfile]\nread = [\"{}/**\"]\n", open.display());
    let minion = fleet.add_with("web1", &grants, &[]).address;
    let text: Vec<u8> = (0..400_000).flat_map(|line: u32| format!("line {line} of a log\n").into_bytes()).collect();
    let size = text.len() as u64;
    let source = source(&text);
    let way = Cutting::to(minion, &[20_000, 400_000, 900_000]);
    let sent = send(&fleet, way.address(), &source).unwrap();
    assert!(sent.cuts >= 2 && way.passed() < size / 2, "{sent:?}, {} of {size} bytes", way.passed());
    let whole = staged(fleet.minion("web1"), "whole");
    assert_eq!(Digest::of(&fs::read(&whole[0]).unwrap()), source.digest);

    fs::write(open.join("log"), &text).unwrap();
    let way = Cutting::to(minion, &[u64::MAX, 20_000, 400_000, 900_000]);
    fleet.func(["hosts", "set", "web1", &way.address().to_string()]).expect(0);
    let local = fleet.folder().join("back");
    let from = format!("web1:{}", open.join("log").display());
    fleet.func(["fetch", &from, local.to_str().unwrap()]).expect(0);
    assert!(fs::read(local.join("web1/log")).unwrap() == text);
    assert!(way.connections() >= 4 && way.passed() < size / 2, "{} of {size} bytes", way.passed());
}

#[test]
fn a_minion_that_is_killed_goes_on_with_what_it_had() {
    let mut fleet = Fleet::empty();
    let address = fleet.add_with("web1", "", &[]).address;
    let source = source(&noise(2, LARGE));
    let way = Cutting::to(address, &[SIZE / 2]);
    let host = Host { name: "web1".parse().unwrap(), address: way.address().into() };
    let client = client(&fleet, "");
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| runtime().block_on(client.send(&host, &source, &|_| {})));
        until("a part", || (!staged(fleet.minion("web1"), "part").is_empty()).then_some(()));
        fleet.minion("web1").kill();
        let kept = fs::metadata(&staged(fleet.minion("web1"), "part")[0]).map(|meta| meta.len());
        fleet.minion("web1").launch();
        (sender.join().unwrap(), kept)
    });
    let (sent, kept) = (sent.0.unwrap(), sent.1.unwrap());
    assert!(sent.cuts >= 1, "{sent:?}, {kept} bytes were kept");
    assert_eq!(staged(fleet.minion("web1"), "whole").len(), 1);
}

#[test]
fn bytes_that_are_not_those_of_the_digest_count_for_nothing() {
    let mut fleet = Fleet::empty();
    let address = fleet.add_with("web1", "", &[]).address;
    let mut source = source(&noise(3, 1 << 20));
    source.digest = Digest::of(b"something else");
    let refused = send(&fleet, address, &source).unwrap_err();
    assert!(matches!(&refused, Outcome::Refused { why } if why.contains("not those of the digest")), "{refused:?}");
    assert_eq!(fs::read_dir(fleet.minion("web1").home.join("incoming")).unwrap().count(), 0);
    let lines = fleet.audit("web1", "transfer.put");
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["outcome"] == "failed" && lines[0]["caller"] == "overlord", "{}", lines[0]);
}

#[test]
fn callers_neither_see_nor_disturb_each_other() {
    let mut fleet = Fleet::empty();
    let address = fleet.add_with("web1", "", &[]).address;
    let out = fleet.folder().join("other");
    fleet.func(["ca", "issue", "other", "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
    let source = source(&noise(4, LARGE));
    let host = Host { name: "web1".parse().unwrap(), address: address.into() };
    let (one, two) = (client(&fleet, ""), client(&fleet, "other"));
    let sent = runtime()
        .block_on(async { tokio::join!(one.send(&host, &source, &|_| {}), two.send(&host, &source, &|_| {})) });
    assert_eq!((sent.0.unwrap().bytes, sent.1.unwrap().bytes), (SIZE, SIZE), "each has sent all of it");
    assert_eq!(staged(fleet.minion("web1"), "whole").len(), 2);

    // The same caller twice: one sends, the other waits and finds it there.
    let source = self::source(&noise(5, LARGE));
    let sent = runtime()
        .block_on(async { tokio::join!(one.send(&host, &source, &|_| {}), one.send(&host, &source, &|_| {})) });
    let (a, b) = (sent.0.unwrap(), sent.1.unwrap());
    assert!(a.cuts + b.cuts <= 2, "{a:?} {b:?}");
    assert_eq!(staged(fleet.minion("web1"), "whole").len(), 3);
}

#[test]
fn a_caller_may_stage_so_much_and_no_more() {
    let mut fleet = Fleet::empty();
    let address = fleet.add_with("web1", "[transfers]\nper_caller = \"2MiB\"\nin_all = \"3MiB\"\n", &[]).address;
    send(&fleet, address, &source(&noise(6, 1 << 20))).unwrap();
    let refused = send(&fleet, address, &source(&noise(7, 2 << 20))).unwrap_err();
    assert!(matches!(&refused, Outcome::Refused { why } if why.contains("less than this")), "{refused:?}");
    send(&fleet, address, &source(&noise(8, 1 << 20))).unwrap();
    let out = fleet.folder().join("other");
    fleet.func(["ca", "issue", "other", "--role", "overlord", "--out", out.to_str().unwrap()]).expect(0);
    let host = Host { name: "web1".parse().unwrap(), address: address.into() };
    let big = source(&noise(9, 2 << 20));
    let refused = runtime().block_on(client(&fleet, "other").send(&host, &big, &|_| {})).unwrap_err();
    assert!(matches!(&refused, Outcome::Refused { why } if why.contains("no room")), "{refused:?}");
}

#[test]
fn who_may_not_call_may_not_send() {
    let mut fleet = Fleet::empty();
    let address = fleet.add_with("web1", "", &[]).address;
    let out = fleet.folder().join("minion2");
    fleet.func(["ca", "issue", "web2", "--role", "minion", "--out", out.to_str().unwrap()]).expect(0);
    let host = Host { name: "web1".parse().unwrap(), address: address.into() };
    let small = source(b"12345678");
    let refused = runtime().block_on(client(&fleet, "minion2").send(&host, &small, &|_| {})).unwrap_err();
    assert!(matches!(&refused, Outcome::Refused { .. }), "{refused:?}");
    assert_eq!(fs::read_dir(fleet.minion("web1").home.join("incoming")).unwrap().count(), 0);
    let text = fs::read_to_string(fleet.minion("web1").home.join("audit.jsonl")).unwrap();
    assert!(text.contains("\"denied\"") && text.contains("web2"), "{text}");
}

#[test]
fn nothing_is_a_file_too() {
    let mut fleet = Fleet::empty();
    let address = fleet.add_with("web1", "", &[]).address;
    let empty = Source::of(File::open("/dev/null").unwrap()).unwrap();
    send(&fleet, address, &empty).unwrap();
    assert_eq!(fs::metadata(&staged(fleet.minion("web1"), "whole")[0]).unwrap().len(), 0);
}
