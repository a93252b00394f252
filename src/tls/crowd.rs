//! How many connections each caller has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// The callers that are connected, by the names in their certificates.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    callers: Mutex<HashMap<String, usize>>,
}

impl Crowd {
    /// Each may have so many.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, callers: Mutex::default() })
    }

    /// One more of this caller's, unless it has as many as it may.
    pub(super) fn join(self: &Arc<Self>, caller: &str) -> Option<Member> {
        let mut callers = self.callers.lock().unwrap_or_else(PoisonError::into_inner);
        let count = callers.entry(caller.to_owned()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        Some(Member { crowd: Arc::clone(self), caller: caller.to_owned() })
    }
}

/// One connection; dropping it is leaving.
#[derive(Debug)]
pub struct Member {
    crowd: Arc<Crowd>,
    caller: String,
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut callers = self.crowd.callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = callers.get_mut(&self.caller) {
            *count -= 1;
            if *count == 0 {
                callers.remove(&self.caller);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_caller_has_so_many_and_who_leaves_makes_room() {
        let crowd = Crowd::new(2);
        let boss = [crowd.join("boss").unwrap(), crowd.join("boss").unwrap()];
        assert!(crowd.join("boss").is_none() && crowd.join("ops").is_some());
        drop(boss);
        assert!(crowd.join("boss").is_some() && crowd.callers.lock().unwrap().is_empty());
    }
}
