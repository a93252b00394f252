//! What the listener on TCP promises, tried over real sockets: nothing is waited for or held without a bound, and a crowd of
//! strangers leaves an overlord its service.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::oneshot,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{Remote, Socket, run};
use crate::{
    ca::{Authority, IssueRequest},
    config::{Home, Period},
    overlord::{DaemonSettings, Overlord, OverlordConfig},
    tls::{ENDLESS_HANDSHAKE, Identity, Role, client_config, drip},
};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(10);
const SERVER: &str = "boss.example";

struct Stand {
    authority: Authority,
    address: SocketAddr,
    /// Dropped, it stops the daemon, which is on a thread of its own.
    _stop: oneshot::Sender<()>,
}

impl Stand {
    async fn within(bounds: DaemonSettings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::init(&Home::at(folder.path()).authority(), "Func CA").unwrap();
        let issue = |name: &str, role| authority.issue(&IssueRequest::new(name.parse().unwrap(), role)).unwrap();
        issue("boss", Role::Overlord).save(&Home::at(folder.path()).identity()).unwrap();
        issue(SERVER, Role::Minion).save(&folder.path().join("daemon-identity")).unwrap();
        let ((stop, stopped), (tell, told)) = (oneshot::channel(), oneshot::channel());
        let serve = async move || {
            let overlord = Overlord::open(OverlordConfig::at(&Home::at(folder.path()))).unwrap();
            let (listen, own) = ("127.0.0.1:0".parse().unwrap(), folder.path().join("daemon-identity"));
            let remote = Remote::bind(&listen, &bounds, &own, &overlord).await.unwrap();
            tell.send(remote.address().unwrap()).unwrap();
            let socket = Socket::bind(&folder.path().join("overlord.sock")).unwrap();
            run(socket, Some(remote), overlord, async { drop(stopped.await) }).await.unwrap();
        };
        std::thread::spawn(move || tokio::runtime::Runtime::new().unwrap().block_on(serve()));
        Self { authority, address: told.await.unwrap(), _stop: stop }
    }

    fn identity(&self, name: &str) -> Identity {
        let request = IssueRequest::new(name.parse().unwrap(), Role::Overlord);
        self.authority.issue(&request).unwrap().identity().unwrap()
    }

    /// A connection from this address of this machine.
    async fn connect(&self, from: &str, identity: &Identity) -> std::io::Result<TlsStream<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(format!("{from}:0").parse().unwrap())?;
        let stream = socket.connect(self.address).await?;
        let connector = TlsConnector::from(client_config(identity, 0).unwrap());
        connector.connect(ServerName::try_from(SERVER).unwrap(), stream).await
    }
}

/// Whether a request is answered.
async fn is_answered(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> bool {
    let asked = stream.write_all(b"GET /v1/jobs HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 12];
    asked.is_ok() && stream.read_exact(&mut answer).await.is_ok() && &answer == b"HTTP/1.1 200"
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_says_nothing_or_little_at_a_time_is_cut() {
    let short: Period = "700ms".parse().unwrap();
    let bounds = DaemonSettings { handshake_timeout: short, request_timeout: short, ..DaemonSettings::default() };
    let stand = Stand::within(bounds).await;
    let boss = stand.identity("boss2");
    let begun = Instant::now();
    let mut mute = TcpStream::connect(stand.address).await.unwrap();
    let mut handshake = TcpStream::connect(stand.address).await.unwrap();
    let mut head = stand.connect("127.0.0.1", &boss).await.unwrap();
    let mut body = stand.connect("127.0.0.1", &boss).await.unwrap();
    let mut idle = stand.connect("127.0.0.1", &boss).await.unwrap();
    let slow = async {
        tokio::join!(
            async { drop(mute.read_u8().await) },
            drip(&mut handshake, ENDLESS_HANDSHAKE),
            drip(&mut head, b"GET /v1/jobs HTTP/1.1\r\nhost: x"),
            drip(&mut body, b"POST /v1/calls HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n{ "),
            async { drop(idle.read_u8().await) },
        )
    };
    tokio::time::timeout(DEADLINE, slow).await.expect("each of them is cut");
    assert!(begun.elapsed() >= short.duration(), "after its time");
    assert!(is_answered(&mut stand.connect("127.0.0.1", &boss).await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_takes_so_many_connections_and_leaves_the_others_theirs() {
    let stand = Stand::within(DaemonSettings { connections: 8, per_caller: 2, ..DaemonSettings::default() }).await;
    let (greedy, other) = (stand.identity("greedy"), stand.identity("other"));
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = stand.connect("127.0.0.1", &greedy).await.unwrap();
        assert!(is_answered(&mut stream).await);
        held.push(stream);
    }
    let mut third = stand.connect("127.0.0.1", &greedy).await.unwrap();
    assert!(!is_answered(&mut third).await);
    assert!(is_answered(&mut stand.connect("127.0.0.1", &other).await.unwrap()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_strangers_leaves_an_overlord_its_service() {
    let stand = Stand::within(DaemonSettings { connections: 32, ..DaemonSettings::default() }).await;
    let (over, opened) = (tokio_util::sync::CancellationToken::new(), Arc::new(AtomicU64::new(0)));
    for _ in 0..4 {
        let (address, over, opened) = (stand.address, over.clone(), Arc::clone(&opened));
        tokio::spawn(async move {
            let mut mute = VecDeque::new();
            while !over.is_cancelled() {
                if let Ok(mut stream) = TcpStream::connect(address).await {
                    if opened.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                        let _ = stream.write_all(b"GET / HTTP/1.1\r\n").await;
                    }
                    mute.push_back(stream);
                }
                if mute.len() > 50 {
                    mute.pop_front();
                }
            }
        });
    }
    let flooded = async {
        while opened.load(Ordering::Relaxed) < 300 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, flooded).await.expect("a flood");
    let before = opened.load(Ordering::Relaxed);
    let boss = stand.identity("boss2");
    for _ in 0..10 {
        let answered = async { is_answered(&mut stand.connect("127.0.0.2", &boss).await.unwrap()).await };
        assert!(tokio::time::timeout(DEADLINE, answered).await.expect("within its deadline"));
    }
    // Whoever finds the queue of the listener full tries again after a second.
    let went_on = async {
        while opened.load(Ordering::Relaxed) <= before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, went_on).await.expect("the flood goes on");
    over.cancel();
}
