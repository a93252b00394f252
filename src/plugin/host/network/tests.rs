//! Hosts are reached where the grant says, and nowhere else.

use std::{io::Write as _, net::TcpListener, sync::Arc, time::Duration};

use super::{super::ErrorKind, *};
use crate::{access::Grant, plugin::fixture::context};

fn state(network: &[&str]) -> State {
    let mut context = context();
    let network = network.iter().map(|text| (*text).to_owned().try_into().unwrap()).collect();
    context.grant = Arc::new(Grant { network, ..Grant::default() });
    State::new(context, "m".parse().unwrap(), "t:m/m".parse().unwrap())
}

async fn connect(state: &mut State, host: &str, port: u16) -> Result<Attempt, Error> {
    Host::connect(state, host.to_owned(), port, Some(2_000), Some(64)).await
}

#[tokio::test]
async fn an_open_port_is_told_with_what_it_says() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let greeting = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"SSH-2.0-x\r\n").unwrap());
    let mut state = state(&["127.0.0.1:*"]);
    let attempt = connect(&mut state, "127.0.0.1", port).await.unwrap();
    greeting.join().unwrap();
    assert_eq!((attempt.reached, attempt.address.as_str()), (Reached::Open, "127.0.0.1"));
    assert_eq!(attempt.banner, b"SSH-2.0-x\r\n");
    let closed = connect(&mut state, "127.0.0.1", port).await.unwrap();
    assert_eq!((closed.reached, closed.banner.len()), (Reached::Closed, 0));
    let mut by_name = self::state(&["localhost:*"]);
    assert_eq!(connect(&mut by_name, "localhost", port).await.unwrap().reached, Reached::Closed);
}

#[tokio::test]
async fn what_is_not_granted_is_denied_with_the_line_and_not_reached() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut state = state(&["0.0.0.0/0:*", "[::/0]:*", "*.example:*"]);
    for (host, entry) in [
        ("127.0.0.1", format!("127.0.0.1:{port}")),
        ("::ffff:127.0.0.1", format!("127.0.0.1:{port}")),
        ("0.0.0.0", format!("0.0.0.0:{port}")),
        ("::1", format!("[::1]:{port}")),
    ] {
        let denied = connect(&mut state, host, port).await.unwrap_err();
        assert_eq!(denied.kind, ErrorKind::Denied, "{host}");
        let line = format!("[grants.m]\nnetwork = [\"{entry}\"]");
        assert!(denied.hint.as_deref().unwrap().ends_with(&line), "{denied:?}");
    }
    // By name, it is the address that is denied.
    let denied = connect(&mut state, "localhost", port).await.unwrap_err();
    assert_eq!(denied.kind, ErrorKind::Denied);
    assert!(denied.message.contains("(as which `localhost` is known)"), "{denied:?}");
    let mut nothing = self::state(&[]);
    let denied = connect(&mut nothing, "db1.example", 22).await.unwrap_err();
    assert!(denied.hint.unwrap().ends_with(r#"network = ["db1.example:22"]"#));
    assert!(listener.accept().is_err(), "nobody came");
}

#[tokio::test]
async fn nothing_waits_longer_than_it_may() {
    // Whoever listens and never accepts lets its queue fill up; a reserved network is not even routed.
    let mut state = state(&["192.0.2.0/24:*"]);
    let began = std::time::Instant::now();
    let attempt = Host::connect(&mut state, "192.0.2.1".to_owned(), 9, Some(300), None).await.unwrap();
    assert_ne!(attempt.reached, Reached::Open);
    assert!(began.elapsed() < Duration::from_secs(5));
    let too_much = Host::connect(&mut state, "192.0.2.1".to_owned(), 9, None, Some(1 << 20)).await;
    assert_eq!(too_much.unwrap_err().kind, ErrorKind::TooLarge);
}

#[tokio::test]
async fn a_name_is_looked_up_only_where_that_is_granted() {
    let mut state = state(&["localhost:ping"]);
    let found = Host::resolve(&mut state, "localhost".to_owned()).await.unwrap();
    assert!(found.iter().all(|address| address == "127.0.0.1" || address == "::1") && !found.is_empty(), "{found:?}");
    let denied = Host::resolve(&mut state, "secret.example".to_owned()).await.unwrap_err();
    assert!(denied.hint.unwrap().ends_with(r#"network = ["secret.example:ping"]"#));
    assert_eq!(connect(&mut state, "localhost", 80).await.unwrap_err().kind, ErrorKind::Denied);
}

#[tokio::test]
async fn the_machine_answers_itself_or_says_that_it_may_not_be_asked() {
    let mut state = state(&["127.0.0.1:ping"]);
    match Host::ping(&mut state, "127.0.0.1".to_owned(), 2, None).await {
        Ok(echoes) => assert_eq!((echoes.sent, echoes.times_us.len()), (2, 2)),
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::Unsupported, "{error:?}");
            assert!(error.hint.unwrap().contains("ping_group_range"));
        }
    }
    assert_eq!(Host::ping(&mut state, "127.0.0.1".to_owned(), 21, None).await.unwrap_err().kind, ErrorKind::Invalid);
    assert_eq!(Host::ping(&mut state, "10.0.0.1".to_owned(), 1, None).await.unwrap_err().kind, ErrorKind::Denied);
}
