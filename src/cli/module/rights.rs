//! Grants as options of a command line: those that `func module grant` writes down and `func module run` tries out.

use clap::Args;

use crate::access::Grant;

/// What is granted.
#[derive(Debug, Default, Args)]
pub(super) struct Rights {
    /// A program it may run: a path, a name, or a table as in the configuration
    #[arg(long, value_name = "PROGRAM")]
    run: Vec<String>,
    /// Files it may read: an absolute path, or a glob
    #[arg(long, value_name = "PATH")]
    read: Vec<String>,
    /// Files it may write
    #[arg(long, value_name = "PATH")]
    write: Vec<String>,
    /// A variable it may set for programs
    #[arg(long, value_name = "NAME")]
    env: Vec<String>,
    /// A service it may look at and change
    #[arg(long, value_name = "NAME")]
    service: Vec<String>,
    /// A service it may only look at
    #[arg(long, value_name = "NAME")]
    service_read: Vec<String>,
    /// Processes it may signal: a program by the name of its file, or user:NAME
    #[arg(long, value_name = "PROGRAM")]
    signal: Vec<String>,
    /// Where it may connect to: HOST:PORT, NETWORK/BITS:PORT or HOST:ping
    #[arg(long, value_name = "PLACE")]
    network: Vec<String>,
}

/// The lists of a module's table, each with its option.
const LISTS: [(&str, &str); 8] = [
    ("run", "--run"),
    ("read", "--read"),
    ("write", "--write"),
    ("env", "--env"),
    ("services", "--service"),
    ("services-read", "--service-read"),
    ("signal", "--signal"),
    ("network", "--network"),
];

impl Rights {
    /// Each as a key of a module's table and a value of its list, in TOML.
    pub(super) fn values(&self) -> impl Iterator<Item = (&'static str, String)> {
        let quoted = |text: &String| toml::Value::from(text.as_str()).to_string();
        let program = move |text: &String| if text.starts_with("{ ") { text.clone() } else { quoted(text) };
        let run: Vec<_> = self.run.iter().map(|text| ("run", program(text))).collect();
        let others = [
            ("read", &self.read),
            ("write", &self.write),
            ("env", &self.env),
            ("services", &self.service),
            ("services-read", &self.service_read),
            ("signal", &self.signal),
            ("network", &self.network),
        ];
        let others = others.into_iter().flat_map(|(key, texts)| texts.iter().map(move |text| (key, quoted(text))));
        run.into_iter().chain(others.collect::<Vec<_>>())
    }

    /// All of it.
    pub(super) fn grant(&self) -> Result<Grant, toml::de::Error> {
        let mut grant = Grant::default();
        for (key, value) in self.values() {
            grant.extend(toml::from_str(&format!("{key} = [{value}]"))?);
        }
        Ok(grant)
    }
}

/// What a denial's lines would grant: as options, and as lines of what a module asks for.
pub(super) fn as_options_and_asks(allow: &str) -> Option<(String, String)> {
    let root: toml::Table = toml::from_str(allow).ok()?;
    let tables = root.get("grants")?.as_table()?.values().filter_map(toml::Value::as_table);
    let (mut options, mut asks) = (Vec::new(), Vec::new());
    for (key, values) in tables.flatten() {
        let (_, option) = LISTS.iter().find(|(list, _)| list == key)?;
        for value in values.as_array()? {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            options.push(format!("{option} {}", for_shell(&text)));
        }
        asks.push(format!("{key} = {values}"));
    }
    (!options.is_empty()).then(|| (options.join(" "), asks.join("\n")))
}

/// A word that a shell takes as it is.
fn for_shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_becomes_what_can_be_typed_and_asked_for() {
        let told = |allow: &str| as_options_and_asks(allow).unwrap();
        assert_eq!(
            told("[grants.m]\nread = [\"/etc/hosts\"]"),
            ("--read /etc/hosts".to_owned(), "read = [\"/etc/hosts\"]".to_owned())
        );
        assert_eq!(told("[grants.m]\nservices-read = [\"app@1\"]").0, "--service-read app@1");
        let (options, asks) = told(
            r#"[grants."a:b/c"]
run = [{ program = "/bin/it's", args = ["\\*"] }]"#,
        );
        assert!(options.starts_with("--run '{ ") && options.contains(r"it'\''s"), "{options}");
        assert!(toml::from_str::<Grant>(&asks).is_ok(), "{asks}");
        let rights = Rights {
            run: vec![asks.strip_prefix("run = [").unwrap().strip_suffix(']').unwrap().to_owned()],
            ..Rights::default()
        };
        assert_eq!(rights.grant().unwrap(), toml::from_str::<Grant>(&asks).unwrap());
        assert!(as_options_and_asks("[grants.m]\nother = [1]").is_none() && as_options_and_asks("x").is_none());
    }
}
