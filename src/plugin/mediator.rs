//! The one place between a module and the machine.
//!
//! ```text
//! module ──▶ impl Host for State ──▶ mediate(call) ──▶ count ──▶ perform ──▶ note a denial ──▶ module
//! ```
//!
//! Nothing that touches the machine goes around it, so what is done with every call is written once.

use super::{
    budget::Denial,
    context::Level,
    host::{
        Access, Error, ErrorKind,
        call::{Effect, HostCall, Question},
        grant_line,
    },
    state::State,
};

impl State {
    /// Makes a call of a host function on behalf of the module.
    pub(super) async fn mediate<C: HostCall>(&mut self, call: C) -> Result<C::Answer, Error> {
        self.counter.count(C::NAME, C::EFFECT);
        let access = self.access();
        let answer = call.perform(access).await;
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
        question.answer(self)
    }

    fn access(&self) -> Access {
        let context = &self.context;
        Access::new(
            self.module.clone(),
            context.grant.clone(),
            context.limits.clone(),
            context.cancelled.clone(),
            self.ends(),
        )
    }

    /// Keeps a denial, and says it once in the job's log.
    fn note_denial(&mut self, call: &str, error: &Error) {
        let allow = error.hint.as_deref().map(|hint| grant_line(hint).to_owned());
        let denial = Denial { call: call.to_owned(), message: error.message.clone(), allow };
        let Some(denial) = self.counter.denied(denial) else { return };
        let (message, allow) = (denial.message.clone(), denial.allow.clone());
        let fields: Vec<_> = allow.map(|line| ("allow".to_owned(), line)).into_iter().collect();
        self.record(Level::Warn, &message, &fields);
    }
}
