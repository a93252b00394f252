//! Values that are read from files and pipes are nested no deeper than the stack bears.
//!
//! Who wrote them may have been a worker that was taken over: a journal is its own. Values from the network are bounded by
//! their reader, much more tightly.

use std::cell::Cell;

use serde::{Deserialize, Deserializer, de::Error as _};

use super::MAX_DEPTH;

/// Deeper than anything that is sent or answered.
const DEEPEST: usize = 4 * MAX_DEPTH;

thread_local! {
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

/// One level, until it is dropped.
struct Level;

impl Level {
    fn enter() -> Option<Self> {
        let depth = DEPTH.get();
        (depth < DEEPEST).then(|| {
            DEPTH.set(depth + 1);
            Self
        })
    }
}

impl Drop for Level {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

/// Reads what holds values, one level further down.
pub(super) fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    let _level = Level::enter().ok_or_else(|| D::Error::custom("values are nested too deeply"))?;
    T::deserialize(from)
}

#[cfg(test)]
mod tests {
    use super::super::Value;

    fn nested(levels: usize) -> Value {
        (0..levels).fold(Value::Nil, |inner, _| Value::Array(vec![inner]))
    }

    #[test]
    fn what_is_nested_without_end_is_refused_and_the_stack_bears_it() {
        let bytes = postcard::to_stdvec(&nested(super::DEEPEST)).unwrap();
        assert_eq!(postcard::from_bytes::<Value>(&bytes).unwrap(), nested(super::DEEPEST));
        for levels in [super::DEEPEST + 1, 1 << 20] {
            // An array of one value, and so on.
            let endless = [&bytes[..2].repeat(levels)[..], &[0]].concat();
            assert!(postcard::from_bytes::<Value>(&endless).is_err(), "{levels}");
        }
        assert!(postcard::from_bytes::<Value>(&bytes).is_ok(), "one that was refused leaves nothing behind");
    }
}
