//! What is wrong with a call is said before any host gets it.

use crate::harness::{Fleet, guest};

#[test]
fn words_that_do_not_fit_are_refused_with_the_signature() {
    let fleet = Fleet::start(["web1"]);
    for words in [&[][..], &["1"], &["1", "2", "3"], &["1", "x"]] {
        let refused = fleet.func(["call", "*", "test.add"].iter().chain(words)).expect(2).err;
        assert!(
            refused.contains("hint: it is `test.add(a: s64, b: s64) -> result<s64, error>`; see `func doc test.add`"),
            "{refused}"
        );
    }
    assert!(fleet.audit("web1", "test.add").is_empty());
    fleet.func(["call", "*", "test.ping"]).expect(0);
}

#[test]
fn a_name_that_no_host_has_is_not_sent_to_any() {
    let fleet = Fleet::start(["web1", "web2"]);
    for (method, meant) in [("test.slep", "`sleep`"), ("tst.add", "`test`")] {
        for words in [&["1", "2"][..], &["1", "2", "--async"]] {
            let refused = fleet.func(["call", "*", method].iter().chain(words)).expect(3).err;
            assert!(refused.contains("nothing was sent: on web[1-2], there is no m"), "{refused}");
            assert!(refused.contains(&format!("did you mean {meant}?")), "{refused}");
        }
        assert!(
            fleet.whole_audit("web1", method).is_empty()
                && fleet.whole_audit("web1", &format!("async.{method}")).is_empty()
        );
    }
    // What the minion has itself is not in any module, and is no slip.
    fleet.func(["call", "*", "system.list_modules"]).expect(0);
    fleet.func(["call", "*", "test.list_methods"]).expect(0);
}

#[test]
fn one_host_that_has_the_method_is_enough() {
    let mut fleet = Fleet::start(["a1", "a2", "a3", "a4"]);
    fleet.add_with("z9", "", &[&guest("rogue")]);
    let mixed = fleet.func(["call", "*", "rogue.text", "5", "--json"]);
    let mixed = mixed.expect(1).json();
    assert_eq!((&mixed["summary"]["ok"], &mixed["summary"]["failed"]), (&1.into(), &4.into()), "{mixed}");
}
