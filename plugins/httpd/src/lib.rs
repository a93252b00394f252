//! Tells how the Apache web server does, and reloads it.

mod page;

use exports::base::httpd::httpd::{ConfigCheck, Guest, Reload, ServerStatus};
use func_sdk::{
    Error, Result, checked,
    command::Status,
    config, job,
    program::{Program, judge, lossy},
    table,
};

func_sdk::module!(Httpd);

const PAGE: &str = "http://127.0.0.1/server-status?auto";
const CONTROL: &str = "apachectl";

struct Httpd;

impl Guest for Httpd {
    fn status() -> Result<ServerStatus> {
        let url = config::get("status-url").unwrap_or_else(|| PAGE.to_owned());
        let url = checked::argument("setting `status-url`", &url)?;
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(Error::invalid(format!(
                "the setting `status-url` is {}, no address of the web",
                checked::shown(url)
            )));
        }
        let text = Program::new("curl").args(["-fsS", "--max-time", "10", url]).look()?;
        page::parse(&text).ok_or_else(|| {
            Error::failed(format!("the page {} is not that of mod_status", checked::shown(url)))
                .hint("it must end in `?auto`")
        })
    }

    fn version() -> Result<String> {
        let text = control()?.arg("-v").look()?;
        let version = table::value(&text, ':', "Server version").map(str::to_owned);
        version.ok_or_else(|| Error::failed("the server did not tell its version"))
    }

    fn check_config() -> Result<ConfigCheck> {
        let output = control()?.arg("configtest").run()?;
        // The server complains before its script says that it failed.
        let said = [lossy(output.stderr.clone()), lossy(output.stdout.clone())].concat();
        match output.status {
            Status::Exited(code) => Ok(ConfigCheck { valid: code == 0, messages: messages(&said) }),
            _ => judge(CONTROL, output).map(|_| ConfigCheck { valid: false, messages: Vec::new() }),
        }
    }

    fn graceful() -> Result<Reload> {
        let check = Self::check_config()?;
        if !check.valid {
            let why = reason(&check.messages);
            return Err(Error::failed(format!("the server would not start with its configuration: {why}")));
        }
        let generation = || Self::status().ok().and_then(|status| status.generation);
        let before = generation();
        control()?.arg("graceful").change()?;
        let after = if job::dry_run() { before } else { generation() };
        Ok(Reload { before, after, messages: check.messages, changed: true })
    }
}

fn control() -> Result<Program> {
    let program = config::get("control").unwrap_or_else(|| CONTROL.to_owned());
    Ok(Program::new(checked::argument("setting `control`", &program)?))
}

/// A server with a broken configuration may say a lot.
fn messages(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.take(50).map(|line| checked::clipped(line, 500)).collect()
}

/// What is wrong with a configuration: the first complaint, with the line after it where it goes on there. That the server has
/// no name is none, nor is what the script says.
fn reason(messages: &[String]) -> String {
    let is_other =
        |line: &str| ["AH00558:", "Action '", "The Apache error log"].iter().any(|other| line.starts_with(other));
    let mut complaints = messages.iter().map(String::as_str).filter(|line| !is_other(line));
    match complaints.next() {
        Some(place) if place.ends_with(':') => format!("{place} {}", complaints.next().unwrap_or_default()),
        Some(complaint) => complaint.to_owned(),
        None => "it does not say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_what_the_server_complains_of() {
        let said = |text: &str| reason(&messages(text));
        let script = "Action 'configtest' failed.\nThe Apache error log may have more information.\n";
        assert_eq!(
            said(&format!("AH00558: name\nAH00526: Syntax error on line 1 of /x:\nInvalid command 'No'\n{script}")),
            "AH00526: Syntax error on line 1 of /x: Invalid command 'No'"
        );
        assert_eq!(said(&format!("AH00534: No MPM loaded.\n{script}")), "AH00534: No MPM loaded.");
        assert_eq!(said(script), "it does not say why");
    }

    #[test]
    fn what_a_server_says_is_bounded() {
        assert_eq!(messages("AH00558: name\n\n Syntax OK \n"), ["AH00558: name", "Syntax OK"]);
        let told = messages(&"x".repeat(1000).lines().cycle().take(100).collect::<Vec<_>>().join("\n"));
        assert_eq!((told.len(), told[0].chars().count()), (50, 501));
    }
}
