//! How much of all requests together is held in memory.
//!
//! A request is held until its call has ended, also when its caller has hung up meanwhile: otherwise
//! whoever sends and hangs up, again and again, would fill the memory with calls that wait their turn.
//! Large requests find room before their bodies are read. Small ones, which connections bound while
//! they are read, find it afterwards and in a room of their own, so that no large one holds them up.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Up to so many bytes a request is small.
const SMALL: u64 = 64 << 10;
/// Bytes of all small requests together.
const SMALL_ROOM: u64 = 64 << 20;
/// So many of the largest requests fit at once.
const LARGEST_AT_ONCE: u64 = 16;

/// The room for requests. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Intake {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
    largest: u64,
}

/// Room that a request takes for as long as this lives.
#[derive(Debug)]
pub(super) struct Held(Option<OwnedSemaphorePermit>);

impl Intake {
    /// Room for requests of at most so many bytes each.
    pub(super) fn new(largest: u64) -> Self {
        let room = |bytes: u64| Arc::new(Semaphore::new(kibibytes(bytes) as usize));
        // A permit is a kibibyte, and a request takes 32 bits of them at most.
        let largest = largest.min(u64::from(u32::MAX) << 10);
        Self { small: room(SMALL_ROOM), large: room(largest.saturating_mul(LARGEST_AT_ONCE)), largest }
    }

    /// Waits for room for a request of this length, before any of it is read. Nothing for a small one.
    pub(super) async fn before(&self, length: Option<u64>) -> Held {
        // Whoever does not say may send the largest.
        let length = length.map_or(self.largest, |length| length.min(self.largest));
        if length <= SMALL { Held(None) } else { take(&self.large, length).await }
    }

    /// The same for a request that has been read.
    pub(super) async fn after(&self, held: Held, length: usize) -> Held {
        match held {
            Held(None) => take(&self.small, (length as u64).min(SMALL)).await,
            held => held,
        }
    }
}

async fn take(room: &Arc<Semaphore>, bytes: u64) -> Held {
    // Never closed.
    Held(Arc::clone(room).acquire_many_owned(kibibytes(bytes)).await.ok())
}

/// Begun ones count, too. No room is larger than 4 TiB.
fn kibibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn soon<T>(future: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout(Duration::from_millis(20), future).await.ok()
    }

    #[tokio::test]
    async fn large_requests_wait_for_room_and_small_ones_for_nobody_but_small_ones() {
        let intake = Intake::new(1 << 20);
        let mut held = Vec::new();
        while let Some(one) = soon(intake.before(Some(1 << 20))).await {
            held.push(one);
        }
        assert_eq!(held.len() as u64, LARGEST_AT_ONCE);
        assert!(soon(intake.before(None)).await.is_none(), "of unknown length");
        let small = soon(intake.before(Some(100))).await.unwrap();
        let mut small = vec![soon(intake.after(small, 100)).await.unwrap()];
        held.pop();
        soon(intake.before(Some(u64::MAX))).await.unwrap();
        while let Some(one) = soon(intake.after(Held(None), 64 << 10)).await {
            small.push(one);
        }
        assert!((1000..1030).contains(&small.len()), "{}", small.len());
    }
}
