//! The two kinds of job identifier.

use std::str::FromStr;

use jiff::Timestamp;
use uuid::Uuid;

use super::{InvalidId, MethodName, text::text_id};

/// A job on one minion: a version 7 UUID (RFC 9562) and `-minion`.
///
/// Whoever submits the job may choose the identifier, which is what makes a repeated submission
/// harmless; it is also the name of the job's file, so nothing but this strict form is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MinionJobId(String);

text_id!(MinionJobId);

impl MinionJobId {
    /// A fresh identifier, ordered by time.
    pub fn fresh() -> Self {
        Self(format!("{}-minion", Uuid::now_v7()))
    }
}

impl FromStr for MinionJobId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = |why| InvalidId::new("minion job id", text, why);
        let uuid = text.strip_suffix("-minion").ok_or_else(|| refuse("it ends in `-minion`"))?;
        let parsed = Uuid::try_parse(uuid).map_err(|_| refuse("it begins with a UUID"))?;
        if parsed.get_version_num() != 7 {
            return Err(refuse("the UUID must be of version 7"));
        }
        if parsed.hyphenated().to_string() != uuid {
            return Err(refuse("the UUID is written with hyphens, in lower case"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A job of an overlord over many hosts: `<target>-<module>-<method>-<unix time>`.
///
/// Every `-` inside a part is turned into `_`. Two jobs of the same call in one second differ by a
/// counter behind the time (`….1`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OverlordJobId(String);

text_id!(OverlordJobId);

impl OverlordJobId {
    /// Names a job. `repeat` is 0, or counts the jobs of the same name in the same second.
    ///
    /// The id can be typed into a shell as it is: a target `*` becomes `all`, and what a shell would take for its own becomes
    /// `_`. A target longer than 60 characters is cut.
    pub fn new(target: &str, method: &MethodName, at: Timestamp, repeat: u32) -> Self {
        let part = |text: &str| -> String {
            let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | ',' | '+' | '@' | ':');
            text.chars().take(60).map(|c| if plain(c) { c } else { '_' }).collect()
        };
        let target = if target.trim() == "*" { "all".to_owned() } else { part(target) };
        let (module, name) = (part(method.module().as_str()), part(method.method()));
        let repeat = if repeat > 0 { format!(".{repeat}") } else { String::new() };
        Self(format!("{target}-{module}-{name}-{}{repeat}", at.as_second()))
    }
}

impl FromStr for OverlordJobId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let refuse = |why| Err(InvalidId::new("job id", text, why));
        if text.len() > 1024 {
            return refuse("it is longer than 1,024 bytes");
        }
        if text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '/') {
            return refuse("it holds white space, a slash or a control character");
        }
        let parts: Vec<&str> = text.split('-').collect();
        let [target, module, method, time] = parts[..] else {
            return refuse("write it as TARGET-MODULE-METHOD-TIME");
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let (seconds, repeat) = time.split_once('.').unwrap_or((time, "0"));
        if target.is_empty() || module.is_empty() || method.is_empty() || !digits(seconds) || !digits(repeat) {
            return refuse("write it as TARGET-MODULE-METHOD-TIME");
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hyphens_inside_a_part_become_underscores() {
        let method = "net-app.vol-clone".parse().unwrap();
        let id = OverlordJobId::new("web-*;@db", &method, Timestamp::from_second(1_700_000_000).unwrap(), 0);
        assert_eq!(id.as_str(), "web___@db-net_app-vol_clone-1700000000");
        assert_eq!(id.as_str().parse::<OverlordJobId>().unwrap(), id);
        let again = OverlordJobId::new("*", &method, Timestamp::from_second(7).unwrap(), 2);
        assert_eq!(again.as_str().parse::<OverlordJobId>().unwrap().as_str(), "all-net_app-vol_clone-7.2");
    }

    #[test]
    fn a_minion_job_id_is_a_lower_case_uuid_of_version_7() {
        let id = MinionJobId::fresh();
        assert_eq!(id.as_str().parse::<MinionJobId>().unwrap(), id);
        for text in [
            "",
            "-minion",
            "1700000000-minion",
            "00000000-0000-4000-8000-000000000000-minion",
            "../0190-minion",
            &id.as_str().to_uppercase(),
            &id.as_str().replace('-', ""),
            &format!("{id}\n"),
        ] {
            assert!(text.parse::<MinionJobId>().is_err(), "{text:?}");
        }
    }
}
