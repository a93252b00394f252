//! Imports what no minion offers: two interfaces, both of which a minion that refuses it must name.

use bindings::acme::weather::{forecast, tides};
use exports::guests::wants_more::wants_more::Guest;

func_sdk::module!(WantsMore);

struct WantsMore;

impl Guest for WantsMore {
    fn ask() -> String {
        format!("{}, high tide at {}", forecast::tomorrow(), tides::high("Brest"))
    }
}
