//! The floor under a fan-out: hyper and rustls with nothing around them. It connects, sends one
//! constant body, reads the answer whole, and parses nothing.

use std::fs::File;
use std::io::BufReader;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// An open connection, ready for a request.
pub type Connection = SendRequest<Full<Bytes>>;

/// A client configuration straight from PEM files, without session resumption.
pub fn connector(certificate: &Path, key: &Path, ca: &Path) -> TlsConnector {
    let read = |path: &Path| BufReader::new(File::open(path).unwrap());
    let chain: Vec<_> = CertificateDer::pem_reader_iter(read(certificate)).map(Result::unwrap).collect();
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_reader_iter(read(ca)) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap())
        .unwrap();
    config.resumption = rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

async fn connect(address: SocketAddr, name: String, tls: TlsConnector) -> Connection {
    let tcp = TcpStream::connect(address).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let stream = tls.connect(ServerName::try_from(name).unwrap(), tcp).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn call(connection: &mut Connection, body: Bytes) -> usize {
    connection.ready().await.unwrap();
    let request = Request::post("/").header("host", "minion").header("content-type", "text/xml");
    let answer = connection.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
    assert!(answer.status().is_success());
    answer.into_body().collect().await.unwrap().to_bytes().len()
}

/// Calls every host once, at most `width` at a time, over the connections given or over new ones,
/// and hands the connections back.
pub async fn fan_out(
    hosts: &[(String, SocketAddr)],
    tls: &TlsConnector,
    open: Option<Vec<Connection>>,
    width: usize,
    body: &Bytes,
) -> Vec<Connection> {
    let mut open: Vec<Option<Connection>> = match open {
        Some(connections) => connections.into_iter().map(Some).collect(),
        None => hosts.iter().map(|_| None).collect(),
    };
    let permits = Arc::new(Semaphore::new(width));
    let mut tasks = JoinSet::new();
    for (index, (name, address)) in hosts.iter().cloned().enumerate() {
        let (permits, tls, body, kept) = (Arc::clone(&permits), tls.clone(), body.clone(), open[index].take());
        tasks.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            let mut connection = match kept {
                Some(connection) => connection,
                None => connect(address, name, tls).await,
            };
            assert!(call(&mut connection, body).await > 0);
            (index, connection)
        });
    }
    let mut done: Vec<Option<Connection>> = hosts.iter().map(|_| None).collect();
    while let Some(result) = tasks.join_next().await {
        let (index, connection) = result.unwrap();
        done[index] = Some(connection);
    }
    done.into_iter().map(Option::unwrap).collect()
}
