//! Listening to a job: what its hosts log and how far they say they are, as it comes.
//!
//! Each host is asked by a long poll for what lies behind the last byte that was heard of it, so whoever listens, and
//! however often the line breaks, hears all of it once.

use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::{Error, Overlord, ask::PATIENCE, transactions::Part};
use crate::{
    fleet::{Fleet, Outcome, Request},
    ids::{HostName, OverlordJobId},
    wire::{Call, Value},
};

/// So many minions are asked at a time.
const ASKED: usize = 512;
/// How long a minion waits for something to tell. Progress that comes without a line is heard of at its end.
const LONG_POLL: Duration = Duration::from_secs(2);
/// How long to leave a minion alone that has nothing to say, or cannot be asked; twice as long each time, up to a bound.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Something that was heard of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A line of its job's log, without the line's end.
    Line(String),
    /// How far its method says it has come.
    Progress {
        /// So much is done.
        done: u64,
        /// Of so much; zero if it does not say.
        total: u64,
        /// What it does just now.
        note: String,
    },
}

impl Overlord {
    /// Listens to every host of a job until each has told all, or `over`: then each is asked once more, and that is all.
    pub async fn follow(
        &self,
        id: &OverlordJobId,
        over: CancellationToken,
        mut on_heard: impl FnMut(&HostName, Heard) + Send,
    ) -> Result<(), Error> {
        let work = self.work(id).await?;
        let fleet = self.fleet()?.clone();
        let (to, mut heard) = mpsc::unbounded_channel();
        let places = Semaphore::new(ASKED);
        let mut listening: FuturesUnordered<_> =
            work.parts.into_iter().map(|part| Listener::new(part, &to).listen(&fleet, &places, &over)).collect();
        drop(to);
        loop {
            tokio::select! {
                biased;
                Some((host, what)) = heard.recv() => on_heard(&host, what),
                next = listening.next() => if next.is_none() { break },
            }
        }
        while let Ok((host, what)) = heard.try_recv() {
            on_heard(&host, what);
        }
        Ok(())
    }
}

/// One host that is listened to.
struct Listener {
    part: Part,
    to: mpsc::UnboundedSender<(HostName, Heard)>,
    /// Up to where its log was heard.
    offset: i64,
    /// The beginning of a line whose end was not heard yet.
    begun: Vec<u8>,
    progress: Option<Heard>,
}

/// What came of asking once.
enum Told {
    /// Nothing is known; it may be later.
    Nothing,
    Some,
    /// Nothing will follow.
    All,
}

impl Listener {
    fn new(part: Part, to: &mpsc::UnboundedSender<(HostName, Heard)>) -> Self {
        Self { part, to: to.clone(), offset: 0, begun: Vec::new(), progress: None }
    }

    async fn listen(mut self, fleet: &Fleet, places: &Semaphore, over: &CancellationToken) {
        let mut pause = PAUSE;
        loop {
            let last = over.is_cancelled();
            let told = {
                let Ok(_place) = places.acquire().await else { break };
                let request = self.question(if last { Duration::ZERO } else { LONG_POLL });
                let answer = fleet.spawn(self.part.host.clone(), request).await.1;
                self.take(answer)
            };
            match told {
                Told::All => break,
                Told::Some => pause = PAUSE,
                Told::Nothing if last => break,
                Told::Nothing => {
                    let rest = tokio::time::timeout(pause, over.cancelled());
                    pause = if rest.await.is_ok() { PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
                }
            }
        }
        if !self.begun.is_empty() {
            self.tell_lines(b"\n");
        }
    }

    fn question(&self, patience: Duration) -> Request {
        let seconds = i64::try_from(patience.as_secs()).unwrap_or(i64::MAX);
        let args = vec![self.part.job.as_str().into(), Value::Int(self.offset), Value::Int(seconds)];
        Request::new(&Call::new("jobs.follow", args)).timeout(patience + PATIENCE)
    }

    fn take(&mut self, answer: Outcome) -> Told {
        let Outcome::Ok(Value::Array(parts)) = answer else { return Told::Nothing };
        let [Value::Bytes(bytes), Value::Int(next), Value::Bool(ended), Value::Array(progress)] = &parts[..] else {
            return Told::Nothing;
        };
        // A minion that goes back would be heard twice.
        if *next >= self.offset {
            self.offset = *next;
            self.tell_lines(bytes);
        }
        if let [Value::Int(done), Value::Int(total), Value::String(note)] = &progress[..] {
            let (done, total) = (u64::try_from(*done).unwrap_or(0), u64::try_from(*total).unwrap_or(0));
            let progress = Heard::Progress { done, total, note: note.clone() };
            if (done, total) != (0, 0) && self.progress.as_ref() != Some(&progress) {
                self.progress = Some(progress.clone());
                self.tell(progress);
            }
        }
        if *ended { Told::All } else { Told::Some }
    }

    /// Passes whole lines on and keeps the rest.
    fn tell_lines(&mut self, bytes: &[u8]) {
        self.begun.extend_from_slice(bytes);
        while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.begun.drain(..=end).collect();
            self.tell(Heard::Line(String::from_utf8_lossy(&line[..end]).into_owned()));
        }
    }

    fn tell(&self, what: Heard) {
        // Whoever listened may have gone.
        let _ = self.to.send((self.part.host.name.clone(), what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ca::Host, ids::MinionJobId, overlord::HostState};

    /// What a minion tells of this log from an offset on, so many bytes at a time.
    fn told(log: &str, offset: i64, piece: usize, ended: bool) -> Outcome {
        let rest = &log.as_bytes()[usize::try_from(offset).unwrap()..];
        let bytes = rest[..rest.len().min(piece)].to_vec();
        let next = offset + i64::try_from(bytes.len()).unwrap();
        let progress = Value::Array(vec![1.into(), 2.into(), "half".into()]);
        let ended = ended && bytes.len() == rest.len();
        Outcome::Ok(Value::Array(vec![Value::Bytes(bytes), next.into(), ended.into(), progress]))
    }

    #[test]
    fn whatever_breaks_in_between_every_line_is_heard_once() {
        let host = Host { name: "m1".parse().unwrap(), address: "127.0.0.1:1".parse().unwrap() };
        let part = Part { host, job: MinionJobId::fresh(), state: HostState::Planned };
        let (to, mut heard) = mpsc::unbounded_channel();
        let mut listener = Listener::new(part, &to);
        let log = "one ä\ntwo\n\nthree";
        for piece in 1.. {
            let broken = Outcome::Lost { why: "x".into() };
            assert!(matches!(listener.take(broken), Told::Nothing));
            if matches!(listener.take(told(log, listener.offset, piece, true)), Told::All) {
                break;
            }
        }
        let mut lines = Vec::new();
        let mut progress = 0;
        while let Ok((_, what)) = heard.try_recv() {
            match what {
                Heard::Line(line) => lines.push(line),
                Heard::Progress { .. } => progress += 1,
            }
        }
        assert_eq!((lines.as_slice(), progress), (["one ä", "two", ""].map(str::to_owned).as_slice(), 1));
        assert_eq!(listener.begun, b"three", "told at the end");
    }
}
