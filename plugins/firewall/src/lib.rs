//! Opens and closes ports in a table of its own, through nftables.

mod rule;
mod ruleset;

use exports::base::firewall::firewall::{Change, Guest, PortRule, Verdict};
use func_sdk::{
    Result,
    command::Status,
    json::Json,
    program::{Program, judge, lossy, untold},
};
use ruleset::Placed;

func_sdk::module!(Firewall);

const FAMILY: &str = "inet";
const TABLE: &str = "func";
const CHAIN: &str = "input";
/// The chain that the rules are in: before the machine's own filters, passing on whatever no rule is for.
const BASE: &str = "{ type filter hook input priority -10 ; policy accept ; }";

struct Firewall;

impl Guest for Firewall {
    fn list() -> Result<Vec<PortRule>> {
        Ok(rules(placed()?.unwrap_or_default()))
    }

    fn add(rule: PortRule) -> Result<Change> {
        let words = rule::words(&rule)?;
        let before = placed()?;
        if before.iter().flatten().any(|placed| placed.rule == rule) {
            let before = rules(before.unwrap_or_default());
            return Ok(Change { after: before.clone(), before, changed: false });
        }
        if before.is_none() {
            nft(&["add", "table", FAMILY, TABLE])?;
            nft(&["add", "chain", FAMILY, TABLE, CHAIN, BASE])?;
        }
        let verb = if rule.verdict == Verdict::Accept { "insert" } else { "add" };
        let mut args = vec![verb, "rule", FAMILY, TABLE, CHAIN];
        args.extend(words.iter().map(String::as_str));
        nft(&args)?;
        changed(before)
    }

    fn remove(rule: PortRule) -> Result<Change> {
        rule::words(&rule)?;
        let before = placed()?.unwrap_or_default();
        let handles: Vec<String> = before.iter().filter(|p| p.rule == rule).map(|p| p.handle.to_string()).collect();
        if handles.is_empty() {
            let before = rules(before);
            return Ok(Change { after: before.clone(), before, changed: false });
        }
        for handle in handles {
            nft(&["delete", "rule", FAMILY, TABLE, CHAIN, "handle", &handle])?;
        }
        changed(Some(before))
    }

    fn clear() -> Result<Change> {
        let Some(before) = placed()? else {
            return Ok(Change { before: Vec::new(), after: Vec::new(), changed: false });
        };
        nft(&["delete", "table", FAMILY, TABLE])?;
        changed(Some(before))
    }
}

/// What is in the table; none when there is no table.
fn placed() -> Result<Option<Vec<Placed>>> {
    let output = Program::new("nft").args(["-j", "-n", "list", "table", FAMILY, TABLE]).run()?;
    if output.status == Status::Exited(1) && lossy(output.stderr.clone()).contains("No such file or directory") {
        return Ok(None);
    }
    Ok(Some(ruleset::parse(&Json::written("nft", &untold("nft", judge("nft", output)?)?)?)))
}

fn rules(placed: Vec<Placed>) -> Vec<PortRule> {
    placed.into_iter().map(|placed| placed.rule).collect()
}

fn nft(args: &[&str]) -> Result<()> {
    Program::new("nft").args(args.iter().copied()).change()
}

fn changed(before: Option<Vec<Placed>>) -> Result<Change> {
    let before = rules(before.unwrap_or_default());
    Ok(Change { before, after: rules(placed()?.unwrap_or_default()), changed: true })
}
