//! Greets people.

use exports::{{namespace_in_rust}}::{{name_in_rust}}::{{name_in_rust}}::Guest;
use func_sdk::{Error, Result};

func_sdk::module!(Module);

struct Module;

impl Guest for Module {
    fn greet(name: String) -> Result<String> {
        greeting(&name)
    }
}

/// What asks nothing of the machine can be tested without one.
fn greeting(name: &str) -> Result<String> {
    match name.trim() {
        "" => Err(Error::invalid("there is nobody to greet").hint("give a name")),
        name => Ok(format!("Hello, {name}!")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_greeted_by_name() {
        assert_eq!(greeting(" you ").as_deref(), Ok("Hello, you!"));
    }

    #[test]
    fn nobody_is_no_name() {
        assert!(greeting(" ").is_err());
    }
}
