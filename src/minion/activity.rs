//! What a connection is doing, so that a silent or a slow one can be ended.
//!
//! ```text
//! Idle ──first byte──▶ Head ──request whole──▶ Busy ──answered──▶ Idle
//! ```
//!
//! hyper has one timer for both waiting for a request and reading its head; here a keep-alive
//! connection may be idle for minutes, while a head must arrive within seconds.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Idle,
    Head,
    Busy,
}

/// The phase of one connection, shared by its stream, its service and its guard.
#[derive(Debug, Clone)]
pub(super) struct Activity(Arc<Mutex<(Phase, Instant)>>);

/// Why a connection should end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No request for a long time: close it politely.
    Idle,
    /// The head of a request does not arrive: drop it.
    Head,
}

impl Activity {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new((Phase::Idle, Instant::now()))))
    }

    fn enter(&self, from: Option<Phase>, to: Phase) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if from.is_none_or(|from| from == state.0) {
            *state = (to, Instant::now());
        }
    }

    /// A request has arrived; until the guard is dropped the connection is busy.
    pub(super) fn busy(&self) -> Busy {
        self.enter(None, Phase::Busy);
        Busy(self.clone())
    }

    /// Sleeps until the connection is overdue.
    pub(super) async fn overdue(&self, idle: Duration, head: Duration) -> Overdue {
        loop {
            let (phase, since) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let (ends, overdue) = match phase {
                Phase::Idle => (since + idle, Overdue::Idle),
                Phase::Head => (since + head, Overdue::Head),
                // Whatever follows, it is not overdue before the shorter of the two has passed.
                Phase::Busy => (Instant::now() + idle.min(head), Overdue::Idle),
            };
            if phase != Phase::Busy && ends <= Instant::now() {
                return overdue;
            }
            // An idle connection may begin to send a head, whose time is shorter.
            tokio::time::sleep_until(ends.min(Instant::now() + head)).await;
        }
    }
}

/// While it lives, the connection is busy.
pub(super) struct Busy(Activity);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.enter(Some(Phase::Busy), Phase::Idle);
    }
}

/// A stream that tells its [`Activity`] when a head begins to arrive.
pub(super) struct Watched<S> {
    stream: S,
    activity: Activity,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, activity: Activity) -> Self {
        Self { stream, activity }
    }

    /// An answer that is still being sent keeps its connection: the time of idleness begins anew.
    fn wrote(&self, written: &Poll<std::io::Result<usize>>) {
        if matches!(written, Poll::Ready(Ok(1..))) {
            self.activity.enter(Some(Phase::Idle), Phase::Idle);
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.activity.enter(Some(Phase::Idle), Phase::Head);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.wrote(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_mins(5);
    const HEAD: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_silent_connection_is_overdue_after_the_long_time() {
        let (activity, began) = (Activity::new(), Instant::now());
        assert_eq!(activity.overdue(IDLE, HEAD).await, Overdue::Idle);
        assert!(began.elapsed() >= IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_overdue_after_the_short_time() {
        let (activity, began) = (Activity::new(), Instant::now());
        let mut stream = Watched::new(std::io::Cursor::new(b"POST".to_vec()), activity.clone());
        tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap();
        assert_eq!(activity.overdue(IDLE, HEAD).await, Overdue::Head);
        assert!(began.elapsed() < HEAD * 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_answer_is_still_being_sent_is_not_idle() {
        let (activity, began) = (Activity::new(), Instant::now());
        let mut stream = Watched::new(std::io::Cursor::new(Vec::new()), activity.clone());
        let send = async {
            for _ in 0..5 {
                tokio::time::sleep(IDLE / 2).await;
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"a part").await.unwrap();
            }
        };
        let ((), overdue) = tokio::join!(send, activity.overdue(IDLE, HEAD));
        assert_eq!(overdue, Overdue::Idle);
        assert!(began.elapsed() >= IDLE * 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_connection_is_never_overdue() {
        let activity = Activity::new();
        let busy = activity.busy();
        tokio::time::timeout(IDLE * 10, activity.overdue(IDLE, HEAD)).await.unwrap_err();
        drop(busy);
        assert_eq!(activity.overdue(IDLE, HEAD).await, Overdue::Idle);
    }
}
