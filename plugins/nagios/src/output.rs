//! What a check writes: `TEXT | PERFORMANCE`, then lines of details, and after another `|` more performance.

use crate::exports::base::nagios::nagios::State;

/// A check's output, taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// The first line that is not empty.
    pub message: String,
    /// The lines after it.
    pub details: Vec<String>,
    /// The performance data of all lines.
    pub performance: String,
}

/// Takes the output apart.
pub fn parse(text: &str) -> Said {
    let mut lines = text.trim().lines();
    let (message, first) = split(lines.next().unwrap_or_default());
    let mut said =
        Said { message: message.to_owned(), performance: first.unwrap_or_default().to_owned(), ..Said::default() };
    let mut measures = false;
    for line in lines {
        let rest = if measures {
            Some(line)
        } else {
            let (detail, rest) = split(line);
            if !detail.is_empty() || rest.is_none() {
                said.details.push(detail.to_owned());
            }
            rest
        };
        if let Some(rest) = rest {
            measures = true;
            said.performance.push(' ');
            said.performance.push_str(rest);
        }
    }
    said
}

fn split(line: &str) -> (&str, Option<&str>) {
    match line.split_once('|') {
        Some((text, rest)) => (text.trim(), Some(rest.trim())),
        None => (line.trim(), None),
    }
}

/// What an exit code means.
pub fn state(code: i32) -> State {
    match code {
        0 => State::Ok,
        1 => State::Warning,
        2 => State::Critical,
        _ => State::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_performance_are_told_apart() {
        let said = parse(
            "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\n/ 15272 MB\n/boot 68 MB\n\
                          /var 819 MB | /boot=68MB;88;93;0;98\n/home=69357MB\n",
        );
        assert_eq!(said.message, "DISK OK - free space: / 3326 MB (56%);");
        assert_eq!(said.details, ["/ 15272 MB", "/boot 68 MB", "/var 819 MB"]);
        assert_eq!(said.performance, "/=2643MB;5948;5958;0;5968 /boot=68MB;88;93;0;98 /home=69357MB");
    }

    #[test]
    fn a_check_may_say_little() {
        assert_eq!(parse("").message, "");
        assert_eq!(parse("OK").performance, "");
        assert_eq!(parse("|a=1").performance, "a=1");
        assert_eq!(parse("\n\nUsage:\ncheck_users -w N\n").message, "Usage:");
    }

    #[test]
    fn exit_codes_are_states() {
        assert_eq!(
            [0, 1, 2, 3, 127].map(state),
            [State::Ok, State::Warning, State::Critical, State::Unknown, State::Unknown]
        );
    }
}
