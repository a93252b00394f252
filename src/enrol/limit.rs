//! How often a stranger may knock, and how often all of them together.
//!
//! Each has a bucket of knocks that fills again with time. The peers that are remembered are bounded too: when there is no
//! room, those whose bucket is full again are forgotten, and if all of them are busy, newcomers share what is left for all.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    time::{Duration, Instant},
};

/// Bounds on those who come without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections of one peer at a time.
    pub of_one: usize,
    /// Connections in all at a time.
    pub in_all: usize,
    /// Requests of one peer in a minute.
    pub per_minute_of_one: u32,
    /// Requests in all in a minute.
    pub per_minute_in_all: u32,
    /// From its first byte to its last a connection may take so long.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            of_one: 8,
            in_all: 128,
            per_minute_of_one: 60,
            per_minute_in_all: 3000,
            patience: Duration::from_secs(15),
        }
    }
}

/// So many peers are remembered.
const MOST_PEERS: usize = 4096;

/// Who has knocked lately.
#[derive(Debug)]
pub(super) struct Knocks {
    limits: Limits,
    all: Bucket,
    peers: HashMap<IpAddr, Peer>,
}

#[derive(Debug)]
struct Peer {
    bucket: Bucket,
    connections: usize,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    left: f64,
    seen: Instant,
}

impl Bucket {
    pub(super) fn full(size: u32, now: Instant) -> Self {
        Self { left: size.into(), seen: now }
    }

    fn fill(&mut self, size: u32, now: Instant) {
        let gained = now.saturating_duration_since(self.seen).as_secs_f64() / 60.0 * f64::from(size);
        self.left = (self.left + gained).min(size.into());
        self.seen = now;
    }

    pub(super) fn has_some(&mut self, size: u32, now: Instant) -> bool {
        self.fill(size, now);
        self.left >= 1.0
    }

    pub(super) fn take(&mut self, size: u32, now: Instant) -> bool {
        let there = self.has_some(size, now);
        if there {
            self.left -= 1.0;
        }
        there
    }
}

/// One machine has one IPv4 address, and all of an IPv6 network.
fn peer_of(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

impl Knocks {
    pub(super) fn new(limits: Limits, now: Instant) -> Self {
        Self { limits, all: Bucket::full(limits.per_minute_in_all, now), peers: HashMap::new() }
    }

    /// Whether one more connection is let in. Each that is has to [`leave`](Self::leave).
    pub(super) fn enter(&mut self, from: IpAddr, now: Instant) -> bool {
        let (from, limits) = (peer_of(from), self.limits);
        if !self.peers.contains_key(&from) && self.peers.len() >= MOST_PEERS {
            self.forget(now);
            if self.peers.len() >= MOST_PEERS {
                return false;
            }
        }
        let fresh = || Peer { bucket: Bucket::full(limits.per_minute_of_one, now), connections: 0 };
        let peer = self.peers.entry(from).or_insert_with(fresh);
        if peer.connections >= limits.of_one
            || !peer.bucket.take(limits.per_minute_of_one, now)
            || !self.all.take(limits.per_minute_in_all, now)
        {
            return false;
        }
        peer.connections += 1;
        true
    }

    pub(super) fn leave(&mut self, from: IpAddr) {
        if let Some(peer) = self.peers.get_mut(&peer_of(from)) {
            peer.connections = peer.connections.saturating_sub(1);
        }
    }

    fn forget(&mut self, now: Instant) {
        let size = self.limits.per_minute_of_one;
        self.peers.retain(|_, peer| {
            peer.bucket.fill(size, now);
            peer.connections > 0 || peer.bucket.left < f64::from(size)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    #[test]
    fn one_who_knocks_too_often_is_kept_out_and_others_are_not() {
        let now = Instant::now();
        let mut knocks = Knocks::new(Limits { per_minute_of_one: 3, ..Limits::default() }, now);
        let mut knock = |from, at| {
            let entered = knocks.enter(from, at);
            if entered {
                knocks.leave(from);
            }
            entered
        };
        assert_eq!([0; 4].map(|_| knock(ONE, now)), [true, true, true, false]);
        assert!(knock(OTHER, now));
        assert!(knock(ONE, now + Duration::from_secs(21)), "it fills again");
        assert!(!knock(ONE, now + Duration::from_secs(21)));
    }

    #[test]
    fn connections_at_a_time_are_counted_by_network() {
        let now = Instant::now();
        let mut knocks = Knocks::new(Limits { of_one: 1, ..Limits::default() }, now);
        let [a, b]: [IpAddr; 2] = ["2001:db8::1".parse().unwrap(), "2001:db8::2".parse().unwrap()];
        assert!(knocks.enter(a, now) && !knocks.enter(b, now));
        knocks.leave(a);
        assert!(knocks.enter(b, now));
    }

    #[test]
    fn the_peers_that_are_remembered_are_bounded() {
        let now = Instant::now();
        let mut knocks = Knocks::new(Limits { per_minute_in_all: 1_000_000, ..Limits::default() }, now);
        for n in 0..10_000_u32 {
            let from = IpAddr::V4(n.into());
            if knocks.enter(from, now) {
                knocks.leave(from);
            }
        }
        assert_eq!(knocks.peers.len(), MOST_PEERS);
        assert!(knocks.enter(OTHER, now + Duration::from_mins(1)));
    }
}
