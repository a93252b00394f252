//! Equal results shown once, with the hosts that gave them.

use crate::ids::HostName;

/// One result and everybody who gave it.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::cli) struct Folded<T> {
    /// The result.
    pub(in crate::cli) result: T,
    /// The hosts, sorted.
    pub(in crate::cli) hosts: Vec<HostName>,
}

/// Groups equal results: the most common first, then in the order of their first host.
pub(in crate::cli) fn fold<T: PartialEq>(results: impl IntoIterator<Item = (HostName, T)>) -> Vec<Folded<T>> {
    let mut sorted: Vec<(HostName, T)> = results.into_iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    let mut groups: Vec<Folded<T>> = Vec::new();
    for (host, result) in sorted {
        match groups.iter_mut().find(|group| group.result == result) {
            Some(group) => group.hosts.push(host),
            None => groups.push(Folded { result, hosts: vec![host] }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.hosts.len()));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_majority_comes_first() {
        let host = |name: &str| name.parse::<HostName>().unwrap();
        let groups = fold([(host("c"), 1), (host("a"), 2), (host("b"), 1)]);
        assert_eq!(groups.len(), 2);
        assert_eq!(groups[0], Folded { result: 1, hosts: vec![host("b"), host("c")] });
        assert_eq!(groups[1].hosts, [host("a")]);
    }
}
