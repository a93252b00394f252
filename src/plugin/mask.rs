//! The secrets of a call, found again in what comes of it.
//!
//! A module may log its argument, put it into an error, or give it to a program. That is its business, and
//! it does not reach a log, a plan, a recording or a list of denials for that: there the exact text, also as
//! quotes, JSON and XML escape it, becomes `[secret]`. What the module makes of a secret (its digest, its base64) nobody knows again. Nor is a
//! result changed: what a method answers is what it was called for.

use std::{borrow::Cow, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use toml::Value as Data;
use zeroize::Zeroizing;

use super::{
    context::Level,
    data::BASE64,
    host::Error,
    plan::{Contents, Effect, Step},
};
use crate::wire::{SECRET, Secrets, Value};

/// Shorter secrets are in too many words by chance.
const LEAST: usize = 4;
/// A line of a secret of many lines, such as a key.
const LEAST_LINE: usize = 8;

/// What is hidden, the longest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Mask(Arc<[Zeroizing<String>]>);

impl Mask {
    /// For a call with these arguments.
    pub(super) fn of(args: &[Value]) -> Self {
        let secrets = Secrets::of(args);
        let mut texts: Vec<&str> = Vec::new();
        for text in secrets.texts() {
            texts.extend([text, text.trim()].iter().filter(|text| text.chars().count() >= LEAST));
            if text.trim().contains('\n') {
                texts.extend(text.lines().map(str::trim).filter(|line| line.chars().count() >= LEAST_LINE));
            }
        }
        let mut texts: Vec<String> = texts.into_iter().flat_map(written).collect();
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        Self(texts.into_iter().map(Zeroizing::new).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A text without the secrets.
    pub(super) fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.0.iter().fold(Cow::Borrowed(text), |text, secret| {
            if text.contains(&***secret) { Cow::Owned(text.replace(&***secret, SECRET)) } else { text }
        })
    }

    pub(super) fn string(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.text(text) {
            *text = masked;
        }
    }

    /// The fields of a log line without the secrets.
    pub(super) fn fields<'a>(&self, fields: &'a [(String, String)]) -> Cow<'a, [(String, String)]> {
        if self.is_empty() {
            return Cow::Borrowed(fields);
        }
        let masked = |(key, value): &(String, String)| (self.text(key).into_owned(), self.text(value).into_owned());
        Cow::Owned(fields.iter().map(masked).collect())
    }

    pub(super) fn error(&self, error: &mut Error) {
        self.string(&mut error.message);
        error.hint.iter_mut().for_each(|hint| self.string(hint));
    }

    /// Takes the secrets out of data. Answers whether there were any.
    pub(super) fn data(&self, data: &mut Data) -> bool {
        match data {
            Data::String(text) => match self.text(text) {
                Cow::Owned(masked) => {
                    *text = masked;
                    true
                }
                Cow::Borrowed(_) => false,
            },
            // Bytes that are no text.
            Data::Table(members) if self.has_bytes(members) => {
                *data = Data::String(SECRET.to_owned());
                true
            }
            Data::Array(items) => items.iter_mut().fold(false, |found, item| self.data(item) | found),
            Data::Table(members) => members.iter_mut().fold(false, |found, (_, item)| self.data(item) | found),
            _ => false,
        }
    }

    fn has_bytes(&self, members: &toml::Table) -> bool {
        let Some(Data::String(text)) = members.get(BASE64).filter(|_| members.len() == 1 && !self.is_empty()) else {
            return false;
        };
        let bytes = STANDARD.decode(text).unwrap_or_default();
        self.0.iter().any(|secret| bytes.windows(secret.len()).any(|piece| piece == secret.as_bytes()))
    }

    /// Takes the secrets out of a step of a plan. The digest of a file that holds one would let it be guessed.
    pub(super) fn step(&self, step: &mut Step, held: bool) {
        match &mut step.effect {
            Effect::File { path, before, after, diff } => {
                self.string(path);
                if let Some(diff) = diff {
                    self.string(diff);
                }
                for contents in [before, after].into_iter().flatten() {
                    if let Contents::File { digest, .. } = contents
                        && held
                    {
                        *digest = None;
                    }
                }
            }
            Effect::Failed { error } => self.string(error),
            Effect::Other { what } => self.string(what),
            Effect::Run | Effect::RanReadOnly => {}
        }
    }
}

/// A text as it is, and as it stands in quotes (and in quotes within quotes), in JSON and in XML.
fn written(text: &str) -> impl Iterator<Item = String> {
    // Between double quotes a single one stays as it is.
    let in_quotes = |text: &str| text.escape_debug().to_string().replace("\\'", "'");
    let quoted = text.escape_debug().to_string();
    let json = serde_json::Value::from(text).to_string();
    let xml = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    [
        text.to_owned(),
        in_quotes(text),
        in_quotes(&in_quotes(text)),
        in_quotes(&quoted),
        quoted,
        json[1..json.len() - 1].to_owned(),
        xml.replace('"', "&quot;").replace('\'', "&apos;"),
        xml,
    ]
    .into_iter()
}

/// Events of a call without its secrets.
pub(super) struct Masked {
    pub(super) events: Arc<dyn super::Events>,
    pub(super) mask: Mask,
}

impl super::Events for Masked {
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        self.events.log(level, &self.mask.text(message), &self.mask.fields(fields));
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        self.events.progress(done, total, &self.mask.text(note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Secret;

    fn mask(texts: &[&str]) -> Mask {
        Mask::of(&texts.iter().map(|text| Value::Secret(Secret::new(*text))).collect::<Vec<_>>())
    }

    #[test]
    fn an_exact_secret_is_hidden_wherever_it_stands() {
        let mask = mask(&["hunter2", "hunter22", "abc", " padded \n"]);
        assert_eq!(mask.text("a hunter22, a hunter2!"), "a [secret], a [secret]!");
        assert_eq!(mask.text("abc is too short"), "abc is too short");
        assert_eq!(mask.text("it was padded"), "it was [secret]");
        let odd = Mask::of(&[Value::Secret(Secret::new("a\"b'c<d"))]);
        for text in [
            format!("{:?}", "a\"b'c<d"),
            format!("{:?}", format!("{:?}", "a\"b'c<d")),
            "a&quot;b&apos;c&lt;d".to_owned(),
        ] {
            assert!(odd.text(&text).contains(SECRET), "{text}: {}", odd.text(&text));
        }
        let mut data = Data::try_from(toml::toml! { args = ["-p", "x=hunter2"] }).unwrap();
        assert!(mask.data(&mut data) && !data.to_string().contains("hunter2"));
        let mut bytes = Data::try_from(toml::toml! { base64 = "/2h1bnRlcjI=" }).unwrap();
        assert!(mask.data(&mut bytes) && bytes.as_str() == Some(SECRET));
    }

    #[test]
    fn each_line_of_a_key_is_hidden_by_itself() {
        let mask = mask(&["-----BEGIN KEY-----\nMIIEvQIBADANBg\n}\n-----END KEY-----\n"]);
        assert_eq!(mask.text("read MIIEvQIBADANBg"), "read [secret]");
        assert_eq!(mask.text("}"), "}");
    }

    #[test]
    fn without_secrets_nothing_is_copied() {
        let mask = mask(&[]);
        assert!(mask.is_empty() && matches!(mask.text("text"), Cow::Borrowed("text")));
    }
}
