//! What a connection that failed means to the operator, who knows hosts, addresses and certificates and not the words of
//! TLS libraries. What is likely to help stands in the sentence; the library's own words are its cause.

use std::{error::Error, io};

use rustls::{AlertDescription as Alert, CertificateError as Certificate, Error as Tls};

use super::Reason;
use crate::ca::Host;

/// There is no TCP connection.
pub(super) fn no_connection(host: &Host, error: &io::Error) -> Reason {
    use io::ErrorKind as K;
    let what = match error.kind() {
        K::ConnectionRefused => "nobody listens there; is the minion running, and is this its port?",
        K::HostUnreachable | K::NetworkUnreachable | K::NetworkDown => "there is no way to it from here",
        K::TimedOut => "it does not answer",
        _ if error.raw_os_error().is_none() => "its name cannot be resolved",
        _ => return Reason::from(format!("cannot connect to {}: {error}", host.address)),
    };
    Reason::new(format!("cannot connect to {}: {what}", host.address), error)
}

/// The handshake failed; whether that was because of our certificate.
pub(super) fn no_handshake(host: &Host, error: &io::Error) -> (Reason, bool) {
    let at = &host.address;
    let refused = tls_of(error).and_then(verdict);
    let text = match (tls_of(error), refused) {
        (_, Some(what)) => what.to_owned(),
        (Some(Tls::InvalidCertificate(error)), _) => {
            format!("whoever is at {at} does not prove to be `{}`: {}", host.name, certificate(error))
        }
        (Some(Tls::InvalidMessage(_)), _) => format!("{at} does not speak TLS: is this the port of a minion?"),
        (Some(Tls::PeerIncompatible(_)), _) => format!("{at} speaks no TLS that we do: is this the port of a minion?"),
        (Some(_), _) => format!("the TLS handshake with {at} failed"),
        (None, _) => format!("{at} closed the connection in the TLS handshake: is this the port of a minion?"),
    };
    (Reason::new(text, error), refused.is_some())
}

/// An exchange broke off. The second is whether that was the minion's verdict on our certificate: in TLS 1.3 it comes after
/// our handshake is done, when the first request is on its way already, but then nothing of it was read. Only a new
/// connection can fail so; whatever else is an alert may come after a request was read.
pub(super) fn broken_exchange(host: &Host, error: &hyper::Error) -> (Reason, bool) {
    let causes: Vec<&(dyn Error + 'static)> =
        std::iter::successors(error.source(), |cause| (*cause).source()).collect();
    let at = &host.address;
    let io = causes.iter().find_map(|cause| cause.downcast_ref::<io::Error>());
    let refused = io.and_then(tls_of).and_then(verdict);
    let text = match (refused, io) {
        (Some(what), _) => what.to_owned(),
        (None, Some(io)) if tls_of(io).is_some() => format!("{at} broke the connection off"),
        (None, Some(io)) if is_end(io.kind()) => format!("{at} closed the connection"),
        (None, Some(_)) => format!("the connection to {at} broke"),
        (None, None) if error.is_incomplete_message() || error.is_canceled() || error.is_closed() => {
            format!("{at} closed the connection")
        }
        (None, None) if error.is_parse() => format!("{at} does not answer in HTTP: is this the port of a minion?"),
        (None, None) => format!("the exchange with {at} failed"),
    };
    let told = causes.iter().fold(error.to_string(), |told, cause| format!("{told}: {cause}"));
    (Reason::new(text, told), refused.is_some())
}

fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as K;
    matches!(kind, K::UnexpectedEof | K::ConnectionReset | K::ConnectionAborted | K::BrokenPipe)
}

fn tls_of(error: &io::Error) -> Option<&Tls> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// What is wrong with a minion's certificate.
fn certificate(error: &Certificate) -> String {
    match error {
        Certificate::UnknownIssuer | Certificate::BadSignature => {
            "its certificate is of another authority; is it a minion of this fleet?".into()
        }
        Certificate::Expired | Certificate::ExpiredContext { .. } => {
            "its certificate has expired; issue it a new one, or set this machine's clock".into()
        }
        Certificate::NotValidYet | Certificate::NotValidYetContext { .. } => {
            "its certificate is not valid yet; is this machine's clock right?".into()
        }
        Certificate::Revoked => "its certificate is revoked".into(),
        Certificate::NotValidForNameContext { presented, .. } => match &names(presented)[..] {
            [] => "its certificate is for no name at all".into(),
            names => format!("its certificate is for `{}`", names.join("`, `")),
        },
        Certificate::NotValidForName => "its certificate is for another name".into(),
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            "its certificate was not issued for a minion".into()
        }
        _ => "its certificate cannot be used".into(),
    }
}

/// Of `DnsName("web1")` the name; what is no name of a machine says nothing here.
fn names(presented: &[String]) -> Vec<String> {
    let machine = |text: &&String| text.starts_with("DnsName(") || text.starts_with("IpAddress(");
    let inside =
        |text: &String| text[text.find('(')? + 1..].strip_suffix(')').map(|name| name.trim_matches('"').into());
    presented.iter().filter(machine).filter_map(inside).take(3).collect()
}

/// What TLS says of a client's certificate, and of nothing else once our side of the handshake is done.
fn verdict(error: &Tls) -> Option<&'static str> {
    let Tls::AlertReceived(alert) = error else { return None };
    Some(match alert {
        Alert::UnknownCA | Alert::DecryptError => "it trusts another authority than the one that issued it",
        Alert::CertificateExpired => "it has expired, by that machine's clock",
        Alert::CertificateRevoked => "it is revoked",
        Alert::CertificateRequired => "it was shown none",
        Alert::AccessDenied
        | Alert::HandshakeFailure
        | Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateUnknown => "its log says why",
        _ => return None,
    })
}
