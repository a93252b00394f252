//! DER as text (RFC 7468).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// Characters in a line.
const LINE: usize = 64;

/// `der` in PEM form, under this label. It may be a key: what is answered is its only text in memory.
pub fn pem(label: &str, der: &[u8]) -> String {
    let body = Zeroizing::new(STANDARD.encode(der));
    let ends = 2 * label.len() + "-----BEGIN -----\n-----END -----\n".len();
    // All of it, so that no shorter copy is left behind when it grows.
    let mut text = String::with_capacity(ends + body.len() + body.len().div_ceil(LINE));
    let mut rest = body.as_str();
    text.extend(["-----BEGIN ", label, "-----\n"]);
    while !rest.is_empty() {
        let (line, behind) = rest.split_at(rest.len().min(LINE));
        text.extend([line, "\n"]);
        rest = behind;
    }
    text.extend(["-----END ", label, "-----\n"]);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_of_64_characters_and_the_text_is_made_in_one_piece() {
        for length in [0, 1, 47, 48, 49, 96, 97, 1000] {
            let der: Vec<u8> = (0..length).map(|at: usize| at.to_le_bytes()[0]).collect();
            let text = pem("A KEY", &der);
            let body =
                text.strip_prefix("-----BEGIN A KEY-----\n").unwrap().strip_suffix("-----END A KEY-----\n").unwrap();
            assert_eq!(STANDARD.decode(body.replace('\n', "")).unwrap(), der);
            let (last, whole) = body
                .lines()
                .collect::<Vec<_>>()
                .split_last()
                .map_or((0, Vec::new()), |(last, whole)| (last.len(), whole.to_vec()));
            assert!(whole.iter().all(|line| line.len() == LINE) && last <= LINE, "{text}");
            assert_eq!(text.capacity(), text.len(), "it has grown, or there was too much room");
        }
    }
}
