//! What comes through the door of an authority, and what a token carries.

use func::{
    ca::{Address, NameGlob, Secret, SigningRequest, Token},
    enrol::{Answer, Ask},
    ids::Digest,
};
use rcgen::{CertificateParams, KeyPair, SanType, SigningKey as _};

use super::{engine::fuzz, read};

#[test]
fn tokens() {
    let secret: Secret = "00112233445566778899aabbccddeeff".parse().unwrap();
    let token = Token { address: "boss.example:51235".parse().unwrap(), authority: Digest::of(b"ca"), secret };
    let (text, bytes) = (token.to_string(), token.to_bytes());
    fuzz("tokens", &[text.as_bytes()], &["_", "-", "=", " ", "\n", "AAAA", "é"], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let secret = text.parse::<Secret>().map(|secret| assert_eq!(secret.to_string().parse(), Ok(secret)));
        (text.parse::<Token>().map(|token| assert_eq!(token.to_string().parse(), Ok(token))), secret)
    });
    // Behind the checksum, which hardly any change survives.
    let words = ["[::1]:1", "[", "]", ":", ":65536", ".", "\u{1}", "é"];
    fuzz("tokens_inside", &[&bytes[..bytes.len() - 4]], &words, |body| {
        let token = Token::from_bytes(&[body, &crc32fast::hash(body).to_be_bytes()].concat())?;
        assert_eq!(Token::from_bytes(&token.to_bytes()).as_ref(), Ok(&token));
        Ok::<_, func::ca::InvalidToken>(())
    });
}

#[test]
fn requests_for_certificates() {
    let key = KeyPair::from_pem(&SigningRequest::new_key().unwrap()).unwrap();
    let plain = SigningRequest::make(&"web1".parse().unwrap(), &key).unwrap();
    let mut params = CertificateParams::new(["web1.example".to_owned()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "web1");
    params.subject_alt_names.push(SanType::URI("func:role:overlord".try_into().unwrap()));
    let asking = params.serialize_request(&key).unwrap();
    let seen = |request: SigningRequest| {
        let again = SigningRequest::from_der(request.der()).unwrap();
        assert_eq!((again.name(), again.key()), (request.name(), request.key()));
        request.name().as_str().len().min(1)
    };
    let armour =
        ["-----BEGIN CERTIFICATE REQUEST-----\n", "-----END CERTIFICATE REQUEST-----\n", "NEW ", "-----", "\n", "MII"];
    fuzz("requests_in_pem", &[plain.as_bytes(), asking.pem().unwrap().as_bytes()], &armour, |bytes| {
        SigningRequest::from_pem(bytes).map(seen)
    });
    let plain = SigningRequest::from_pem(plain.as_bytes()).unwrap();
    let words = ["\u{30}\u{3}", "\u{6}\u{3}\u{55}\u{4}\u{3}", "\u{c}\u{4}", "\u{13}", "\u{31}", "\u{0}", "web1", "é"];
    fuzz("requests_in_der", &[plain.der(), asking.der()], &words, |bytes| SigningRequest::from_der(bytes).map(seen));

    // Behind the signature, which no change survives: whoever holds a key signs whatever it likes.
    let (inside, rest) = element(content(plain.der()));
    let (algorithm, _) = element(rest);
    let (extended, _) = element(content(asking.der()));
    fuzz("requests_inside", &[inside, extended], &words, |inside| {
        let signature = [&[0][..], &key.sign(inside).unwrap()].concat();
        let signed = [inside, algorithm, &wrapped(0x03, &signature)].concat();
        SigningRequest::from_der(&wrapped(0x30, &signed)).map(seen)
    });
}

#[test]
fn keys_behind_a_passphrase() {
    use func::ca::{Authority, Passphrase};
    use pkcs8::{EncryptedPrivateKeyInfo, PrivateKeyInfo, pkcs5::pbes2, pkcs5::scrypt};
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ca");
    drop(Authority::init(&place, "Func CA").unwrap());
    let passphrase = Passphrase::new("open").unwrap();
    let file = place.join("ca-key.pem");
    let key = KeyPair::from_pem(&std::fs::read_to_string(&file).unwrap()).unwrap().serialize_der();
    // As little work as scrypt lets one ask for.
    let cheap = scrypt::Params::new(1, 1, 1, 32).unwrap();
    let parameters = pbes2::Parameters::scrypt_aes256cbc(cheap, b"0123456789abcdef", &[7; 16]).unwrap();
    let sealed = PrivateKeyInfo::try_from(&key[..]).unwrap().encrypt_with_params(parameters, b"open").unwrap();
    let words = ["\u{30}", "\u{4}\u{10}", "\u{2}\u{1}\u{2}", "\u{6}\u{9}", "\u{0}"];
    fuzz("sealed_keys", &[sealed.as_bytes()], &words, |der| {
        // What asks for more work is left out: this file is the operator's own, and takes as long as it says.
        let costs =
            EncryptedPrivateKeyInfo::try_from(der).ok().and_then(|info| match info.encryption_algorithm.pbes2() {
                Some(pbes2::Parameters { kdf: pbes2::Kdf::Scrypt(scrypt), .. }) => scrypt
                    .cost_parameter
                    .checked_mul(u64::from(scrypt.block_size))?
                    .checked_mul(scrypt.parallelization.into()),
                Some(pbes2::Parameters { kdf: pbes2::Kdf::Pbkdf2(other), .. }) => Some(other.iteration_count.into()),
                _ => None,
            });
        super::written_anew(&file, func::tls::pem("ENCRYPTED PRIVATE KEY", der).as_bytes());
        let told = Authority::open(&place).map(|authority| authority.is_sealed()).map_err(|error| error.to_string());
        let cheap = costs.is_none_or(|work| work < 1 << 12);
        let opened =
            cheap.then(|| Authority::open_with(&place, &passphrase).map(drop).map_err(|error| error.to_string()));
        (told, opened)
    });
    fuzz(
        "keys_in_pem",
        &[func::tls::pem("ENCRYPTED PRIVATE KEY", sealed.as_bytes()).as_bytes()],
        &["-----", "\n", "="],
        |pem| {
            super::written_anew(&file, pem);
            Authority::open(&place).map(|authority| authority.is_sealed()).map_err(|error| error.to_string())
        },
    );
}

#[test]
fn what_goes_through_the_door() {
    let ask = br#"{"request":"-----BEGIN","secret":"00","address":"web1:80","port":80}"#;
    let words = ["{", "}", "\"", ":", ",", "null", "\"port\":65536", "\"address\":\"[::1]\"", "\\ud800", "\"state\":"];
    fuzz("enrolment_requests", &[ask], &words, |bytes| {
        Ask::from_bytes(bytes).map(|ask| {
            assert_eq!(Ask::from_bytes(&serde_json::to_vec(&ask).unwrap()).as_ref(), Ok(&ask));
            (ask.secret.is_some(), ask.address.is_some(), ask.port.is_some())
        })
    });
    let answers: [&[u8]; 3] =
        [br#"{"state":"signed","certificate":"x"}"#, br#"{"state":"pending"}"#, br#"{"state":"refused","why":"x"}"#];
    fuzz("enrolment_answers", &answers, &words, |bytes| {
        serde_json::from_slice::<Answer>(bytes)
            .map(|answer| std::mem::discriminant(&answer))
            .map_err(|error| error.to_string())
    });
    let names: [&[u8]; 3] = [b"web*.example", b"db[1-9]", b"{a,b}?"];
    let host: func::ids::HostName = "web1.example".parse().unwrap();
    fuzz("name_globs", &names, &["{", "}", ",", "[", "]", "!", "*", "**", "?", "-"], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.parse::<NameGlob>().map(|glob| glob.matches(&host)).map_err(|_| ())
    });
    let places: [&[u8]; 3] = [b"web1.example:51234", b"[::1]:1", b"10.0.0.1"];
    fuzz("addresses", &places, &["[", "]", ":", "::", "%eth0", ".", "65536", "0"], |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let usual = Address::with_usual_port(&text, 51235);
        if let Ok(address) = &usual {
            assert_eq!(address.to_string().parse::<Address>().as_ref(), Ok(address));
        }
        (read::<Address>(&text).is_ok(), usual.is_ok())
    });
}

/// The first element of some DER, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (head, length) = lengths(der);
    der.split_at(head + length)
}

/// What is in the first element.
fn content(der: &[u8]) -> &[u8] {
    let (head, length) = lengths(der);
    &der[head..head + length]
}

fn lengths(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ ..0x80 => (2, usize::from(short)),
        long => {
            let bytes = usize::from(long & 0x7f);
            (2 + bytes, der[2..2 + bytes].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
    }
}

fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, content].concat()
}
