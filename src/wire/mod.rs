//! XML-RPC: values, calls, answers, faults and status codes. No I/O.

mod value;

pub use value::Value;
