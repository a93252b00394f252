//! A connection to D-Bus, for one call.
//!
//! A crate would do it, too, but those that there are bring a runtime or features by which everything
//! else is built again; asking a few methods and waiting for one signal takes less than fitting them in.
//!
//! Blocking, on a thread that may block: the time is watched at each read, and so is cancellation.

mod message;
mod reader;
mod signature;
mod written;

use std::{
    collections::VecDeque,
    io::{self, Read as _, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixStream},
    },
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

pub(super) use message::{Kind, Message, Value};
pub(super) use written::Written;

/// Where the bus of the machine is, unless the environment says otherwise.
const USUAL: &str = "unix:path=/run/dbus/system_bus_socket";
/// How often a wait looks whether it is to go on.
const LOOK: Duration = Duration::from_millis(100);
/// Signals that are kept while something else is waited for.
const KEPT: usize = 1_000;

/// The bus itself, as a peer.
pub(super) const BUS: Peer<'_> = Peer { name: "org.freedesktop.DBus", path: "/org/freedesktop/DBus" };

/// Why the bus could not be asked, or what it said.
#[derive(Debug, thiserror::Error)]
pub(super) enum BusError {
    #[error("there is no bus: {0}")]
    NoBus(String),
    #[error("{message}")]
    Refused { name: String, message: String },
    #[error("the bus does not answer in time")]
    TimedOut,
    #[error("the call was cancelled")]
    Cancelled,
    #[error("the bus is gone: {0}")]
    Gone(#[from] io::Error),
    #[error("the bus says what makes no sense")]
    Malformed,
}

/// Whom a method is asked of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer<'a> {
    pub(super) name: &'a str,
    pub(super) path: &'a str,
}

/// How long something may take.
#[derive(Debug, Clone)]
pub(super) struct Patience {
    pub(super) ends: Instant,
    pub(super) cancelled: Arc<AtomicBool>,
}

/// A place where a bus listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    Path(PathBuf),
    Abstract(String),
}

impl Place {
    /// The bus of the machine, or the one that the daemon's own environment names.
    pub(super) fn of_the_machine() -> Option<Self> {
        let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS");
        Self::parse(address.as_deref().unwrap_or(USUAL))
    }

    /// The first socket in an address.
    pub(super) fn parse(address: &str) -> Option<Self> {
        address.split(';').find_map(|address| {
            let parts = address.strip_prefix("unix:")?;
            parts.split(',').find_map(|part| {
                let (key, value) = part.split_once('=')?;
                match key {
                    "path" => Some(Self::Path(value.into())),
                    "abstract" => Some(Self::Abstract(value.to_owned())),
                    _ => None,
                }
            })
        })
    }

    fn connect(&self) -> io::Result<UnixStream> {
        match self {
            Self::Path(path) => UnixStream::connect(path),
            Self::Abstract(name) => UnixStream::connect_addr(&SocketAddr::from_abstract_name(name)?),
        }
    }
}

/// The connection.
pub(super) struct Bus {
    stream: UnixStream,
    serial: u32,
    patience: Patience,
    signals: VecDeque<Message>,
}

impl Bus {
    /// Connects and is let in, as the user that this process is.
    pub(super) fn connect(place: &Place, patience: Patience) -> Result<Self, BusError> {
        let stream = place.connect().map_err(|error| BusError::NoBus(error.to_string()))?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(LOOK * 20))?;
        let mut bus = Self { stream, serial: 0, patience, signals: VecDeque::new() };
        let user = nix::unistd::Uid::effective().to_string();
        // The number's digits, each in hexadecimal: those of ASCII are 30 to 39.
        let user: String = user.chars().flat_map(|digit| ['3', digit]).collect();
        bus.stream.write_all(format!("\0AUTH EXTERNAL {user}\r\n").as_bytes())?;
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") && line.len() < 1024 {
            let mut byte = [0];
            bus.fill(&mut byte)?;
            line.push(byte[0]);
        }
        if !line.starts_with(b"OK ") {
            return Err(BusError::NoBus("it does not let this user in".to_owned()));
        }
        bus.stream.write_all(b"BEGIN\r\n")?;
        bus.call(BUS, BUS.name, "Hello", &Written::default())?;
        Ok(bus)
    }

    /// Calls a method and waits for its answer.
    pub(super) fn call(
        &mut self,
        peer: Peer<'_>,
        interface: &str,
        member: &str,
        body: &Written,
    ) -> Result<Vec<Value>, BusError> {
        let call = Message {
            path: Some(peer.path.to_owned()),
            interface: Some(interface.to_owned()),
            member: Some(member.to_owned()),
            destination: Some(peer.name.to_owned()),
            ..Message::new(Kind::Call)
        };
        let serial = self.send(call, body)?;
        loop {
            let message = self.receive()?;
            match message.kind {
                Kind::Return if message.reply_to == Some(serial) => return Ok(message.body),
                Kind::Error if message.reply_to == Some(serial) => {
                    let name = message.error.unwrap_or_default();
                    let said = message.body.first().and_then(Value::text).unwrap_or(&name).to_owned();
                    return Err(BusError::Refused { name, message: said });
                }
                Kind::Signal if self.signals.len() < KEPT => self.signals.push_back(message),
                _ => {}
            }
        }
    }

    /// The next signal, also of those that came while something else was waited for.
    pub(super) fn signal(&mut self) -> Result<Message, BusError> {
        if let Some(kept) = self.signals.pop_front() {
            return Ok(kept);
        }
        loop {
            let message = self.receive()?;
            if message.kind == Kind::Signal {
                return Ok(message);
            }
        }
    }

    pub(super) fn send(&mut self, mut message: Message, body: &Written) -> Result<u32, BusError> {
        self.serial += 1;
        message.serial = self.serial;
        self.stream.write_all(&message.write(body))?;
        Ok(self.serial)
    }

    pub(super) fn receive(&mut self) -> Result<Message, BusError> {
        let mut head = [0; 16];
        self.fill(&mut head)?;
        let length = Message::length(&head).ok_or(BusError::Malformed)?;
        let mut bytes = head.to_vec();
        bytes.resize(length, 0);
        self.fill(&mut bytes[16..])?;
        Message::read(&bytes).ok_or(BusError::Malformed)
    }

    /// Reads until the buffer is full.
    fn fill(&mut self, mut buffer: &mut [u8]) -> Result<(), BusError> {
        while !buffer.is_empty() {
            match self.stream.read(buffer) {
                Ok(0) => return Err(BusError::Gone(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => buffer = &mut buffer[read..],
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
            if self.patience.cancelled.load(Ordering::Relaxed) {
                return Err(BusError::Cancelled);
            }
            if !buffer.is_empty() && Instant::now() >= self.patience.ends {
                return Err(BusError::TimedOut);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_path_or_an_abstract_name() {
        let path = |text: &str| Some(Place::Path(text.into()));
        assert_eq!(Place::parse(USUAL), path("/run/dbus/system_bus_socket"));
        assert_eq!(Place::parse("tcp:host=x;unix:guid=1,path=/tmp/a"), path("/tmp/a"));
        assert_eq!(Place::parse("unix:abstract=/tmp/x,guid=2"), Some(Place::Abstract("/tmp/x".into())));
        assert_eq!(Place::parse("unixexec:path=/bin/sh"), None);
    }
}
