//! Rules in what `nft -j list table` writes (libnftables-json(5)).

use func_sdk::json::Json;

use crate::{
    CHAIN,
    exports::base::firewall::firewall::{PortRule, Transport, Verdict},
};

/// A rule and the number by which it can be removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The rule.
    pub rule: PortRule,
    /// Its number.
    pub handle: i64,
}

/// The port rules in our chain, in order. A rule that says anything else is none.
pub fn parse(json: &Json) -> Vec<Placed> {
    let rules = json.list_of("nftables").iter().filter_map(|item| item.get("rule"));
    rules.filter(|rule| rule.text_of("chain") == Some(CHAIN)).filter_map(placed).collect()
}

fn placed(json: &Json) -> Option<Placed> {
    let handle = json.int_of("handle")?;
    let (mut ports, mut source, mut verdict) = (None, None, None);
    for expression in json.list_of("expr") {
        if let Some(matched) = expression.get("match") {
            let (field, of) = payload(matched)?;
            match (of, field) {
                ("tcp", "dport") => ports = Some((Transport::Tcp, range(matched.get("right")?)?)),
                ("udp", "dport") => ports = Some((Transport::Udp, range(matched.get("right")?)?)),
                ("ip" | "ip6", "saddr") => source = Some(network(matched.get("right")?)?),
                _ => return None,
            }
        } else if expression.get("accept").is_some() {
            verdict = Some(Verdict::Accept);
        } else if expression.get("drop").is_some() {
            verdict = Some(Verdict::Drop);
        } else if expression.get("counter").is_none() {
            return None;
        }
    }
    let (transport, (port, last_port)) = ports?;
    Some(Placed { rule: PortRule { verdict: verdict?, transport, port, last_port, source }, handle })
}

/// The field that is compared with `==`, and the protocol that it is of.
fn payload(matched: &Json) -> Option<(&str, &str)> {
    let payload = matched.at(&["left", "payload"])?;
    (matched.text_of("op") == Some("==")).then_some((payload.text_of("field")?, payload.text_of("protocol")?))
}

fn range(right: &Json) -> Option<(u16, Option<u16>)> {
    let port = |json: &Json| u16::try_from(json.int()?).ok();
    match right.list_of("range") {
        [first, last] => Some((port(first)?, Some(port(last)?))),
        _ => Some((port(right)?, None)),
    }
}

fn network(right: &Json) -> Option<String> {
    match right.get("prefix") {
        Some(prefix) => Some(format!("{}/{}", prefix.text_of("addr")?, prefix.int_of("len")?)),
        None => right.text().map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_rules_are_told_and_others_are_not() {
        let dport = |right: &str| {
            format!(
                r#"{{"match":{{"op":"==","left":{{"payload":{{"protocol":"tcp","field":"dport"}}}},"right":{right}}}}}"#
            )
        };
        let from = r#"{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"10.0.0.0","len":8}}}}"#;
        let rule = |handle: u32, expr: &str| {
            format!(
                r#"{{"rule":{{"family":"inet","table":"func","chain":"input","handle":{handle},"expr":[{expr}]}}}}"#
            )
        };
        let text = format!(
            r#"{{"nftables":[{{"metainfo":{{"version":"1.0.6"}}}},{{"table":{{"name":"func"}}}},{},{},{},{}]}}"#,
            rule(4, &format!(r#"{from},{},{{"accept":null}}"#, dport("22"))),
            rule(
                5,
                &format!(
                    r#"{},{{"counter":{{"packets":0,"bytes":0}}}},{{"drop":null}}"#,
                    dport(r#"{"range":[80,90]}"#)
                )
            ),
            rule(6, &format!(r#"{},{{"jump":{{"target":"x"}}}}"#, dport("1"))),
            rule(7, r#"{"accept":null}"#),
        );
        let told = parse(&Json::parse(&text).unwrap());
        assert_eq!(told.iter().map(|placed| placed.handle).collect::<Vec<_>>(), [4, 5]);
        assert_eq!((told[0].rule.source.as_deref(), told[0].rule.port), (Some("10.0.0.0/8"), 22));
        assert_eq!((told[0].rule.verdict, told[1].rule.verdict), (Verdict::Accept, Verdict::Drop));
        assert_eq!((told[1].rule.port, told[1].rule.last_port), (80, Some(90)));
    }
}
