//! Misbehaves in every way a module can, so that tests can show that a minion holds out.

use std::hint::black_box;

use exports::guests::rogue::rogue::Guest;
use func_sdk::{
    Error, ErrorKind, Result, clock, config, files, job, log,
    program::Program,
    values::{Item, Value},
};

func_sdk::module!(Rogue);

struct Rogue;

impl Guest for Rogue {
    fn spin() {
        let mut turns = 0_u64;
        loop {
            turns = black_box(turns.wrapping_add(1));
        }
    }

    fn grow() -> u64 {
        let mut hoard = Vec::new();
        loop {
            hoard.push(black_box(vec![1_u8; 1 << 20]));
            if hoard.len() > 1 << 20 {
                return hoard.len() as u64;
            }
        }
    }

    fn recurse() -> u64 {
        deeper(0)
    }

    fn shout(bytes: u64) {
        let line = "x".repeat(1000);
        for _ in 0..bytes / 1000 {
            log::info(&line);
        }
    }

    fn bytes(count: u32) -> Vec<u8> {
        vec![7; count as usize]
    }

    fn text(count: u32) -> String {
        "x".repeat(count as usize)
    }

    fn many(count: u32) -> Vec<u32> {
        (0..count).collect()
    }

    fn panic(message: String) {
        panic!("{message}")
    }

    fn trap() {
        abort();
    }

    fn overrun() -> u8 {
        let bytes = black_box([1_u8; 4]);
        // SAFETY: there is none. The address is outside the memory, where reading traps.
        unsafe { black_box(bytes.as_ptr().wrapping_add(0xf000_0000)).read_volatile() }
    }

    fn fail(message: String) -> Result<()> {
        Err(Error::failed(message).hint("this is meant to fail"))
    }

    fn loop_value() -> Value {
        Value { items: vec![Item::Array(vec![0])] }
    }

    fn nest(levels: u32) -> Value {
        Value { items: (1..=levels).map(|next| Item::Array(vec![next])).chain([Item::Nil]).collect() }
    }

    fn append_line(path: String, line: String, hold_ms: Option<u64>) -> Result<()> {
        files::append(&path, format!("{line}\n").as_bytes())?;
        hold_ms.map_or(Ok(()), job::sleep)
    }

    fn pass_gate(line: Option<String>) -> Result<String> {
        let setting = |key| config::get(key).ok_or_else(|| Error::invalid(format!("there is no setting `{key}`")));
        let line = line.unwrap_or_else(|| "ran".to_owned());
        files::append(&setting("ledger")?, format!("{line}\n").as_bytes())?;
        let gate = setting("gate")?;
        loop {
            match files::read_text(&gate) {
                Err(error) if error.kind == ErrorKind::NotFound => job::sleep(10)?,
                passed => return passed,
            }
        }
    }

    fn hold(ms: u64) -> Result<u64> {
        job::sleep(ms).map(|()| ms)
    }

    fn hold_on(ms: u64) {
        let end = clock::monotonic_ns() + ms * 1_000_000;
        while clock::monotonic_ns() < end {
            let _ = job::sleep(10);
        }
    }

    fn run(program: String, args: Vec<String>) -> Result<String> {
        Program::new(program).args(args).text()
    }

    fn read(path: String) -> Result<String> {
        files::read_text(&path)
    }

    fn write(path: String, text: String) -> Result<()> {
        files::write(&path, text.as_bytes(), None)
    }

    fn setting(key: String) -> Option<String> {
        config::get(&key)
    }
}

#[expect(unconditional_recursion, reason = "that is its purpose")]
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    black_box(deeper(black_box(depth + 1))) + 1
}

#[cfg(target_arch = "wasm32")]
fn abort() {
    core::arch::wasm32::unreachable()
}

#[cfg(not(target_arch = "wasm32"))]
fn abort() {
    std::process::abort()
}
