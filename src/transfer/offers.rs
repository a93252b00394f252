//! Files that callers may fetch: opened and judged when they were offered, and held open since. Each is named by its digest, or,
//! where that is to be told only when all has been sent, by a number of its own.
//!
//! An offer is one caller's. It ends when it was not used for a while, or when the caller has too many; who
//! still wants the file asks for it again, is judged again, and goes on where the bytes stopped.

use std::{
    collections::BTreeMap,
    fs::File,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Name;

/// As many offers stand at a time, of all callers: each is an open file.
const MOST: usize = 128;
/// As many of one caller.
const MOST_OF_ONE: usize = 32;
/// After so long without use an offer ends.
const IDLE: Duration = Duration::from_mins(10);

/// What may be fetched now. The lock is held for a moment at a time.
#[derive(Debug, Default)]
pub struct Offers(Mutex<BTreeMap<Key, Offer>>);

/// What is offered, and to whom.
type Key = (Name, String);

#[derive(Debug)]
struct Offer {
    file: Arc<File>,
    size: u64,
    last: Instant,
}

impl Offers {
    /// Offers a file. The oldest offer goes if there are too many.
    pub fn add(&self, name: Name, caller: &str, file: File, size: u64) {
        let mut offers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        offers.retain(|_, offer| offer.last.elapsed() < IDLE);
        let of_caller = offers.keys().filter(|(_, other)| other == caller).count();
        if of_caller >= MOST_OF_ONE || offers.len() >= MOST {
            let crowded = of_caller >= MOST_OF_ONE;
            let candidates = offers.iter().filter(|((_, other), _)| !crowded || other == caller);
            if let Some(oldest) = candidates.min_by_key(|(_, offer)| offer.last).map(|(key, _)| key.clone()) {
                offers.remove(&oldest);
            }
        }
        offers.insert((name, caller.to_owned()), Offer { file: Arc::new(file), size, last: Instant::now() });
    }

    /// The file of an offer, and how large it was when it was offered.
    pub fn get(&self, name: Name, caller: &str) -> Option<(Arc<File>, u64)> {
        let mut offers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        offers.retain(|_, offer| offer.last.elapsed() < IDLE);
        let offer = offers.get_mut(&(name, caller.to_owned()))?;
        offer.last = Instant::now();
        Some((Arc::clone(&offer.file), offer.size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Digest;

    #[test]
    fn an_offer_is_one_caller_s_and_the_oldest_goes_first() {
        let offers = Offers::default();
        let name = |number: usize| Name::Digest(Digest::of(&number.to_le_bytes()));
        for number in 0..=MOST_OF_ONE {
            offers.add(name(number), "boss", tempfile::tempfile().unwrap(), 1);
        }
        assert!(offers.get(name(0), "boss").is_none() && offers.get(name(MOST_OF_ONE), "boss").is_some());
        assert!(offers.get(name(1), "other").is_none());
        let number = Name::fresh();
        offers.add(number, "boss", tempfile::tempfile().unwrap(), 1);
        assert!(offers.get(number, "boss").is_some() && offers.get(Name::fresh(), "boss").is_none());
    }
}
