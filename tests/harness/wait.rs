//! Waiting for conditions, never for time.

use std::time::{Duration, Instant};

/// Asks again and again until `condition` holds and returns what it found. Panics, naming `what`,
/// when that takes longer than a test should.
pub fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let patience = Duration::from_mins(1);
    let start = Instant::now();
    loop {
        if let Some(found) = condition() {
            return found;
        }
        assert!(start.elapsed() < patience, "waited {patience:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
