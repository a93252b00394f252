//! A stop lets what is under way end.
//!
//! The server asks for a body ("100 Continue") when a request is under way, which is the sign that
//! these tests wait for before they stop it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// Begins a request and sends its body only when the server has been told to stop. Everything that
/// comes back.
async fn stop_in_between(stand: Stand, body: String) -> String {
    let mut stream = stand.tls(&stand.identity(Role::Overlord), "web1").await.unwrap();
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nhost: web1\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut asked = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut asked).await.unwrap();
    let address = stand.address;
    let stopped = tokio::spawn(stand.stop());
    // The listener goes first.
    while TcpStream::connect(address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    stopped.await.unwrap();
    answer
}

#[tokio::test]
async fn stopping_lets_a_call_end_and_then_closes() {
    let stand = Stand::start().await;
    let mut idle = stand.boss().await;
    call(&mut idle, "test.ping", vec![]).await;
    let answer = stop_in_between(stand, encode_call(&Call::new("test.add", vec![1.into(), 2.into()]))).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.to_lowercase().contains("connection: close"), "{head}");
    assert_eq!(parse_answer(body.as_bytes()).unwrap(), Answer::Value(3.into()));
    idle.ready().await.unwrap_err();
}

#[tokio::test]
async fn who_waits_for_a_job_is_answered_when_the_minion_stops() {
    let stand = Stand::start().await;
    let id = call(&mut stand.boss().await, "async.test.sleep", vec![600.into()]).await;
    let answer = stop_in_between(stand, encode_call(&Call::new("jobs.wait", vec![id, 300.into()]))).await;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let running = Value::Array(vec![0.into(), (-1).into()]);
    assert_eq!(parse_answer(body.as_bytes()).unwrap(), Answer::Value(running));
}
