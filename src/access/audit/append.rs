//! Lines of programs that run for a moment and write now and then.

use std::{io, path::Path, time::Duration};

use super::{Event, Rotation, writer::Writer};

/// Such a log is small, and kept whole.
const NEVER: Rotation = Rotation { bytes: u64::MAX, age: Duration::MAX, keep: usize::MAX };

/// Seals lines, each a JSON object, to the end of the log, and says in it what is not as it was left. When this returns they
/// are on the disk.
pub fn append(path: &Path, bodies: &[Vec<u8>]) -> io::Result<()> {
    let (mut writer, found) = Writer::open(path, NEVER)?;
    if let Some(found) = &found {
        tracing::error!(?found, log = %path.display(), "the audit log is not as it was left; `func audit verify` tells more");
    }
    let found = found.as_ref().map(Event::body);
    writer.append(found.iter().chain(bodies))
}
