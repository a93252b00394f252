//! `func doctor` says nothing of what is well, and of what is not, what to do.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use func::{
    ca::{Authority, IssueRequest},
    tls::Role,
};
use serde_json::Value as Json;

use crate::harness::{Answer, Fleet, Pretender, cannot, guest};

fn on(fleet: &Fleet, minion: &str, words: &[&str]) -> Answer {
    fleet.command(words).env("FUNC_HOME", fleet.folder().join(minion)).output().unwrap().into()
}

/// Of a check, what was found.
fn found(told: &Json, check: &str) -> Vec<String> {
    let findings = told["findings"].as_array().unwrap().iter().filter(|finding| finding["check"] == check);
    findings.map(|finding| finding["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_minion_that_is_well_and_one_that_is_not() {
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "[grants.copyfile]\nwrite = [\"/etc/**\"]\n", &[]);
    let home = fleet.folder().join("web1");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    let well = on(&fleet, "web1", &["doctor"]).expect(0);
    assert!(well.out.ends_with("nothing is wrong"), "{}", well.out);

    fleet.minion("web1").stop();
    let log = home.join("audit.jsonl");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, text.replacen("started", "stopped", 1)).unwrap();
    fs::set_permissions(home.join("identity/key.pem"), fs::Permissions::from_mode(0o644)).unwrap();
    let toml = home.join("minion.toml");
    let config = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, format!("{config}[grants.gone]\nread = [\"/no/such/file\"]\n[[access]]\ndeny = \"*\"\n")).unwrap();
    fs::write(home.join("modules/junk.wasm"), "junk").unwrap();
    let told = on(&fleet, "web1", &["doctor", "--json"]).expect(1).json();
    for (check, what) in [
        ("modes", "identity/key.pem` may be read by others (mode 0644)"),
        ("audit", "was altered"),
        ("port", "nobody listens on"),
        ("rules", "no rule allows anything"),
        ("grants", "[grants.gone] read names `/no/such/file`"),
        ("configuration", "`[grants.gone]` is for no module"),
        ("configuration", "junk.wasm` is no module"),
    ] {
        assert!(found(&told, check).iter().any(|found| found.contains(what)), "{check}: {what}: {told:#}");
    }
    assert!(told["findings"].as_array().unwrap().iter().all(|finding| !finding["todo"].as_str().unwrap().is_empty()));
    fs::write(&toml, "nonsense").unwrap();
    let told = on(&fleet, "web1", &["doctor", "--json"]).expect(1).json();
    assert!(found(&told, "configuration")[0].contains("nonsense"), "{told:#}");
}

#[test]
fn an_overlord_hears_of_its_minions() {
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "", &[]);
    fleet.add_with("web2", "", &[]);
    fs::set_permissions(fleet.home(), fs::Permissions::from_mode(0o755)).unwrap();
    fleet.func(["doctor"]).expect(0);
    fs::write(fleet.minion("web1").modules().join("x.wasm"), "no component").unwrap();
    crate::harness::until("the file to be looked at", || {
        fleet.func(["modules", "web1"]).out.contains("failed").then_some(())
    });
    fleet.minion("web2").stop();
    fleet.func(["hosts", "set", "web3", "no-such-host.invalid:51234"]);
    let told = fleet.func(["doctor", "--json", "--timeout", "10s"]).expect(1).json();
    assert!(found(&told, "drift")[0].contains("`web1` does not serve `x.wasm` (failed)"), "{told:#}");
    assert!(found(&told, "minions").iter().any(|what| what.contains("`web2` cannot be reached")), "{told:#}");
    assert!(found(&told, "names")[0].contains("`no-such-host.invalid`, the address of `web3`"), "{told:#}");
    let here = fleet.func(["doctor", "--offline", "--json"]).json();
    assert_eq!(found(&here, "minions"), Vec::<String>::new());
}

#[test]
fn a_minion_that_has_not_given_up_what_it_should_is_told_of_until_it_is_started_again() {
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "", &[]);
    let home = fleet.folder().join("web1");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    let told = on(&fleet, "web1", &["doctor", "--json"]).expect(0).json();
    let fences = told["fences"].as_str().unwrap();
    assert!(fences.contains("landlock") && fences.contains("seccomp") && fences.contains("control groups"), "{fences}");
    if !nix::unistd::Uid::effective().is_root() {
        return cannot(
            "a_minion_that_has_not_given_up_what_it_should_is_told_of_until_it_is_started_again",
            "only root has anything to give up",
        );
    }
    let toml = home.join("minion.toml");
    let config = fs::read_to_string(&toml).unwrap();
    fs::write(&toml, format!("{config}[fences]\ndrop = [\"CAP_SYS_MODULE\", \"CAP_MKNOD\"]\n")).unwrap();
    let told = on(&fleet, "web1", &["doctor", "--json"]).expect(1).json();
    let wrong = "the minion that runs has not given up CAP_MKNOD";
    assert!(found(&told, "fences").iter().any(|what| what == wrong), "{told:#}");
    fleet.minion("web1").stop();
    fleet.minion("web1").launch();
    assert!(!on(&fleet, "web1", &["doctor"]).expect(0).out.contains(wrong));
}

#[test]
fn a_store_that_was_set_aside_is_told_of() {
    let fleet = Fleet::empty();
    fs::set_permissions(fleet.home(), fs::Permissions::from_mode(0o755)).unwrap();
    let store = fleet.home().join("store");
    func::store::once(&store, |_| Ok::<_, func::store::Error>(())).0.unwrap();
    let well = fleet.func(["doctor", "--offline", "--json"]).expect(0).json();
    assert_eq!(found(&well, "store"), Vec::<String>::new());
    fs::write(store.join("data/sled/db"), b"not a database").unwrap();
    let told = fleet.func(["doctor", "--offline", "--json"]).expect(1).json();
    assert!(found(&told, "store")[0].contains("was set aside"), "{told:#}");
}

#[test]
fn a_grant_that_reaches_the_minion_itself() {
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "", &[]);
    let home = fleet.folder().join("web1");
    fs::set_permissions(&home, fs::Permissions::from_mode(0o755)).unwrap();
    let (toml, at) = (home.join("minion.toml"), home.display());
    let config = fs::read_to_string(&toml).unwrap();
    let told = |grants: &str| {
        fs::write(&toml, format!("{config}[grants.copyfile]\n{grants}\n")).unwrap();
        found(&on(&fleet, "web1", &["doctor", "--json"]).json(), "grants").join("\n")
    };
    assert!(
        told(&format!("write = [\"{at}/*.toml\"]")).contains("minion.toml`: whoever may call it can do everything")
    );
    assert!(told(&format!("write = [\"{at}/modules/**\"]")).contains("can do everything"));
    assert!(told("read = [\"/**\"]").contains("identity/key.pem`: whoever may call it can pose as this minion"));
    assert_eq!(
        told("read = [\"/etc/**\"]\nwrite = [\"/tmp/none/**\"]")
            .lines()
            .filter(|line| line.contains("whoever"))
            .count(),
        0
    );
}

/// A certificate that was valid for so many days, from so many days ago, in the place of the one that is there.
fn certify(fleet: &Fleet, name: &str, folder: &Path, days: u32, ago: i64) {
    let authority = Authority::open(&fleet.home().join("ca")).unwrap();
    let begun = time::OffsetDateTime::now_utc() - time::Duration::days(ago);
    let request =
        IssueRequest { days, not_before: Some(begun), ..IssueRequest::new(name.parse().unwrap(), Role::Minion) };
    authority.issue(&request).unwrap().save(folder).unwrap();
}

/// Of a check, what was found with what is to be done.
#[track_caller]
fn told(told: &Json, check: &str, what: &str) -> (bool, String) {
    let findings = told["findings"].as_array().unwrap();
    let fits = |finding: &&Json| finding["check"] == check && finding["what"].as_str().unwrap().contains(what);
    let found = findings.iter().find(fits).unwrap_or_else(|| panic!("no `{what}` of {check}: {told:#}"));
    (found["wrong"].as_bool().unwrap(), found["todo"].as_str().unwrap().to_owned())
}

#[test]
fn a_certificate_before_it_ends_and_after_on_either_side() {
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "", &[]);
    let (home, identity) = (fleet.folder().join("web1"), fleet.folder().join("web1/identity"));
    for folder in [&home, &fleet.home()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let here = || on(&fleet, "web1", &["doctor", "--json"]).json();
    let there = || fleet.func(["doctor", "--offline", "--json"]).json();
    assert_eq!((found(&here(), "identity"), found(&there(), "identity")), (vec![], vec![]));

    certify(&fleet, "web1", &identity, 10, 0);
    let soon = "the certificate of `web1` ends on";
    assert_eq!(told(&here(), "identity", soon), (false, "have it renewed".to_owned()));
    let (wrong, todo) = told(&there(), "identity", soon);
    assert!(!wrong && todo.contains("`func ca renew`"), "{todo}");

    certify(&fleet, "web1", &identity, 10, 20);
    let (wrong, todo) = told(&here(), "identity", "expired");
    assert!(wrong && todo.contains("`func ca issue`"), "{todo}");
    let (wrong, todo) = told(&there(), "identity", "the certificate of `web1` has ended on");
    assert!(wrong && todo.contains("func ca token --for web1"), "{todo}");
}

#[test]
fn a_clock_that_is_off_on_either_side() {
    let mut fleet = Fleet::empty();
    fleet.add_with("web1", "", &[]);
    for folder in [fleet.folder().join("web1"), fleet.home()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    // To a machine whose clock is behind, its certificate is of tomorrow.
    certify(&fleet, "web1", &fleet.folder().join("web1/identity"), 365, -1);
    let behind = on(&fleet, "web1", &["doctor", "--json"]).expect(1).json();
    assert_eq!(told(&behind, "identity", "not valid before"), (true, "set this machine's clock".to_owned()));

    let identity = fleet.folder().join("slow");
    fleet.func(["ca", "issue", "slow", "--role", "minion", "--out", identity.to_str().unwrap()]).expect(0);
    let slow = Pretender::start(&identity, (jiff::Timestamp::now().as_second() - 600).into());
    fleet.func(["hosts", "set", "slow", &slow.address.to_string()]).expect(0);
    let asked = fleet.func(["doctor", "--json", "--timeout", "10s"]).expect(1).json();
    let (wrong, todo) = told(&asked, "clock", "the clock of `slow` is 6");
    assert!(wrong && todo.contains("NTP"), "{asked:#}");
    assert_eq!(found(&asked, "clock").len(), 1, "{asked:#}");
}

#[test]
fn modules_of_which_minions_serve_different_versions() {
    let mut fleet = Fleet::empty();
    let [one, other] = ["1.0.0", "2.0.0"].map(|version| {
        let path = fleet.folder().join(format!("rogue-{version}.wasm"));
        let bytes = fs::read(guest("rogue")).unwrap();
        // A custom section more is another file of the same module.
        let more = [&[0, 6, 1, b'v'][..], &version.as_bytes()[..4]].concat();
        fs::write(&path, [bytes, more].concat()).unwrap();
        path
    });
    for (name, module) in [("web1", &one), ("web2", &one), ("web3", &other)] {
        fleet.add_with(name, "", &[module]);
    }
    let asked = fleet.func(["doctor", "--json", "--timeout", "10s"]).json();
    let (wrong, todo) = told(&asked, "drift", "2 versions of `rogue` are served; other than most: web3");
    assert!(!wrong && todo.contains("`func module push`"), "{asked:#}");
}
