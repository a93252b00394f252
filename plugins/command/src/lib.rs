//! Runs programs of the machine, without a shell.

mod words;

use exports::base::command::command::{Guest, Output};
use func_sdk::{
    Error, Result,
    command::{self, Spec},
    program::lossy,
};

func_sdk::module!(Command);

struct Command;

impl Guest for Command {
    fn run(command: String, env: Option<Vec<(String, String)>>) -> Result<Output> {
        let mut words = words::split(&command).map_err(|error| Error::invalid(error.to_string()))?.into_iter();
        let program = words.next().ok_or_else(|| Error::invalid("the command line is empty"))?;
        run(&Spec { env: env.unwrap_or_default(), ..spec(program, words.collect()) })
    }

    fn exec(program: String, args: Vec<String>, stdin: Option<String>, timeout_ms: Option<u64>) -> Result<Output> {
        run(&Spec { stdin: stdin.map(String::into_bytes), timeout_ms, ..spec(program, args) })
    }

    fn exists(command: String) -> Result<bool> {
        Ok(command::find(&command)?.is_some())
    }
}

fn spec(program: String, args: Vec<String>) -> Spec {
    Spec { program, args, env: Vec::new(), cwd: None, stdin: None, timeout_ms: None }
}

fn run(spec: &Spec) -> Result<Output> {
    let output = command::run(spec)?;
    Ok(Output {
        status: output.status,
        stdout: lossy(output.stdout),
        stderr: lossy(output.stderr),
        truncated: output.truncated,
        elapsed_ms: output.elapsed_ms,
    })
}
