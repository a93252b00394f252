//! Whether somebody listens at a port.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::{
    super::{
        Access, Error, ErrorKind,
        call::cancelled,
        denial::{failed, invalid},
        error, until_set,
    },
    Attempt, Connect, Place, Reached, Use,
};

const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_BANNER: u32 = 4096;

pub(super) async fn attempt(call: Connect, access: Access) -> Result<Attempt, Error> {
    if call.port == 0 {
        return Err(invalid("there is no port 0"));
    }
    let banner = call.banner.unwrap_or(0);
    if banner > LONGEST_BANNER {
        let message = format!("a banner has {LONGEST_BANNER} bytes at most");
        return Err(error(ErrorKind::TooLarge, message, None));
    }
    let patience = call.timeout_ms.map_or(PATIENCE, Duration::from_millis).min(access.remaining());
    let ends = Instant::now() + patience;
    let wanted = Use::Port(call.port);
    let place = Place::new(&call.host)?;
    let Ok(addresses) = timeout_at(ends, place.addresses(&access, wanted)).await else {
        let message = format!("`{}` was not looked up within {} ms", call.host, patience.as_millis());
        return Err(error(ErrorKind::TimedOut, message, None));
    };
    let addresses = addresses?;
    tokio::select! {
        attempt = first_open(&addresses, call.port, ends, banner) => attempt,
        () = until_set(&access.cancelled) => Err(cancelled()),
    }
}

async fn first_open(addresses: &[IpAddr], port: u16, ends: Instant, banner: u32) -> Result<Attempt, Error> {
    let began = Instant::now();
    let mut last = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = ends.saturating_duration_since(Instant::now());
        // Each gets its part, so that one that drops everything does not take the time of the others.
        let others = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let place = SocketAddr::new(*address, port);
        let mut attempt =
            Attempt { reached: Reached::Filtered, address: address.to_string(), elapsed_us: 0, banner: Vec::new() };
        let tried = timeout(left / others, TcpStream::connect(place)).await;
        attempt.elapsed_us = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        match tried {
            Ok(Ok(stream)) => {
                attempt.reached = Reached::Open;
                attempt.banner = said(stream, banner, ends).await;
                return Ok(attempt);
            }
            Ok(Err(error)) => attempt.reached = judge(place, &error)?,
            Err(_) => {}
        }
        last = Some(attempt);
    }
    // A place has at least one address.
    last.ok_or_else(|| error(ErrorKind::NotFound, "it has no address", None))
}

fn judge(place: SocketAddr, error: &io::Error) -> Result<Reached, Error> {
    use io::ErrorKind as Io;
    match error.kind() {
        Io::ConnectionRefused | Io::ConnectionReset => Ok(Reached::Closed),
        Io::TimedOut | Io::HostUnreachable | Io::NetworkUnreachable | Io::PermissionDenied => Ok(Reached::Filtered),
        _ => Err(failed(&place.to_string(), error)),
    }
}

/// What the other end says by itself, as far as it is wanted and comes at once.
async fn said(mut stream: TcpStream, most: u32, ends: Instant) -> Vec<u8> {
    let mut banner = vec![0; most as usize];
    if banner.is_empty() {
        return banner;
    }
    let read = timeout_at(ends, stream.read(&mut banner)).await;
    banner.truncate(read.map_or(0, |read| read.unwrap_or(0)));
    banner
}
