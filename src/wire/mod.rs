//! XML-RPC: values, calls, answers, faults and status codes. No I/O.
//!
//! ```text
//! bytes ──Scanner: strict, bounded XML──▶ read: the grammar of XML-RPC──▶ Call, Answer
//! Call, Answer ──printable text, dxr's model──▶ encode ──▶ XML
//! ```
//!
//! Reading is ours because it faces strangers: one root and nothing behind it, no document type and
//! no entities but XML's own five, bounded depth, size and number of values, no key twice in a
//! struct, and errors that name a place but never repeat the input. It is generous where stock
//! clients are: bare text is a string, base64 may be wrapped, `<boolean>true</boolean>`, `<ex:nil/>`
//! and a fault's members in either order are all understood.
//!
//! Writing goes through dxr. XML 1.0 cannot carry most control characters at all, and a stock
//! client stops at the first one, so a string is made printable on its way out: NUL becomes the four
//! characters `\x00`, ESC `\x1b`, and U+FFFE and U+FFFF `\ufffe` and `\uffff`. Tab, line feed and
//! carriage return pass unchanged. This cannot be undone by the reader; whoever needs exact bytes
//! sends [`Value::Bytes`]. A result that no reader would take is replaced by an error that says so.

mod encode;
mod json;
mod message;
mod nesting;
mod query;
mod read;
mod remote;
mod scan;
mod secrecy;
mod secret;
mod size;
mod value;

#[cfg(test)]
mod hostile;

pub use encode::{encode_answer, encode_call};
pub use message::{Answer, Call, Fault, header};
pub use query::{Condition, Facts, InvalidQuery, Query};
pub use read::{parse_answer, parse_call};
pub use remote::{JobStatus, RemoteError};
pub use scan::{MAX_BYTES, MAX_DEPTH, MAX_VALUES, ParseError};
pub use secrecy::{Secrecy, hidden};
pub use secret::{SECRET, Secret, Secrets, WrongSecrets};
pub use size::{Room, Size, TooLarge};
pub use value::Value;
