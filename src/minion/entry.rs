//! What the audit log says of one request.

use std::{sync::OnceLock, time::Instant};

use jiff::{SignedDuration, Timestamp};

use super::{
    caller::{Caller, Extras},
    view::Stamp,
};
use crate::{
    access::{AuditLog, AuditOutcome, AuditRecord, AuditedDenial, Reason, Written, summary},
    ids::{HostName, MethodName, MinionJobId},
    plugin::{Budget, Denial},
    tls::Role,
    wire::{Call, Value},
};

/// How much of a method's name is written down.
const NAME: usize = 200;

/// A request, whatever comes of it.
pub(super) struct Entry<'a> {
    pub(super) caller: &'a Caller,
    pub(super) extras: &'a Extras,
    pub(super) started: Instant,
    /// The method's name, cut short, and how many arguments there were; nothing where no call was read.
    call: Option<(String, usize)>,
    /// The arguments, cut short, once it is known which of them may be shown.
    args: OnceLock<String>,
    /// Whether only a check was asked for.
    check: bool,
}

/// Which code a request came to, which call of it, and which job. Each is known later than the one before.
#[derive(Debug, Clone, Default)]
pub(super) struct About {
    pub(super) stamp: Stamp,
    pub(super) call: Option<MinionJobId>,
    pub(super) job: Option<MinionJobId>,
    /// What it has used, when it has ended.
    pub(super) budget: Option<Budget>,
}

impl<'a> Entry<'a> {
    pub(super) fn new(caller: &'a Caller, extras: &'a Extras, call: Option<&Call>) -> Self {
        let call: Option<(String, usize)> =
            call.map(|call| (call.method.chars().take(NAME).collect(), call.params.len()));
        let check = call.as_ref().is_some_and(|(method, _)| {
            method
                .strip_prefix("async.")
                .unwrap_or(method)
                .parse()
                .is_ok_and(|name: MethodName| name.checked().is_some())
        });
        Self { caller, extras, started: Instant::now(), call, args: OnceLock::new(), check }
    }

    /// Has the arguments written down, of which none is secret or those that are have been sealed. Until then, and
    /// where nobody says so because there is no such method, only their number is: what a slip of the caller's
    /// turned into some other method's arguments may be the secret of the right one's.
    pub(super) fn show(&self, args: &[Value]) {
        self.args.get_or_init(|| summary(args));
    }

    fn shown(&self) -> Option<&str> {
        let (_, count) = self.call.as_ref()?;
        Some(self.args.get_or_init(|| match count {
            0 => "[]".to_owned(),
            count => format!("[… {count} not shown: their types are not known]"),
        }))
    }

    /// Writes a line.
    pub(super) fn record(
        &self,
        log: &AuditLog,
        minion: Option<&HostName>,
        outcome: AuditOutcome,
        error: Option<&str>,
        about: &About,
    ) -> Written {
        let Self { caller, extras, .. } = self;
        let duration = self.started.elapsed();
        log.record(&AuditRecord {
            time: Timestamp::now()
                .saturating_sub(SignedDuration::try_from(duration).unwrap_or_default())
                .unwrap_or_default(),
            caller: &caller.peer.name,
            role: caller.peer.role,
            serial: &caller.peer.serial,
            from: caller.from,
            minion,
            method: self.call.as_ref().map(|(method, _)| method.as_str()),
            args: self.shown(),
            outcome,
            error: error.map(Reason),
            duration,
            call: about.call.as_ref(),
            job: about.job.as_ref(),
            overlord_job: extras.overlord_job.as_ref(),
            says_on_behalf_of: extras.on_behalf_of.as_deref().filter(|_| caller.peer.role == Some(Role::SubOverlord)),
            version: about.stamp.version.as_deref(),
            digest: about.stamp.digest,
            check: self.check,
            denials: about.budget.iter().flat_map(|budget| &budget.denials).map(audited).collect(),
        })
    }
}

fn audited(denial: &Denial) -> AuditedDenial<'_> {
    AuditedDenial { call: &denial.call, message: &denial.message, allow: denial.allow.as_deref() }
}
