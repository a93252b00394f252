//! A way to a minion on which requests arrive and answers do not, until it is opened.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// A TCP proxy in front of one minion. Its threads end with the connections, and with the test.
pub struct Way {
    address: SocketAddr,
    open: Arc<AtomicBool>,
}

/// The first byte of a TLS record in which a handshake is readable: of a client, its hello alone.
const HANDSHAKE: u8 = 22;

impl Way {
    /// A way that keeps answers back.
    pub fn to(minion: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, open) = (listener.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        let opened = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(minion) else { continue };
                carry(&client, &server, &opened);
            }
        });
        Self { address, open }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on answers to new connections arrive.
    pub fn open(&self) {
        self.open.store(true, Ordering::SeqCst);
    }
}

/// What the client sends after its hello ends the handshake and begins the request: whatever the server says then is kept
/// back, before a byte of it is passed on.
fn carry(client: &TcpStream, server: &TcpStream, open: &AtomicBool) {
    let keep = Arc::new(AtomicBool::new(false));
    let may_keep = !open.load(Ordering::SeqCst);
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let request = Arc::clone(&keep);
    thread::spawn(move || {
        pass(&mut from, &mut to, |bytes| {
            if may_keep && bytes[0] != HANDSHAKE {
                request.store(true, Ordering::SeqCst);
            }
            true
        });
    });
    let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    thread::spawn(move || pass(&mut from, &mut to, |_| !keep.load(Ordering::SeqCst)));
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, mut goes_on: impl FnMut(&[u8]) -> bool) {
    let mut bytes = vec![0; 65536];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        if goes_on(&bytes[..count]) && to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
