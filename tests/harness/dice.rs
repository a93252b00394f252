//! Where in time something falls.

use std::time::Duration;

/// Random enough for where a kill falls (xorshift).
pub struct Dice(u64);

impl Dice {
    /// Others in each process.
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()))
    }

    /// Some time below this.
    pub fn below(&mut self, time: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        time.mul_f64(f64::from(u32::try_from(self.0 >> 40).unwrap()) / f64::from(1_u32 << 24))
    }
}
