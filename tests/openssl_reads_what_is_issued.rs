//! Certificates, revocation lists, requests and sealed keys are those of everybody: the program `openssl` reads and verifies
//! them, and what it makes is taken.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use func::ca::{Authority, IssueRequest, Passphrase, SigningRequest};
use func::fleet::Outcome;
use func::tls::{Identity, Role};
use func::wire::Value;

use crate::harness::{Answer, Fleet, has};

/// Runs it in a folder, with this on its standard input.
#[track_caller]
fn openssl(folder: &Path, words: &[&str]) -> Answer {
    Command::new("openssl").args(words).current_dir(folder).stdin(Stdio::null()).output().unwrap().into()
}

#[test]
fn certificates_and_lists() {
    if !has("certificates_and_lists", &["openssl"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let authority = Authority::init(&home.path().join("ca"), "Func CA").unwrap();
    let at = |name: &str| home.path().join(name);
    for (name, role, purpose) in [
        ("web1", Role::Minion, "sslserver"),
        ("sub", Role::SubOverlord, "sslclient"),
        ("boss", Role::Overlord, "sslclient"),
    ] {
        let address = "web1.example:51234".parse().unwrap();
        let request = IssueRequest::new(name.parse().unwrap(), role).at(address);
        authority.issue(&request).unwrap().save(&at(name)).unwrap();
        let words = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", "cert.pem"];
        assert_eq!(openssl(&at(name), &words).expect(0).out, "cert.pem: OK");
    }
    openssl(&at("web1"), &["verify", "-verify_hostname", "web1", "-CAfile", "ca.pem", "cert.pem"]).expect(0);
    openssl(&at("web1"), &["verify", "-verify_hostname", "web2", "-CAfile", "ca.pem", "cert.pem"]).expect(2);

    let sub = Identity::in_folder(&at("sub")).unwrap().peer().serial.clone();
    let list = authority.revoke(&[sub]).unwrap();
    let list = list.to_str().unwrap();
    let read = openssl(&at("web1"), &["crl", "-in", list, "-CAfile", "ca.pem", "-noout", "-verify"]).expect(0);
    assert!(read.err.contains("verify OK"), "{}", read.err);
    let checked = |name: &str| {
        let words = ["verify", "-x509_strict", "-crl_check", "-CRLfile", list, "-CAfile", "ca.pem", "cert.pem"];
        openssl(&at(name), &words)
    };
    assert_eq!(checked("boss").expect(0).out, "cert.pem: OK");
    assert!(checked("sub").expect(2).err.contains("certificate revoked"));
}

#[test]
fn requests_both_ways() {
    if !has("requests_both_ways", &["openssl"]) {
        return;
    }
    let fleet = Fleet::start(["web1"]);
    let Outcome::Ok(Value::String(ours)) = fleet.ask("web1", "identity.csr", vec![]) else { panic!("no request") };
    fs::write(fleet.folder().join("ours.csr"), ours).unwrap();
    let read = openssl(fleet.folder(), &["req", "-in", "ours.csr", "-noout", "-verify", "-subject"]).expect(0);
    assert!(read.err.contains("OK") && read.out.contains("web1"), "{} {}", read.out, read.err);

    let authority = Authority::open(&fleet.home().join("ca")).unwrap();
    for (kind, more) in
        [("ec", "ec_paramgen_curve:P-256"), ("ec", "ec_paramgen_curve:P-384"), ("rsa", "rsa_keygen_bits:2048")]
    {
        let words =
            ["req", "-new", "-newkey", kind, "-pkeyopt", more, "-nodes", "-keyout", "theirs.key", "-subj", "/CN=web9"];
        openssl(fleet.folder(), &[&words[..], &["-out", "theirs.csr"]].concat()).expect(0);
        let theirs = fs::read(fleet.folder().join("theirs.csr")).unwrap();
        let request = SigningRequest::from_pem(&theirs).unwrap();
        assert_eq!(request.name().as_str(), "web9");
        let certificate = authority.renew(&request, Role::Minion, &[], 10).unwrap();
        let key = fs::read_to_string(fleet.folder().join("theirs.key")).unwrap();
        let identity = Identity::from_pem(&certificate, &key, authority.certificate()).unwrap();
        identity.check_as_server(jiff::Timestamp::now()).unwrap();
    }
}

#[test]
fn the_sealed_key_of_the_authority() {
    if !has("the_sealed_key_of_the_authority", &["openssl"]) {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("ca");
    Authority::init_with(&folder, "Func CA", Some(&Passphrase::new("correct horse").unwrap())).unwrap();
    let opened = openssl(&folder, &["pkey", "-in", "ca-key.pem", "-passin", "pass:correct horse", "-pubout"]).expect(0);
    let certified = openssl(&folder, &["x509", "-in", "ca.pem", "-noout", "-pubkey"]).expect(0);
    assert_eq!(opened.out, certified.out);
    let wrong = openssl(&folder, &["pkey", "-in", "ca-key.pem", "-passin", "pass:battery", "-noout"]);
    assert_ne!(wrong.code, 0);

    // And what it sealed is opened: the key of an authority that is moved here.
    let words =
        ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-scrypt", "-passin", "pass:correct horse", "-passout", "pass:new"];
    openssl(&folder, &[&words[..], &["-in", "ca-key.pem", "-out", "again.pem"]].concat()).expect(0);
    fs::rename(folder.join("again.pem"), folder.join("ca-key.pem")).unwrap();
    let authority = Authority::open_with(&folder, &Passphrase::new("new").unwrap()).unwrap();
    authority.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap();
}

#[test]
fn connections_by_tls_of_today_alone() {
    if !has("connections_by_tls_of_today_alone", &["openssl"]) {
        return;
    }
    let fleet = Fleet::start(["web1"]);
    let address = fleet.minions[0].address.to_string();
    let connect = |version: &str| {
        let words = ["s_client", "-connect", &address, "-servername", "web1", "-cert", "cert.pem", "-key", "key.pem"];
        let more = ["-CAfile", "ca.pem", "-verify_return_error", version, "-cipher", "ALL:@SECLEVEL=0"];
        openssl(&fleet.home().join("identity"), &[&words[..], &more].concat())
    };
    for version in ["-tls1_2", "-tls1_3"] {
        assert!(connect(version).expect(0).out.contains("Verify return code: 0 (ok)"));
    }
    for version in ["-tls1", "-tls1_1"] {
        let refused = connect(version);
        assert!(refused.code != 0 && refused.err.contains("alert"), "{version}: {}", refused.err);
    }
}
