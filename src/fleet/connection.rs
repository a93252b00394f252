//! One connection to one minion: TCP, mutual TLS, HTTP/1.1.

use std::{error::Error as _, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rustls::{AlertDescription, ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{
    ca::Host,
    tls::{self, Peer, RevocationList},
};

/// A connection that has shaken hands.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) sender: SendRequest<Full<Bytes>>,
    peer: Peer,
}

/// Why there is no connection. Nothing of the request was sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("cannot connect to {address}: {source}")]
    Tcp { address: String, source: io::Error },
    #[error("no connection to {address} within {} s", after.as_secs_f32())]
    Slow { address: String, after: Duration },
    #[error("it does not prove to be `{host}`: {why}")]
    Tls { host: String, why: String },
    #[error(transparent)]
    Certificate(#[from] tls::Error),
    #[error("it does not speak HTTP: {0}")]
    Http(hyper::Error),
}

impl Connection {
    /// Connects to a host, and makes sure that it is that host.
    pub(super) async fn open(host: &Host, tls: &Arc<ClientConfig>, patience: Duration) -> Result<Self, ConnectError> {
        let slow = |_| ConnectError::Slow { address: host.address.to_string(), after: patience };
        tokio::time::timeout(patience, Self::shake_hands(host, tls)).await.map_err(slow)?
    }

    async fn shake_hands(host: &Host, tls: &Arc<ClientConfig>) -> Result<Self, ConnectError> {
        let tcp = TcpStream::connect((host.address.host(), host.address.port())).await;
        let tcp = tcp.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let tcp = tcp.map_err(|source| ConnectError::Tcp { address: host.address.to_string(), source })?;
        let unproven = |why: String| ConnectError::Tls { host: host.name.to_string(), why };
        // The name in the certificate is the host's, whatever its address is.
        let name = ServerName::try_from(host.name.to_string()).map_err(|error| unproven(error.to_string()))?;
        let stream = TlsConnector::from(Arc::clone(tls))
            .connect(name, tcp)
            .await
            .map_err(|error| unproven(error.to_string()))?;
        let certificates = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let peer = Peer::from_certificate(certificates.first().map(AsRef::as_ref).unwrap_or_default())?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(ConnectError::Http)?;
        // Its errors reach whoever waits for an answer; an idle connection ends in silence.
        tokio::spawn(driver);
        Ok(Self { sender, peer })
    }

    /// Whether the host's certificate still holds: a connection may outlive it, and a resumed session was not verified.
    pub(super) fn check(&self, revoked: &Arc<RevocationList>) -> Result<(), tls::Error> {
        self.peer.check(Timestamp::now(), revoked)
    }
}

/// What a failed exchange says, with its causes, and whether it is the minion's verdict on our certificate: in TLS 1.3
/// that comes after our handshake is done, when the first request is on its way already, but then nothing of it was read.
/// Only a new connection can fail so; whatever else is an alert may come after a request was read.
pub(super) fn explain(error: &hyper::Error) -> (String, bool) {
    let mut text = error.to_string();
    let mut refused = false;
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let tls = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>());
        refused |= matches!(tls, Some(rustls::Error::AlertReceived(alert)) if is_verdict(*alert));
        cause = error.source();
    }
    (text, refused)
}

/// What TLS says of a client's certificate, and of nothing else once our side of the handshake is done.
fn is_verdict(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::HandshakeFailure
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::CertificateRequired
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::DecryptError
    )
}
