//! What `ps` shows for this process.
//!
//! Linux shows the memory that held the arguments at exec, so a new title is written over them. It can
//! be no longer than they were; whoever starts a process that will want a title gives it an argument of
//! [`TITLE_MAX`] characters to grow into.

use std::{
    ffi::CString,
    fs, io,
    sync::{
        LazyLock,
        atomic::{AtomicU8, Ordering},
    },
};

use nix::sys::prctl;

/// Where the arguments are. Forked copies have them at the same place, and need not ask again.
static AREA: LazyLock<Option<(usize, usize)>> =
    LazyLock::new(|| argument_area(&fs::read_to_string("/proc/self/stat").ok()?));

/// The title's length that callers plan for.
pub const TITLE_MAX: usize = 80;

/// Shows `title`, cut to the room there is, instead of the arguments. The short name (`comm`, 15
/// characters) is set too.
///
/// From then on `std::env::args()` yields parts of the title, so this is for forked processes that have
/// read their arguments long ago.
pub fn set(title: &str) -> io::Result<()> {
    let clean: Vec<u8> = title.bytes().map(|byte| if byte == 0 { b'?' } else { byte }).collect();
    let short = CString::new(&clean[..clean.len().min(15)])?;
    prctl::set_name(&short)?;
    let missing = || io::Error::new(io::ErrorKind::InvalidData, "the kernel does not say where the arguments are");
    let (begin, end) = AREA.ok_or_else(missing)?;
    let room = end - begin;
    for offset in 0..room {
        // The last byte stays zero, or the kernel would go on reading into the environment.
        let byte = if offset + 1 < room { clean.get(offset).copied().unwrap_or(0) } else { 0 };
        // SAFETY: the kernel says that the process's arguments are from `begin` to `end`; that memory is
        // writable and stays mapped for the whole life of the process. Others reach it only as C strings,
        // through the argument pointers, and each still ends at the last byte at the latest. Single bytes
        // are stored atomically, so a reader in another thread sees old or new ones.
        let place = unsafe { AtomicU8::from_ptr(std::ptr::with_exposed_provenance_mut(begin + offset)) };
        place.store(byte, Ordering::Relaxed);
    }
    Ok(())
}

/// Fields 48 and 49 of `/proc/PID/stat` (`proc_pid_stat(5)`).
fn argument_area(stat: &str) -> Option<(usize, usize)> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split_ascii_whitespace().skip(45);
    let begin: usize = fields.next()?.parse().ok()?;
    let end: usize = fields.next()?.parse().ok()?;
    (begin != 0 && begin < end).then_some((begin, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_area_is_read_from_behind_the_name() {
        let fields = (3..=52).map(|field| field.to_string()).collect::<Vec<_>>().join(" ");
        assert_eq!(argument_area(&format!("1 (a ) b) {fields}")), Some((48, 49)));
        assert_eq!(argument_area("1 (a) S 1"), None);
    }

    #[test]
    fn this_process_has_arguments() {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(argument_area(&stat).is_some());
    }
}
