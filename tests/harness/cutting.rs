//! A way to a minion that breaks.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

/// A TCP proxy in front of one minion that cuts connections after a number of bytes. Its threads end with
/// the connections, and with the test.
pub struct Cutting {
    address: SocketAddr,
    passed: Arc<AtomicU64>,
    connections: Arc<AtomicUsize>,
}

impl Cutting {
    /// The first connection is cut after the first number of bytes, of both directions together, and so on;
    /// those after the last pass.
    pub fn to(minion: SocketAddr, cuts: &[u64]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (passed, connections) = (Arc::<AtomicU64>::default(), Arc::<AtomicUsize>::default());
        let (all, count, cuts) = (Arc::clone(&passed), Arc::clone(&connections), cuts.to_vec());
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let left = cuts.get(count.fetch_add(1, Ordering::SeqCst)).copied().unwrap_or(u64::MAX);
                let Ok(server) = TcpStream::connect(minion) else { continue };
                let left = Arc::new(AtomicU64::new(left));
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (left, all) = (Arc::clone(&left), Arc::clone(&all));
                    thread::spawn(move || pass(from, to, &left, &all));
                }
            }
        });
        Self { address, passed, connections }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that went through, of both directions.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, all: &AtomicU64) {
    let mut bytes = vec![0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        let before = left.fetch_sub((count as u64).min(left.load(Ordering::SeqCst)), Ordering::SeqCst);
        let count = usize::try_from(before).unwrap_or(count).min(count);
        all.fetch_add(count as u64, Ordering::SeqCst);
        if to.write_all(&bytes[..count]).is_err() || before <= count as u64 {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
