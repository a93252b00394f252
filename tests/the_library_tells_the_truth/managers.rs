//! Packages are really installed, updated and removed, by apt and by dnf: of a repository, and in a system, that only the test
//! sees.

use std::{fs, process::Command};

use func::wire::Value;
use serde_json::json;

use super::{call, error, text};
use crate::harness::{
    direct::{check, recommended},
    has, secluded,
};

/// What the managers keep is hidden, and a repository of two versions of `func-demo` is in /opt.
const APT: &str = r#"
for folder in /opt /var/lib/dpkg /var/lib/apt /var/cache/apt /etc/apt /var/log; do mount -t tmpfs none $folder; done
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/lib/dpkg/triggers /var/lib/apt/lists/partial /opt/repo
mkdir -p /var/cache/apt/archives/partial /etc/apt/preferences.d /etc/apt/apt.conf.d /var/log/apt
printf 'Package: func-base\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nMaintainer: x <x@x>\nDescription: x\n' > /var/lib/dpkg/status
touch /var/lib/dpkg/available /var/lib/dpkg/info/func-base.list
echo 'deb [trusted=yes] file:/opt/repo ./' > /etc/apt/sources.list
for version in 1.0 2.0; do
  mkdir -p /opt/build/DEBIAN /opt/build/opt/func-demo
  printf "Package: func-demo\nVersion: $version\nArchitecture: all\nInstalled-Size: 4\nMaintainer: x <x@x>\nDescription: A package to try\n" > /opt/build/DEBIAN/control
  echo $version > /opt/build/opt/func-demo/file
  dpkg-deb -b /opt/build /opt/repo/func-demo_$version.deb
done
publish() {
  cd /opt/repo
  for version; do
    deb=func-demo_$version.deb
    dpkg-deb -f $deb
    printf "Filename: ./$deb\nSize: $(stat -c %s $deb)\nSHA256: $(sha256sum $deb | cut -d' ' -f1)\n\n"
  done > Packages
}
"#;
const DNF: &str = r#"
mkdir -p /etc/rpm
for folder in /opt /etc/rpm /etc/dnf /var/lib/dpkg; do mount -t tmpfs none $folder; done
mkdir /opt/repos.d
echo '%_dbpath /opt/rpmdb' > /etc/rpm/macros
printf '[main]\nreposdir=/opt/repos.d\ncachedir=/opt/cache\npersistdir=/opt/persist\nlogdir=/opt\nmetadata_expire=0\n' > /etc/dnf/dnf.conf
printf '[demo]\nname=demo\nbaseurl=file:///opt/repo\ngpgcheck=0\n' > /opt/repos.d/demo.repo
publish() {
  cd /opt
  for what; do
    version=${what#*/}
    cat > demo.spec <<SPEC
Name: ${what%/*}
Version: $version
Release: 1
Summary: A package: to try
License: none
BuildArch: noarch
%description
Nothing.
%install
mkdir -p %{buildroot}/opt/%{name}
echo $version > %{buildroot}/opt/%{name}/file
echo a > %{buildroot}/opt/%{name}/a.conf
%files
/opt/%{name}/file
%config /opt/%{name}/a.conf
SPEC
    rpmbuild --quiet -bb --define "_topdir /opt/top" --define "_rpmdir /opt/repo" demo.spec
  done
  createrepo_c -q repo
}
"#;

fn sh(script: &str) {
    let output = Command::new("sh").args(["-ec", script]).output().unwrap();
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn demo() -> [Value; 1] {
    [Value::Array(vec![text("func-demo")])]
}

#[tokio::test]
async fn apt_installs_updates_and_removes() {
    const TEST: &str = "apt_installs_updates_and_removes";
    if !has(TEST, &["apt-get", "dpkg-deb"]) || !secluded(module_path!(), TEST) {
        return;
    }
    sh(&format!("{APT} publish 1.0"));
    lives("func-demo:all", ["1.0", "2.0"], || sh(&format!("{} publish 2.0", &APT[APT.find("publish()").unwrap()..])))
        .await;
}

#[tokio::test]
async fn dnf_installs_updates_and_removes() {
    const TEST: &str = "dnf_installs_updates_and_removes";
    if !has(TEST, &["dnf", "rpmbuild", "createrepo_c"]) || !secluded(module_path!(), TEST) {
        return;
    }
    sh(&format!("{DNF} publish func-demo/1.0 func-base/1.0; rpm -i --nodeps repo/noarch/func-base-1.0-1.noarch.rpm"));
    lives("func-demo:noarch", ["1.0-1", "2.0-1"], || {
        sh(&format!("{} publish func-demo/2.0", &DNF[DNF.find("publish()").unwrap()..]));
    })
    .await;
}

/// The whole life of the package `func-demo`, which appears in a newer version when it is published.
async fn lives(name: &str, [old, new]: [&str; 2], publish: impl FnOnce()) {
    let ((kind, message), missing) = (
        error("package.install", &[Value::Array(vec![text("no-such-package")])]).await,
        ["Unable to locate package no-such-package", "Unable to find a match: no-such-package"],
    );
    assert!(kind == "failed" && missing.iter().any(|said| message.contains(said)), "{kind}: {message}");
    call("package.refresh", &[]).await;
    let comes = json!({"name": name, "before": null, "after": old});
    same(&call("package.preview", &[text("install"), demo()[0].clone()]).await, &json!([comes]));
    let would = check("package.install", &demo(), recommended("package")).await.unwrap().to_json();
    same(&would["packages"], &json!([comes]));
    assert_eq!(call("package.glob", &[text("func-demo")]).await, json!([]), "a check installs nothing");
    let made = call("package.install", &demo()).await;
    assert_eq!(made, json!({"changed": true, "packages": [comes]}));
    assert_eq!(call("package.install", &demo()).await["changed"], false);

    let found = call("package.glob", &[text("func-dem?")]).await;
    assert_eq!((&found[0]["version"], found.as_array().unwrap().len()), (&json!(old), 1));
    assert!(found[0]["summary"].as_str().unwrap().starts_with("A package"), "{found}");
    assert_eq!(call("package.verify", &[text("func-demo")]).await, json!([]));
    fs::write("/opt/func-demo/file", "something else\n").unwrap();
    let altered = call("package.verify", &[text("func-demo")]).await;
    assert_eq!((&altered[0]["path"], altered.as_array().unwrap().len()), (&json!("/opt/func-demo/file"), 1));
    assert!(altered[0]["what"].as_array().unwrap().contains(&json!("contents")), "{altered}");

    assert_eq!(call("package.check_update", &[]).await, json!([]));
    publish();
    let refreshed = call("package.refresh", &[]).await;
    // A repository on this disk may be known without a look.
    assert_eq!(refreshed["changed"], refreshed["before"] != refreshed["after"], "{refreshed}");
    assert_eq!(refreshed["after"][0]["version"], json!(new), "{refreshed}");
    assert_eq!(call("package.refresh", &[]).await["changed"], false);
    let newer = call("package.check_update", &[]).await;
    assert_eq!((&newer[0]["name"], &newer[0]["version"]), (&json!("func-demo"), &json!(new)), "{newer}");
    let changes = json!({"name": name, "before": old, "after": new});
    same(&call("package.preview", &[text("update"), Value::Array(vec![])]).await, &json!([changes]));
    assert_eq!(call("package.update", &[]).await, json!({"changed": true, "packages": [changes]}));
    assert_eq!(call("package.update", &demo()).await["changed"], false);

    let goes = json!({"name": name, "before": new, "after": null});
    let would = check("package.remove", &demo(), recommended("package")).await.unwrap().to_json();
    same(&would["packages"], &json!([goes]));
    assert_eq!(call("package.remove", &demo()).await, json!({"changed": true, "packages": [goes]}));
    assert_eq!(call("package.remove", &demo()).await["changed"], false);
}

/// apt tells names without an architecture beforehand.
fn same(told: &serde_json::Value, wanted: &serde_json::Value) {
    let plain = |packages: &serde_json::Value| packages.to_string().replace(":all", "");
    assert_eq!(plain(told), plain(wanted));
}
