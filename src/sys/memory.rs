//! Memory that has a descriptor and no name, for what goes from one process to another and never to a disk.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, Write as _},
    os::fd::OwnedFd,
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};
use zeroize::Zeroizing;

/// Memory with these bytes, which nobody can change any more. It is gone with its last descriptor.
pub fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    let memory = memfd_create(c"func", MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
    let mut file = File::from(memory);
    file.write_all(bytes)?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file.into())
}

/// The bytes in it.
pub fn read(memory: &OwnedFd) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = File::from(memory.try_clone()?);
    file.rewind()?;
    // Of one size from the beginning, so that no part of it is left behind by growing.
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = Zeroizing::new(vec![0; length]);
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_is_read_and_cannot_be_changed() {
        let memory = sealed(b"text").unwrap();
        assert_eq!(&**read(&memory).unwrap(), b"text");
        assert_eq!(&**read(&memory).unwrap(), b"text");
        let mut file = File::from(memory.try_clone().unwrap());
        file.rewind().unwrap();
        assert_eq!(file.write(b"x").unwrap_err().kind(), io::ErrorKind::PermissionDenied);
    }
}
