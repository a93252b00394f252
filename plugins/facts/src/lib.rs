//! Tells what the machine is: its name, system, processors, memory, addresses.

mod addresses;
mod contributed;
mod parse;

use exports::base::facts::facts::{Guest, KernelInfo, Machine, MemorySize, OperatingSystem, Processors};
use func_sdk::{Error, ErrorKind, Result, files};

func_sdk::module!(Facts);

struct Facts;

impl Guest for Facts {
    fn all() -> Result<Machine> {
        Ok(Machine {
            hostname: Self::hostname()?,
            os: Self::os()?,
            kernel: Self::kernel()?,
            cpus: Self::cpus()?,
            memory: Self::memory()?,
            addresses: Self::addresses()?,
        })
    }

    fn hostname() -> Result<String> {
        line("/proc/sys/kernel/hostname")
    }

    fn os() -> Result<OperatingSystem> {
        Ok(parse::operating_system(&files::read_text("/etc/os-release")?))
    }

    fn kernel() -> Result<KernelInfo> {
        Ok(KernelInfo {
            name: line("/proc/sys/kernel/ostype")?,
            release: line("/proc/sys/kernel/osrelease")?,
            version: line("/proc/sys/kernel/version")?,
        })
    }

    fn cpus() -> Result<Processors> {
        Ok(parse::processors(&files::read_text("/proc/cpuinfo")?))
    }

    fn memory() -> Result<MemorySize> {
        let text = files::read_text("/proc/meminfo")?;
        parse::memory(&text).ok_or_else(|| Error::unsupported("/proc/meminfo does not tell the memory"))
    }

    fn addresses() -> Result<Vec<String>> {
        let v4 = addresses::v4(&if_there("/proc/net/fib_trie")?);
        let v6 = addresses::v6(&if_there("/proc/net/if_inet6")?);
        Ok(v4.iter().map(ToString::to_string).chain(v6.iter().map(ToString::to_string)).collect())
    }
}

fn line(path: &str) -> Result<String> {
    Ok(files::read_text(path)?.trim_end().to_owned())
}

/// The text of a file that a machine without that protocol does not have.
fn if_there(path: &str) -> Result<String> {
    match files::read_text(path) {
        Err(Error { kind: ErrorKind::NotFound, .. }) => Ok(String::new()),
        other => other,
    }
}
