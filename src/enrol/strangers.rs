//! What strangers can do to the door, and what is left of it for a machine with a token meanwhile.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
};

use super::*;
use crate::{
    ca::Authority,
    tls::{ENDLESS_HANDSHAKE, ENROLMENT_NAME, Pin, drip, pinned_client_config},
};

/// Longer than anything here takes.
const DEADLINE: Duration = Duration::from_secs(10);

struct Stand {
    home: TempDir,
    address: std::net::SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Stand {
    async fn within(limits: Limits) -> Self {
        let home = tempfile::tempdir().unwrap();
        Authority::init(&home.path().join("ca"), "Func CA").unwrap();
        let config = DoorConfig { limits, ..DoorConfig::default() };
        let door = Arc::new(Door::new(Authority::open(&home.path().join("ca")).unwrap(), config).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(door.serve(listener, async { drop(stopped.await) }));
        Self { home, address, _stop: stop }
    }

    /// Whether a machine with a token belongs before its deadline is over.
    async fn lets_in(&self, name: &str) -> bool {
        let authority = Authority::open(&self.home.path().join("ca")).unwrap();
        let token = authority.token(&name.parse().unwrap(), self.address.into(), Duration::from_mins(10)).unwrap();
        let folder: PathBuf = self.home.path().join(name);
        let mut machine = Joiner::with_token(&token, name.parse().unwrap(), &folder).unwrap();
        let asked = tokio::time::timeout(DEADLINE, machine.ask()).await.expect("within its deadline");
        matches!(asked.unwrap(), State::Joined(_))
    }
}

#[tokio::test]
async fn whoever_says_nothing_or_little_at_a_time_is_put_out() {
    let limits = Limits { patience: Duration::from_millis(700), ..Limits::default() };
    let stand = Stand::within(limits).await;
    let connect = async || {
        let config = pinned_client_config(&Pin::first_seen()).unwrap();
        let stream = TcpStream::connect(stand.address).await.unwrap();
        let name = ENROLMENT_NAME.try_into().unwrap();
        tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap()
    };
    let began = Instant::now();
    let (mut head, mut body) = (connect().await, connect().await);
    let mut handshake = TcpStream::connect(stand.address).await.unwrap();
    let slow = async {
        tokio::join!(
            drip(&mut head, b"POST /enrol HTTP/1.1\r\nhost: x"),
            drip(&mut body, b"POST /enrol HTTP/1.1\r\nhost: x\r\ncontent-length: 30000\r\n\r\n{ "),
            drip(&mut handshake, ENDLESS_HANDSHAKE),
        )
    };
    tokio::time::timeout(DEADLINE, slow).await.expect("each of them is put out");
    assert!(began.elapsed() >= limits.patience, "after its time");
    assert!(stand.lets_in("web1").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_from_elsewhere_leaves_the_door_to_a_machine_with_a_token() {
    let stand = Stand::within(Limits::default()).await;
    let (over, opened) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    for _ in 0..4 {
        let (address, over, opened) = (stand.address, Arc::clone(&over), Arc::clone(&opened));
        tokio::spawn(async move {
            let mut mute = std::collections::VecDeque::new();
            while !over.load(Ordering::Relaxed) {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
                if let Ok(stream) = socket.connect(address).await {
                    opened.fetch_add(1, Ordering::Relaxed);
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
    assert!(stand.lets_in("web1").await);
    // Whoever finds the queue of the listener full tries again after a second.
    let went_on = async {
        while opened.load(Ordering::Relaxed) <= before {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(DEADLINE, went_on).await.expect("the flood goes on");
    over.store(true, Ordering::Relaxed);
}
