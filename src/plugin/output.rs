//! What a module says: log lines, and what it prints to WASI's standard streams.
//!
//! Both go to the call's events under one budget, so that a module that prints 100 MB costs its
//! caller a line that says how much was dropped.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use super::{
    context::{Events, Level},
    last_words::LastWords,
};

/// A printed line longer than this is cut into several.
const LINE: usize = 8 << 10;

/// How much a call may still log.
#[derive(Debug)]
pub(super) struct LogBudget {
    limit: u64,
    used: AtomicU64,
}

impl LogBudget {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit as u64, used: AtomicU64::new(0) }
    }

    /// Passes the line on if there is room, else counts it. The first line that is dropped leaves a
    /// warning in its place.
    pub(super) fn log(&self, events: &dyn Events, level: Level, message: &str, fields: &[(String, String)]) {
        let size = message.len() + fields.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() + 16;
        let before = self.used.fetch_add(size as u64, Ordering::Relaxed);
        if before + size as u64 <= self.limit {
            events.log(level, message, fields);
        } else if before <= self.limit {
            let limit = self.limit;
            events.log(Level::Warn, &format!("more than {limit} bytes of log; the rest is dropped"), &[]);
        }
    }

    /// Bytes that were dropped.
    pub(super) fn dropped(&self) -> u64 {
        self.used.load(Ordering::Relaxed).saturating_sub(self.limit)
    }
}

/// One of WASI's standard streams: each printed line becomes a log line.
#[derive(Clone)]
pub(super) struct Printed {
    level: Level,
    events: Arc<dyn Events>,
    logs: Arc<LogBudget>,
    /// Who remembers what was printed last.
    last_words: Option<Arc<LastWords>>,
    /// A line without its end: logged when its end comes, or when nobody can add to it any more.
    partial: Arc<Mutex<Vec<u8>>>,
}

impl Printed {
    pub(super) fn new(level: Level, events: Arc<dyn Events>, logs: Arc<LogBudget>) -> Self {
        Self { level, events, logs, last_words: None, partial: Arc::default() }
    }

    /// The same, for a stream whose last lines may tell why a call broke off.
    pub(super) fn remembered_by(mut self, last_words: &Arc<LastWords>) -> Self {
        self.last_words = Some(Arc::clone(last_words));
        self
    }

    fn print(&self, bytes: &[u8]) {
        let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ends) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            for chunk in text.chunks(LINE) {
                partial.extend_from_slice(chunk);
                if partial.len() >= LINE {
                    self.emit(&mut partial);
                }
            }
            if ends {
                self.emit(&mut partial);
            }
        }
    }

    fn emit(&self, line: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end_matches('\r');
        if let Some(last_words) = &self.last_words {
            last_words.add(text);
        }
        self.logs.log(&*self.events, self.level, text, &[]);
        line.clear();
    }
}

impl Drop for Printed {
    fn drop(&mut self) {
        if Arc::strong_count(&self.partial) == 1 {
            let mut partial = self.partial.lock().unwrap_or_else(PoisonError::into_inner);
            if !partial.is_empty() {
                self.emit(&mut partial);
            }
        }
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Printed {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.print(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.print(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}
