//! Refusals, as RFC 9457 has them: `application/problem+json`.

use std::fmt::Display;

use hyper::StatusCode;
use serde_json::json;

use crate::{
    overlord::{Error, ScheduleError},
    telemetry::chain,
};

/// Why a request was not done, and what to do about it.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    detail: String,
    hint: Option<&'static str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Display) -> Self {
        Self { status, detail: detail.to_string(), hint: None }
    }

    /// A request that makes no sense.
    pub(super) fn bad(detail: impl Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// For programs: `title` is the status in words, `detail` what is wrong, `hint` what to do, if that is known.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let mut data = json!({
            "type": "about:blank", "title": self.status.canonical_reason(), "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some(hint) = self.hint {
            data["hint"] = hint.into();
        }
        data
    }

    /// In one line.
    pub(super) fn text(&self) -> &str {
        &self.detail
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::UnknownJob { .. } | Error::NoHost(_) | Error::NoStore { .. } => StatusCode::NOT_FOUND,
            Error::BeingHandedOut { .. }
            | Error::NoMinions { .. }
            | Error::NothingToRetry { .. }
            | Error::SecretGone { .. } => StatusCode::CONFLICT,
            Error::Groups(_) | Error::WrongSecrets { .. } => StatusCode::BAD_REQUEST,
            Error::Schedule(error) => of_schedule(error),
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let problem = Self::new(status, chain(&error));
        match error {
            Error::Identity(_) => problem.hint("make this machine's identity with `func ca init`"),
            Error::SecretGone { .. } => {
                problem.hint("give it again in `secrets`, or with `func job resume ID --secret @secret:?`")
            }
            Error::Schedule(ScheduleError::Secret { .. }) => {
                problem.hint("have the method read the secret on its host, from a file or a setting of its module")
            }
            Error::NoMinions { .. } => problem.hint("make identities with `func ca issue`"),
            _ => problem,
        }
    }
}

fn of_schedule(error: &ScheduleError) -> StatusCode {
    match error {
        ScheduleError::Unknown { .. } => StatusCode::NOT_FOUND,
        ScheduleError::Exists { .. } | ScheduleError::Open { .. } => StatusCode::CONFLICT,
        ScheduleError::Untold { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}
