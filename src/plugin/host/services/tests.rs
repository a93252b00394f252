//! Services through a bus of the tests' own, with a systemd that is a thread.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, atomic::AtomicBool},
    time::Duration,
};

use super::{
    bus::{BUS, Bus, BusError, Kind, Message, Peer, Value, Written},
    *,
};
use crate::{
    access::Grant,
    plugin::{Mode, fixture::context, host::ErrorKind},
};

const MANAGER: Peer<'_> = Peer { name: "org.freedesktop.systemd1", path: "/org/freedesktop/systemd1" };

fn patience(time: Duration) -> Patience {
    Patience { ends: Instant::now() + time, cancelled: Arc::new(AtomicBool::new(false)) }
}

/// A bus of this test's own.
struct Private {
    daemon: Child,
    place: Place,
    _folder: tempfile::TempDir,
}

impl Private {
    /// Nothing where this machine has no `dbus-daemon`, which may be nowhere that nothing may be missing.
    fn start(test: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("bus.conf");
        let listen = folder.path().join("socket");
        let settings = format!(
            "<busconfig><listen>unix:path={}</listen><policy context=\"default\"><allow send_destination=\"*\"/>\
             <allow own=\"*\"/><allow eavesdrop=\"false\"/></policy></busconfig>",
            listen.display()
        );
        std::fs::write(&config, settings).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--nofork").arg("--print-address").arg("--config-file").arg(&config).stdout(Stdio::piped());
        let Ok(mut daemon) = command.spawn() else {
            crate::sys::skip::skip(test, "there is no dbus-daemon");
            return None;
        };
        // It prints its address when it listens.
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        let place = Place::parse(address.trim()).unwrap_or_else(|| panic!("{address}"));
        Some(Self { daemon, place, _folder: folder })
    }

    fn systemd(&self) -> Systemd {
        Systemd::find(&self.place, patience(Duration::from_secs(20))).unwrap().unwrap()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// What has been asked of the tests' systemd.
type Asked = Arc<Mutex<Vec<String>>>;

/// systemd as far as it matters: `nginx` is stopped and starts, `broken` fails to, `slow` never ends, and
/// there is no `absent`.
fn serve(place: &Place) -> Asked {
    let asked = Asked::default();
    let mut bus = Bus::connect(place, patience(Duration::from_mins(1))).unwrap();
    let name = Written::default().text(MANAGER.name).value("u", &Value::Number(4));
    bus.call(BUS, BUS.name, "RequestName", &name).unwrap();
    let heard = Arc::clone(&asked);
    std::thread::spawn(move || {
        let mut active = "inactive";
        while let Ok(call) = bus.receive() {
            if call.kind != Kind::Call {
                continue;
            }
            let arguments = call.body.iter().filter_map(Value::text).collect::<Vec<_>>().join(" ");
            let member = call.member.clone().unwrap_or_default();
            heard.lock().unwrap().push(format!("{member} {arguments}"));
            let unit = call.body.first().and_then(|first| first.text().or_else(|| first.list().first()?.text()));
            let unit = unit.unwrap_or_default().to_owned();
            let job = "/org/freedesktop/systemd1/job/7";
            let mut answer = Ok(Written::default());
            let mut ended = None;
            match member.as_str() {
                "ListUnits" => answer = Ok(units(active)),
                "LoadUnit" => answer = Ok(Written::default().value("o", &text(&format!("/unit/{}", unit.len())))),
                "GetAll" => answer = Ok(properties(&call, active)),
                "StartUnit" | "StopUnit" | "RestartUnit" if unit.starts_with("absent") => {
                    answer = Err(("org.freedesktop.systemd1.NoSuchUnit", "Unit absent.service not found."));
                }
                "StartUnit" | "StopUnit" | "RestartUnit" => {
                    answer = Ok(Written::default().value("o", &text(job)));
                    active = if member == "StopUnit" { "inactive" } else { "active" };
                    let result = if unit.starts_with("broken") { "failed" } else { "done" };
                    ended = (!unit.starts_with("slow")).then_some(result);
                }
                "EnableUnitFiles" => {
                    let change = Value::List(vec![text("symlink"), text("/etc/a"), text("/lib/a")]);
                    let changes = Value::List(vec![change]);
                    answer = Ok(Written::default().truth(true).value("a(sss)", &changes));
                }
                "DisableUnitFiles" => answer = Ok(Written::default().value("a(sss)", &Value::List(vec![]))),
                _ => {}
            }
            let (kind, error, body) = match answer {
                Ok(body) => (Kind::Return, None, body),
                Err((name, why)) => (Kind::Error, Some(name.to_owned()), Written::default().text(why)),
            };
            let reply = Message { error, reply_to: Some(call.serial), destination: call.sender, ..Message::new(kind) };
            if bus.send(reply, &body).is_err() {
                return;
            }
            // Another's end comes first.
            for (job, result) in [(Some("/other"), "failed"), (ended.map(|_| job), ended.unwrap_or_default())] {
                let (Some(job), Some(_)) = (job, ended) else { continue };
                let signal = Message {
                    path: Some(MANAGER.path.to_owned()),
                    interface: Some("org.freedesktop.systemd1.Manager".to_owned()),
                    member: Some("JobRemoved".to_owned()),
                    ..Message::new(Kind::Signal)
                };
                let body = Written::default().value("u", &Value::Number(7)).value("o", &text(job));
                bus.send(signal, &body.text(&unit).text(result)).unwrap();
            }
        }
    });
    asked
}

fn units(active: &str) -> Written {
    let unit = |name: &str| {
        let words = [name, "A server", "loaded", active, "dead", ""].map(text);
        let tail = [text("/unit/x"), Value::Number(0), text(""), text("/")];
        Value::List(words.into_iter().chain(tail).collect())
    };
    let all = Value::List(vec![unit("sshd.service"), unit("nginx.service"), unit("home.mount")]);
    Written::default().value("a(ssssssouso)", &all)
}

fn properties(call: &Message, active: &str) -> Written {
    let load = if call.path.as_deref() == Some("/unit/14") { "not-found" } else { "loaded" };
    let entry = |key: &str, value: Value| Value::List(vec![text(key), value]);
    let entries =
        [("Id", "nginx.service"), ("LoadState", load), ("ActiveState", active), ("UnitFileState", "disabled")];
    let mut entries: Vec<Value> = entries.into_iter().map(|(key, value)| entry(key, text(value))).collect();
    entries.push(entry("MainPID", Value::Number(4711)));
    Written::default().value("a{sv}", &Value::List(entries))
}

#[test]
fn systemd_is_asked_and_what_it_does_is_waited_for() {
    let Some(private) = Private::start("systemd_is_asked_and_what_it_does_is_waited_for") else { return };
    assert!(Systemd::find(&private.place, patience(Duration::from_secs(20))).unwrap().is_none(), "nobody is there yet");
    let asked = serve(&private.place);
    let unit = |name: &str| Unit::new(name).unwrap();
    let mut systemd = private.systemd();
    let names = |services: Vec<Service>| services.into_iter().map(|service| service.name).collect::<Vec<_>>();
    assert_eq!(names(systemd.list(|_| true).unwrap()), ["nginx.service", "sshd.service"]);
    assert_eq!(names(systemd.list(|unit| unit.short() == "sshd").unwrap()), ["sshd.service"]);
    let before = systemd.status(&unit("nginx")).unwrap();
    assert_eq!(
        (before.active.as_str(), before.main_pid, before.enabled.as_deref()),
        ("inactive", Some(4711), Some("disabled"))
    );
    assert!(systemd.change(&unit("nginx"), Action::Start).unwrap());
    assert!(!systemd.change(&unit("nginx"), Action::Start).unwrap(), "it ran already");
    assert!(systemd.change(&unit("nginx"), Action::Stop).unwrap());
    assert!(systemd.change(&unit("nginx"), Action::Enable).unwrap());
    assert!(!systemd.change(&unit("nginx"), Action::Disable).unwrap());
    let asked = asked.lock().unwrap();
    assert!(asked.iter().any(|call| call == "StartUnit nginx.service replace"), "{asked:?}");
    assert_eq!(asked.iter().filter(|call| call.starts_with("Reload")).count(), 1, "{asked:?}");
}

#[test]
fn what_goes_wrong_is_told() {
    let Some(private) = Private::start("what_goes_wrong_is_told") else { return };
    serve(&private.place);
    let unit = |name: &str| Unit::new(name).unwrap();
    let failed = private.systemd().change(&unit("broken"), Action::Restart).unwrap_err();
    assert_eq!(failed.kind, ErrorKind::Failed);
    assert!(failed.message.contains("systemd says `failed`"), "{failed:?}");
    // `absent.service` and `broken.service` are 14 letters long, which is how the tests' systemd knows them.
    let absent = private.systemd().status(&unit("absent")).unwrap_err();
    assert_eq!(absent.kind, ErrorKind::NotFound, "{absent:?}");
    let absent = private.systemd().change(&unit("absent"), Action::Restart).unwrap_err();
    assert_eq!(absent.kind, ErrorKind::NotFound, "{absent:?}");
    let mut hasty = Systemd::find(&private.place, patience(Duration::from_millis(500))).unwrap().unwrap();
    assert_eq!(hasty.change(&unit("slow"), Action::Restart).unwrap_err().kind, ErrorKind::TimedOut);
    let cancelled = patience(Duration::from_secs(20));
    let mut patient = Systemd::find(&private.place, cancelled.clone()).unwrap().unwrap();
    let end = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        cancelled.cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(patient.change(&unit("slow"), Action::Restart).unwrap_err().kind, ErrorKind::Cancelled);
    end.join().unwrap();
}

#[test]
fn a_bus_that_is_none_is_no_systemd() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Place::Path(folder.path().join("none"));
    assert!(Systemd::find(&missing, patience(Duration::from_secs(1))).unwrap().is_none());
    let path = folder.path().join("other");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let rude = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"REJECTED EXTERNAL\r\n").unwrap());
    let refused = Bus::connect(&Place::Path(path), patience(Duration::from_secs(5)));
    assert!(matches!(refused, Err(BusError::NoBus(_) | BusError::Gone(_))));
    rude.join().unwrap();
}

#[tokio::test]
async fn what_is_not_granted_is_denied_before_anybody_is_asked() {
    let state = |services: &[&str], read: &[&str], mode: Mode| {
        let mut context = context();
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned().try_into().unwrap()).collect();
        context.grant = Arc::new(Grant { services: list(services), services_read: list(read), ..Grant::default() });
        context.mode = mode;
        State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
    };
    let hint = |error: Error| {
        assert_eq!(error.kind, ErrorKind::Denied, "{error:?}");
        error.hint.unwrap()
    };
    for mode in [Mode::Perform, Mode::Check] {
        let mut other = state(&["nginx*"], &["cron"], mode);
        let denied = hint(Host::change(&mut other, "sshd".to_owned(), Action::Stop).await.unwrap_err());
        assert!(denied.ends_with("[grants.m]\nservices = [\"sshd\"]"), "{denied}");
        let denied = hint(Host::change(&mut other, "cron.service".to_owned(), Action::Stop).await.unwrap_err());
        assert!(denied.ends_with("[grants.m]\nservices = [\"cron\"]"), "looking is not changing: {denied}");
        let denied = hint(Host::status(&mut other, "sshd.service".to_owned()).await.unwrap_err());
        assert!(denied.ends_with("[grants.m]\nservices-read = [\"sshd\"]"), "{denied}");
    }
    let mut nothing = state(&[], &[], Mode::Perform);
    let denied = hint(Host::list(&mut nothing).await.unwrap_err());
    assert!(denied.ends_with(r#"services-read = ["*"]"#), "{denied}");
    let invalid = Host::status(&mut nothing, "--now".to_owned()).await.unwrap_err();
    assert_eq!(invalid.kind, ErrorKind::Invalid);
}

#[test]
fn a_check_plans_only_what_is_not_so_already() {
    let service = |active: &str, enabled: Option<&str>| Service {
        name: "a.service".to_owned(),
        description: String::new(),
        load: "loaded".to_owned(),
        active: active.to_owned(),
        sub: String::new(),
        enabled: enabled.map(str::to_owned),
        main_pid: None,
    };
    assert_eq!(planned(&service("active", None), Action::Start), None);
    assert_eq!(planned(&service("inactive", Some("enabled")), Action::Enable), None);
    let what = planned(&service("inactive", Some("enabled")), Action::Start);
    let text = "`a.service` (inactive, enabled) would be started".to_owned();
    assert_eq!(what, Some(plan::Effect::Other { what: text }));
    assert!(planned(&service("failed", None), Action::Stop).is_some());
}
