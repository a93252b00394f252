//! Sizes as machines write them.

/// The bytes that a size of /proc means: `16384 kB` (there a kB is 1,024 bytes), or a bare number of bytes.
pub fn parse(text: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    let number: u64 = words.next()?.parse().ok()?;
    let factor = match (words.next(), words.next()) {
        (None, None) => 1,
        (Some("kB" | "KiB"), None) => 1024,
        (Some("MB" | "MiB"), None) => 1024 * 1024,
        _ => return None,
    };
    number.checked_mul(factor)
}

/// How much of the whole is used, in percent; 0 of nothing.
#[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than 52 bits")]
pub fn percent(used: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (used as f64 * 1000.0 / whole as f64).round() / 10.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_proc_are_in_units_of_1024() {
        assert_eq!(parse("16384 kB"), Some(16_777_216));
        assert_eq!(parse(" 7 "), Some(7));
        for text in ["", "kB", "-1 kB", "1 parsec", "1 kB more", "18446744073709551615 kB"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_share_has_one_decimal() {
        assert_eq!(percent(1, 3).to_string(), "33.3");
        assert_eq!(percent(0, 0).to_string(), "0");
    }
}
