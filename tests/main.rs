//! What Func promises, a file a promise.

mod architecture;
