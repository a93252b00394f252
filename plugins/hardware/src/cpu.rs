//! The processors, from /proc/cpuinfo (proc(5)), which differs from one architecture to the next.

use std::collections::BTreeSet;

use func_sdk::{size, table};

use crate::exports::base::hardware::hardware::Processors;

/// What the file tells. Where it says nothing of sockets and cores, each thread is a core of one socket.
pub fn parse(cpuinfo: &str) -> Processors {
    let first = |names: &[&str]| names.iter().find_map(|name| table::value(cpuinfo, ':', name)).map(str::to_owned);
    let threads = table::pairs(cpuinfo, ':').filter(|(name, _)| *name == "processor").count().max(1);
    let (mut sockets, mut cores) = (BTreeSet::new(), BTreeSet::new());
    for thread in cpuinfo.split("\n\n") {
        let value = |name| table::value(thread, ':', name);
        if let Some(socket) = value("physical id") {
            sockets.insert(socket);
            cores.extend(value("core id").map(|core| (socket, core)));
        }
    }
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let features = first(&["flags", "Features", "isa", "features"]).unwrap_or_default();
    Processors {
        model: first(&["model name", "Model", "cpu model", "cpu", "Hardware"]),
        vendor: first(&["vendor_id", "CPU implementer"]),
        sockets: count(sockets.len().max(1)),
        cores: count(if cores.is_empty() { threads } else { cores.len() }),
        threads: count(threads),
        cache: first(&["cache size"]).and_then(|cache| size::parse(&cache.replace("KB", "kB"))),
        is_virtual: features.split_whitespace().any(|feature| feature == "hypervisor"),
        features: features.split_whitespace().map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_cores_and_sockets_are_told_apart() {
        let thread = |number: u32, socket: u32, core: u32| {
            format!(
                "processor\t: {number}\nvendor_id\t: GenuineIntel\nmodel name\t: Fast: very\ncache size\t: 480 KB\n\
                 physical id\t: {socket}\ncore id\t\t: {core}\nflags\t\t: fpu hypervisor\n\n"
            )
        };
        let text = [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 0, 0)].map(|(n, s, c)| thread(n, s, c)).concat();
        let told = parse(&text);
        assert_eq!((told.sockets, told.cores, told.threads), (2, 3, 4));
        assert_eq!((told.model.as_deref(), told.vendor.as_deref()), (Some("Fast: very"), Some("GenuineIntel")));
        assert_eq!((told.cache, told.is_virtual, told.features.len()), (Some(480 << 10), true, 2));
    }

    #[test]
    fn a_processor_that_tells_little_is_counted_all_the_same() {
        let text = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n\nprocessor\t: 1\n\n";
        let told = parse(text);
        assert_eq!((told.sockets, told.cores, told.threads, told.is_virtual), (1, 2, 2, false));
        assert_eq!((told.model, told.vendor.as_deref()), (None, Some("0x41")));
        assert_eq!((parse("").threads, parse("").cores), (1, 1));
    }
}
