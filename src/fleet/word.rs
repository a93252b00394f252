//! A word of a target: a shell glob over host names, with number ranges.
//!
//! `web{1..3}.example` is three names; `{01..12}` counts with leading zeros. Everything is compared without regard to case.

use std::fmt;

use globset::{GlobBuilder, GlobMatcher};

use crate::ids::HostName;

/// More names than this are not written down by hand.
const MOST: usize = 10_000;

/// A parsed word. Equal if written alike, but for the case.
#[derive(Debug, Clone)]
pub(super) struct Word {
    text: String,
    /// What the ranges spread out to.
    globs: Vec<Glob>,
}

#[derive(Debug, Clone)]
pub(super) struct Glob {
    pub(super) text: String,
    matcher: Option<GlobMatcher>,
}

impl Word {
    /// Reads a word, or says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if !text.chars().all(|c| c.is_ascii_alphanumeric() || "-.*?[]!{}".contains(c)) {
            return Err("host names have letters, digits, `-` and `.`; globs also `*`, `?`, `[…]` and `{1..20}`".into());
        }
        let text = text.to_ascii_lowercase();
        let globs = spread(&text)?.into_iter().map(Glob::parse).collect::<Result<_, _>>()?;
        Ok(Self { text, globs })
    }

    pub(super) fn matches(&self, host: &HostName) -> bool {
        self.globs.iter().any(|glob| glob.matches(host))
    }

    pub(super) fn globs(&self) -> &[Glob] {
        &self.globs
    }
}

impl Glob {
    fn parse(text: String) -> Result<Self, String> {
        if !text.contains(['*', '?', '[', ']', '!']) {
            return Ok(Self { text, matcher: None });
        }
        let glob = GlobBuilder::new(&text).literal_separator(false).backslash_escape(false).build();
        let matcher = glob.map_err(|error| error.kind().to_string())?.compile_matcher();
        Ok(Self { text, matcher: Some(matcher) })
    }

    pub(super) fn matches(&self, host: &HostName) -> bool {
        match &self.matcher {
            Some(matcher) => matcher.is_match(host.as_str()),
            None => self.text == host.as_str(),
        }
    }

    /// The host that it names, if it is a name.
    pub(super) fn plain(&self) -> Option<HostName> {
        self.text.parse().ok()
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PartialEq for Word {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The word with every range replaced by each of its numbers.
fn spread(text: &str) -> Result<Vec<String>, String> {
    let mut all = vec![String::new()];
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        let (range, behind) = behind.split_once('}').ok_or("`{` without `}`")?;
        let numbers = numbers(range)?;
        if before.contains('}') {
            return Err("`}` without `{`".into());
        }
        if all.len() * numbers.len() > MOST {
            return Err(format!("its ranges are more than {MOST} names"));
        }
        all = all.iter().flat_map(|done| numbers.iter().map(move |number| format!("{done}{before}{number}"))).collect();
        rest = behind;
    }
    if rest.contains('}') {
        return Err("`}` without `{`".into());
    }
    for done in &mut all {
        done.push_str(rest);
    }
    Ok(all)
}

fn numbers(range: &str) -> Result<Vec<String>, String> {
    let wrong = || format!("`{{{range}}}` is not a range of numbers; write it like `{{1..20}}`");
    let (first, last) = range.split_once("..").ok_or_else(wrong)?;
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits).ok_or_else(wrong)
    };
    let (from, to) = (number(first)?, number(last)?);
    if from > to {
        return Err(format!("`{{{range}}}` counts down; begin with the smaller number"));
    }
    if (to - from) as usize >= MOST {
        return Err(format!("its ranges are more than {MOST} names"));
    }
    let width = if first.starts_with('0') { first.len() } else { 1 };
    Ok((from..=to).map(|number| format!("{number:0width$}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_spread_out_to_names() {
        let names = |text: &str| Word::parse(text).unwrap().globs.into_iter().map(|glob| glob.text).collect::<Vec<_>>();
        assert_eq!(names("web{9..11}.example"), ["web9.example", "web10.example", "web11.example"]);
        assert_eq!(names("r{1..2}n{08..09}"), ["r1n08", "r1n09", "r2n08", "r2n09"]);
        for (text, why) in [
            ("a{1..}", "not a range"),
            ("a{x..2}", "not a range"),
            ("a{1,2}", "host names have"),
            ("a{3..1}", "counts down"),
            ("a{1..2", "without `}`"),
            ("a1}", "without `{`"),
            ("a{1..4294967295}", "more than 10000"),
            ("a{1..999}{1..999}", "more than 10000"),
            ("a[1", "unclosed character class"),
        ] {
            let told = Word::parse(text).unwrap_err();
            assert!(told.contains(why), "{text}: {told}");
        }
    }
}
