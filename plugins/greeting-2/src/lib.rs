//! The greeting module after a release: it has learnt to say goodbye.
//!
//! The two versions lie side by side so that replacing one by the other, while a minion runs, can be shown.

use exports::base::greeting::greeting::Guest;

func_sdk::module!(Greeting);

struct Greeting;

impl Guest for Greeting {
    fn hello(name: String) -> String {
        format!("Hello again, {name}!")
    }

    fn goodbye(name: String) -> String {
        format!("Goodbye, {name}!")
    }
}
