//! How much is passed on at a time, for one caller and in all.
//!
//! Who passes a call on holds it until its answer is there, also when its caller has hung up. Without a bound, whoever calls and
//! hangs up, again and again, would have this minion call others for ever. What waits for a job is counted apart: it is much, it
//! is cheap, and no call should be refused for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::wire::RemoteError;

/// Places for calls of one kind.
#[derive(Debug, Clone)]
pub(super) struct Places {
    per_caller: usize,
    in_all: usize,
    taken: Arc<Mutex<HashMap<String, usize>>>,
}

/// One that is taken for as long as this lives.
#[derive(Debug)]
pub(super) struct Place {
    caller: String,
    places: Places,
}

impl Places {
    pub(super) fn new(per_caller: usize, in_all: usize) -> Self {
        Self { per_caller, in_all, taken: Arc::default() }
    }

    /// Takes one for a caller, or says why there is none.
    pub(super) fn take(&self, caller: &str) -> Result<Place, RemoteError> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let theirs = taken.get(caller).copied().unwrap_or(0);
        let busy = |most: usize, whose: &str, key: &str| {
            let why = format!(
                "this minion passes on {most} calls {whose} already ([overlord] {key}); try again, with fewer `--forks`"
            );
            Err(RemoteError::new("Busy", why))
        };
        if theirs >= self.per_caller {
            return busy(theirs, &format!("of `{caller}`"), "per_caller");
        }
        let all = taken.values().sum::<usize>();
        if all >= self.in_all {
            return busy(all, "of all callers", "at_once");
        }
        taken.insert(caller.to_owned(), theirs + 1);
        Ok(Place { caller: caller.to_owned(), places: self.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_takes_no_more_than_its_own_and_all_together_no_more_than_there_are() {
        let places = Places::new(2, 3);
        let refused = |caller: &str| places.take(caller).unwrap_err().to_string();
        let held = [places.take("greedy").unwrap(), places.take("greedy").unwrap()];
        assert!(
            refused("greedy").contains("2 calls of `greedy` already ([overlord] per_caller)"),
            "{}",
            refused("greedy")
        );
        let other = places.take("modest").unwrap();
        assert!(refused("third").contains("3 calls of all callers already ([overlord] at_once)"));
        drop(other);
        places.take("third").unwrap();
        drop(held);
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }
}
