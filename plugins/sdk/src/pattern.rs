//! Patterns of names: `*` stands for any characters, `?` for one.

/// Whether the whole text fits the pattern. Takes time in proportion to both lengths, whatever the pattern.
pub fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut seen) = (0, 0);
    // Where the last star is, and up to where it stands for characters.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&c) if c == '?' || c == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((place, upto)) = star else { return false };
                star = Some((place, upto + 1));
                at = place + 1;
                seen = upto + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// Whether a text is a pattern at all.
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_stand_for_others() {
        for (pattern, text) in [
            ("*", ""),
            ("lib*-dev", "libc6-dev"),
            ("a?c", "aéc"),
            ("*a*b*", "xaxbx"),
            ("", ""),
            ("a", "a"),
            ("**", "x"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("?", ""), ("a*b", "abc"), ("lib*-dev", "libc6"), ("", "a"), ("[a]", "a")]
        {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
        assert!(!fits(&"*a".repeat(1000), &"a".repeat(999)));
    }
}
