//! Ways, rings and branches out of the graph.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Serialize;

use super::FleetMap;
use crate::{fleet::MOST_HOPS, ids::HostName};

/// Hosts, and those behind each. Who is reached on several ways stands on each, and those behind it on its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Tree(pub BTreeMap<HostName, Tree>);

impl FleetMap {
    /// The way to each host: through whom.
    pub fn ways(&self) -> BTreeMap<HostName, Vec<HostName>> {
        self.ways_from(self.direct.iter().cloned())
    }

    /// The same, if these are reached directly.
    pub(super) fn ways_from(&self, direct: impl IntoIterator<Item = HostName>) -> BTreeMap<HostName, Vec<HostName>> {
        let mut ways: BTreeMap<HostName, Vec<HostName>> = direct.into_iter().map(|name| (name, Vec::new())).collect();
        let mut next: VecDeque<HostName> = ways.keys().cloned().collect();
        // Those behind who is silent are reached on another way, if there is one.
        let mut last = VecDeque::new();
        while let Some((name, anyhow)) =
            next.pop_front().map(|name| (name, false)).or_else(|| last.pop_front().map(|name| (name, true)))
        {
            let Some(reach) = self.overlords.get(&name) else { continue };
            if !anyhow && self.silent.contains_key(&name) {
                last.push_back(name);
                continue;
            }
            let via: Vec<HostName> = ways.get(&name).into_iter().flatten().cloned().chain([name]).collect();
            if via.len() > MOST_HOPS {
                continue;
            }
            for behind in &reach.hosts {
                if !ways.contains_key(behind) {
                    ways.insert(behind.clone(), via.clone());
                    next.push_back(behind.clone());
                }
            }
        }
        ways
    }

    /// Ways that come back to where they began. Everybody who stands on one stands on one of these.
    pub fn rings(&self) -> Vec<Vec<HostName>> {
        let (mut rings, mut told) = (Vec::new(), BTreeSet::new());
        for name in self.overlords.keys() {
            if !told.contains(name)
                && let Some(ring) = self.ring(name)
            {
                told.extend(ring.iter().cloned());
                rings.push(ring);
            }
        }
        rings
    }

    /// The shortest way from a host to itself.
    fn ring(&self, from: &HostName) -> Option<Vec<HostName>> {
        let mut before: BTreeMap<&HostName, &HostName> = BTreeMap::new();
        let mut next = VecDeque::from([from]);
        while let Some(name) = next.pop_front() {
            for behind in self.overlords.get(name).into_iter().flat_map(|reach| &reach.hosts) {
                if behind == from {
                    let mut ring = vec![from.clone(), name.clone()];
                    let mut at: &HostName = name;
                    while let Some(earlier) = before.get(at) {
                        at = earlier;
                        ring.push(at.clone());
                    }
                    ring.reverse();
                    return Some(ring);
                }
                if self.overlords.contains_key(behind) && !before.contains_key(behind) {
                    before.insert(behind, name);
                    next.push_back(behind);
                }
            }
        }
        None
    }

    /// Everybody, each with those behind it.
    pub fn tree(&self) -> Tree {
        self.branch(&self.direct, &[], &self.ways())
    }

    fn branch(&self, names: &BTreeSet<HostName>, via: &[HostName], ways: &BTreeMap<HostName, Vec<HostName>>) -> Tree {
        let one = |name: &HostName| {
            let reach = self.overlords.get(name).filter(|_| ways.get(name).is_some_and(|way| way == via));
            let on: Vec<HostName> = via.iter().chain([name]).cloned().collect();
            let behind = reach.filter(|_| on.len() <= MOST_HOPS).map(|reach| self.branch(&reach.hosts, &on, ways));
            (name.clone(), behind.unwrap_or_default())
        };
        Tree(names.iter().map(one).collect())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{super::Reach, *};
    use crate::ca::Inventory;

    fn name(text: &str) -> HostName {
        text.parse().unwrap()
    }

    fn names<const N: usize>(texts: [&str; N]) -> Vec<HostName> {
        texts.map(name).to_vec()
    }

    /// `a: b c` is an overlord and whom it reaches.
    fn map(direct: &str, overlords: &[&str]) -> FleetMap {
        let all = |text: &str| text.split_whitespace().map(name).collect::<BTreeSet<_>>();
        let overlords = overlords.iter().map(|text| {
            let (overlord, hosts) = text.split_once(':').unwrap();
            (name(overlord), Reach { told: Timestamp::UNIX_EPOCH, hosts: all(hosts) })
        });
        FleetMap { direct: all(direct), overlords: overlords.collect(), ..FleetMap::default() }
    }

    #[test]
    fn a_host_on_two_ways_is_reached_on_the_shorter_and_one_of_the_inventory_directly() {
        let map = map("a c d b", &["a: b", "b: leaf", "c: mid", "d: mid a", "mid: far leaf"]);
        let ways = map.ways();
        assert_eq!(ways[&name("leaf")], names(["b"]));
        assert_eq!(ways[&name("mid")], names(["c"]), "the first of two equal ones");
        assert_eq!(ways[&name("far")], names(["c", "mid"]));
        assert_eq!(ways[&name("b")], [], "directly, whoever names it");
        let inventory: Inventory = toml::from_str("[hosts]\nc = \"10.0.0.1:1\"\nb = \"10.0.0.2:1\"\n").unwrap();
        let routed = map.routed(&inventory);
        let routed: Vec<_> = routed.iter().map(|host| format!("{} {}", host.name, host.address)).collect();
        assert_eq!(routed, ["far 10.0.0.1:1 via c/mid", "leaf 10.0.0.2:1 via b", "mid 10.0.0.1:1 via c"]);
    }

    #[test]
    fn a_way_past_who_is_silent_is_taken_if_there_is_one() {
        let mut map = map("a b", &["a: leaf only", "b: c", "c: leaf"]);
        map.silent.insert(name("a"), "gone".into());
        assert_eq!(map.ways()[&name("leaf")], names(["b", "c"]));
        assert_eq!(map.ways()[&name("only")], names(["a"]), "it stays");
    }

    #[test]
    fn whoever_stands_on_a_ring_stands_on_one_that_is_told() {
        let map = map("a z", &["a: b", "b: c", "c: a d", "d: d", "e: a", "z: y"]);
        assert_eq!(map.rings(), [names(["a", "b", "c", "a"]), names(["d", "d"])]);
    }

    #[test]
    fn those_behind_one_stand_once_in_the_tree_however_many_name_it() {
        let tree = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        let map = map("a b", &["a: b m", "b: a m", "m: a leaf"]);
        let shown = serde_json::to_value(map.tree()).unwrap();
        assert_eq!(shown, tree(r#"{"a": {"b": {}, "m": {"a": {}, "leaf": {}}}, "b": {"a": {}, "m": {}}}"#));
    }

    #[test]
    fn no_way_is_longer_than_calls_go() {
        let chain: Vec<String> = (0..MOST_HOPS + 3).map(|at| format!("h{at}: h{}", at + 1)).collect();
        let map = map("h0", &chain.iter().map(String::as_str).collect::<Vec<_>>());
        let longest = map.ways().into_values().map(|via| via.len()).max();
        assert_eq!(longest, Some(MOST_HOPS));
    }
}
