//! Filters of system calls, in the kernel's old packet filter language.
//!
//! The kernel translates a filter each time that it is installed, and tries it out on every number there is. A list that
//! is gone through from its beginning costs 200 µs that way; a decision by halves costs 40.

use std::{collections::BTreeMap, env::consts::ARCH};

use seccompiler::{BpfProgram, sock_filter};

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is made.
    Allow,
    /// It answers this error.
    Refuse(i32),
    /// It answers this error if its first argument has any of these bits.
    RefuseFlags(u32, i32),
    /// It answers this error unless its first argument is one of these.
    RefuseOthers(&'static [i32], i32),
}

// Where a filter finds what it is asked about (`struct seccomp_data`); the machines below have their low halves first.
const NUMBER: u32 = 0;
const MACHINE: u32 = 4;
const FIRST_ARGUMENT: u32 = 16;
// Load a word, jump if equal, if greater or equal, if any bit is set, and return (`linux/bpf_common.h`).
const LOAD: u16 = 0x20;
const IF_EQUAL: u16 = 0x15;
const IF_AT_LEAST: u16 = 0x35;
const IF_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
/// On x86-64 the same calls have a second set of numbers (x32), from here on.
const OTHER_NUMBERS: u32 = 0x4000_0000;

/// How the kernel calls this machine (`linux/audit.h`); nothing for one that this is not written for.
fn machine() -> Option<u32> {
    match ARCH {
        "x86_64" => Some(0xC000_003E),
        "aarch64" => Some(0xC000_00B7),
        "riscv64" => Some(0xC000_00F3),
        _ => None,
    }
}

/// A filter by which each call that is not named is made. Nothing for a machine that this is not written for, and where
/// there is too much to decide.
pub(super) fn compile(named: &BTreeMap<u32, Verdict>) -> Option<BpfProgram> {
    let mut program = vec![
        step(LOAD, 0, 0, MACHINE),
        step(IF_EQUAL, 1, 0, machine()?),
        step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(LOAD, 0, 0, NUMBER),
    ];
    let mut ranges = Ranges::of(named);
    if ARCH == "x86_64" {
        ranges.set_from(OTHER_NUMBERS, Verdict::Refuse(libc::ENOSYS));
    }
    let mut decisions = Vec::new();
    ranges.decide(0, ranges.from.len(), &mut decisions);
    let endings: Vec<BpfProgram> = ranges.verdicts.iter().map(ending).collect();
    let place = |target: Target| match target {
        Target::Decision(index) => index,
        Target::Ending(index) => decisions.len() + endings[..index].iter().map(Vec::len).sum::<usize>(),
    };
    for (at, decision) in decisions.iter().enumerate() {
        let [yes, no] = [decision.yes, decision.no].map(|target| u8::try_from(place(target) - at - 1));
        program.push(step(IF_AT_LEAST, yes.ok()?, no.ok()?, decision.from));
    }
    program.extend(endings.iter().flatten().cloned());
    Some(program)
}

/// All numbers, in ranges for which the same is decided.
struct Ranges {
    /// Where each range begins, and which verdict is its.
    from: Vec<(u32, usize)>,
    verdicts: Vec<Verdict>,
}

#[derive(Clone, Copy)]
enum Target {
    Decision(usize),
    Ending(usize),
}

/// Whether a number is this one or a later one.
struct Decision {
    from: u32,
    yes: Target,
    no: Target,
}

impl Ranges {
    fn of(named: &BTreeMap<u32, Verdict>) -> Self {
        let mut ranges = Self { from: Vec::new(), verdicts: Vec::new() };
        ranges.set_from(0, Verdict::Allow);
        for (number, verdict) in named {
            ranges.set_from(*number, verdict.clone());
            ranges.set_from(number + 1, Verdict::Allow);
        }
        ranges
    }

    /// From here on it is this verdict.
    fn set_from(&mut self, number: u32, verdict: Verdict) {
        let index = self.verdicts.iter().position(|known| *known == verdict).unwrap_or(self.verdicts.len());
        if index == self.verdicts.len() {
            self.verdicts.push(verdict);
        }
        self.from.retain(|(from, _)| *from < number);
        if self.from.last().is_none_or(|(_, last)| *last != index) {
            self.from.push((number, index));
        }
    }

    /// Writes down how to decide between these ranges, each decision before those that it leads to, and answers where
    /// to begin.
    fn decide(&self, first: usize, end: usize, decisions: &mut Vec<Decision>) -> Target {
        if end - first == 1 {
            return Target::Ending(self.from[first].1);
        }
        let (middle, at) = (first.midpoint(end), decisions.len());
        decisions.push(Decision { from: self.from[middle].0, yes: Target::Ending(0), no: Target::Ending(0) });
        decisions[at].no = self.decide(first, middle, decisions);
        decisions[at].yes = self.decide(middle, end, decisions);
        Target::Decision(at)
    }
}

/// What is done once it is known which call it is.
fn ending(verdict: &Verdict) -> BpfProgram {
    let allow = || step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW);
    let refuse = |error: &i32| step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | error.cast_unsigned());
    match verdict {
        Verdict::Allow => vec![allow()],
        Verdict::Refuse(error) => vec![refuse(error)],
        Verdict::RefuseFlags(flags, error) => {
            vec![step(LOAD, 0, 0, FIRST_ARGUMENT), step(IF_ANY_BIT, 0, 1, *flags), refuse(error), allow()]
        }
        Verdict::RefuseOthers(values, error) => {
            let each = values.iter().flat_map(|value| [step(IF_EQUAL, 0, 1, value.cast_unsigned()), allow()]);
            [step(LOAD, 0, 0, FIRST_ARGUMENT)].into_iter().chain(each).chain([refuse(error)]).collect()
        }
    }
}

fn step(code: u16, jt: u8, jf: u8, k: u32) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do.
    fn run(program: &[sock_filter], machine: u32, number: u32, first: u64) -> u32 {
        let (mut at, mut word) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            let jump = |yes: bool| usize::from(if yes { jt } else { jf });
            at += 1 + match code {
                LOAD => {
                    word = match k {
                        NUMBER => number,
                        MACHINE => machine,
                        FIRST_ARGUMENT => u32::try_from(first & 0xFFFF_FFFF).unwrap(),
                        other => panic!("{other}"),
                    };
                    0
                }
                IF_EQUAL => jump(word == k),
                IF_AT_LEAST => jump(word >= k),
                IF_ANY_BIT => jump(word & k != 0),
                RETURN => return k,
                other => panic!("{other}"),
            };
        }
    }

    #[test]
    fn every_number_gets_its_verdict() {
        let Some(here) = machine() else { return };
        let named: BTreeMap<u32, Verdict> = [
            (0, Verdict::Refuse(1)),
            (56, Verdict::RefuseFlags(0x30, 1)),
            (57, Verdict::Refuse(1)),
            (58, Verdict::Refuse(38)),
            (100, Verdict::RefuseOthers(&[1, 7], 97)),
        ]
        .into_iter()
        .chain((200..330).step_by(2).map(|number| (number, Verdict::Refuse(1))))
        .collect();
        let program = compile(&named).unwrap();
        assert!(program.len() < 200);
        let refused = |error: u32| libc::SECCOMP_RET_ERRNO | error;
        for number in (0..1000).chain([OTHER_NUMBERS - 1, OTHER_NUMBERS, OTHER_NUMBERS + 39, u32::MAX]) {
            for first in [0, 1, 7, 0x10, 0x1_0000_0007] {
                let low = first & 0xFFFF_FFFF;
                let expected = match named.get(&number) {
                    _ if ARCH == "x86_64" && number >= OTHER_NUMBERS => refused(38),
                    Some(Verdict::Refuse(error)) => refused(error.cast_unsigned()),
                    Some(Verdict::RefuseFlags(..)) if low & 0x30 != 0 => refused(1),
                    Some(Verdict::RefuseOthers(..)) if low != 1 && low != 7 => refused(97),
                    _ => libc::SECCOMP_RET_ALLOW,
                };
                assert_eq!(run(&program, here, number, first), expected, "{number} {first:x}");
                assert_eq!(run(&program, 0x4000_0003, number, first), libc::SECCOMP_RET_KILL_PROCESS);
            }
        }
    }

    #[test]
    fn what_is_too_far_apart_to_be_jumped_over_is_no_filter() {
        let named = (0..2000).step_by(2).map(|number| (number, Verdict::Refuse(1))).collect();
        assert!(compile(&named).is_none());
    }
}
