//! Performance data: `'label'=value[unit];[warn];[crit];[min];[max]`, separated by spaces.

use crate::exports::base::nagios::nagios::Measurement;

/// The measurements; what makes no sense is left out.
pub fn parse(text: &str) -> Vec<Measurement> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let Some((label, after)) = label(rest) else {
            rest = after_space(rest);
            continue;
        };
        let end = after.find(char::is_whitespace).unwrap_or(after.len());
        found.extend(measurement(label, &after[..end]));
        rest = after[end..].trim_start();
    }
    found
}

fn after_space(text: &str) -> &str {
    text.find(char::is_whitespace).map_or("", |at| text[at..].trim_start())
}

/// The label before a `=`. In single quotes it may have spaces and `=`, and two quotes mean one.
fn label(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('\'') else {
        let end = text.find(|c: char| c == '=' || c.is_whitespace())?;
        let after = text[end..].strip_prefix('=')?;
        return (end > 0).then(|| (text[..end].to_owned(), after));
    };
    let mut label = String::new();
    loop {
        let end = rest.find('\'')?;
        label.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(more) => {
                label.push('\'');
                rest = more;
            }
            None => return Some((label, rest.strip_prefix('=')?)),
        }
    }
}

fn measurement(label: String, data: &str) -> Option<Measurement> {
    let mut fields = data.split(';');
    let (value, unit) = value(fields.next()?)?;
    let mut next = || fields.next().filter(|field| !field.is_empty());
    let (warning, critical) = (next().map(str::to_owned), next().map(str::to_owned));
    let mut number = || next().and_then(number);
    Some(Measurement { label, value, unit: unit.to_owned(), warning, critical, min: number(), max: number() })
}

/// A value with its unit; `U` where it could not be found out.
fn value(text: &str) -> Option<(Option<f64>, &str)> {
    if text == "U" {
        return Some((None, ""));
    }
    let end = text.find(|c: char| !c.is_ascii_digit() && !"+-.,".contains(c)).unwrap_or(text.len());
    Some((Some(number(&text[..end])?), &text[end..]))
}

/// Some checks write the decimal comma of their language. Infinities are no measurements.
fn number(text: &str) -> Option<f64> {
    let number: f64 = text.replace(',', ".").parse().ok()?;
    number.is_finite().then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measurement_is_told_with_its_limits() {
        let told =
            parse("load1=0.260;5.000;10.000;0; load5=U 'my ''disk'' =x'=12,5%;~:80;@90:100;0;100 time=1e bad =1 x");
        let labels: Vec<_> = told.iter().map(|m| m.label.as_str()).collect();
        assert_eq!(labels, ["load1", "load5", "my 'disk' =x", "time"]);
        assert_eq!(
            (told[0].value, told[0].warning.as_deref(), told[0].min, told[0].max),
            (Some(0.26), Some("5.000"), Some(0.0), None)
        );
        assert_eq!(told[1].value, None);
        assert_eq!(
            (told[2].value, told[2].unit.as_str(), told[2].critical.as_deref()),
            (Some(12.5), "%", Some("@90:100"))
        );
        assert_eq!((told[3].value, told[3].unit.as_str()), (Some(1.0), "e"));
    }

    #[test]
    fn nonsense_ends() {
        for text in ["", " ", "=", "'", "'a", "'a'", "a", "a=", "a=b", "= = =", "'a'=", &"'".repeat(10_001)] {
            assert!(parse(text).is_empty(), "{text:.20}");
        }
    }
}
