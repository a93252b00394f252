//! Bytes to and from one host that is reached through others: a piece in a call.
//!
//! Who passes calls on passes no streams on, so what is sent goes by `transfer.put` and what is fetched by `transfer.get`, like any
//! call: judged by each on the way, and written down. Nothing is kept on the way. The host at the end stages the pieces for whoever
//! calls it, verifies the digest of the whole and puts it in its place, or offers its own; after a break it says where to go on.
//! Each piece is base64 in a call and costs it another look at those before it, so files are bounded in size.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use super::{
    Fetched, Fleet, Outcome, Reason, Request, Source,
    transfer::{ASKED, IN_VAIN, PAUSE, cannot_read, cannot_write},
};
use crate::{
    ca::Host,
    transfer::{Coding, Hasher, Name, Sum, Writing},
    wire::{Call, Value},
};

/// How long one is: as base64, and in the call that passes it on, far below the largest request that a minion takes.
const PIECE: usize = 4 << 20;
/// How large a file may be.
const LARGEST: u64 = 256 << 20;

impl Fleet {
    /// The same as [`deliver`](Self::deliver) for a host that is reached through others.
    pub(super) async fn deliver_in_pieces(
        &self,
        host: &Host,
        call: &Request,
        source: &Source,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Outcome {
        if let Some(outcome) = too_large(host, source.size) {
            return outcome;
        }
        let (mut sent, mut in_vain) = (0, 0);
        loop {
            let offset = match self.call(host, call).await {
                Outcome::Ok(value) => match wanted(&value) {
                    Some(offset) => offset.min(source.size),
                    None => return Outcome::Ok(value),
                },
                other => return other,
            };
            let mut at = offset;
            match self.send_pieces(host, source, &mut at, moved).await {
                Ok(()) if sent + 1 >= ASKED => {
                    return Outcome::Lost { why: "it wants the bytes again and again".into() };
                }
                Ok(()) => sent += 1,
                Err(outcome) => {
                    in_vain = if at > offset { 1 } else { in_vain + 1 };
                    if !is_passing(&outcome) || in_vain >= IN_VAIN {
                        return outcome;
                    }
                    tokio::time::sleep(PAUSE * in_vain).await;
                }
            }
        }
    }

    /// Sends all from there on; `at` becomes how far it came.
    async fn send_pieces(
        &self,
        host: &Host,
        source: &Source,
        at: &mut u64,
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<(), Outcome> {
        let file = source.file().map_err(|error| cannot_read(&error))?;
        let int = |number: u64| Value::Int(i64::try_from(number).unwrap_or(i64::MAX));
        loop {
            let length = usize::try_from(source.size - *at).map_or(PIECE, |left| left.min(PIECE));
            let (file, first) = (file.clone(), *at);
            let read = tokio::task::spawn_blocking(move || {
                let mut piece = vec![0; length];
                file.read_exact_at(&mut piece, first).map(|()| piece)
            });
            let piece = read.await.map_err(io::Error::other).flatten().map_err(|error| cannot_read(&error))?;
            let digest = Name::Digest(source.digest).to_string();
            let params = vec![digest.into(), int(source.size), int(*at), Value::Bytes(piece)];
            match self.call(host, &Request::new(&Call::new("transfer.put", params))).await {
                Outcome::Ok(_) => {}
                other => return Err(other),
            }
            moved(length as u64);
            *at += length as u64;
            if *at >= source.size {
                return Ok(());
            }
        }
    }

    /// The same as [`fetch`](Self::fetch) from a host that is reached through others.
    pub(super) async fn fetch_in_pieces(
        &self,
        host: &Host,
        name: Name,
        size: u64,
        (file, offset): (&File, u64),
        moved: &(dyn Fn(u64) + Sync),
    ) -> Result<Fetched, Outcome> {
        if let Some(outcome) = too_large(host, size) {
            return Err(outcome);
        }
        // Who passes a call on leaves out the wish for a digest behind the bytes.
        let Name::Digest(digest) = name else { return Ok(Fetched::NotOffered) };
        let file = file.try_clone().map_err(|error| cannot_write(&error))?;
        let mut writing = Writing::start(file, (offset, size), Coding::Plain, Hasher::sha256());
        let (mut at, mut in_vain) = (offset, 0);
        while at < size {
            let place = [at, PIECE as u64].map(|number| Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
            let params = [Value::from(name.to_string())].into_iter().chain(place).collect();
            match self.call(host, &Request::new(&Call::new("transfer.get", params))).await {
                Outcome::Ok(Value::Bytes(bytes)) if !bytes.is_empty() && bytes.len() as u64 <= size - at => {
                    in_vain = 0;
                    at += bytes.len() as u64;
                    moved(bytes.len() as u64);
                    if !writing.write(bytes.into()).await {
                        break;
                    }
                }
                Outcome::Ok(_) => return Ok(Fetched::Other),
                Outcome::Failed(error) if error.kind == "NotOffered" => return Ok(Fetched::NotOffered),
                other => {
                    in_vain += 1;
                    if !is_passing(&other) || in_vain >= IN_VAIN {
                        return Err(other);
                    }
                    tokio::time::sleep(PAUSE * in_vain).await;
                }
            }
        }
        let written = writing.finish().await.and_then(|written| written).map_err(|error| cannot_write(&error))?;
        let whole = written.length == size && written.digest == Sum::Sha256(digest);
        Ok(if whole { Fetched::Whole(written.file) } else { Fetched::Other })
    }
}

/// Whether another try may end otherwise.
fn is_passing(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Unreachable { .. } | Outcome::Lost { .. } | Outcome::TimedOut { .. } => true,
        Outcome::Failed(error) => error.kind == "Busy",
        _ => false,
    }
}

fn too_large(host: &Host, size: u64) -> Option<Outcome> {
    let last = host.address.via().last()?;
    let why = || {
        format!(
            "the file has {size} bytes, and through others {LARGEST} go at most; bring it to `{last}`, and use `func copy` or \
             `func fetch` from there"
        )
    };
    (size > LARGEST).then(|| Outcome::Refused { why: Reason::from(why()) })
}

/// From where on the bytes are wanted, if they are.
fn wanted(value: &Value) -> Option<u64> {
    let Value::Struct(members) = value else { return None };
    if members.get("state")?.as_str()? != "wanted" {
        return None;
    }
    let Some(Value::Int(offset)) = members.get("offset") else { return Some(0) };
    Some(u64::try_from(*offset).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;
    use crate::{
        fleet::{FleetOptions, relayed, tests::server::*},
        wire::Answer,
    };

    fn behind(hop: &Host) -> Host {
        Host { name: "leaf".parse().unwrap(), address: hop.address.clone().through(vec![hop.name.clone()]) }
    }

    #[tokio::test]
    async fn what_breaks_on_the_way_goes_on_where_it_stopped() {
        let (authority, staged, calls) = (authority(), Arc::new(Mutex::new(Vec::new())), AtomicUsize::new(0));
        let kept = Arc::clone(&staged);
        let size = PIECE * 2 + 5;
        let behaviour: Behaviour = Arc::new(move |call, _| {
            let [_, Value::String(method), Value::Array(args)] = &call.params[..] else { panic!("{}", call.method) };
            let mut kept = kept.lock().unwrap();
            if let [_, _, Value::Int(at), Value::Bytes(piece)] = &args[..] {
                assert_eq!((method.as_str(), usize::try_from(*at).unwrap()), ("transfer.put", kept.len()));
                // The second piece arrives, and nobody hears of it.
                kept.extend_from_slice(piece);
                if calls.fetch_add(1, Ordering::SeqCst) == 1 {
                    return Reaction::HangUp;
                }
            }
            let state = if kept.len() < size { "wanted" } else { "placed" };
            let offset = i64::try_from(kept.len()).unwrap();
            let answer = Value::structure([("state", state.into()), ("offset", Value::Int(offset))]);
            Reaction::Answer(Answer::Value(relayed(Outcome::Ok(answer))))
        });
        let hop = serve(&authority, "hop", behaviour).await;
        let bytes: Vec<u8> = (0..size).map(|at| u8::try_from(at % 251).unwrap()).collect();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&bytes).unwrap();
        let source = Source::open(file.path()).unwrap();
        let call = Request::new(&Call::new("copyfile.put", vec![]));
        let fleet = fleet(&authority, FleetOptions::default());
        let outcome = fleet.deliver(&behind(&hop.host), &call, &source, &|_| {}).await;
        assert!(outcome.is_ok(), "{outcome:?}");
        assert!(*staged.lock().unwrap() == bytes);
    }

    #[test]
    fn what_is_too_large_says_from_where_it_can_be_sent() {
        let hop = Host { name: "hop".parse().unwrap(), address: "10.0.0.1:7".parse().unwrap() };
        assert_eq!(too_large(&behind(&hop), LARGEST), None);
        let why = too_large(&behind(&hop), LARGEST + 1).unwrap().why().unwrap();
        assert!(why.contains("bring it to `hop`"), "{why}");
    }
}
