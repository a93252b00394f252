//! Connections that have not shown a certificate yet, or wait for a place.
//!
//! Anybody can open connections and say nothing. So these do not take the places of those who may
//! call: they wait in a lobby of its own, and when it is full the one that has waited longest is put
//! out. A handshake that is meant takes milliseconds, so whoever floods the lobby puts out himself.

use std::{
    collections::VecDeque,
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
    guests: VecDeque<(u64, CancellationToken)>,
}

impl Lobby {
    pub(super) fn new(seats: usize) -> Arc<Self> {
        Arc::new(Self { seats: seats.max(1), waiting: Mutex::default() })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Comes in, and puts out whoever has waited longest if there is no seat.
    pub(super) fn enter(self: &Arc<Self>) -> Guest {
        let mut waiting = self.waiting();
        if waiting.guests.len() >= self.seats
            && let Some((_, longest)) = waiting.guests.pop_front()
        {
            longest.cancel();
        }
        let (number, put_out) = (waiting.next, CancellationToken::new());
        waiting.next += 1;
        waiting.guests.push_back((number, put_out.clone()));
        Guest { lobby: Arc::clone(self), number, put_out }
    }
}

/// A connection in the lobby; dropping it is leaving.
#[derive(Debug)]
pub(super) struct Guest {
    lobby: Arc<Lobby>,
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
        // Numbers rise, so the queue is sorted.
        if let Ok(at) = waiting.guests.binary_search_by_key(&self.number, |(number, _)| *number) {
            waiting.guests.remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_waited_longest_is_put_out_and_who_leaves_makes_room() {
        let lobby = Lobby::new(2);
        let (first, second) = (lobby.enter(), lobby.enter());
        drop(first);
        let third = lobby.enter();
        assert!(!second.put_out.is_cancelled());
        let fourth = lobby.enter();
        assert!(second.put_out.is_cancelled());
        assert!(!third.put_out.is_cancelled() && !fourth.put_out.is_cancelled());
        drop((second, third, fourth));
        assert!(lobby.waiting().guests.is_empty());
    }
}
