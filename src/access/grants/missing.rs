//! What a module asks for and was not granted.

use super::{CommandGrant, Grant, PathGrant, pattern::META};

impl Grant {
    /// The part of these asks that `granted` does not certainly cover.
    ///
    /// Patterns are compared as texts, and a pattern below a `/**`; where that does not settle it, the ask
    /// counts as missing: the price is a line that an operator confirms.
    #[must_use]
    pub fn missing_from(&self, granted: &Self) -> Self {
        let without = |asks: &[PathGrant], granted: &[PathGrant]| {
            asks.iter().filter(|ask| !granted.iter().any(|grant| includes_path(grant, ask))).cloned().collect()
        };
        let absent = |ask: &&CommandGrant| !granted.run.iter().any(|grant| includes_command(grant, ask));
        Self {
            run: self.run.iter().filter(absent).cloned().collect(),
            read: without(&self.read, &granted.read),
            write: without(&self.write, &granted.write),
            env: self.env.iter().filter(|ask| !granted.env.contains(ask)).cloned().collect(),
            services: self
                .services
                .iter()
                .filter(|ask| {
                    !granted
                        .services
                        .iter()
                        .any(|grant| grant == *ask || plain_and(ask.as_str(), |name| grant.covers(name)))
                })
                .cloned()
                .collect(),
            services_read: self
                .services_read
                .iter()
                .filter(|ask| !granted.services_read.contains(ask))
                .cloned()
                .collect(),
            signal: self.signal.iter().filter(|ask| !granted.signal.contains(ask)).cloned().collect(),
            network: self.network.iter().filter(|ask| !granted.network.contains(ask)).cloned().collect(),
        }
    }

    /// Whether nothing is asked for, or granted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Each of these as a key of a module's table and a value of its list, in TOML.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let mut lines: Vec<_> = self.run.iter().map(|grant| ("run", grant.to_toml())).collect();
        lines.extend(self.read.iter().map(|grant| ("read", quoted(grant.as_str()))));
        lines.extend(self.write.iter().map(|grant| ("write", quoted(grant.as_str()))));
        lines.extend(self.env.iter().map(|grant| ("env", quoted(grant.as_str()))));
        lines.extend(self.services.iter().map(|grant| ("services", quoted(grant.as_str()))));
        lines.extend(self.services_read.iter().map(|grant| ("services-read", quoted(grant.as_str()))));
        lines.extend(self.signal.iter().map(|grant| ("signal", quoted(grant.as_str()))));
        lines.extend(self.network.iter().map(|grant| ("network", quoted(grant.as_str()))));
        lines
    }

    /// The same, each key with all of its values.
    pub fn lists(&self) -> Vec<(&'static str, Vec<String>)> {
        let mut lists: Vec<(_, Vec<String>)> = Vec::new();
        for (key, value) in self.lines() {
            match lists.last_mut() {
                Some((last, values)) if *last == key => values.push(value),
                _ => lists.push((key, vec![value])),
            }
        }
        lists
    }

    /// The lines of a module's table of grants, as an operator would write them.
    pub fn to_toml(&self) -> Vec<String> {
        let lines = |(key, values): (&str, Vec<String>)| match &values[..] {
            [one] => vec![format!("{key} = [{one}]")],
            many => {
                let inside = many.iter().map(|value| format!("    {value},"));
                [format!("{key} = [")].into_iter().chain(inside).chain(["]".to_owned()]).collect()
            }
        };
        self.lists().into_iter().flat_map(lines).collect()
    }
}

fn plain_and(text: &str, covers: impl Fn(&str) -> bool) -> bool {
    !text.contains(META) && covers(text)
}

fn includes_path(grant: &PathGrant, ask: &PathGrant) -> bool {
    let (granted, asked) = (grant.as_str(), ask.as_str());
    let below = || {
        let folder = granted.strip_suffix("/**").filter(|folder| !folder.contains(META));
        folder.is_some_and(|folder| asked.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    };
    granted == asked || plain_and(asked, |path| grant.covers(path.as_ref())) || below()
}

fn includes_command(grant: &CommandGrant, ask: &CommandGrant) -> bool {
    let program = grant.text == ask.text
        || plain_and(&ask.text, |text| grant.is_bare() == ask.is_bare() && grant.matches(text.as_ref()));
    let arguments = match (&grant.args, &ask.args) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(granted), Some(asked)) => granted.include(asked),
    };
    program && arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(text: &str) -> Grant {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_granted_is_not_missing() {
        let granted = grant(
            r#"run = ["df", { program = "systemctl", args = ["status", "*"] }]
            read = ["/etc/**", "/proc/*/status"]
            services = ["app@*"]
            network = ["db:5432"]"#,
        );
        let asked = grant(
            r#"run = ["df", { program = "df", args = ["-h"] }, { program = "systemctl", args = ["status", "nginx"] }]
            read = ["/etc/hosts", "/etc/ssl/*", "/proc/*/status", "/proc/1/status"]
            services = ["app@1"]
            network = ["db:5432"]"#,
        );
        assert!(asked.missing_from(&granted).is_empty(), "{:?}", asked.missing_from(&granted));
        assert!(Grant::default().missing_from(&granted).is_empty());
    }

    #[test]
    fn what_goes_beyond_is_missing_and_written_as_it_would_be_granted() {
        let granted = grant(
            r#"run = [{ program = "systemctl", args = ["status", "*"] }]
            read = ["/etc/*"]"#,
        );
        let asked = grant(
            r#"run = ["systemctl", { program = "systemctl", options = ["--now"], args = ["stop", "*"] }]
            read = ["/etc/a/b", "/etc/**", "/proc/*/status", "/etcetera"]
            env = ["LC_ALL"]"#,
        );
        let missing = asked.missing_from(&granted);
        assert_eq!(missing, asked);
        let lines: Vec<String> = missing.lines().into_iter().map(|(key, value)| format!("{key} = [{value}]")).collect();
        assert_eq!(lines[1], r#"run = [{ program = "systemctl", options = ["--now"], args = ["stop", "*"] }]"#);
        for line in lines {
            assert!(!grant(&line).is_empty(), "{line}");
        }
    }
}
