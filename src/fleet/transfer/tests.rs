//! Transfers with hosts that are revoked under way, or do not accept us.

use std::{io::Write as _, sync::Arc, time::Duration};

use hyper::Method;
use tokio::{sync::Notify, time::timeout};

use super::{
    attempt::Broken,
    channel::{Body, Channel, request},
    *,
};
use crate::{
    ca::{Authority, IssueRequest},
    fleet::{
        Fleet, FleetOptions, Outcome,
        tests::server::{Behaviour, Reaction, authority, issue, serve, serve_as, unwelcome},
    },
    ids::Digest,
    tls::Role,
    transfer::Name,
};

const LONG: Duration = Duration::from_mins(1);

fn source() -> Source {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"bytes").unwrap();
    Source::of(file).unwrap()
}

/// A host that does so is revoked when it has got to where it does so; what becomes of a transfer to and from it.
async fn revoked_under_way(reaction: fn(&str) -> Reaction) -> (Outcome, Outcome) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::init(&folder.path().join("ca"), "test").unwrap();
    let boss = issue(&authority, "boss", Role::Overlord);
    let mut ends = Vec::new();
    for sends in [true, false] {
        let issued = authority.issue(&IssueRequest::new("web1".parse().unwrap(), Role::Minion)).unwrap();
        let reached = Arc::new(Notify::new());
        let behaviour: Behaviour = {
            let reached = Arc::clone(&reached);
            Arc::new(move |call, _| {
                if call.method.as_str() != "HEAD" {
                    reached.notify_one();
                }
                reaction(call.method.as_str())
            })
        };
        let server = serve_as(&issued.identity().unwrap(), "127.0.0.1:0".parse().unwrap(), behaviour).await;
        let fleet = Fleet::new(&boss, FleetOptions::default()).unwrap();
        let revoke = async {
            reached.notified().await;
            let list = authority.revoke(std::slice::from_ref(&issued.serial)).unwrap();
            fleet.call_as(&boss.clone().with_revocations(&list).unwrap()).unwrap();
            std::future::pending::<Outcome>().await
        };
        let transfer = async {
            if sends {
                fleet.send(&server.host, &source(), &|_| {}).await.unwrap_err()
            } else {
                let (file, name) = (tempfile::tempfile().unwrap(), Name::Digest(Digest::of(b"bytes")));
                fleet.fetch(&server.host, name, 5, (&file, 0), &|_| {}).await.unwrap_err()
            }
        };
        let end = async {
            tokio::select! {
                end = transfer => end,
                end = revoke => end,
            }
        };
        ends.push(timeout(LONG, end).await.unwrap());
    }
    let [sent, fetched] = ends.try_into().unwrap();
    (sent, fetched)
}

#[track_caller]
fn is_cut_off(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Lost { why } if why.contains("revoked")), "{outcome}");
}

#[tokio::test]
async fn a_host_that_is_revoked_while_it_is_sent_to_or_answers_is_cut_off() {
    let (sent, fetched) = revoked_under_way(|method| match method {
        "HEAD" => Reaction::Raw(404, Vec::new()),
        "PUT" => Reaction::Silence,
        _ => Reaction::Begin(206, b"by".to_vec()),
    })
    .await;
    is_cut_off(&sent);
    is_cut_off(&fetched);
    let (_, fetched) = revoked_under_way(|method| match method {
        "HEAD" => Reaction::Raw(404, Vec::new()),
        _ => Reaction::Silence,
    })
    .await;
    is_cut_off(&fetched);
}

#[tokio::test]
async fn a_host_that_does_not_accept_us_is_told_however_early_it_says_so() {
    let authority = authority();
    let server = serve(&authority, "web1", Arc::new(|_, _| Reaction::Raw(404, Vec::new()))).await;
    let fleet = Fleet::new(&unwelcome(&authority), FleetOptions::default()).unwrap();
    let refused = |outcome: &Outcome| matches!(outcome, Outcome::Refused { why } if why.contains("our certificate"));
    let outcome = fleet.send(&server.host, &source(), &|_| {}).await.unwrap_err();
    assert!(refused(&outcome), "{outcome}");

    // Before the first request, too.
    let Ok(mut channel) = Channel::open(&fleet, &server.host).await else { panic!("no connection") };
    let gone = async { while channel.closes().await.is_ok() {} };
    timeout(LONG, gone).await.unwrap();
    let ask = request(
        &server.host,
        Method::HEAD,
        Name::Digest(Digest::of(b"bytes")),
        Body::Left(http_body_util::Full::default()),
    );
    let Err(Broken::Final(outcome)) = channel.exchange(ask, None).await else { panic!("it took it") };
    assert!(refused(&outcome), "{outcome}");
}
