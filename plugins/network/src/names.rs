//! Where names are looked up, and those that need not be: /etc/resolv.conf (resolv.conf(5)) and /etc/hosts (hosts(5)).

use func_sdk::table;

use crate::exports::base::network::network::{KnownHost, ResolverConfig};

/// The settings; of `search` and `domain` the last one counts.
pub fn resolver(text: &str) -> ResolverConfig {
    let mut found = ResolverConfig { nameservers: Vec::new(), search: Vec::new(), options: Vec::new() };
    for row in table::rows(text) {
        let values = row[1..].iter().take_while(|word| !word.starts_with(['#', ';'])).map(|word| (*word).to_owned());
        match row[0] {
            "nameserver" => found.nameservers.extend(values.take(1)),
            "search" | "domain" => found.search = values.collect(),
            "options" => found.options.extend(values),
            _ => {}
        }
    }
    found
}

/// The lines that name a host.
pub fn hosts(text: &str) -> Vec<KnownHost> {
    let host = |line: &str| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace().map(str::to_owned);
        let (address, names) = (words.next()?, words.collect::<Vec<_>>());
        (!names.is_empty()).then_some(KnownHost { address, names })
    };
    text.lines().filter_map(host).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resolver_is_told() {
        let text =
            "# x\nnameserver 10.0.0.1\nnameserver fd00::1 # second\ndomain a\nsearch b c\noptions rotate\nnameserver\n";
        let told = resolver(text);
        assert_eq!(told.nameservers, ["10.0.0.1", "fd00::1"]);
        assert_eq!((told.search, told.options), (vec!["b".into(), "c".into()], vec!["rotate".into()]));
    }

    #[test]
    fn hosts_are_told_without_comments() {
        let told = hosts("127.0.0.1 localhost lo # x\n#1.1.1.1 a\n\n::1\n");
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].names, ["localhost", "lo"]);
    }
}
