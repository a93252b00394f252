//! When the certificates of hosts end, as they showed them last.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError},
};

use jiff::Timestamp;

use crate::ids::HostName;

/// Of so many hosts it is known; of more, half is forgotten, those first that were connected to longest ago.
const MOST: usize = 1 << 16;

/// What was seen since the start; of hosts that nobody called nothing is known.
#[derive(Debug, Default)]
pub(super) struct Ends(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    by_host: HashMap<HostName, (Timestamp, u64)>,
    /// How many were noted so far.
    count: u64,
}

impl Ends {
    /// A host has shown a certificate.
    pub(super) fn note(&self, host: &HostName, end: Timestamp) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).note(host, end, MOST);
    }

    /// All of them.
    pub(super) fn all(&self) -> BTreeMap<HostName, Timestamp> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.by_host.iter().map(|(host, (end, _))| (host.clone(), *end)).collect()
    }
}

impl Seen {
    fn note(&mut self, host: &HostName, end: Timestamp, most: usize) {
        self.count += 1;
        self.by_host.insert(host.clone(), (end, self.count));
        if self.by_host.len() > most {
            let mut ages: Vec<u64> = self.by_host.values().map(|(_, count)| *count).collect();
            let (_, median, _) = ages.select_nth_unstable(most / 2);
            let median = *median;
            self.by_host.retain(|_, (_, count)| *count > median);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_not_called_again_are_forgotten_before_those_that_are() {
        let (mut seen, end) = (Seen::default(), Timestamp::now());
        let host = |number: usize| -> HostName { format!("web{number}").parse().unwrap() };
        for number in 1..=100 {
            seen.note(&host(number), end, 8);
            seen.note(&host(0), end, 8);
            assert!(seen.by_host.len() <= 8 && seen.by_host.contains_key(&host(number)), "{number}");
        }
        assert!(seen.by_host.contains_key(&host(0)) && !seen.by_host.contains_key(&host(50)));
    }
}
