//! A minion as the overlord sees it: jobs under ids that the caller chose, each started once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use tokio::sync::Semaphore;

use crate::{
    ca::{Authority, Host},
    fleet::tests::server::{Behaviour, Reaction, Server, serve, serve_at},
    wire::{Answer, Call, Fault, JobStatus, RemoteError, Value, header},
};

/// What a minion does with the next submissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Accept,
    /// Accepts, and breaks the connection before it says so.
    AcceptInSilence,
    /// Breaks the connection before it has understood.
    Drop,
    Refuse,
    /// The method is not known.
    Fail,
}

#[derive(Debug, Default)]
struct Book {
    mode: Option<Mode>,
    jobs: BTreeMap<String, Option<Value>>,
    /// Ids that were cancelled before they were submitted.
    taken: BTreeSet<String>,
    /// How often a job was submitted, known or not.
    submissions: usize,
    overlord_jobs: Vec<String>,
    questions: usize,
}

/// A minion that can be stopped and started, and keeps its jobs meanwhile.
pub(super) struct Minion {
    server: Option<Server>,
    host: Host,
    book: Arc<Mutex<Book>>,
    /// Closed, no submission is answered.
    gate: Arc<Semaphore>,
}

impl Minion {
    pub(super) async fn start(authority: &Authority, name: &str) -> Self {
        let (book, gate) = (Arc::new(Mutex::new(Book::default())), Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)));
        let server = serve(authority, name, behaviour(&book, &gate)).await;
        Self { host: server.host.clone(), server: Some(server), book, gate }
    }

    pub(super) async fn stop(&mut self) {
        self.server.take().unwrap().stop().await;
    }

    pub(super) async fn start_again(&mut self, authority: &Authority) {
        let at = self.host.address.to_string().parse().unwrap();
        let server = serve_at(authority, self.host.name.as_str(), at, behaviour(&self.book, &self.gate)).await;
        self.server = Some(server);
    }

    /// Stops, and goes on at another address with the same jobs.
    pub(super) async fn move_away(&mut self, authority: &Authority) {
        let elsewhere = serve(authority, self.host.name.as_str(), behaviour(&self.book, &self.gate)).await;
        self.stop().await;
        self.host = elsewhere.host.clone();
        self.server = Some(elsewhere);
    }

    pub(super) fn host(&self) -> Host {
        self.host.clone()
    }

    pub(super) fn set(&self, mode: Mode) {
        self.book.lock().unwrap().mode = Some(mode);
    }

    /// From now on submissions arrive and are kept waiting.
    pub(super) fn close_gate(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    pub(super) fn open_gate(&self) {
        self.gate.add_permits(1000);
    }

    /// Ends every job with this result.
    pub(super) fn finish(&self, result: impl Into<Value>) {
        let result = result.into();
        self.book.lock().unwrap().jobs.values_mut().for_each(|job| *job = Some(result.clone()));
    }

    pub(super) fn forget(&self) {
        self.book.lock().unwrap().jobs.clear();
    }

    /// How many jobs ran here: one id runs once.
    pub(super) fn ran(&self) -> usize {
        self.book.lock().unwrap().jobs.len()
    }

    pub(super) fn submissions(&self) -> usize {
        self.book.lock().unwrap().submissions
    }

    pub(super) fn questions(&self) -> usize {
        self.book.lock().unwrap().questions
    }

    pub(super) fn overlord_jobs(&self) -> Vec<String> {
        self.book.lock().unwrap().overlord_jobs.clone()
    }

    pub(super) fn all_finished(&self) -> bool {
        self.book.lock().unwrap().jobs.values().all(Option::is_some)
    }
}

fn behaviour(book: &Arc<Mutex<Book>>, gate: &Arc<Semaphore>) -> Behaviour {
    let (book, gate) = (Arc::clone(book), Arc::clone(gate));
    Arc::new(move |call, headers| {
        let shared = &book;
        let mut book = shared.lock().unwrap();
        if call.method.starts_with("jobs.") {
            book.questions += 1;
            if call.method == "jobs.cancel" {
                cancel(&mut book, &call);
            }
            return Reaction::Answer(Answer::Value(report(&book, &call)));
        }
        assert_eq!((call.method.as_str(), call.params.len()), ("async.test.add", 2));
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        let id = text(header::JOB_ID).expect("no job id was sent");
        book.overlord_jobs.extend(text(header::OVERLORD_JOB));
        book.submissions += 1;
        let mode = book.mode.unwrap_or(Mode::Accept);
        let (gate, shared) = (Arc::clone(&gate), Arc::clone(shared));
        match mode {
            Mode::Accept => Reaction::Later(Box::pin(async move {
                gate.acquire().await.unwrap().forget();
                let mut book = shared.lock().unwrap();
                if book.taken.contains(&id) {
                    return Answer::Value(cancelled());
                }
                book.jobs.entry(id.clone()).or_insert(None);
                Answer::Value(id.into())
            })),
            Mode::AcceptInSilence => {
                book.jobs.entry(id).or_insert(None);
                Reaction::HangUp
            }
            Mode::Drop => Reaction::HangUp,
            Mode::Refuse => Reaction::Answer(Answer::Fault(Fault::refused("not you"))),
            Mode::Fail => Reaction::Answer(Answer::Value(RemoteError::new("NoSuchMethod", "test.add").into())),
        }
    })
}

fn cancelled() -> Value {
    RemoteError::new("Cancelled", "the job was cancelled").into()
}

fn cancel(book: &mut Book, call: &Call) {
    let id = call.params[0].as_str().unwrap();
    match book.jobs.get_mut(id) {
        Some(job) => drop(job.get_or_insert_with(cancelled)),
        None => drop(book.taken.insert(id.to_owned())),
    }
}

fn report(book: &Book, call: &Call) -> Value {
    let id = call.params[0].as_str().unwrap();
    if book.taken.contains(id) {
        return Value::Array(vec![JobStatus::Finished.code().into(), cancelled()]);
    }
    let (status, result) = match book.jobs.get(id) {
        None => (JobStatus::Lost, Value::Int(0)),
        Some(None) => (JobStatus::Running, Value::Int(-1)),
        Some(Some(result)) => (JobStatus::Finished, result.clone()),
    };
    Value::Array(vec![status.code().into(), result])
}
