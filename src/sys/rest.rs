//! Giving back memory that a process which has nothing to do does not need.
//!
//! Most of what a daemon has resident are pages of its own program that it ran through once, at its start or in a call an
//! hour ago: the kernel maps sixteen pages around each one that is touched. They are let go of here, and come back from the page
//! cache, a microsecond each, when they are run again. So is what the allocator keeps free.

use std::{io, ptr, slice, time::Duration};

use nix::{
    sys::{
        mman::{MmapAdvise, madvise},
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    },
    unistd::{SysconfVar, sysconf},
};

/// Lets go of what can be had again.
pub fn rest() -> io::Result<()> {
    // SAFETY: it takes a number and answers one; the allocator's own locks guard what it gives back.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    let page = sysconf(SysconfVar::PAGE_SIZE)?.and_then(|size| usize::try_from(size).ok()).unwrap_or(4096);
    for (begin, end) in code() {
        let (begin, end) = (begin.next_multiple_of(page), end / page * page);
        let Some(place) = ptr::NonNull::new(ptr::with_exposed_provenance_mut(begin)).filter(|_| begin < end) else {
            continue;
        };
        // SAFETY: the range lies within a segment of this program, or of a library that it was started with and that is
        // never unloaded. Nobody can write there (linkers refuse code that would have to be changed when it is loaded), so
        // what is dropped is what the file has, and the next access brings it back.
        let _ = unsafe { madvise(place, end - begin, MmapAdvise::MADV_DONTNEED) };
    }
    Ok(())
}

/// Processor time that this process has used so far.
pub fn processor_time() -> io::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = (usage.user_time() + usage.system_time()).num_microseconds();
    Ok(Duration::from_micros(u64::try_from(micros).unwrap_or(0)))
}

/// Where code and constants lie: segments of the program and of its libraries that cannot be written to.
fn code() -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    // SAFETY: the callback has the type that is asked for and takes the vector as what it is; it is not called any more when
    // the function has returned.
    unsafe { libc::dl_iterate_phdr(Some(note_code), ptr::from_mut(&mut found).cast()) };
    found
}

unsafe extern "C" fn note_code(object: *mut libc::dl_phdr_info, _: usize, found: *mut libc::c_void) -> libc::c_int {
    // SAFETY: the dynamic linker passes a valid object, whose headers are as many as it says, and what `code` gave it.
    let (found, base, headers) = unsafe {
        let object = &*object;
        if object.dlpi_phdr.is_null() {
            return 0;
        }
        let headers = slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into());
        (&mut *found.cast::<Vec<(usize, usize)>>(), object.dlpi_addr, headers)
    };
    for header in headers {
        if header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_W == 0 {
            let begin = base.wrapping_add(header.p_vaddr);
            let range = usize::try_from(begin).ok().zip(usize::try_from(begin.wrapping_add(header.p_memsz)).ok());
            found.extend(range);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_let_go_of_is_there_again_when_it_is_needed() {
        let ours = what_was_let_go_of_is_there_again_when_it_is_needed as fn() as usize;
        let constant = "a text that lies in the program's file".as_ptr() as usize;
        for place in [ours, constant] {
            assert!(code().iter().any(|(begin, end)| (*begin..*end).contains(&place)), "{:x?}", code());
        }
        rest().unwrap();
        assert_eq!("a text that lies in the program's file".len(), 38);
        assert!(processor_time().unwrap() > Duration::ZERO);
    }
}
