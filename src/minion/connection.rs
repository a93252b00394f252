//! One connection, from its first byte to its end.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpStream, sync::Semaphore};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

use super::{
    Calls, Connections,
    activity::{Activity, Overdue, Watched},
    backend::Backend,
    caller::Caller,
    dispatch::Dispatcher,
    http::{Bounds, Service},
    intake::Intake,
};
use crate::{
    access::SubjectHash,
    tls::{Authorities, Chain, Gate, Peer},
    transfer,
};

/// Chooses the minion that a connection is for, by the name that the client asked for.
pub(super) type Choose<B> = Arc<dyn Fn(Option<&str>) -> Option<Arc<Dispatcher<B>>> + Send + Sync>;

/// What shakes hands, as it is at the moment, and whom it lets in.
pub(super) type Accept = Arc<dyn Fn() -> (TlsAcceptor, Authorities) + Send + Sync>;

/// How long a connection that was told to close may take to do so.
const FAREWELL: Duration = Duration::from_secs(5);

#[derive(Debug, Clone, Copy)]
struct Times {
    head: Duration,
    idle: Duration,
}

/// How many callers may be connected: no more than a third of the files that the process may open, because
/// as many again may be in the lobby, where any stranger comes in, and jobs and modules need files, too.
pub(super) fn connections_at_once(wanted: usize, files: u64) -> usize {
    let most = usize::try_from(files / 3).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
    if wanted > most {
        tracing::warn!(wanted, most, files, "fewer callers than configured: the limit of open files is too low");
    }
    wanted.clamp(1, most)
}

/// Everything that a connection needs; one for all of them.
pub(super) struct Door<B> {
    acceptor: Accept,
    choose: Choose<B>,
    times: Times,
    bounds: Bounds,
    intake: Intake,
    gate: Gate,
    pub(super) stopping: CancellationToken,
}

impl<B: Backend> Door<B> {
    /// For so many callers at once, whatever the bounds say.
    pub(super) fn new(
        acceptor: Accept,
        choose: Choose<B>,
        connections: &Connections,
        calls: &Calls,
        at_once: usize,
        stopping: CancellationToken,
    ) -> Self {
        let times = Times { head: connections.header_timeout.duration(), idle: connections.idle_timeout.duration() };
        let bounds = Bounds { largest: calls.largest_request.bytes(), body_time: connections.body_timeout.duration() };
        let gate = Gate::new(at_once, connections.per_caller, connections.handshake_timeout.duration());
        Self { acceptor, choose, times, bounds, intake: Intake::new(bounds.largest), gate, stopping }
    }

    /// Serves a connection until it ends. Nothing that a client does is an error of ours.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, from: SocketAddr) {
        let (acceptor, authorities) = (self.acceptor)();
        let received = self.gate.receive(acceptor, stream, from, &self.stopping).await;
        let Some((stream, _place)) = received else { return };
        let Some((caller, dispatcher)) = self.introduce(&stream, from, &authorities) else { return };
        let Some(_member) = self.gate.join(&caller.peer.name, from) else { return };
        let activity = Activity::new();
        let stream = Watched::new(stream, activity.clone());
        let (identity, caller) = (dispatcher.identity.clone(), Arc::new(caller));
        let service = Service {
            dispatcher,
            caller: Arc::clone(&caller),
            activity: activity.clone(),
            bounds: self.bounds,
            intake: self.intake.clone(),
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(None)
            .max_buf_size(transfer::READ)
            .serve_connection(TokioIo::new(stream), service_fn(|request| service.respond(request)));
        let mut connection = pin!(connection);
        let reason = tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(%from, %error, "a connection broke off");
                }
                return;
            }
            overdue = activity.overdue(self.times.idle, self.times.head) => Some(overdue),
            why = identity.gives_up(&caller.peer, &caller.chain) => {
                return tracing::warn!(%from, %why, "a connection was cut");
            }
            () = self.stopping.cancelled() => None,
        };
        if reason == Some(Overdue::Head) {
            return tracing::info!(%from, "a connection was dropped: the head of a request did not arrive in time");
        }
        // Ends with close_notify, so that a stock client does not take the end for a failure and send again.
        connection.as_mut().graceful_shutdown();
        match reason {
            Some(_) => {
                let _ = tokio::time::timeout(FAREWELL, connection).await;
            }
            // How long a call may go on while the minion stops is the server's decision.
            None => {
                let _ = connection.await;
            }
        }
    }

    fn introduce(
        &self,
        stream: &TlsStream<TcpStream>,
        from: SocketAddr,
        authorities: &Authorities,
    ) -> Option<(Caller, Arc<Dispatcher<B>>)> {
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates()?;
        let certificate = shown.first()?;
        let peer = match Peer::from_certificate(certificate) {
            Ok(peer) => peer,
            Err(error) => {
                tracing::warn!(%from, %error, "a connection was refused");
                return None;
            }
        };
        let subject = SubjectHash::of_certificate(certificate);
        let chain = Chain::of_client(shown, authorities);
        Some((Caller { peer, chain, from, subject }, (self.choose)(session.server_name())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_everything_else() {
        assert_eq!(connections_at_once(1024, 1 << 20), 1024);
        assert_eq!(connections_at_once(1024, 900), 300);
        assert_eq!((connections_at_once(0, 900), connections_at_once(10, 0)), (1, 1));
    }
}
