//! One connection to one minion: TCP, mutual TLS, HTTP/1.1.

use std::{error::Error as _, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    body::Body,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::pki_types::ServerName;
use tokio::{net::TcpStream, task::JoinHandle, time::timeout};
use tokio_rustls::TlsConnector;

use super::{
    Reason,
    credentials::Credentials,
    explain::{broken_exchange, no_connection, no_handshake},
    outcome::seconds,
};
use crate::{
    ca::Host,
    ids::Digest,
    tls::{self, Chain, Identity, Peer},
    transfer,
};

/// How long the task of a connection that has ended may take to say why.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A connection that has shaken hands.
#[derive(Debug)]
pub(super) struct Connection<B = Full<Bytes>> {
    pub(super) sender: SendRequest<B>,
    pub(super) shown: Shown,
    /// The certificate that we have shown.
    own: Digest,
    driver: JoinHandle<hyper::Result<()>>,
}

/// Who is at the other end, and by which certificates.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) peer: Peer,
    pub(super) chain: Chain,
}

/// Why there is no connection. Nothing of the request was sent.
#[derive(Debug)]
pub(super) enum ConnectError {
    /// There is no way to it, or somebody else is there.
    Failed(Reason),
    /// It does not accept our certificate.
    Unwelcome(Reason),
}

impl From<tls::Error> for ConnectError {
    fn from(error: tls::Error) -> Self {
        Self::Failed(error.to_string().into())
    }
}

impl<B> Connection<B>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    /// Connects to a host, and makes sure that it is that host.
    pub(super) async fn open(host: &Host, by: &Credentials, patience: Duration) -> Result<Self, ConnectError> {
        let slow = |_| {
            let seconds = seconds(patience);
            ConnectError::Failed(format!("no connection to {} within {seconds}", host.address).into())
        };
        timeout(patience, Self::shake_hands(host, by)).await.map_err(slow)?
    }

    async fn shake_hands(host: &Host, by: &Credentials) -> Result<Self, ConnectError> {
        let tcp = TcpStream::connect((host.address.host(), host.address.port())).await;
        let tcp = tcp.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let tcp = tcp.map_err(|error| ConnectError::Failed(no_connection(host, &error)))?;
        // The name in the certificate is the host's, whatever its address is.
        let name = ServerName::try_from(host.name.to_string())
            .map_err(|error| ConnectError::Failed(Reason::new("no certificate can be for this name", error)))?;
        let stream = TlsConnector::from(Arc::clone(&by.tls)).connect(name, tcp).await.map_err(|error| {
            let (why, unwelcome) = no_handshake(host, &error);
            if unwelcome { ConnectError::Unwelcome(why) } else { ConnectError::Failed(why) }
        })?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = Peer::from_certificate(certificates.first().map(AsRef::as_ref).unwrap_or_default())?;
        let shown = Shown { peer, chain: Chain::of_server(certificates, by.identity.authorities()) };
        let shaken = http1::Builder::new().max_buf_size(transfer::READ).handshake(TokioIo::new(stream)).await;
        let (sender, driver) = shaken.map_err(|error| ConnectError::Failed(broken_exchange(host, &error).0))?;
        // Its errors reach whoever waits for an answer, or `broken` asks for them; an idle connection ends in silence.
        let driver = tokio::spawn(driver);
        Ok(Self { sender, shown, own: by.own(), driver })
    }
}

impl<B> Connection<B> {
    /// Why an exchange broke off, as `broken_exchange` tells it. What ends a connection between its handshake and its first
    /// request is told to its task alone; the request hears only that there is no connection any more.
    pub(super) async fn broken(self, host: &Host, error: &hyper::Error) -> (Reason, bool) {
        if error.source().is_none()
            && let Ok(Ok(Err(cause))) = timeout(LAST_WORDS, self.driver).await
        {
            return broken_exchange(host, &cause);
        }
        broken_exchange(host, error)
    }

    /// When the host's certificate ends.
    pub(super) fn certificate_ends(&self) -> Timestamp {
        self.shown.peer.not_after
    }

    /// Whether it was opened with the certificate that we show now: one of before may end any moment.
    pub(super) fn is_ours(&self, now: &Credentials) -> bool {
        self.own == now.own()
    }

    /// Whether the host's certificate still holds: a connection may outlive it, and a resumed session was not verified.
    pub(super) fn check(&self, identity: &Identity) -> Result<(), tls::Error> {
        identity.check(&self.shown.peer, &self.shown.chain, Timestamp::now())
    }
}
