//! Host lists in few words: `web[1-3,7].example, db1`.

use crate::ids::HostName;

/// A name cut around its last run of digits.
struct Numbered<'a> {
    before: &'a str,
    digits: &'a str,
    after: &'a str,
}

fn cut(name: &str) -> Option<Numbered<'_>> {
    let end = name.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = name[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |index| index + 1);
    // Numbers too long to count with, and names that are numbers only, stay as they are.
    (end - start <= 9 && start > 0).then(|| Numbered {
        before: &name[..start],
        digits: &name[start..end],
        after: &name[end..],
    })
}

/// Names the hosts, sorted, with runs of numbers as ranges. Every host is in the text exactly once.
pub fn compress<'a>(hosts: impl IntoIterator<Item = &'a HostName>) -> String {
    let mut names: Vec<&str> = hosts.into_iter().map(HostName::as_str).collect();
    names.sort_unstable_by_key(|name| match cut(name) {
        Some(n) => (n.before, n.digits.len(), n.after, n.digits),
        None => (*name, 0, "", ""),
    });
    names.dedup();
    let mut parts = Vec::new();
    let mut rest = &names[..];
    while let Some(first) = rest.first() {
        let alike = |name: &&&str| match (cut(first), cut(name)) {
            (Some(a), Some(b)) => a.before == b.before && a.after == b.after && a.digits.len() == b.digits.len(),
            _ => false,
        };
        let count = rest.iter().take_while(alike).count().max(1);
        let (group, others) = rest.split_at(count);
        rest = others;
        match cut(first) {
            Some(name) if count > 1 => {
                let numbers: Vec<&str> = group.iter().filter_map(|name| cut(name).map(|n| n.digits)).collect();
                parts.push(format!("{}[{}]{}", name.before, ranges(&numbers), name.after));
            }
            _ => parts.push((*first).to_owned()),
        }
    }
    parts.join(", ")
}

/// `["1", "2", "3", "7"]` as `1-3,7`. The numbers are sorted and of one width.
fn ranges(numbers: &[&str]) -> String {
    let value = |text: &str| text.parse::<u64>().unwrap_or(0);
    let runs = numbers.chunk_by(|a, b| value(a) + 1 == value(b));
    let parts: Vec<String> = runs
        .filter_map(|run| match run {
            [] => None,
            [one] => Some((*one).to_owned()),
            [first, .., last] => Some(format!("{first}-{last}")),
        })
        .collect();
    parts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(names: &[&str]) -> String {
        let hosts: Vec<HostName> = names.iter().map(|name| name.parse().unwrap()).collect();
        compress(&hosts)
    }

    #[test]
    fn runs_of_numbers_become_ranges() {
        assert_eq!(text(&["web2", "web1", "web3", "web7", "db1"]), "db1, web[1-3,7]");
        assert_eq!(text(&["web1.example", "web2.example", "web1.other"]), "web[1-2].example, web1.other");
        assert_eq!(text(&["web9", "web10", "web11"]), "web9, web[10-11]");
        assert_eq!(text(&["web01", "web02"]), "web[01-02]");
    }

    #[test]
    fn names_without_numbers_stay_as_they_are() {
        assert_eq!(text(&["alpha", "beta", "alpha"]), "alpha, beta");
        assert_eq!(text(&["10.0.0.1", "10.0.0.2"]), "10.0.0.[1-2]");
        assert_eq!(text(&[]), "");
    }
}
