//! Tells what the machine is made of.

mod blocks;
mod cpu;
mod firmware;
mod nics;
mod pci;
mod usb;

use exports::base::hardware::hardware::{
    BlockDevice, Guest, Machine, MemorySize, NetworkCard, PciDevice, Processors, Product, UsbDevice,
};
use func_sdk::{Error, Result, file, size, table};

func_sdk::module!(Hardware);

struct Hardware;

impl Guest for Hardware {
    fn inventory() -> Result<Machine> {
        Ok(Machine {
            product: Self::system()?,
            cpus: Self::processor()?,
            memory: Self::memory()?,
            pci: Self::pci()?,
            usb: Self::usb()?,
            disks: Self::disks()?,
            nics: Self::nics()?,
        })
    }

    fn system() -> Result<Product> {
        firmware::look()
    }

    fn processor() -> Result<Processors> {
        Ok(cpu::parse(&file::text("/proc/cpuinfo")?))
    }

    fn memory() -> Result<MemorySize> {
        let text = file::text("/proc/meminfo")?;
        let bytes = |name| table::value(&text, ':', name).and_then(size::parse);
        let total = bytes("MemTotal").ok_or_else(|| Error::unsupported("/proc/meminfo does not tell the memory"))?;
        Ok(MemorySize { total, swap: bytes("SwapTotal").unwrap_or(0) })
    }

    fn pci() -> Result<Vec<PciDevice>> {
        pci::look()
    }

    fn usb() -> Result<Vec<UsbDevice>> {
        usb::look()
    }

    fn disks() -> Result<Vec<BlockDevice>> {
        blocks::look()
    }

    fn nics() -> Result<Vec<NetworkCard>> {
        nics::look()
    }
}
