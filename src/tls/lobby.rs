//! Connections that have not shown a certificate yet, or wait for a place.
//!
//! Anybody can open connections and say nothing. So these do not take the places of those who may call: they wait in
//! a lobby of its own. When it is full, whoever has waited longest goes, of those from the address that has the most
//! seats: a flood from one machine puts out itself, however fast it is, and nobody from elsewhere. (A whole network
//! of an IPv6 /64 counts as one address.) A handshake that is meant takes milliseconds.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio_util::sync::CancellationToken;

/// Who waits, the longest first.
#[derive(Debug)]
pub(super) struct Lobby {
    seats: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    seated: usize,
    /// By where they come from; nobody is kept who has no seat.
    guests: HashMap<IpAddr, VecDeque<(u64, CancellationToken)>>,
}

impl Waiting {
    /// Puts out whoever has waited longest where most come from.
    fn make_room(&mut self) {
        let crowded = self.guests.iter().max_by_key(|(_, guests)| guests.len()).map(|(from, _)| *from);
        let Some(from) = crowded else { return };
        let Some(guests) = self.guests.get_mut(&from) else { return };
        if let Some((_, longest)) = guests.pop_front() {
            self.seated -= 1;
            longest.cancel();
        }
        if guests.is_empty() {
            self.guests.remove(&from);
        }
    }
}

/// The machine, or the network of one, that an address stands for.
fn origin(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

impl Lobby {
    pub(super) fn new(seats: usize) -> Arc<Self> {
        Arc::new(Self { seats: seats.max(1), waiting: Mutex::default() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes in, and puts somebody out if there is no seat.
    pub(super) fn enter(self: &Arc<Self>, from: IpAddr) -> Guest {
        let (from, put_out) = (origin(from), CancellationToken::new());
        let mut waiting = self.waiting();
        if waiting.seated >= self.seats {
            waiting.make_room();
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.seated += 1;
        waiting.guests.entry(from).or_default().push_back((number, put_out.clone()));
        Guest { lobby: Arc::clone(self), from, number, put_out }
    }
}

/// A connection in the lobby; dropping it is leaving.
#[derive(Debug)]
pub(super) struct Guest {
    lobby: Arc<Lobby>,
    from: IpAddr,
    number: u64,
    put_out: CancellationToken,
}

impl Guest {
    /// Ends when this guest has to go.
    pub(super) async fn put_out(&self) {
        self.put_out.cancelled().await;
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut waiting = self.lobby.waiting();
        let Some(guests) = waiting.guests.get_mut(&self.from) else { return };
        // Numbers rise, so the queue is sorted.
        let Ok(at) = guests.binary_search_by_key(&self.number, |(number, _)| *number) else { return };
        guests.remove(at);
        if guests.is_empty() {
            waiting.guests.remove(&self.from);
        }
        waiting.seated -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn who_has_waited_longest_is_put_out_and_who_leaves_makes_room() {
        let lobby = Lobby::new(2);
        let (first, second) = (lobby.enter(HERE), lobby.enter(HERE));
        drop(first);
        let third = lobby.enter(HERE);
        assert!(!second.put_out.is_cancelled());
        let fourth = lobby.enter(HERE);
        assert!(second.put_out.is_cancelled());
        assert!(!third.put_out.is_cancelled() && !fourth.put_out.is_cancelled());
        drop((second, third, fourth));
        assert!(lobby.waiting().guests.is_empty() && lobby.waiting().seated == 0);
    }

    #[test]
    fn a_flood_puts_out_itself_and_nobody_from_elsewhere() {
        let lobby = Lobby::new(4);
        let overlord = lobby.enter("10.0.0.1".parse().unwrap());
        let flood: Vec<_> = (0..1000).map(|_| lobby.enter("10.0.0.2".parse().unwrap())).collect();
        let network: Vec<_> = (0..1000).map(|n| lobby.enter(format!("2001:db8::{n:x}").parse().unwrap())).collect();
        assert!(!overlord.put_out.is_cancelled());
        assert!(flood.iter().chain(&network).filter(|guest| !guest.put_out.is_cancelled()).count() <= 3);
        drop((overlord, flood, network));
        assert!(lobby.waiting().guests.is_empty() && lobby.waiting().seated == 0);
    }
}
