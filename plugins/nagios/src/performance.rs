//! Performance data: `'label'=value[unit];[warn];[crit];[min];[max]`, separated by spaces.

use crate::exports::base::nagios::nagios::{Limits, Measurement, Unit};

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
    let (warning, critical) = (next().and_then(limits), next().and_then(limits));
    let mut number = || next().and_then(number);
    Some(Measurement { label, value, unit: self::unit(unit), warning, critical, min: number(), max: number() })
}

fn unit(text: &str) -> Unit {
    match text {
        "" => Unit::None,
        "s" => Unit::Seconds,
        "ms" => Unit::Milliseconds,
        "us" | "µs" => Unit::Microseconds,
        "%" => Unit::Percent,
        "B" => Unit::Bytes,
        "KB" | "kB" => Unit::Kilobytes,
        "MB" => Unit::Megabytes,
        "GB" => Unit::Gigabytes,
        "TB" => Unit::Terabytes,
        "c" => Unit::Counter,
        other => Unit::Other(other.to_owned()),
    }
}

/// `[@][LOW:][HIGH]`: without `LOW` it is 0, `~` is no least value, and with `@` the values between are meant.
fn limits(text: &str) -> Option<Limits> {
    let (text, inside) = text.strip_prefix('@').map_or((text, false), |rest| (rest, true));
    let (low, high) = text.split_once(':').unwrap_or(("0", text));
    let low = match low {
        "~" => None,
        "" => Some(0.0),
        low => Some(number(low)?),
    };
    let high = if high.is_empty() && text.ends_with(':') { None } else { Some(number(high)?) };
    Some(Limits { low, high, inside })
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

    fn limit(low: Option<f64>, high: Option<f64>, inside: bool) -> Limits {
        Limits { low, high, inside }
    }

    #[test]
    fn a_measurement_is_told_with_its_limits() {
        let told =
            parse("load1=0.260;5.000;10.000;0; load5=U 'my ''disk'' =x'=12,5%;~:80;@90:100;0;100 time=1e bad =1 x");
        let labels: Vec<_> = told.iter().map(|m| m.label.as_str()).collect();
        assert_eq!(labels, ["load1", "load5", "my 'disk' =x", "time"]);
        assert_eq!((told[0].value, told[0].min, told[0].max), (Some(0.26), Some(0.0), None));
        assert_eq!(told[0].warning, Some(limit(Some(0.0), Some(5.0), false)));
        assert_eq!(told[1].value, None);
        assert_eq!((told[2].value, &told[2].unit, told[2].max), (Some(12.5), &Unit::Percent, Some(100.0)));
        assert_eq!(told[2].warning, Some(limit(None, Some(80.0), false)));
        assert_eq!(told[2].critical, Some(limit(Some(90.0), Some(100.0), true)));
        assert_eq!((told[3].value, &told[3].unit), (Some(1.0), &Unit::Other("e".into())));
    }

    #[test]
    fn limits_are_as_the_guidelines_write_them() {
        for (text, expected) in [
            ("10", Some(limit(Some(0.0), Some(10.0), false))),
            ("10:", Some(limit(Some(10.0), None, false))),
            ("~:10", Some(limit(None, Some(10.0), false))),
            (":10", Some(limit(Some(0.0), Some(10.0), false))),
            ("10:20", Some(limit(Some(10.0), Some(20.0), false))),
            ("@10:20", Some(limit(Some(10.0), Some(20.0), true))),
            ("-5.5:~", None),
            ("@", None),
            ("a:b", None),
        ] {
            assert_eq!(limits(text), expected, "{text}");
        }
    }

    #[test]
    fn units_have_names() {
        let units: Vec<_> = parse("a=1ms b=1us c=1B d=1KB e=1c f=1 g=1packets").into_iter().map(|m| m.unit).collect();
        let packets = Unit::Other("packets".into());
        assert_eq!(
            units,
            [Unit::Milliseconds, Unit::Microseconds, Unit::Bytes, Unit::Kilobytes, Unit::Counter, Unit::None, packets]
        );
    }

    #[test]
    fn nonsense_ends() {
        for text in ["", " ", "=", "'", "'a", "'a'", "a", "a=", "a=b", "= = =", "'a'=", &"'".repeat(10_001)] {
            assert!(parse(text).is_empty(), "{text:.20}");
        }
    }
}
