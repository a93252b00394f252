//! What the server promises, tried over real sockets on a simulated fleet.

mod bounds;
mod calls;
mod stopping;

use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::sim::{self, SimFleet};
use crate::{
    ca::{Authority, IssueRequest},
    config::{ByteSize, Period},
    ids::MinionJobId,
    tls::{Identity, Role, client_config},
    wire::{Answer, Call, RemoteError, Value, encode_call, header, parse_answer},
};

struct Stand {
    authority: Authority,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

type Sender = http1::SendRequest<Full<Bytes>>;

impl Stand {
    async fn start() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut SimFleet)) -> Self {
        let authority = Authority::in_memory("Func CA").unwrap();
        let mut fleet = SimFleet::new(&authority, &["web1".parse().unwrap(), "web2".parse().unwrap()]).unwrap();
        change(&mut fleet);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let server = tokio::spawn(async move { sim::serve(listener, fleet, shutdown).await.unwrap() });
        Self { authority, address, stop, server }
    }

    fn identity(&self, role: Role) -> Identity {
        self.authority.issue(&IssueRequest::new("boss".parse().unwrap(), role)).unwrap().identity().unwrap()
    }

    async fn tls(&self, identity: &Identity, name: &str) -> std::io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(client_config(identity, 0).unwrap());
        let stream = TcpStream::connect(self.address).await?;
        connector.connect(ServerName::try_from(name.to_owned()).unwrap(), stream).await
    }

    async fn connect(&self, role: Role, name: &str) -> Sender {
        let stream = self.tls(&self.identity(role), name).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    async fn boss(&self) -> Sender {
        self.connect(Role::Overlord, "web1").await
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.server.await.unwrap();
    }
}

fn request(body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post("/").header("host", "web1").body(Full::new(body.into())).unwrap()
}

async fn send(sender: &mut Sender, request: Request<Full<Bytes>>) -> (Response<()>, Answer) {
    sender.ready().await.unwrap();
    let (head, body) = sender.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(head, ()), parse_answer(&body).unwrap())
}

async fn call(sender: &mut Sender, method: &str, params: Vec<Value>) -> Value {
    match send(sender, request(encode_call(&Call::new(method, params)))).await.1 {
        Answer::Value(value) => value,
        Answer::Fault(fault) => panic!("{fault}"),
    }
}

async fn error(sender: &mut Sender, method: &str, params: Vec<Value>) -> (String, String) {
    let error = RemoteError::from_value(&call(sender, method, params).await).unwrap();
    (error.kind, error.message)
}
