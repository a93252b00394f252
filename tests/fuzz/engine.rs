//! Trying a reader of outside bytes with bytes that nobody thought of.
//!
//! A target is a plain function. Each run of the tests replays its corpus (what is given, and the files in
//! `tests/fuzz/corpus/NAME`) and tries some changes of it, the same ones every time. `FUNC_FUZZ_SECONDS=60 cargo test
//! --release fuzz` goes on for so many seconds of processor time for each target, from another beginning each time.
//!
//! No instrumented build guides it: that would be a second build of everything. What guides it is what the target answers:
//! an input with an answer of a new kind (its text without digits) becomes a beginning for further ones.

use std::{
    collections::{HashSet, hash_map::DefaultHasher},
    fmt::Debug,
    fs,
    hash::{Hash, Hasher},
    io::Write as _,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use nix::{
    sys::resource::{UsageWho, getrusage},
    time::{ClockId, clock_gettime},
};

/// For how long each target is tried beyond the usual.
const SECONDS: &str = "FUNC_FUZZ_SECONDS";
/// Changes that every run of the tests tries.
const USUAL: u64 = 3000;
/// Inputs with answers of their own that are kept.
const POOL: usize = 4096;
const LONGEST: usize = 16 << 10;
/// An input that takes more processor time than this is a finding, too.
const SLOW: Duration = Duration::from_secs(5);
/// An input during which the process' peak of memory grows by more than so many kB is one, too.
const GREEDY: i64 = 512 << 10;
/// Numbers on whose sides readers are most often wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    i64::MAX.cast_unsigned(),
    1 << 63,
    u64::MAX,
];

/// Tries a target. `words` are parts of its language.
#[track_caller]
pub(crate) fn fuzz<A: Debug>(name: &str, corpus: &[&[u8]], words: &[&str], target: impl Fn(&[u8]) -> A) {
    let mut pool: Vec<Vec<u8>> = corpus.iter().map(|bytes| bytes.to_vec()).chain(written(name)).collect();
    let mut known = HashSet::new();
    for input in pool.clone() {
        known.insert(try_one(name, &input, &target));
    }
    let more = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut chance = Chance(if more.is_some() { since.as_secs() | 1 } else { 0x2007_0925 });
    let (begun, mut executions) = (spent(), 0);
    let enough = |executions: u64| match more {
        Some(time) => executions.is_multiple_of(64) && spent().saturating_sub(begun) > time,
        None => executions >= USUAL,
    };
    while !enough(executions) {
        let input = changed(&pool, words, &mut chance);
        executions += 1;
        if known.insert(try_one(name, &input, &target)) && pool.len() < POOL {
            pool.push(input);
        }
    }
    if more.is_some() {
        let seconds = spent().saturating_sub(begun).as_secs();
        let kinds = known.len();
        let _ = writeln!(
            std::io::stderr(),
            "fuzz: {name}: {executions} executions in {seconds} s of processor time, {kinds} kinds of answers"
        );
    }
}

/// The kind of the answer. A panic, or an answer that takes too long or too much memory, fails the test; the input is kept.
#[track_caller]
fn try_one<A: Debug>(name: &str, input: &[u8], target: &impl Fn(&[u8]) -> A) -> u64 {
    let (begun, peak) = (spent(), most_memory());
    let answer = catch_unwind(AssertUnwindSafe(|| format!("{:?}", target(input))));
    let fault = match &answer {
        Err(_) => "panics",
        Ok(_) if spent().saturating_sub(begun) > SLOW => "takes too long",
        Ok(_) if most_memory() - peak > GREEDY => "takes too much memory",
        Ok(answer) => {
            let mut kind = DefaultHasher::new();
            answer.chars().filter(|c| !c.is_ascii_digit()).take(160).collect::<String>().hash(&mut kind);
            return kind.finish();
        }
    };
    let kept = std::env::temp_dir().join(format!("func-fuzz-{name}-{:x}", input.len()));
    let _ = fs::write(&kept, input);
    panic!(
        "{name} {fault} with {:?}; the input is kept in {}: mend it, and put the input into tests/fuzz/corpus/{name}",
        String::from_utf8_lossy(&input[..input.len().min(300)]),
        kept.display()
    );
}

/// The processor time of this thread: what else the machine does changes nothing.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// The most memory that this process has had, in kB.
fn most_memory() -> i64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss())
}

/// What earlier findings left.
fn written(name: &str) -> Vec<Vec<u8>> {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

fn changed(pool: &[Vec<u8>], words: &[&str], chance: &mut Chance) -> Vec<u8> {
    let empty = Vec::new();
    let mut input = chance.of(pool).unwrap_or(&empty).clone();
    for _ in 0..=chance.below(4) {
        let at = chance.below(input.len() + 1);
        let to = at + chance.below((input.len() - at).min(40) + 1);
        match chance.below(9) {
            0 if at < input.len() => input[at] ^= 1 << chance.below(8),
            1 if at < input.len() => input[at] = chance.next().to_le_bytes()[0],
            2 => drop(input.drain(at..to)),
            3 => input.truncate(at),
            4 => {
                let again = input[at..to].to_vec();
                (0..=chance.below(20)).for_each(|_| drop(input.splice(at..at, again.iter().copied())));
            }
            5 => {
                let other = chance.of(pool).unwrap_or(&empty);
                let from = chance.below(other.len() + 1);
                let end = from + chance.below(other.len() - from + 1);
                drop(input.splice(at..to, other[from..end].iter().copied()));
            }
            6 => {
                let edge = EDGES[chance.below(EDGES.len())];
                let bytes = match chance.below(4) {
                    0 => edge.to_string().into_bytes(),
                    1 => edge.to_be_bytes()[8 - (1 << chance.below(4))..].to_vec(),
                    _ => edge.to_le_bytes()[..1 << chance.below(4)].to_vec(),
                };
                let to = (at + bytes.len()).min(input.len());
                drop(input.splice(at..to, bytes));
            }
            _ => {
                let word = chance.of(words).copied().unwrap_or("\u{0}");
                drop(input.splice(at..if chance.below(2) == 0 { at } else { to }, word.bytes()));
            }
        }
        input.truncate(LONGEST);
    }
    input
}

/// Xorshift: good enough, and the same everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap_or(0) % bound.max(1)
    }

    fn of<'a, T>(&mut self, things: &'a [T]) -> Option<&'a T> {
        things.get(self.below(things.len()))
    }
}
