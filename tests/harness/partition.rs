//! A line to a minion that can be cut without a word to either end.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A TCP proxy in front of one minion. While it is cut, connections are taken and stay open, and nothing passes. Its threads
/// end with the connections, and with the test.
pub struct Partition {
    address: SocketAddr,
    cut: Arc<AtomicBool>,
}

impl Partition {
    /// A line that carries everything.
    pub fn to(minion: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, cut) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let is_cut = Arc::clone(&cut);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(minion) else { continue };
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let is_cut = Arc::clone(&is_cut);
                    thread::spawn(move || pass(from, to, &is_cut));
                }
            }
        });
        Self { address, cut }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on what is sent on it is gone.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    /// From now on it carries everything again; what was lost stays lost.
    pub fn heal(&self) {
        self.cut.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool) {
    let (mut bytes, mut lost) = (vec![0; 16 << 10], false);
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        lost |= cut.load(Ordering::SeqCst);
        // A connection that has lost something is of no more use; TCP would have sent it again for minutes.
        if !lost && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    if !lost {
        let _ = to.shutdown(Shutdown::Both);
    }
}
