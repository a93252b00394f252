//! A program's output, up to a limit.

use tokio::io::{AsyncRead, AsyncReadExt};

/// The first bytes of an output, and whether there were more.
#[derive(Debug)]
pub(super) struct Capture {
    bytes: Vec<u8>,
    limit: usize,
    truncated: bool,
}

impl Capture {
    pub(super) fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, truncated: false }
    }

    /// Reads to the end. What is over the limit is read and dropped, so that the program can go on.
    pub(super) async fn drain(&mut self, from: Option<impl AsyncRead + Unpin>) {
        let Some(mut from) = from else { return };
        let mut buffer = vec![0; 16 << 10];
        // An error ends the output as its end does: there is nobody to tell but the program.
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            let kept = count.min(self.limit - self.bytes.len());
            self.bytes.extend_from_slice(&buffer[..kept]);
            self.truncated |= kept < count;
        }
    }

    pub(super) fn truncated(&self) -> bool {
        self.truncated
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
