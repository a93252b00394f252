//! DER as text (RFC 7468).

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// `der` in PEM form, under this label.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines = text.as_bytes().chunks(64).map(String::from_utf8_lossy);
    let body: String = lines.flat_map(|line| [line.into_owned(), "\n".to_owned()]).collect();
    format!("-----BEGIN {label}-----\n{body}-----END {label}-----\n")
}
