//! What the door promises, tried over real sockets.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use super::*;
use crate::{
    ca::{Authority, IssueRequest, NameGlob, SigningRequest, State as Kept, Token},
    tls::{Identity, Role},
    wire::{self, Call, Value, encode_call, parse_answer},
};

struct Stand {
    home: TempDir,
    address: SocketAddr,
    _stop: oneshot::Sender<()>,
}

impl Stand {
    async fn start() -> Self {
        Self::with(DoorConfig::default()).await
    }

    async fn with(config: DoorConfig) -> Self {
        let home = tempfile::tempdir().unwrap();
        Authority::init(&home.path().join("ca"), "Func CA").unwrap();
        Self::at(home, config).await
    }

    async fn at(home: TempDir, config: DoorConfig) -> Self {
        let door = Arc::new(Door::new(Authority::open(&home.path().join("ca")).unwrap(), config).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(door.serve(listener, async { drop(stopped.await) }));
        Self { home, address, _stop: stop }
    }

    fn authority(&self) -> Authority {
        Authority::open(&self.home.path().join("ca")).unwrap()
    }

    fn token(&self, names: &str) -> Token {
        self.authority().token(&glob(names), self.address.into(), Duration::from_mins(10)).unwrap()
    }

    fn folder(&self, of: &str) -> std::path::PathBuf {
        self.home.path().join(of)
    }

    fn with_token(&self, token: &Token, name: &str, folder: &str) -> Joiner {
        Joiner::with_token(token, name.parse().unwrap(), &self.folder(folder)).unwrap()
    }

    fn without_token(&self, name: &str, folder: &str) -> Joiner {
        Joiner::without_token(self.address.into(), name.parse().unwrap(), &self.folder(folder)).unwrap()
    }

    fn audit(&self) -> String {
        fs::read_to_string(self.home.path().join("ca/audit.jsonl")).unwrap()
    }
}

fn glob(text: &str) -> NameGlob {
    text.parse().unwrap()
}

async fn joins(joiner: &mut Joiner) -> Joined {
    match joiner.ask().await.unwrap() {
        State::Joined(member) => member,
        State::Pending => panic!("it has to wait"),
    }
}

async fn is_refused(joiner: &mut Joiner, words: &str) {
    let error = joiner.ask().await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }) && error.to_string().contains(words), "{error}");
}

fn has_identity(folder: &Path) -> bool {
    folder.join("cert.pem").exists()
}

#[tokio::test]
async fn a_token_lets_one_machine_in_and_never_another() {
    let stand = Stand::start().await;
    let token = stand.token("web*");
    assert_eq!(joins(&mut stand.with_token(&token, "web1", "one")).await.name.as_str(), "web1");
    let identity = Identity::in_folder(&stand.folder("one")).unwrap();
    assert_eq!((identity.peer().name.as_str(), identity.peer().role), ("web1", Some(Role::Minion)));
    identity.check_as_server(jiff::Timestamp::now()).unwrap();
    // Replayed by somebody else, for the same name and for another.
    is_refused(&mut stand.with_token(&token, "web1", "two"), "another key").await;
    is_refused(&mut stand.with_token(&token, "web2", "three"), "used before").await;
    assert!(!has_identity(&stand.folder("two")) && !has_identity(&stand.folder("three")));
    // The one who had it, and lost the answer on the way, gets the same certificate again.
    let before = fs::read(stand.folder("one").join("cert.pem")).unwrap();
    fs::remove_file(stand.folder("one").join("cert.pem")).unwrap();
    joins(&mut stand.with_token(&token, "web1", "one")).await;
    assert_eq!(fs::read(stand.folder("one").join("cert.pem")).unwrap(), before);
    assert_eq!(stand.audit().matches("\"refused\"").count(), 2, "{}", stand.audit());
}

#[tokio::test]
async fn a_token_that_has_expired_is_of_another_name_or_of_nobody_lets_nobody_in() {
    let stand = Stand::start().await;
    is_refused(&mut stand.with_token(&stand.token("db*"), "web1", "one"), "another name").await;
    let late = stand.authority().token(&glob("*"), stand.address.into(), Duration::ZERO).unwrap();
    is_refused(&mut stand.with_token(&late, "web1", "one"), "expired").await;
    // The right authority, and a secret that somebody made up.
    let other = tempfile::tempdir().unwrap();
    let other = Authority::init(other.path(), "Func CA").unwrap();
    let made_up = other.token(&glob("*"), stand.address.into(), Duration::from_mins(1)).unwrap();
    let made_up = Token { authority: stand.authority().fingerprint(), ..made_up };
    is_refused(&mut stand.with_token(&made_up, "web1", "one"), "not one of this authority").await;
    assert!(!has_identity(&stand.folder("one")));
}

#[tokio::test]
async fn nothing_is_sent_to_another_authority_than_that_of_the_token() {
    let (stand, impostor) = (Stand::start().await, Stand::start().await);
    // The man in the middle answers at the address, with an authority of his own that has the same name.
    let token = Token { address: impostor.address.into(), ..stand.token("web1") };
    let error = stand.with_token(&token, "web1", "one").ask().await.unwrap_err();
    assert!(matches!(error, Error::OtherAuthority { .. }), "{error}");
    assert!(!has_identity(&stand.folder("one")));
    assert!(impostor.authority().requests().unwrap().is_empty() && !impostor.audit().contains("refused"));
    assert!(!fs::read_to_string(stand.folder("one").join("key.pem")).unwrap().is_empty());
    // The token was not used up by that.
    joins(&mut stand.with_token(&Token { address: stand.address.into(), ..token }, "web1", "one")).await;
}

#[tokio::test]
async fn no_minion_of_the_fleet_can_pose_as_the_door() {
    let stand = Stand::start().await;
    let authority = stand.authority();
    let minion = authority.issue(&IssueRequest::new("web9".parse().unwrap(), Role::Minion)).unwrap();
    let chain = format!("{}{}", minion.cert_pem, minion.ca_pem);
    let identity = Identity::from_pem(&chain, &minion.key_pem, &minion.ca_pem).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(crate::tls::door_config(&identity).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let _ = acceptor.accept(stream).await.map(|_| ());
    });
    let token = Token { address: address.into(), ..stand.token("web1") };
    let error = stand.with_token(&token, "web1", "one").ask().await.unwrap_err();
    assert!(matches!(error, Error::OtherAuthority { .. }), "{error}");
    let own = IssueRequest::new(crate::tls::ENROLMENT_NAME.parse().unwrap(), Role::Minion);
    assert!(matches!(authority.issue(&own), Err(crate::ca::Error::ReservedName { .. })));
    is_refused_or_busy(&mut stand.with_token(&stand.token("*"), crate::tls::ENROLMENT_NAME, "two")).await;
}

async fn is_refused_or_busy(joiner: &mut Joiner) {
    joiner.ask().await.unwrap_err();
}

#[tokio::test]
async fn without_a_token_the_operator_compares_and_signs() {
    let stand = Stand::start().await;
    let mut joiner = stand.without_token("web1", "one").listens(None, Some(4711));
    assert_eq!(joiner.comparison(), None);
    assert_eq!(joiner.ask().await.unwrap(), State::Pending);
    assert_eq!(joiner.ask().await.unwrap(), State::Pending);
    let authority = stand.authority();
    let waiting = authority.requests().unwrap();
    assert_eq!(joiner.comparison().unwrap(), authority.comparison(&waiting[0]));
    assert_eq!(waiting[0].address.as_ref().unwrap().to_string(), "127.0.0.1:4711");
    // Somebody else cannot take the name meanwhile, nor learn the certificate.
    is_refused(&mut stand.without_token("web1", "two"), "another key").await;
    authority.sign_pending(&"web1".parse().unwrap(), 90).unwrap();
    is_refused(&mut stand.without_token("web1", "two"), "another key").await;
    assert_eq!(joins(&mut joiner).await.authority, authority.fingerprint());
    assert!(has_identity(&stand.folder("one")) && !has_identity(&stand.folder("two")));
}

#[tokio::test]
async fn what_people_compare_differs_when_somebody_is_in_between() {
    let (stand, impostor) = (Stand::start().await, Stand::start().await);
    // He asks the real authority in the machine's name, with a key of his own, and shows the machine his authority.
    let mut machine =
        Joiner::without_token(impostor.address.into(), "web1".parse().unwrap(), &stand.folder("one")).unwrap();
    assert_eq!(machine.ask().await.unwrap(), State::Pending);
    assert_eq!(stand.without_token("web1", "his").ask().await.unwrap(), State::Pending);
    let authority = stand.authority();
    let waiting = authority.requests().unwrap();
    assert_ne!(machine.comparison().unwrap(), authority.comparison(&waiting[0]));
}

#[tokio::test]
async fn a_denied_key_stays_denied_and_a_revoked_name_is_free_again() {
    let stand = Stand::start().await;
    let name = "web1".parse().unwrap();
    assert_eq!(stand.without_token("web1", "one").ask().await.unwrap(), State::Pending);
    stand.authority().deny_pending(&name).unwrap();
    is_refused(&mut stand.without_token("web1", "one"), "denied").await;
    joins(&mut stand.with_token(&stand.token("web1"), "web1", "two")).await;
    let serial = Identity::in_folder(&stand.folder("two")).unwrap().peer().serial.clone();
    stand.authority().revoke(&[serial]).unwrap();
    // The revoked key does not get its certificate back.
    fs::remove_file(stand.folder("two").join("cert.pem")).unwrap();
    assert_eq!(stand.without_token("web1", "two").ask().await.unwrap(), State::Pending);
    joins(&mut stand.with_token(&stand.token("web1"), "web1", "three")).await;
}

#[tokio::test]
async fn nothing_in_a_request_is_believed_but_its_key_and_its_name() {
    let stand = Stand::with(DoorConfig {
        rules: crate::ca::EnrolmentRules { auto_sign: vec![glob("web*")], ..Default::default() },
        ..DoorConfig::default()
    })
    .await;
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["db1".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "web1");
    params.subject_alt_names.push(rcgen::SanType::URI(Role::Overlord.uri().try_into().unwrap()));
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::CodeSigning];
    let request = params.serialize_request(&key).unwrap().pem().unwrap();
    assert!(SigningRequest::from_pem(request.as_bytes()).is_ok());
    let (ca, key) = (stand.authority().certificate().to_owned(), key.serialize_pem());
    let ask = Ask { request, secret: None, address: None, port: None };
    let answer = ask_plainly(&stand, &serde_json::to_vec(&ask).unwrap()).await;
    let Answer::Signed { certificate } = serde_json::from_slice(&answer).unwrap() else { panic!("not signed") };
    let peer = Identity::from_pem(&certificate, &key, &ca).unwrap().peer().clone();
    assert_eq!((peer.name.as_str(), peer.role), ("web1", Some(Role::Minion)));
    let (_, pem) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()).unwrap();
    let certificate = pem.parse_x509().unwrap();
    assert!(!certificate.is_ca());
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert!(names.iter().all(|name| !format!("{name:?}").contains("db1")), "{names:?}");
    // Rules sign only what they are for.
    assert_eq!(stand.without_token("db1", "db").ask().await.unwrap(), State::Pending);
}

/// Sends a body as it is, and returns that of the answer.
async fn ask_plainly(stand: &Stand, body: &[u8]) -> Vec<u8> {
    let config = crate::tls::pinned_client_config(&crate::tls::Pin::first_seen()).unwrap();
    let stream = TcpStream::connect(stand.address).await.unwrap();
    let name = crate::tls::ENROLMENT_NAME.try_into().unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(config).connect(name, stream).await.unwrap();
    let head = format!("POST /enrol HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let at = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(0, |at| at + 4);
    answer.split_off(at)
}

#[tokio::test]
async fn requests_are_bounded_in_size_and_in_number() {
    let stand = Stand::with(DoorConfig {
        rules: crate::ca::EnrolmentRules { most_of_one: 2, ..Default::default() },
        ..DoorConfig::default()
    })
    .await;
    let refused = |answer: Vec<u8>| String::from_utf8(answer).unwrap();
    assert!(refused(ask_plainly(&stand, b"{}").await).contains("malformed"));
    assert!(refused(ask_plainly(&stand, &vec![b'x'; 40 << 10]).await).contains("too long"));
    for (name, folder) in [("a", "a"), ("b", "b")] {
        assert_eq!(stand.without_token(name, folder).ask().await.unwrap(), State::Pending);
    }
    is_refused(&mut stand.without_token("c", "c"), "too many").await;
    assert_eq!(stand.authority().requests().unwrap().len(), 2);
    // A token is the operator's word and needs no place among those who wait.
    joins(&mut stand.with_token(&stand.token("c"), "c", "c")).await;
}

#[tokio::test]
async fn a_flood_of_a_stranger_ends_at_the_door() {
    let limits = Limits { per_minute_of_one: 5, of_one: 3, ..Limits::default() };
    let stand = Stand::with(DoorConfig { limits, ..DoorConfig::default() }).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(stand.address).await.unwrap());
    }
    // Three sit there in silence; all others were closed without a word.
    let mut closed = 0;
    for stream in &mut silent {
        let ended = tokio::time::timeout(Duration::from_millis(300), stream.read(&mut [0])).await;
        closed += usize::from(matches!(ended, Ok(Ok(0) | Err(_))));
    }
    assert_eq!(closed, 17);
}

#[tokio::test]
async fn minions_of_the_original_are_answered_only_when_they_may_be() {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = SigningRequest::make(&"old1".parse().unwrap(), &key).unwrap();
    let ask = |address| {
        let body = encode_call(&Call::new("wait_for_cert", vec![request.clone().into()]));
        async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let head = format!("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body.as_ref()).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            let at = answer.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)?;
            parse_answer(&answer[at..]).ok()
        }
    };
    let stand = Stand::start().await;
    assert_eq!(ask(stand.address).await, None);
    let stand = Stand::with(DoorConfig { old_minions: true, ..DoorConfig::default() }).await;
    let waiting = || wire::Answer::Value(Value::Array(vec![false.into(), "".into(), "".into()]));
    assert_eq!(ask(stand.address).await, Some(waiting()));
    stand.authority().sign_pending(&"old1".parse().unwrap(), 30).unwrap();
    let Some(wire::Answer::Value(Value::Array(answer))) = ask(stand.address).await else { panic!("no answer") };
    let [Value::Bool(true), Value::String(certificate), Value::String(ca)] = &answer[..] else { panic!("{answer:?}") };
    Identity::from_pem(certificate, &key.serialize_pem(), ca).unwrap();
    assert!(matches!(stand.authority().requests().unwrap()[0].state, Kept::Signed { .. }));
}

#[test]
fn the_pauses_grow_and_differ() {
    let folder = tempfile::tempdir().unwrap();
    let address = "127.0.0.1:1".parse().unwrap();
    let mut joiner = Joiner::without_token(address, "web1".parse().unwrap(), folder.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert!(runtime.block_on(joiner.ask()).unwrap_err().passes());
        pauses.push(joiner.pause());
    }
    assert!(pauses[0] >= Duration::from_secs(1) && pauses[0] <= Duration::from_secs(2));
    assert!(pauses[8] >= Duration::from_secs(30) && pauses[8] <= Duration::from_mins(1));
    assert!(began.elapsed() < Duration::from_secs(10));
}
