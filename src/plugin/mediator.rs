//! The one place between a module and the machine.
//!
//! ```text
//! module ──▶ impl Host for State ──▶ mediate(call) ──▶ count ──┬▶ perform  ┬──▶ note a denial ──▶ module
//!                                                              ├▶ rehearse ┤
//!                                                              └▶ tape     ┘
//! ```
//!
//! Nothing that touches the machine goes around it, so what is done with every call is written once.

use toml::Value as Data;

use super::{
    budget::Denial,
    context::{Level, Mode},
    host::{
        Access, Error, ErrorKind,
        call::{Effect, HostCall, Question},
        grant_lines,
    },
    mask::Mask,
    plan::{Plan, Rehearsal, shortened},
    recording::{Recording, Replayed},
    state::State,
    tape::{Heard, Tape, arguments},
};

/// What is done with the calls of one call, and what has come of it so far.
#[derive(Debug)]
pub(super) enum Mediation {
    Perform,
    Check(Box<Rehearsal>),
    /// Recording or playing: the tape knows which.
    Tape(Tape),
}

impl Mediation {
    pub(super) fn new(mode: &Mode) -> Self {
        match mode {
            Mode::Perform => Self::Perform,
            Mode::Check => Self::Check(Box::default()),
            Mode::Record => Self::Tape(Tape::blank()),
            Mode::Replay(replay) => Self::Tape(Tape::of(replay)),
        }
    }

    /// What is left of it when the call has ended.
    pub(super) fn end(&mut self) -> Trail {
        match std::mem::replace(self, Self::Perform) {
            Self::Perform => Trail::None,
            Self::Check(rehearsal) => Trail::Plan(rehearsal.into_plan()),
            Self::Tape(tape) => tape.end(),
        }
    }
}

/// What a call leaves behind besides its answer, as its [`Mode`] would have it.
#[derive(Debug, Clone, PartialEq)]
pub enum Trail {
    /// Nothing.
    None,
    /// What it would have done.
    Plan(Plan),
    /// What it asked and heard.
    Recording(Recording),
    /// How well the recording fitted it.
    Replayed(Replayed),
}

impl State {
    /// Makes a call of a host function on behalf of the module.
    pub(super) async fn mediate<C: HostCall>(&mut self, call: C) -> Result<C::Answer, Error> {
        self.counter.count(C::NAME, C::EFFECT);
        let access = self.access();
        let answer = match &mut self.mediation {
            Mediation::Perform => call.perform(access).await,
            Mediation::Check(rehearsal) if self.mask.is_empty() => call.rehearse(access, rehearsal).await,
            Mediation::Check(rehearsal) => {
                let mut arguments = Data::Table(arguments(&call, &Mask::default()));
                let held = self.mask.data(&mut arguments);
                let before = rehearsal.steps().len();
                let answer = call.rehearse(access, rehearsal).await;
                for step in &mut rehearsal.steps()[before..] {
                    if held {
                        step.arguments = shortened(Some(&arguments));
                    }
                    self.mask.step(step, held);
                }
                answer
            }
            Mediation::Tape(tape) => {
                let arguments = arguments(&call, &self.mask);
                match tape.hear(C::NAME, &arguments) {
                    Heard::Answer(answer) => answer,
                    Heard::Nothing => {
                        let answer = call.perform(access).await;
                        tape.record(C::NAME, arguments, answer.as_ref(), &self.mask);
                        answer
                    }
                }
            }
        };
        if let Err(error) = &answer
            && error.kind == ErrorKind::Denied
        {
            self.note_denial(C::NAME, error);
        }
        answer
    }

    /// Answers a question of the module's that the host answers at once.
    pub(super) fn ask<Q: Question>(&mut self, question: &Q) -> Q::Answer {
        self.counter.count(Q::NAME, Effect::Looks);
        let Mediation::Tape(tape) = &self.mediation else { return question.answer(self) };
        let (tape, arguments) = (tape.clone(), arguments(question, &self.mask));
        match tape.hear(Q::NAME, &arguments) {
            Heard::Answer(Ok(answer)) => answer,
            // The tape has noted that it has no answer. The module cannot be told, so it gets a true one.
            Heard::Answer(Err(_)) => question.answer(self),
            Heard::Nothing => {
                let answer = question.answer(self);
                tape.record(Q::NAME, arguments, Ok(&answer), &self.mask);
                answer
            }
        }
    }

    fn access(&self) -> Access {
        let context = &self.context;
        let kept = context.state.as_ref().map(|folder| folder.join(self.full_name.as_str()));
        Access::new(
            self.module.clone(),
            kept,
            context.grant.clone(),
            context.limits.clone(),
            context.cancelled.clone(),
            self.ends(),
        )
    }

    /// Keeps a denial, and says it once in the job's log.
    fn note_denial(&mut self, call: &str, error: &Error) {
        let allow = error.hint.as_deref().map(|hint| grant_lines(hint).to_owned());
        let allow = allow.map(|lines| self.mask.text(&lines).into_owned());
        let message = self.mask.text(&error.message).into_owned();
        let denial = Denial { call: call.to_owned(), message, allow };
        let Some(denial) = self.counter.denied(denial) else { return };
        let (message, allow) = (denial.message.clone(), denial.allow.clone());
        let fields: Vec<_> = allow.map(|lines| ("allow".to_owned(), lines)).into_iter().collect();
        self.record(Level::Warn, &message, &fields);
    }
}
