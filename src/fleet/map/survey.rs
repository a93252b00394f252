//! Asking everybody whom they reach.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use tokio::time::Instant;

use super::{FleetMap, Reach};
use crate::{
    ca::Host,
    fleet::{Fleet, MAP, MOST_HOPS, Outcome, Request},
    ids::HostName,
    wire::{Call, Value},
};

/// So many are asked at a time.
const WIDTH: usize = 256;

/// How much of it is believed.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// So many may one name.
    named: usize,
    /// So many are on the map in all.
    known: usize,
}

const BOUNDS: Bounds = Bounds { named: 20_000, known: 100_000 };

/// What one has said.
enum Said {
    /// It passes calls on to these.
    PassesOn(BTreeSet<HostName>),
    Plain,
    /// Nothing that can be used, and why.
    Nothing(String),
}

impl Fleet {
    /// Asks these hosts, and those behind them, whom they reach: each once, and all within the time. `before` says who is
    /// behind those that do not answer.
    pub async fn survey(&self, hosts: Vec<Host>, before: &FleetMap, time: Duration) -> FleetMap {
        self.survey_within(BOUNDS, hosts, before, time).await
    }

    async fn survey_within(&self, bounds: Bounds, hosts: Vec<Host>, before: &FleetMap, time: Duration) -> FleetMap {
        let (told, until) = (Timestamp::now(), Instant::now() + time);
        let direct: BTreeSet<HostName> = hosts.iter().map(|host| host.name.clone()).collect();
        let mut found = direct.clone();
        let mut map = FleetMap { direct, ..FleetMap::default() };
        let (mut waiting, mut asked) = (VecDeque::from(hosts), FuturesUnordered::new());
        loop {
            while asked.len() < WIDTH
                && let Some(host) = waiting.pop_front()
            {
                // One that hangs leaves time for those that wait behind it.
                let left = until.saturating_duration_since(Instant::now()).min(time / 3);
                asked.push(async move {
                    let said = self.ask_whom_it_reaches(&host, left).await;
                    (host, said)
                });
            }
            let Some((host, said)) = asked.next().await else { break };
            let said = match said {
                Said::PassesOn(names) => bounded(bounds, names, &found),
                said => said,
            };
            match said {
                Said::PassesOn(hosts) => {
                    let via: Vec<HostName> = host.address.via().iter().chain([&host.name]).cloned().collect();
                    for name in &hosts {
                        if found.insert(name.clone()) {
                            let address = host.address.clone().through(via.clone());
                            waiting.push_back(Host { name: name.clone(), address });
                        }
                    }
                    map.overlords.insert(host.name, Reach { told, hosts });
                }
                Said::Plain => drop(map.plain.insert(host.name)),
                Said::Nothing(why) => drop(map.silent.insert(host.name, why)),
            }
        }
        map.remember(before);
        map
    }

    async fn ask_whom_it_reaches(&self, host: &Host, time: Duration) -> Said {
        if host.address.via().len() >= MOST_HOPS {
            return Said::Nothing(format!("it is {MOST_HOPS} hosts away, and no call goes farther"));
        }
        if time.is_zero() {
            return Said::Nothing("there was no time left to ask it".into());
        }
        match self.call(host, &Request::new(&Call::new(MAP, Vec::new())).timeout(time)).await {
            Outcome::Ok(value) => names(value).map_or_else(Said::Nothing, Said::PassesOn),
            // So says a minion that is nothing else, and one that has never heard of the question.
            Outcome::Failed(error)
                if matches!(error.kind.as_str(), "NotCallable" | "NoSuchMethod" | "NoSuchModule") =>
            {
                Said::Plain
            }
            other => Said::Nothing(other.why().unwrap_or_default()),
        }
    }
}

fn bounded(bounds: Bounds, names: BTreeSet<HostName>, found: &BTreeSet<HostName>) -> Said {
    let count = names.len();
    if count > bounds.named {
        return Said::Nothing(format!("it names {count} hosts; of one, {} are believed at most", bounds.named));
    }
    let new = names.difference(found).count();
    if found.len() + new > bounds.known {
        return Said::Nothing(format!(
            "with the {new} more hosts that it names there would be more than {}",
            bounds.known
        ));
    }
    Said::PassesOn(names)
}

/// The names that it answers.
fn names(value: Value) -> Result<BTreeSet<HostName>, String> {
    let nonsense = || format!("it answers `{MAP}` with nonsense");
    let Value::Struct(mut told) = value else { return Err(nonsense()) };
    let Some(Value::Array(list)) = told.remove("hosts") else { return Err(nonsense()) };
    let name = |name: Value| match name {
        Value::String(text) => text.parse().map_err(|error| format!("it answers `{MAP}` with nonsense: {error}")),
        _ => Err(nonsense()),
    };
    list.into_iter().map(name).collect()
}

impl FleetMap {
    /// Takes over what was known of those that are silent now, and of those behind them.
    fn remember(&mut self, before: &Self) {
        let mut silent: Vec<HostName> = self.silent.keys().cloned().collect();
        while let Some(name) = silent.pop() {
            if before.plain.contains(&name) {
                self.plain.insert(name);
            } else if let Some(reach) = before.overlords.get(&name) {
                for behind in &reach.hosts {
                    let known = self.direct.contains(behind)
                        || self.plain.contains(behind)
                        || self.silent.contains_key(behind)
                        || self.overlords.contains_key(behind);
                    if !known {
                        self.silent.insert(
                            behind.clone(),
                            format!("it is behind `{name}`, which did not say whom it reaches"),
                        );
                        silent.push(behind.clone());
                    }
                }
                self.overlords.insert(name, reach.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::{
        fleet::{DELEGATE, FleetOptions, relayed, tests::server::*},
        wire::{Answer, RemoteError},
    };

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    /// Who was asked, in its turn.
    type Asked = Arc<Mutex<Vec<String>>>;
    /// What a host of this name says.
    type Says = fn(&str) -> Result<Value, RemoteError>;

    /// A server that is `me`, and through which whoever it is asked for is reached.
    fn overlord(me: &'static str, says: Says, asked: &Asked) -> Behaviour {
        let asked = Arc::clone(asked);
        Arc::new(move |call, _| {
            let who = match &call.params[..] {
                [Value::Array(way), ..] if call.method == DELEGATE => way.last().unwrap().as_str().unwrap().to_owned(),
                _ => me.to_owned(),
            };
            asked.lock().unwrap().push(who.clone());
            let answer = match says(&who) {
                Ok(value) if call.method == DELEGATE => relayed(Outcome::Ok(value)),
                Err(error) if call.method == DELEGATE => relayed(Outcome::Failed(error)),
                Ok(value) => value,
                Err(error) => error.into(),
            };
            Reaction::Answer(Answer::Value(answer))
        })
    }

    fn reaches(names: impl IntoIterator<Item = String>) -> Value {
        Value::structure([("hosts", Value::Array(names.into_iter().map(Value::from).collect()))])
    }

    fn plain() -> Result<Value, RemoteError> {
        Err(RemoteError::new("NotCallable", "this minion passes no calls on"))
    }

    async fn survey(says: Says, bounds: Bounds, before: &FleetMap) -> (FleetMap, Vec<String>) {
        let (authority, asked) = (authority(), Asked::default());
        let sub = serve(&authority, "sub", overlord("sub", says, &asked)).await;
        let near = serve(&authority, "near", overlord("near", |_| plain(), &asked)).await;
        let hosts = vec![near.host.clone(), sub.host.clone()];
        let fleet = fleet(&authority, FleetOptions::default());
        let map = fleet.survey_within(bounds, hosts, before, Duration::from_secs(20)).await;
        let mut asked = asked.lock().unwrap().clone();
        asked.sort();
        (map, asked)
    }

    #[tokio::test]
    async fn in_a_full_mesh_each_is_asked_once() {
        let mesh =
            |_: &str| Ok(reaches((0..10).map(|at| format!("m{at}")).chain(["sub".to_owned(), "near".to_owned()])));
        let (map, asked) = survey(mesh, BOUNDS, &FleetMap::default()).await;
        assert_eq!(asked.join(" "), "m0 m1 m2 m3 m4 m5 m6 m7 m8 m9 near sub");
        assert!(map.silent.is_empty(), "{map:?}");
        assert_eq!(map.ways()[&name("m7")], [name("sub")]);
        assert_eq!(map.ways()[&name("near")], [], "one of the inventory is called directly, whoever names it");
    }

    #[tokio::test]
    async fn who_breaks_down_is_not_taken_for_one_that_passes_nothing_on_and_those_behind_it_stay() {
        let well = |who: &str| match who {
            "sub" => Ok(reaches(["mid".to_owned()])),
            "mid" => Ok(reaches(["leaf".to_owned()])),
            _ => plain(),
        };
        let (before, _) = survey(well, BOUNDS, &FleetMap::default()).await;
        assert_eq!(before.plain, [name("leaf"), name("near")].into());
        let broken = |who: &str| match who {
            "sub" => Err(RemoteError::new("Unavailable", "this minion's inventory: broken")),
            _ => plain(),
        };
        let (map, asked) = survey(broken, BOUNDS, &before).await;
        assert_eq!((asked, map.ways()), (vec!["near".to_owned(), "sub".to_owned()], before.ways()));
        let since = before.overlords[&name("sub")].told;
        assert_eq!(map.unconfirmed(), ["leaf", "mid"].map(|host| (name(host), since)).into());
        assert_eq!((map.overlords[&name("sub")].told, map.unknown()), (since, [].into()));
        assert!(map.silent[&name("sub")].contains("broken") && map.silent[&name("leaf")].contains("behind `mid`"));
        // Nobody knows who is behind one that has never said anything.
        let (map, _) = survey(broken, BOUNDS, &FleetMap::default()).await;
        assert_eq!(map.unknown(), [&name("sub")].into());
        // Nor is it forgotten when it is asked in vain once more.
        let (first, _) = survey(broken, BOUNDS, &before).await;
        let (again, _) = survey(broken, BOUNDS, &first).await;
        assert_eq!(again.ways(), before.ways());
        // Its own word counts.
        let (map, _) = survey(|_| plain(), BOUNDS, &before).await;
        assert_eq!(map.gone_since(&before), [name("leaf"), name("mid")].into());
    }

    #[tokio::test]
    async fn what_one_invents_is_bounded_and_told() {
        let few = Bounds { named: 5, known: 6 };
        for (says, why) in [
            ((|_| Ok(reaches((0..6).map(|at| format!("x{at}"))))) as Says, "it names 6 hosts"),
            ((|_| Ok(reaches((0..5).map(|at| format!("x{at}"))))) as Says, "5 more hosts"),
            ((|_| Ok(reaches(["x\u{1b}[2J".to_owned()]))) as Says, "nonsense"),
            ((|_| Ok(Value::Array(vec!["x".into()]))) as Says, "nonsense"),
        ] {
            let (map, asked) = survey(says, few, &FleetMap::default()).await;
            assert!(map.silent[&name("sub")].contains(why), "{map:?}");
            assert!(!map.silent[&name("sub")].contains('\u{1b}'), "{map:?}");
            assert_eq!((asked.len(), map.ways().len()), (2, 2), "{map:?}");
        }
    }

    #[test]
    fn whatever_is_told_of_whom_one_reaches_is_names_or_nonsense() {
        use crate::wire::{encode_answer, parse_answer};
        let told = encode_answer(&Answer::Value(reaches(["a".to_owned(), "b.example".to_owned()])));
        let host = "<value><string>c</string></value>";
        let words =
            ["<struct>", "<name>hosts</name>", "<array><data>", "</data></array>", host, "<nil/>", "-", ".", "é"];
        crate::sys::fuzz::fuzz("maps", &[told.as_bytes()], &words, |bytes| {
            let Ok(Answer::Value(value)) = parse_answer(bytes) else { return None };
            let names = names(value);
            if let Ok(hosts) = &names {
                let reach = Reach { told: Timestamp::UNIX_EPOCH, hosts: hosts.clone() };
                let overlords = [(name("a"), reach)].into();
                let map = FleetMap { direct: [name("a")].into(), overlords, ..FleetMap::default() };
                let kept: FleetMap = toml::from_str(&toml::to_string(&map).unwrap()).unwrap();
                assert_eq!(kept, map);
                assert!(map.ways().len() <= hosts.len() + 1);
            }
            Some(names.map(|names| names.len()))
        });
    }
}
