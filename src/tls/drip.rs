//! A client of the worst kind, for tests of listeners.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// Sends these bytes one by one, and then more of the last, until the other side has had enough.
pub(crate) async fn drip(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) {
    let last = bytes.last().expect("something to send");
    for byte in bytes.iter().chain(std::iter::repeat(last)) {
        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if tokio::time::timeout(Duration::from_millis(20), stream.read_u8()).await.is_ok() {
            return;
        }
    }
}

/// The beginning of a TLS record that never ends.
pub(crate) const ENDLESS_HANDSHAKE: &[u8] = &[0x16, 0x03, 0x01, 0x40, 0x00];
