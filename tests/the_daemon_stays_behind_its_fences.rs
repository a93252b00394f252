//! What `[fences]` in a minion's configuration says holds for the daemon, for modules in it, for workers and for programs;
//! and the minion itself works behind it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, chown},
    path::Path,
};

use func::{fleet::Outcome, wire::Value};
use nix::unistd::Uid;

use crate::harness::{Fleet, cannot, guest, skip};

/// A minion `fenced` with these fences, one `open` without, and folders that modules may write into as far as grants go.
fn fleet(fences: &str, run: &[&str]) -> Fleet {
    let mut fleet = Fleet::empty();
    for folder in ["within", "without"] {
        fs::create_dir(fleet.folder().join(folder)).unwrap();
    }
    let at = fleet.folder().display().to_string();
    let grants = format!("[grants.rogue]\nread = [\"{at}/**\"]\nwrite = [\"{at}/with*/*\"]\nrun = {run:?}\n");
    fleet.add_with("open", &grants, &[&guest("rogue")]);
    fleet.add_with("fenced", &format!("{grants}[fences]\n{}\n", fences.replace('@', &at)), &[&guest("rogue")]);
    fleet
}

fn said(answer: Outcome) -> Result<Value, String> {
    match answer {
        Outcome::Ok(value) => Ok(value),
        other => Err(format!("{other:?}")),
    }
}

fn run(fleet: &Fleet, minion: &str, words: &[&str]) -> Result<Value, String> {
    let args: Vec<Value> = words[1..].iter().map(|word| Value::from(*word)).collect();
    said(fleet.ask(minion, "rogue.run", vec![words[0].into(), Value::Array(args)]))
}

#[test]
fn only_what_is_named_can_be_written() {
    const NAME: &str = "only_what_is_named_can_be_written";
    let mut fleet = fleet("write = [\"@/within\"]", &["touch"]);
    if !fleet.minion("fenced").log().contains("landlock ABI") {
        return skip(NAME, "the kernel has no landlock");
    }
    let at = |path: &str| fleet.folder().join(path).display().to_string();
    for (minion, holds) in [("fenced", true), ("open", false)] {
        let refused = |result: Result<Value, String>, what: &str| match result {
            Err(why) if holds => assert!(!why.contains("grants"), "the fence and not the grant: {what}: {why}"),
            result => assert!(result.is_ok() && !holds, "{minion}: {what}: {result:?}"),
        };
        for way in ["plain", "job"] {
            let write = |path: &str| {
                let params = vec![at(path).into(), "x".into()];
                said(match way {
                    "plain" => fleet.ask(minion, "rogue.write", params),
                    _ => fleet.ask_as_job(minion, "rogue.write", params),
                })
            };
            write(&format!("within/{minion}-{way}")).unwrap();
            refused(write(&format!("without/{minion}-{way}")), way);
        }
        run(&fleet, minion, &["touch", &at(&format!("within/{minion}-program"))]).unwrap();
        let _ = run(&fleet, minion, &["touch", &at(&format!("without/{minion}-program"))]);
        assert_eq!(Path::new(&at(&format!("without/{minion}-program"))).exists(), !holds, "{minion}: a program");
        assert!(Path::new(&at(&format!("within/{minion}-program"))).exists());
        // What is not written can be read all the same.
        fs::write(at("without/read"), "read").unwrap();
        assert_eq!(said(fleet.ask(minion, "rogue.read", vec![at("without/read").into()])), Ok("read".into()));
    }
}

#[test]
fn a_minion_renews_its_identity_behind_its_fences() {
    let mut fleet = Fleet::empty();
    // Apart from everything else that the minion has.
    let identity = fleet.folder().join("elsewhere");
    let files = [("certificate", "cert"), ("key", "key"), ("authority", "ca"), ("revoked", "crl")]
        .map(|(key, file)| format!("{key} = \"{}/{file}.pem\"\n", identity.display()));
    let extra = format!("[identity]\n{}[fences]\nwrite = []\n", files.concat());
    fleet.func(["ca", "issue", "fenced", "--role", "minion", "--out", identity.to_str().unwrap()]).expect(0);
    fleet.add_with("fenced", &extra, &[]);
    let before = fs::read(identity.join("cert.pem")).unwrap();
    fleet.func(["ca", "renew", "fenced", "--now"]).expect(0);
    assert_ne!(fs::read(identity.join("cert.pem")).unwrap(), before);
    fleet.func(["ping", "fenced"]).expect(0);
    if !fleet.minion("fenced").log().contains("landlock ABI") {
        cannot("a_minion_renews_its_identity_behind_its_fences", "the kernel has no landlock, so there was no fence");
    }
}

#[test]
fn no_program_gains_privileges() {
    const NAME: &str = "no_program_gains_privileges";
    let mut fleet = fleet("no_new_privileges = true", &["grep", "/**/id"]);
    let told = |minion: &str| run(&fleet, minion, &["grep", "NoNewPrivs", "/proc/self/status"]).unwrap();
    assert_eq!((told("fenced"), told("open")), ("NoNewPrivs:\t1\n".into(), "NoNewPrivs:\t0\n".into()));
    for process in fleet.minion("fenced").processes() {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        assert!(status.contains("NoNewPrivs:\t1\n"), "the daemon and its fork server:\n{status}");
    }
    if !Uid::effective().is_root() {
        return cannot(NAME, "only root can make a program that is run as somebody else");
    }
    let program = fleet.folder().join("id");
    fs::copy("/usr/bin/id", &program).unwrap();
    chown(&program, Some(65534), None).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(fleet.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let becomes = |minion: &str| run(&fleet, minion, &[program.to_str().unwrap(), "-u"]).unwrap();
    if becomes("open") != "65534\n".into() {
        return cannot(NAME, "set-user-id bits mean nothing in the folder for temporary files");
    }
    assert_eq!(becomes("fenced"), "0\n".into());
}
