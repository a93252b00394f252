//! What systemd is told: that a daemon serves, that it is alive, that it stops (`sd_notify(3)`).
//!
//! Nothing is said where nobody listens. A sign of life is sent only after the daemon's heart has answered, so one whose heart
//! has stopped is started again.

use std::{
    env,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    time::Duration,
};

/// Where the supervisor listens.
#[derive(Debug)]
pub struct Supervisor {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// How often it wants a sign of life.
    every: Option<Duration>,
}

impl Supervisor {
    /// As the environment says.
    pub fn from_environment() -> Self {
        let to =
            env::var("NOTIFY_SOCKET").ok().and_then(|place| Some((UnixDatagram::unbound().ok()?, address(&place)?)));
        let mine = env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        let micros = env::var("WATCHDOG_USEC").ok().and_then(|text| text.parse().ok()).filter(|micros| *micros > 0);
        // Twice in the time after which it is thought dead.
        let every = micros.filter(|_| mine).map(|micros: u64| Duration::from_micros(micros) / 2);
        Self { to, every }
    }

    /// It serves.
    pub fn ready(&self) {
        self.tell("READY=1\nSTATUS=serving");
    }

    /// It ends when what is under way has ended.
    pub fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=waiting for what is under way to end");
    }

    /// Sends signs of life for as long as there are any: `heart` answers whether the daemon lives, or does not answer.
    pub async fn keep_alive(&self, heart: impl AsyncFn() -> bool) {
        let Some(every) = self.every else { return std::future::pending().await };
        loop {
            if heart().await {
                self.tell("WATCHDOG=1");
            }
            tokio::time::sleep(every).await;
        }
    }

    fn tell(&self, what: &str) {
        if let Some((socket, address)) = &self.to
            && let Err(error) = socket.send_to_addr(what.as_bytes(), address)
        {
            tracing::debug!(%error, "the supervisor cannot be told");
        }
    }
}

fn address(place: &str) -> Option<SocketAddr> {
    match place.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name).ok(),
        None => SocketAddr::from_pathname(place).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supervisor_is_told_and_nobody_need_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let to = Some((UnixDatagram::unbound().unwrap(), address(path.to_str().unwrap()).unwrap()));
        Supervisor { to, every: None }.ready();
        let mut said = [0; 100];
        let length = listener.recv(&mut said).unwrap();
        assert!(said[..length].starts_with(b"READY=1\n"));
        Supervisor { to: None, every: None }.stopping();
        assert!(address("@abstract").is_some_and(|address| address.as_abstract_name() == Some(b"abstract")));
    }
}
