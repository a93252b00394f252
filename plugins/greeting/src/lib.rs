//! Greets people: the smallest module, and the one to start from.

use exports::base::greeting::greeting::Guest;

func_sdk::module!(Greeting);

struct Greeting;

impl Guest for Greeting {
    fn hello(name: String) -> String {
        format!("Hello, {name}!")
    }
}
