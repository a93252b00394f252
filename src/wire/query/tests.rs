//! What people write and what travels mean the same.

use super::*;

fn facts() -> Facts {
    let pairs = [
        ("os_id", Value::from("debian")),
        ("cpus", Value::Int(8)),
        ("addresses", Value::from(vec!["10.0.0.7", "192.168.1.1"])),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

#[test]
fn what_people_write_holds_or_not() {
    for (text, expected) in [
        ("os_id=debian", true),
        ("os_id=Debian", true),
        ("os_id:deb*", true),
        ("os_id=deb", false),
        ("os_id^=deb", true),
        ("os_id~=BIA", true),
        ("cpus=8", true),
        ("cpus=8.0", true),
        ("cpus>=8", true),
        ("cpus>10", false),
        ("cpus<10", true),
        ("cpus<=7", false),
        ("addresses=10.*", true),
        ("addresses=10.0.0.8", false),
        ("rack:7", false),
    ] {
        let condition: Condition = text.parse().unwrap();
        assert_eq!(Query::Fact(condition.clone()).holds(&facts()), expected, "{text}");
        assert_eq!(condition.to_string().parse::<Condition>().unwrap(), condition, "{text}");
    }
    for text in ["=x", "a=", "a", "a b=c", "os=[x"] {
        assert!(text.parse::<Condition>().is_err(), "{text}");
    }
}

#[test]
fn the_form_on_the_wire_is_read_with_every_operator_and_connector() {
    let read = |json: serde_json::Value| {
        Query::of_argument(&Value::from_json(&serde_json::json!({ "__fact__": json }))).unwrap()
    };
    for (json, expected) in [
        (serde_json::json!(["AND", ["os_id", "debian", "cpus__gte", 4]]), true),
        (serde_json::json!(["AND", ["os_id", "Debian"]]), false),
        (serde_json::json!(["AND", ["os_id__iexact", "Debian"]]), true),
        (serde_json::json!(["OR", ["os_id", "x", "cpus__lt", 9]]), true),
        (serde_json::json!(["NOT", ["os_id__startswith", "deb"]]), false),
        (serde_json::json!(["NOT", ["os_id__contains", "x"]]), true),
        (
            serde_json::json!(["AND", [["NOT", ["rack", "7"]], ["OR", ["os_id__icontains", "BI", "cpus__gt", 99]]]]),
            true,
        ),
    ] {
        let query = read(json.clone()).unwrap();
        assert_eq!(query.holds(&facts()), expected, "{json}");
        assert_eq!(Query::of_argument(&query.to_argument()).unwrap().unwrap(), query, "{json}");
    }
    for json in [
        serde_json::json!("x"),
        serde_json::json!(["AND"]),
        serde_json::json!(["XOR", []]),
        serde_json::json!(["AND", ["a"]]),
        serde_json::json!(["AND", ["a__near", 1]]),
    ] {
        assert!(read(json.clone()).is_err(), "{json}");
    }
    let mut deep = serde_json::json!(["AND", []]);
    for _ in 0..40 {
        deep = serde_json::json!(["AND", [deep]]);
    }
    assert!(read(deep).is_err());
    assert!(Query::of_argument(&Value::structure([("__fact__", Value::Nil), ("x", Value::Nil)])).is_none());
    assert!(Query::of_argument(&Value::Nil).is_none());
}

#[test]
fn the_facts_that_decide_are_named() {
    let fact = |text: &str| Query::Fact(text.parse().unwrap());
    let not = |query| Query::Not(Box::new(query));
    for (query, expected) in [
        (Query::All(vec![fact("os_id=debian"), fact("cpus>10"), fact("rack:7")]), &["cpus", "rack"][..]),
        (Query::Any(vec![fact("cpus>10"), fact("os_id=x")]), &["cpus", "os_id"]),
        (not(Query::Any(vec![fact("rack:7"), fact("os_id=debian")])), &["os_id"]),
        (Query::All(vec![not(fact("cpus=8")), fact("os_id=debian")]), &["cpus"]),
    ] {
        assert!(!query.holds(&facts()));
        assert_eq!(query.deciding(&facts()), expected, "{query}");
    }
}

#[test]
fn the_facts_that_are_asked_for_are_named() {
    let query: Query = Query::All(vec![
        Query::Fact("b=1".parse().unwrap()),
        Query::Not(Box::new(Query::Any(vec![
            Query::Fact("a=1".parse().unwrap()),
            Query::Fact("b=2".parse().unwrap()),
        ]))),
    ]);
    assert_eq!(query.facts(), ["a", "b"]);
    assert_eq!(query.to_string(), "b=1 and not (a=1 or b=2)");
}
