//! What travels: a call one way, an answer the other.

use serde::{Deserialize, Serialize};

use super::Value;

/// A method call, its name as it was sent: `disk.usage`, `async.test.sleep`, `system.listMethods`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The method, not yet checked.
    pub method: String,
    /// The arguments, in order.
    pub params: Vec<Value>,
}

impl Call {
    /// A call of `method` with `params`.
    pub fn new(method: impl Into<String>, params: Vec<Value>) -> Self {
        Self { method: method.into(), params }
    }
}

/// What a call is answered with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// The method's result, which may be a [`RemoteError`](super::RemoteError).
    Value(Value),
    /// The call was not understood, or not allowed.
    Fault(Fault),
}

/// An XML-RPC fault: the request was refused or made no sense.
///
/// What goes wrong *inside* a method is not a fault but a [`RemoteError`](super::RemoteError).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message} (fault {code})")]
pub struct Fault {
    /// The number, see the constants.
    pub code: i32,
    /// The reason, for people.
    pub message: String,
}

impl Fault {
    /// The one code of the original Func: access denied, malformed request.
    pub const REFUSED: i32 = 1;

    /// A refusal.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: Self::REFUSED, message: message.into() }
    }
}

/// The HTTP headers that carry what XML-RPC has no place for. A stock client sends none of them.
pub mod header {
    /// The minion job id that the caller chose for an `async.` call.
    pub const JOB_ID: &str = "func-job-id";
    /// How many milliseconds the call may take.
    pub const TIMEOUT_MS: &str = "func-timeout-ms";
    /// The overlord's job that this call belongs to.
    pub const OVERLORD_JOB: &str = "func-overlord-job";
    /// For whom a sub-overlord says that it calls: who asked it, behind whoever asked that one, each with a comma between.
    pub const ON_BEHALF_OF: &str = "func-on-behalf-of";
    /// How long those names may be together; what is longer is cut.
    pub const NAMES: usize = 4096;
    /// In a request `1`: what the call has used is wanted. In the answer: that, as JSON.
    pub const BUDGET: &str = "func-budget";
    /// In a request `trailing`: a digest may be told when the bytes have been sent. Behind the bytes: that.
    pub const DIGEST: &str = "func-digest";
    /// In an answer: the numbers of the revocation lists that the minion has.
    pub const REVOCATIONS: &str = "func-revocations";
    /// In an answer: the number of the statement by which the minion believes its authorities, 0 if there was none.
    pub const TRUST: &str = "func-trust";
}
