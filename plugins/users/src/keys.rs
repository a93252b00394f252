//! The keys that may log in as a user: `.ssh/authorized_keys` (sshd(8)).

use func_sdk::{Error, Result, checked};

use crate::exports::base::users::users::{SshKey, User};

/// Kinds of keys begin so.
const KINDS: [&str; 4] = ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-"];

/// The file of a user's keys.
pub fn file(prefix: &str, user: &User) -> Result<String> {
    let home = checked::path("home", &user.home)?;
    Ok(format!("{prefix}{}/.ssh/authorized_keys", home.trim_end_matches('/')))
}

/// The keys in the file.
pub fn parse(text: &str) -> Vec<SshKey> {
    text.lines().filter_map(line).collect()
}

/// A line is `[OPTIONS] KIND KEY [COMMENT]`; options may have quoted white space in them.
fn line(line: &str) -> Option<SshKey> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let is_key = |text: &str| KINDS.iter().any(|kind| text.starts_with(kind));
    let (options, rest) = if is_key(line) {
        (None, line)
    } else {
        let mut quoted = false;
        let end = line.find(|c: char| {
            quoted ^= c == '"';
            c.is_whitespace() && !quoted
        })?;
        (Some(line[..end].to_owned()), line[end..].trim_start())
    };
    let mut words = rest.split_whitespace();
    let (kind, key) = (words.next().filter(|kind| is_key(kind))?, words.next()?);
    let comment = words.collect::<Vec<_>>().join(" ");
    Some(SshKey { kind: kind.to_owned(), key: key.to_owned(), comment, options })
}

/// The key that a caller gives. It has no options: what a key may do is not for a text to smuggle in.
pub fn one(text: &str) -> Result<SshKey> {
    let shown = checked::shown(text);
    let wrong = |why: &str| Error::invalid(format!("{shown} is no key: {why}")).hint("give a line of a .pub file");
    if text.len() > 16_384 || text.trim().chars().any(char::is_control) {
        return Err(wrong("it is no single line"));
    }
    let key = line(text).ok_or_else(|| wrong("it has no kind and key"))?;
    if key.options.is_some() {
        return Err(wrong("it begins with options"));
    }
    if !key.kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@.".contains(&b)) || !is_base64(&key.key) {
        return Err(wrong("it is not written in base64"));
    }
    Ok(key)
}

/// The key in base64, given so or as a whole line.
pub fn blob(text: &str) -> Result<String> {
    let text = text.trim();
    if is_base64(text) { Ok(text.to_owned()) } else { Ok(one(text)?.key) }
}

/// Every key begins with the length of its kind's name, which is less than 2^16.
fn is_base64(text: &str) -> bool {
    text.len() >= 32
        && text.starts_with("AAAA")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
        && text.len() <= 16_384
}

/// The text with the key in it.
pub fn with(text: &str, key: &SshKey) -> String {
    if parse(text).iter().any(|other| other.key == key.key) {
        return text.to_owned();
    }
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let line = format!("{} {} {}", key.kind, key.key, key.comment);
    format!("{text}{end}{}\n", line.trim_end())
}

/// The text without the key.
pub fn without(text: &str, key: &str) -> String {
    let is_it = |text: &str| line(text).is_some_and(|other| other.key == key);
    text.split_inclusive('\n').filter(|line| !is_it(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHann0000000000000000000000000000000000000000 ann@home pc";
    const BOB: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIHbob0000000000000000000000000000000000000000";

    #[test]
    fn keys_are_told_with_their_options() {
        let text = format!("# keys\n\n{ANN}\ncommand=\"a b\",no-pty ssh-rsa {BOB}\nnonsense\n");
        let told = parse(&text);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].kind.as_str(), told[0].comment.as_str()), ("ssh-ed25519", "ann@home pc"));
        assert_eq!((told[1].options.as_deref(), told[1].key.as_str()), (Some("command=\"a b\",no-pty"), BOB));
    }

    #[test]
    fn a_key_is_added_once_and_removed() {
        let ann = one(ANN).unwrap();
        let text = with("# keys", &ann);
        assert_eq!(text, format!("# keys\n{ANN}\n"));
        assert_eq!(with(&text, &ann), text);
        assert_eq!(without(&text, &blob(ANN).unwrap()), "# keys\n");
        assert_eq!(without(&text, BOB), text);
        assert_eq!(blob(BOB).unwrap(), BOB);
    }

    #[test]
    fn what_is_no_single_plain_key_is_refused() {
        let (two, long) = (format!("{ANN}\n{ANN}"), format!("{ANN} {}", "x".repeat(1 << 20)));
        let options = format!("command=\"x\" {ANN}");
        for text in
            ["", "ssh-rsa", "ssh-rsa x", "ssh-rsa AAAA$(reboot)AAAAAAAAAAAAAAAAAAAAAAAAA", &two, &long, &options]
        {
            assert!(one(text).is_err(), "{text:.40}");
        }
        assert!(blob("x").is_err());
    }
}
