//! What the host counts of echoes, and what `ping`, `traceroute` and `dig` write.

use std::time::Duration;

use func_sdk::network::Echoes;

use crate::exports::base::network::network::{Hop, Lookup, PingResult, Resource};

/// The least, the mean and the most, in milliseconds.
pub fn echoes(echoes: &Echoes) -> PingResult {
    let times: Vec<f64> = echoes.times_us.iter().map(|time| Duration::from_micros(*time).as_secs_f64() * 1e3).collect();
    let sum: f64 = times.iter().sum();
    let received = u32::try_from(times.len()).unwrap_or(u32::MAX);
    PingResult {
        sent: echoes.sent,
        received,
        min: times.iter().copied().reduce(f64::min),
        avg: (!times.is_empty()).then(|| sum / f64::from(received)),
        max: times.iter().copied().reduce(f64::max),
    }
}

/// The summary at the end: `3 packets transmitted, 2 received, …`, then `rtt min/avg/max/mdev = 0.1/0.2/0.3/0.0 ms`.
/// (busybox writes `3 packets received` and `round-trip min/avg/max`.)
pub fn ping(text: &str) -> Option<PingResult> {
    let counts = text.lines().find(|line| line.contains(" packets transmitted"))?;
    let count = |part: Option<&str>| part?.split_whitespace().next()?.parse::<u32>().ok();
    let mut parts = counts.split(", ");
    let (sent, received) = (count(parts.next())?, count(parts.next())?);
    let times = text.lines().find_map(|line| line.split_once("min/avg/max")?.1.split_once("= "));
    let times = times.map_or("", |(_, times)| times).trim_end_matches(" ms");
    let mut times = times.split('/').map(|time| time.parse().ok());
    let mut next = || times.next().flatten();
    Some(PingResult { sent, received, min: next(), avg: next(), max: next() })
}

/// Lines such as ` 2  192.0.2.1  0.345 ms`, or ` 3  *`, after a heading.
pub fn traceroute(text: &str) -> Vec<Hop> {
    let hop = |line: &str| {
        let mut words = line.split_whitespace();
        let number = words.next()?.parse().ok()?;
        let address = words.next().filter(|word| *word != "*").map(str::to_owned);
        let time = words.next().and_then(|time| time.parse().ok());
        Some(Hop { number, address, time })
    };
    text.lines().filter_map(hop).collect()
}

/// A comment with the status, then records as in zone files.
pub fn dig(text: &str) -> Option<Lookup> {
    let status = text.lines().find_map(|line| line.strip_prefix(";;")?.split_once("status: ")?.1.split(',').next())?;
    let record = |line: &str| {
        let mut rest = line;
        let mut word = || {
            let trimmed = rest.trim_start();
            let end = trimmed.find(char::is_whitespace)?;
            rest = &trimmed[end..];
            Some(&trimmed[..end])
        };
        let (name, ttl, _class, kind) = (word()?, word()?, word()?, word()?);
        Some(Resource {
            name: name.to_owned(),
            ttl: ttl.parse().ok()?,
            kind: kind.to_owned(),
            data: rest.trim().to_owned(),
        })
    };
    let answers = text.lines().filter(|line| !line.starts_with(';')).filter_map(record).collect();
    Some(Lookup { status: status.to_owned(), answers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echoes_are_summed_up() {
        let told = |times: &[u64]| echoes(&Echoes { address: "::1".into(), sent: 3, times_us: times.to_vec() });
        let some = told(&[1000, 3000]);
        assert_eq!((some.sent, some.received, some.min, some.avg, some.max), (3, 2, Some(1.0), Some(2.0), Some(3.0)));
        assert_eq!((told(&[]).received, told(&[]).avg), (0, None));
    }

    #[test]
    fn what_ping_says_is_counted() {
        let text = "PING 127.0.0.1 (127.0.0.1) 56(84) bytes of data.\n\n--- 127.0.0.1 ping statistics ---
3 packets transmitted, 3 received, 0% packet loss, time 2027ms\nrtt min/avg/max/mdev = 0.030/0.042/0.051/0.008 ms\n";
        let told = ping(text).unwrap();
        assert_eq!((told.sent, told.received), (3, 3));
        assert_eq!((told.min, told.avg, told.max), (Some(0.030), Some(0.042), Some(0.051)));
        let lost = ping("2 packets transmitted, 0 packets received, 100% packet loss\n").unwrap();
        assert_eq!((lost.sent, lost.received, lost.min), (2, 0, None));
        assert!(ping("ping: unknown host x").is_none());
    }

    #[test]
    fn routers_that_do_not_answer_have_no_address() {
        let text = "traceroute to 1.1.1.1 (1.1.1.1), 30 hops max, 60 byte packets\n 1  192.0.2.1  0.345 ms\n 2  *\n";
        let told = traceroute(text);
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].address.as_deref(), told[0].time), (Some("192.0.2.1"), Some(0.345)));
        assert_eq!((told[1].number, told[1].address.as_deref(), told[1].time), (2, None, None));
    }

    #[test]
    fn records_are_told_with_the_servers_verdict() {
        let text = ";; Got answer:\n;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 7\n;; flags: qr rd ra; QUERY: 1
\n;; ANSWER SECTION:\nexample.org.\t\t300\tIN\tMX\t10 mail.example.org.\nexample.org. 60 IN TXT \"a  b\"\n";
        let told = dig(text).unwrap();
        assert_eq!((told.status.as_str(), told.answers.len()), ("NOERROR", 2));
        assert_eq!((told.answers[0].ttl, told.answers[0].kind.as_str()), (300, "MX"));
        assert_eq!(
            (told.answers[0].data.as_str(), told.answers[1].data.as_str()),
            ("10 mail.example.org.", "\"a  b\"")
        );
        assert!(dig(";; connection timed out; no servers could be reached").is_none());
    }
}
