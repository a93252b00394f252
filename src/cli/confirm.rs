//! Asking the operator before a call goes to many hosts.

use std::io::{self, BufRead, IsTerminal, Write};

use super::context::Context;
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::signature;
use crate::fleet::Selection;
use crate::ids::MethodName;
use crate::overlord::{CallOptions, Overlord, Settings};

/// Asks whether a call is meant, where somebody can be asked, if it goes to more hosts than the configuration lets pass and
/// its method does not say that it changes nothing.
pub(super) async fn confirm(
    context: &Context,
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    options: CallOptions,
) -> Result<(), Failure> {
    let most = Settings::load(&context.home.overlord_toml()).or_exit(Exit::Configuration)?.calls.confirm_above;
    let hosts = selection.hosts.len();
    if hosts <= most || method.checked().is_some() || !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Ok(());
    }
    if signature::reads_only(overlord, selection, method, options).await {
        return Ok(());
    }
    let question = format!("`{method}` may change something, and goes to {hosts} hosts. Call it? [y/N] ");
    let _ = write!(anstream::stderr(), "{question}").and_then(|()| io::stderr().flush());
    if is_yes(&mut io::stdin().lock()) {
        return Ok(());
    }
    let hint = "answer `y`, or say --yes; --check tells what it would do, --canary tries it on a few hosts first";
    Err(Failure::new(Exit::Usage, "it was not confirmed, so nothing was called").hint(hint))
}

fn is_yes(input: &mut impl BufRead) -> bool {
    let mut line = String::new();
    input.read_line(&mut line).is_ok() && matches!(line.trim().to_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_is_a_yes() {
        for (line, yes) in
            [("y\n", true), ("Yes\n", true), ("\n", false), ("", false), ("n\n", false), ("yep\n", false)]
        {
            assert_eq!(is_yes(&mut line.as_bytes()), yes, "{line:?}");
        }
    }
}
