//! The file of settings for the next start (sysctl.d(5)).

use func_sdk::table;

/// Names and values, the last one of a name.
pub fn parse(text: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for (name, value) in table::pairs(text, '=').filter(|(name, _)| !name.is_empty() && !name.starts_with(['#', ';'])) {
        found.retain(|(other, _)| other != name);
        found.push((name.to_owned(), value.to_owned()));
    }
    found
}

/// The text with this value for the name, or without the name. Comments and other settings stay as they are, and so does
/// a line that says the same already.
pub fn with(text: &str, name: &str, value: Option<&str>) -> String {
    let is_it = |line: &str| line.split_once('=').is_some_and(|(found, _)| found.trim() == name);
    let says_it = |line: &str| value.is_some_and(|value| line.split_once('=').is_some_and(|(_, v)| same(v, value)));
    let mut lines: Vec<&str> = text.lines().collect();
    let kept = lines.iter().rposition(|line| is_it(line)).filter(|&at| says_it(lines[at]));
    let mut at = 0;
    lines.retain(|line| {
        at += 1;
        !is_it(line) || kept == Some(at - 1)
    });
    let mut text = lines.join("\n") + if lines.is_empty() { "" } else { "\n" };
    if let (None, Some(value)) = (kept, value) {
        text += name;
        text += " = ";
        text += value;
        text += "\n";
    }
    text
}

/// Whether two values are the same but for the white space between their parts.
pub fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# ours\nvm.swappiness = 10\n; old\nnet.ipv4.tcp_rmem=4096 1 2\nvm.swappiness = 20\n";

    #[test]
    fn the_last_value_of_a_name_counts() {
        let told = parse(TEXT);
        assert_eq!(told[0], ("net.ipv4.tcp_rmem".to_owned(), "4096 1 2".to_owned()));
        assert_eq!(told[1], ("vm.swappiness".to_owned(), "20".to_owned()));
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn a_setting_is_replaced_and_the_rest_stays() {
        assert_eq!(with(TEXT, "vm.swappiness", Some("20")), TEXT.replace("vm.swappiness = 10\n", ""));
        assert_eq!(
            with(TEXT, "vm.swappiness", Some("5")),
            "# ours\n; old\nnet.ipv4.tcp_rmem=4096 1 2\nvm.swappiness = 5\n"
        );
        assert_eq!(with(TEXT, "vm.swappiness", None), "# ours\n; old\nnet.ipv4.tcp_rmem=4096 1 2\n");
        assert_eq!(with(TEXT, "net.ipv4.tcp_rmem", Some("4096\t1\t2")), TEXT);
        assert_eq!(with("", "a", Some("1")), "a = 1\n");
        assert_eq!(with("a = 1", "b", None), "a = 1\n");
    }
}
