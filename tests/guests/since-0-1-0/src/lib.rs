//! A module of the first release, built from the interface as it was then.

#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated from the WIT of the first release")]
mod bindings {
    wit_bindgen::generate!({
        path: ["../../interface/0.1.0", "wit"],
        world: "guests:first/module",
        generate_all,
    });
}

use bindings::{
    exports::guests::first::first::{Guest, Value},
    minion::host::{clock, command, config, files, job, types::Error},
};

struct First;

impl Guest for First {
    fn report(path: String) -> Result<Vec<String>, Error> {
        job::log(job::Level::Info, "reporting", &[("path".to_owned(), path.clone())]);
        job::progress(1, Some(2), "half");
        let text = files::read_text(&path)?;
        let denied = command::run(&command::Spec {
            program: "sh".to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            stdin: None,
            timeout_ms: None,
        });
        Ok(vec![
            format!("file {}", text.trim()),
            format!("caller {}", job::caller()),
            format!("setting {}", config::get("colour").unwrap_or_default()),
            format!("clock {}", clock::now().seconds > 0),
            format!("command {}", denied.map_or_else(|error| error.kind.name(), |_| "ran".to_owned())),
        ])
    }

    fn echo(value: Value) -> Value {
        value
    }
}

impl bindings::minion::host::types::ErrorKind {
    fn name(self) -> String {
        format!("{self:?}")
    }
}

bindings::export!(First with_types_in bindings);
