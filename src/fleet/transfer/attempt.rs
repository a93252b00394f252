//! One attempt after the other, until one of them succeeds or no other would.

use std::time::Duration;

use crate::fleet::{Outcome, Reason};

/// So many attempts in a row may bring nothing.
pub(in crate::fleet) const IN_VAIN: u32 = 5;
/// The pause after the first of them; it doubles.
pub(in crate::fleet) const PAUSE: Duration = Duration::from_millis(100);

/// Why an attempt ended.
pub(super) enum Broken {
    /// Nothing was reached.
    Unreachable(Reason),
    /// It broke under way.
    Cut(Reason),
    /// Another attempt would end the same.
    Final(Outcome),
}

/// Pauses before the next attempt, or says that there is none.
pub(super) async fn give_up(broken: Broken, in_vain: u32, at: u64, size: u64) -> Result<(), Outcome> {
    let last = in_vain >= IN_VAIN;
    match broken {
        Broken::Final(outcome) => return Err(outcome),
        // A host that is not there is not there: nothing was begun that would be worth the wait.
        Broken::Unreachable(why) if last || at == 0 => return Err(Outcome::Unreachable { why }),
        Broken::Cut(why) if last => {
            return Err(Outcome::Lost { why: why.after(&format!("the transfer broke off at {at} of {size} bytes")) });
        }
        Broken::Unreachable(_) | Broken::Cut(_) => {}
    }
    tokio::time::sleep(PAUSE * 2u32.pow(in_vain.saturating_sub(1).min(6))).await;
    Ok(())
}
