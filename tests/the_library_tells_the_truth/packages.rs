//! Packages, on a machine that has dpkg.

use std::{path::Path, process::Command};

use func::wire::Value;
use serde_json::json;

use super::{call, error, failure, text};
use crate::harness::direct::{check, recommended};

fn has_dpkg() -> bool {
    Path::new("/usr/bin/dpkg-query").exists() && Path::new("/usr/bin/apt-get").exists()
}

#[tokio::test]
async fn packages_are_those_that_dpkg_lists() {
    if !has_dpkg() {
        return;
    }
    let output = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status} ${Package} ${Version}\n"]).output();
    let output = String::from_utf8(output.unwrap().stdout).unwrap();
    let listed: Vec<&str> = output.lines().filter_map(|line| line.strip_prefix("installed ")).collect();
    let packages = call("package.inventory", &[]).await;
    let packages = packages.as_array().unwrap();
    assert_eq!(packages.len(), listed.len());
    for package in packages {
        let line = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        assert!(listed.contains(&line.as_str()), "{line}");
    }
    let found = call("package.glob", &[text("dpk?")]).await;
    assert_eq!(found.as_array().unwrap().len(), 1);
    assert_eq!(found[0]["name"], "dpkg");
}

#[tokio::test]
async fn packages_are_verified_and_updates_told() {
    if !has_dpkg() {
        return;
    }
    let altered = call("package.verify", &[text("dpkg")]).await;
    assert!(
        altered.as_array().unwrap().iter().all(|file| file["path"].as_str().unwrap().starts_with('/')),
        "{altered}"
    );
    assert!(call("package.check_update", &[]).await.is_array());
    assert_eq!(error("package.verify", &[text("no-such-package")]).await.0, "not_found");
}

#[tokio::test]
async fn what_is_so_already_is_not_done_and_a_check_does_nothing() {
    if !has_dpkg() {
        return;
    }
    let names = |names: &[&str]| [Value::Array(names.iter().map(|name| text(name)).collect())];
    let nothing = json!({"changed": false, "packages": []});
    assert_eq!(call("package.install", &names(&["dpkg"])).await, nothing);
    assert_eq!(call("package.remove", &names(&["no-such-package"])).await, nothing);
    assert_eq!(error("package.update", &names(&["no-such-package"])).await.0, "not_found");
    let gone = names(&["no-such-package-anywhere"]);
    let would = failure(check("package.install", &gone, recommended("package")).await);
    for (kind, message) in [would, error("package.preview", &[text("install"), gone[0].clone()]).await] {
        assert!(kind == "failed" && message.contains("Unable to locate package"), "{kind}: {message}");
    }
    let would = call("package.preview", &[text("remove"), names(&["perl"])[0].clone()]).await;
    let goes = |package: &serde_json::Value| package["name"] == "perl" && package["after"].is_null();
    let has_perl = call("package.glob", &[text("perl")]).await[0]["name"] == "perl";
    assert!(!has_perl || would.as_array().unwrap().iter().any(goes), "{would}");
    let checked = check("package.remove", &names(&["perl"]), recommended("package")).await.unwrap().to_json();
    assert!(!has_perl || checked == json!({"changed": true, "packages": would}), "{checked}");
}
