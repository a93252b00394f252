//! A minion that gives every call the same answer: what no real one says on demand, such as a wrong time.

use std::net::SocketAddr;
use std::path::Path;
use std::thread;

use func::tls::{Identity, server_config};
use func::wire::{Answer, Value, encode_answer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// It ends with the test.
pub struct Pretender {
    /// Where it listens.
    pub address: SocketAddr,
}

impl Pretender {
    /// With the identity in a folder.
    pub fn start(identity: &Path, answer: Value) -> Self {
        let identity = Identity::in_folder(identity).unwrap();
        let acceptor = TlsAcceptor::from(server_config(&identity).unwrap());
        let body = encode_answer(&Answer::Value(answer));
        let (tell, told) = std::sync::mpsc::channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                    // A request of these tests comes in one piece, or its first piece is enough to answer.
                    let _ = stream.read(&mut [0; 16 << 10]).await;
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            });
        });
        Self { address: told.recv().unwrap() }
    }
}
