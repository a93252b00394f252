//! A bare HTTPS client, which can also be wrong: for everything that an overlord would never send.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use func::ca::{Authority, IssueRequest};
use func::config::Home;
use func::tls::{Identity, Role, client_config};
use func::wire::{Answer, Call, Value, encode_call, parse_answer};
use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};

use crate::harness::Fleet;

/// Who calls, and whom.
pub struct Client {
    /// What it shows, and whom it believes.
    pub tls: Arc<ClientConfig>,
    /// The minion's name.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, in lower case.
    pub head: String,
    /// What the body says.
    pub answer: Answer,
}

/// The authority of a fleet.
pub fn authority(fleet: &Fleet) -> Authority {
    Authority::open(&Home::at(fleet.home()).authority()).unwrap()
}

/// An identity of this role, issued by the authority of the fleet.
pub fn identity(fleet: &Fleet, role: Role) -> Identity {
    authority(fleet).issue(&IssueRequest::new("caller".parse().unwrap(), role)).unwrap().identity().unwrap()
}

impl Client {
    /// A client with this identity, of a fleet's first minion.
    pub fn of(fleet: &Fleet, identity: &Identity) -> Self {
        Self::with(fleet, client_config(identity, 0).unwrap())
    }

    /// The same with any configuration.
    pub fn with(fleet: &Fleet, tls: Arc<ClientConfig>) -> Self {
        let minion = &fleet.minions[0];
        Self { tls, name: minion.name.clone(), address: minion.address }
    }

    /// Sends a request with this body, and reads the answer to the end of the connection.
    pub fn post(&self, body: &[u8]) -> io::Result<Reply> {
        let length = body.len();
        let head =
            format!("POST / HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n", self.name);
        let bytes = self.send(&[head.as_bytes(), body])?;
        let text = String::from_utf8(bytes).map_err(io::Error::other)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
        let answer = parse_answer(body.as_bytes()).map_err(io::Error::other)?;
        Ok(Reply { status, head: head.to_lowercase(), answer })
    }

    /// Sends bytes and reads everything that comes back.
    pub fn send(&self, parts: &[&[u8]]) -> io::Result<Vec<u8>> {
        let name = ServerName::try_from(self.name.clone()).map_err(io::Error::other)?;
        let session = ClientConnection::new(Arc::clone(&self.tls), name).map_err(io::Error::other)?;
        let socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(Duration::from_mins(1)))?;
        let mut stream = StreamOwned::new(session, socket);
        for part in parts {
            stream.write_all(part)?;
        }
        stream.flush()?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Calls a method.
    #[track_caller]
    pub fn call(&self, method: &str, params: Vec<Value>) -> Value {
        match self.post(encode_call(&Call::new(method, params)).as_bytes()).unwrap().answer {
            Answer::Value(value) => value,
            Answer::Fault(fault) => panic!("{fault}"),
        }
    }
}
