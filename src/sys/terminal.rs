//! Reading a line from the terminal without showing it.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Write as _},
};

use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// The byte that Ctrl-C sends.
const INTERRUPT: u8 = 3;

/// The terminal of this process, whatever its standard streams are; an error where it has none.
pub fn open() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/tty")
}

/// Reads a line, without its end, that is not shown while it is typed: nothing is from the moment at which the prompt is
/// there. Ctrl-C is an error of kind `Interrupted`: as a signal it would leave the terminal silent.
pub fn hidden_line(mut terminal: &File, prompt: &str) -> io::Result<Zeroizing<String>> {
    let _quiet = Quiet::set(terminal)?;
    terminal.write_all(prompt.as_bytes())?;
    let mut line = Zeroizing::new(Vec::new());
    let mut reader = BufReader::new(terminal);
    loop {
        let end = reader.fill_buf()?.iter().position(|byte| matches!(*byte, b'\n' | INTERRUPT));
        let buffer = reader.buffer();
        let (taken, last) = match end {
            Some(at) => (&buffer[..at], Some(buffer[at])),
            None => (buffer, None),
        };
        line.extend_from_slice(taken);
        let ended = buffer.is_empty();
        let used = taken.len() + usize::from(last.is_some());
        reader.consume(used);
        match last {
            Some(INTERRUPT) => return Err(io::ErrorKind::Interrupted.into()),
            Some(_) => break,
            None if ended => return Err(io::ErrorKind::UnexpectedEof.into()),
            None => {}
        }
    }
    String::from_utf8(std::mem::take(&mut line)).map(Zeroizing::new).map_err(|_| io::ErrorKind::InvalidData.into())
}

/// The terminal shows nothing while this exists.
struct Quiet<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn set(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
        quiet.local_flags.insert(LocalFlags::ECHONL | LocalFlags::ICANON);
        // Ends the line by itself, so that nobody has to press Enter after it.
        quiet.control_chars[SpecialCharacterIndices::VEOL as usize] = INTERRUPT;
        tcsetattr(terminal, SetArg::TCSAFLUSH, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // Were the terminal gone, nobody would miss it.
        let _ = tcsetattr(self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}
