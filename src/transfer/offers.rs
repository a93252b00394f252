//! Files that callers may fetch: opened and judged when they were offered, and held open since.
//!
//! An offer is one caller's. It ends when it was not used for a while, or when the caller has too many; who
//! still wants the file asks for it again, is judged again, and goes on where the bytes stopped.

use std::{
    collections::BTreeMap,
    fs::File,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::Blob;

/// As many offers stand at a time, of all callers: each is an open file.
const MOST: usize = 128;
/// As many of one caller.
const MOST_OF_ONE: usize = 32;
/// After so long without use an offer ends.
const IDLE: Duration = Duration::from_mins(10);

/// What may be fetched now. The lock is held for a moment at a time.
#[derive(Debug, Default)]
pub struct Offers(Mutex<BTreeMap<Blob, Offer>>);

#[derive(Debug)]
struct Offer {
    file: Arc<File>,
    size: u64,
    last: Instant,
}

impl Offers {
    /// Offers a file. The oldest offer goes if there are too many.
    pub fn add(&self, blob: Blob, file: File, size: u64) {
        let mut offers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        offers.retain(|_, offer| offer.last.elapsed() < IDLE);
        let of_caller = offers.keys().filter(|other| other.is_of_same_caller(&blob)).count();
        if of_caller >= MOST_OF_ONE || offers.len() >= MOST {
            let crowded = of_caller >= MOST_OF_ONE;
            let candidates = offers.iter().filter(|(other, _)| !crowded || other.is_of_same_caller(&blob));
            if let Some(oldest) = candidates.min_by_key(|(_, offer)| offer.last).map(|(blob, _)| blob.clone()) {
                offers.remove(&oldest);
            }
        }
        offers.insert(blob, Offer { file: Arc::new(file), size, last: Instant::now() });
    }

    /// The file of an offer, and how large it was when it was offered.
    pub fn get(&self, blob: &Blob) -> Option<(Arc<File>, u64)> {
        let mut offers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        offers.retain(|_, offer| offer.last.elapsed() < IDLE);
        let offer = offers.get_mut(blob)?;
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
        let blob = |number: usize, caller: &str| Blob::new(Digest::of(&number.to_le_bytes()), caller);
        for number in 0..=MOST_OF_ONE {
            offers.add(blob(number, "boss"), tempfile::tempfile().unwrap(), 1);
        }
        assert!(offers.get(&blob(0, "boss")).is_none() && offers.get(&blob(MOST_OF_ONE, "boss")).is_some());
        assert!(offers.get(&blob(1, "other")).is_none());
    }
}
