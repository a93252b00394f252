//! What every host function is made of: its name, its arguments, its answer, and whether it only looks.
//!
//! A module never reaches an implementation directly. Each function of an interface makes a [`HostCall`]
//! of its arguments and gives it to [`State::mediate`], which counts it and performs it, or does what the
//! call is made for instead. An interface is added by one file that has its calls and an `impl Host for
//! State` whose functions only pass them on.

use serde::{Serialize, de::DeserializeOwned};

use super::{Access, Error, ErrorKind, error};
use crate::plugin::{plan::Rehearsal, state::State};

/// Whether a host function only looks at the machine, or changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::plugin) enum Effect {
    /// Nothing on the machine is different afterwards.
    Looks,
    /// Something may be.
    Changes,
}

/// One call of a host function that touches the machine: the type is the function, its fields are the
/// arguments. As data, it is a table of these.
pub(in crate::plugin) trait HostCall: Serialize + DeserializeOwned + Sized + Send + 'static {
    /// The interface and the function, as in WIT: `files.read`.
    const NAME: &'static str;
    /// What it does to the machine.
    const EFFECT: Effect;
    /// What it answers when it succeeds.
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// Does it. It checks the grant itself, because only it knows what is really reached.
    fn perform(self, access: Access) -> impl Future<Output = Result<Self::Answer, Error>> + Send;

    /// What is done in its place in a check. A function that changes something says here how that is
    /// planned; one that does not is refused, so that a check never changes anything.
    fn rehearse(self, access: Access, _: &mut Rehearsal) -> impl Future<Output = Result<Self::Answer, Error>> + Send {
        async move {
            match Self::EFFECT {
                Effect::Looks => self.perform(access).await,
                Effect::Changes => {
                    let message = format!("`{}` cannot be checked, only done", Self::NAME);
                    Err(error(ErrorKind::Unsupported, message, None))
                }
            }
        }
    }
}

/// A question to the host that it answers at once and always: the time, a setting.
pub(in crate::plugin) trait Question: Serialize + DeserializeOwned {
    /// The interface and the function, as in WIT: `clock.now`.
    const NAME: &'static str;
    /// What it answers.
    type Answer: Serialize + DeserializeOwned;

    /// Answers it.
    fn answer(&self, state: &State) -> Self::Answer;
}

/// What a host function that waits answers when the call is cancelled.
pub(super) fn cancelled() -> Error {
    error(ErrorKind::Cancelled, "the call was cancelled", None)
}
