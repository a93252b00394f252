//! The daemon's side of a fork server.
//!
//! A task owns a fork server: it hands journals over to it, passes on what it answers, starts it
//! again when it has died, replaces it after it has loaded some hundred versions of modules (their
//! code is never wholly given back), and kills it when it does not answer. A journal that is lost on
//! the way is not lost: its lock is free then, its pipe has ended, and the owner looks at it again.

use std::{
    collections::{HashSet, VecDeque},
    ffi::OsString,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    process::Stdio,
    time::Duration,
};

use tokio::{
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use super::{
    error::Error,
    fence::Calling,
    fork_server::{FORK_SERVER_WORD, ORDINARY},
    journal::Journal,
    request::{Reply, Request},
};
use crate::{
    ids::MinionJobId,
    sys::{contain, seqpacket::SeqPacket, title, watched::Watched},
};

/// Versions of modules after which the fork server is replaced.
const LOADS_MAX: usize = 300;
/// A fork server that has not answered for so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);
/// One that ends sooner after its start is not started again at once.
const YOUNG: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(500);

/// How the fork server is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForkServerCommand {
    /// The program. Its main calls [`fork_server_main`](super::fork_server_main) for these arguments.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
}

impl Default for ForkServerCommand {
    /// This very program, even if its file has been replaced since.
    fn default() -> Self {
        Self { program: "/proc/self/exe".into(), args: vec![FORK_SERVER_WORD.into()] }
    }
}

/// A job for a worker.
#[derive(Debug)]
pub(super) struct HandOver {
    pub(super) request: Request,
    pub(super) journal: Journal,
    /// The writing end of the job's completion pipe.
    pub(super) completion: OwnedFd,
    /// What is secret of the call, in memory.
    pub(super) secrets: Option<OwnedFd>,
}

/// What the fork server said about a job.
#[derive(Debug)]
pub(super) struct Spawned {
    pub(super) reply: Reply,
    pub(super) descriptors: Vec<OwnedFd>,
}

/// Starts a task, and its fork server if that is wanted at once. The task ends, and the fork server with it, when nobody
/// can send hand-overs any more.
pub(super) fn start(
    command: &ForkServerCommand,
    calling: Calling,
    at_once: bool,
    answers: mpsc::UnboundedSender<Spawned>,
) -> Result<(mpsc::UnboundedSender<HandOver>, JoinHandle<()>), Error> {
    let server = at_once.then(|| Server::start(command, calling)).transpose();
    let server =
        server.map_err(|source| Error::ForkServer { program: command.program.display().to_string(), source })?;
    let (hand_overs, incoming) = mpsc::unbounded_channel();
    let command = command.clone();
    let spawner = Spawner { command, calling, server, incoming, waiting: None, answers, not_before: None };
    Ok((hand_overs, tokio::spawn(spawner.run())))
}

struct Spawner {
    command: ForkServerCommand,
    calling: Calling,
    server: Option<Server>,
    incoming: mpsc::UnboundedReceiver<HandOver>,
    /// The next to be sent.
    waiting: Option<HandOver>,
    answers: mpsc::UnboundedSender<Spawned>,
    /// A fork server that died young is not started again before this.
    not_before: Option<Instant>,
}

impl Spawner {
    async fn run(mut self) {
        loop {
            if self.server.is_none() {
                // Without jobs there is no need for one.
                if self.waiting.is_none() {
                    let Some(next) = self.incoming.recv().await else { return };
                    self.waiting = Some(next);
                }
                self.restart().await;
            }
            let Some(server) = &mut self.server else { continue };
            let overdue = server.unanswered.since.map(|since| since + PATIENCE);
            tokio::select! {
                next = self.incoming.recv(), if self.waiting.is_none() => match next {
                    Some(next) => self.waiting = Some(next),
                    None => break,
                },
                sent = server.send(self.waiting.as_ref()), if self.waiting.is_some() => match sent {
                    Ok(()) => self.sent(),
                    Err(error) => self.died(&error.to_string()),
                },
                answer = server.receive() => match answer {
                    Ok(Some(answer)) => {
                        server.unanswered.answered(&answer.reply.id);
                        let _ = self.answers.send(answer);
                    }
                    Ok(None) => self.died("it ended"),
                    Err(error) => self.died(&error.to_string()),
                },
                () = sleep_until(overdue.unwrap_or_else(Instant::now)), if overdue.is_some() => {
                    let _ = server.child.start_kill();
                    self.died("it did not answer");
                }
            }
        }
        self.retire();
    }

    /// Notes what is now the fork server's. Our copy of the journal is closed.
    fn sent(&mut self) {
        let (Some(HandOver { request, .. }), Some(server)) = (self.waiting.take(), &mut self.server) else { return };
        server.unanswered.asked(request.id);
        server.loads.insert(request.compiled);
        if server.loads.len() >= LOADS_MAX {
            tracing::debug!("replacing the fork server after {LOADS_MAX} module versions");
            self.retire();
        }
    }

    /// Notes that the fork server is gone. The next job gets a new one.
    fn died(&mut self, why: &str) {
        tracing::warn!(why, "the fork server is gone; the next job starts it again");
        if self.server.as_ref().is_some_and(|server| server.started.elapsed() < YOUNG) {
            self.not_before = Some(Instant::now() + PAUSE);
        }
        self.retire();
    }

    /// Lets the fork server go: it serves what it was sent, sees the socket's end and ends. One that does not is killed,
    /// because it holds jobs that nobody else can begin.
    fn retire(&mut self) {
        if let Some(Server { mut child, socket, .. }) = self.server.take() {
            drop(socket);
            tokio::spawn(async move {
                if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
                    tracing::warn!("a fork server that was replaced does not end; it is killed");
                    let _ = child.kill().await;
                }
            });
        }
    }

    async fn restart(&mut self) {
        if let Some(time) = self.not_before.take() {
            sleep_until(time).await;
        }
        match Server::start(&self.command, self.calling) {
            Ok(server) => self.server = Some(server),
            Err(error) => {
                tracing::error!(%error, program = %self.command.program.display(), "cannot start the fork server");
                self.not_before = Some(Instant::now() + PAUSE);
                // Their locks are freed, so the owner looks at the jobs again: they wait, or end late.
                self.waiting = None;
                while self.incoming.try_recv().is_ok() {}
            }
        }
    }
}

/// A running fork server.
struct Server {
    child: Child,
    socket: Watched<SeqPacket>,
    /// The compiled files that it has been asked to load.
    loads: HashSet<PathBuf>,
    unanswered: Unanswered,
    started: Instant,
}

impl Server {
    fn start(command: &ForkServerCommand, calling: Calling) -> io::Result<Self> {
        let (here, there) = SeqPacket::pair()?;
        let mut program = std::process::Command::new(&command.program);
        program
            .args(&command.args)
            .args((calling == Calling::Ordinary).then_some(ORDINARY))
            // Room for the titles of the fork server and of its workers.
            .arg("-".repeat(title::TITLE_MAX))
            .stdin(Stdio::from(OwnedFd::from(there)))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // What it holds every worker holds, and what a job runs gets the limit of its worker.
        contain::inherit_nothing(&mut program);
        Ok(Self {
            child: Command::from(program).spawn()?,
            socket: Watched::new(here)?,
            loads: HashSet::new(),
            unanswered: Unanswered::default(),
            started: Instant::now(),
        })
    }

    async fn send(&self, next: Option<&HandOver>) -> io::Result<()> {
        let Some(HandOver { request, journal, completion, secrets }) = next else { return Ok(()) };
        let secrets = secrets.as_ref().map(AsFd::as_fd);
        self.socket.write(|socket| request.send(socket, journal.as_fd(), completion.as_fd(), secrets)).await
    }

    async fn receive(&self) -> io::Result<Option<Spawned>> {
        let Some(packet) = self.socket.read(SeqPacket::receive).await? else { return Ok(None) };
        let (reply, descriptors) = Reply::read(packet)?;
        Ok(Some(Spawned { reply, descriptors }))
    }
}

/// What the fork server was asked and has not answered.
///
/// It takes one request after the other, so the answer to one shows that it has done with those before
/// it, also when their workers died too early to answer.
#[derive(Debug, Default)]
struct Unanswered {
    ids: VecDeque<MinionJobId>,
    /// Since when nothing has moved; nothing while there is nothing to answer.
    since: Option<Instant>,
}

impl Unanswered {
    fn asked(&mut self, id: MinionJobId) {
        self.ids.push_back(id);
        self.since.get_or_insert_with(Instant::now);
    }

    fn answered(&mut self, id: &MinionJobId) {
        // Two workers may answer in the other order; the later answer then says nothing new.
        if let Some(place) = self.ids.iter().position(|asked| asked == id) {
            self.ids.drain(..=place);
            self.since = (!self.ids.is_empty()).then(Instant::now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::samples, *};
    use crate::sys::{descriptor, family};

    #[test]
    fn an_answer_stands_for_those_before_it_and_not_for_those_after_it() {
        let ids: Vec<_> = (0..3).map(|_| MinionJobId::fresh()).collect();
        let mut unanswered = Unanswered::default();
        ids.iter().cloned().for_each(|id| unanswered.asked(id));
        unanswered.answered(&ids[1]);
        assert_eq!(unanswered.ids, [ids[2].clone()]);
        assert!(unanswered.since.is_some());
        unanswered.answered(&ids[0]);
        assert!(unanswered.since.is_some());
        unanswered.answered(&ids[2]);
        assert!(unanswered.since.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_fork_server_that_was_replaced_and_hangs_is_killed() {
        let (here, there) = SeqPacket::pair().unwrap();
        let child = Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
        let pid = child.id().unwrap();
        let socket = Watched::new(here).unwrap();
        let (loads, unanswered, started) = (HashSet::new(), Unanswered::default(), Instant::now());
        let server = Some(Server { child, socket, loads, unanswered, started });
        let (answers, incoming) = (mpsc::unbounded_channel().0, mpsc::unbounded_channel().1);
        let command = ForkServerCommand { program: "/bin/false".into(), args: vec![] };
        let calling = Calling::Any;
        let mut spawner = Spawner { command, calling, server, incoming, waiting: None, answers, not_before: None };
        spawner.retire();
        assert!(there.receive().unwrap().is_none(), "it is told");
        tokio::time::sleep(PATIENCE / 2).await;
        assert!(family::started(pid).is_ok(), "it has its time");
        tokio::time::sleep(PATIENCE).await;
        let begun = std::time::Instant::now();
        // Killed in no time, but not in the time of this test.
        while family::started(pid).is_ok() {
            assert!(begun.elapsed() < Duration::from_secs(20));
            std::thread::sleep(Duration::from_millis(5));
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_fork_server_that_answers_one_request_and_hangs_on_the_next_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = SeqPacket::pair().unwrap();
        let child = Command::new("sleep").arg("600").kill_on_drop(true).spawn().unwrap();
        let socket = Watched::new(here).unwrap();
        let (loads, unanswered, started) = (HashSet::new(), Unanswered::default(), Instant::now());
        let server = Server { child, socket, loads, unanswered, started };
        let (hand_overs, incoming) = mpsc::unbounded_channel();
        let (answers, mut answered) = mpsc::unbounded_channel();
        let command = ForkServerCommand { program: "/bin/false".into(), args: vec![] };
        let calling = Calling::Any;
        let spawner =
            Spawner { command, calling, server: Some(server), incoming, waiting: None, answers, not_before: None };
        tokio::spawn(spawner.run());

        let there = Watched::new(there).unwrap();
        let mut held = Vec::new();
        for _ in 0..2 {
            let call = samples::call();
            let request =
                Request { id: call.id.clone(), compiled: "/cache/x.cwasm".into(), state: None, cgroups: None };
            let completion = descriptor::pipe().unwrap().1;
            let journal = samples::born(folder.path(), call);
            hand_overs.send(HandOver { request, journal, completion, secrets: None }).unwrap();
            held.push(there.read(SeqPacket::receive).await.unwrap().unwrap());
        }
        let Request { id, .. } = Request::read(held.remove(0)).unwrap().request;
        let reply = Reply { id, worker: Ok(7) };
        there.write(|there| reply.send(there, &[])).await.unwrap();
        answered.recv().await.unwrap();
        let gone = tokio::time::timeout(2 * PATIENCE, there.read(SeqPacket::receive)).await;
        assert!(gone.expect("it is given up").unwrap().is_none());
    }
}
