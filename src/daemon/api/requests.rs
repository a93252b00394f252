//! The bodies that are read. Unknown members are refused.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The body of a call.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::daemon) struct CallRequest {
    pub(in crate::daemon) target: String,
    pub(in crate::daemon) method: String,
    #[serde(default)]
    pub(in crate::daemon) args: Vec<Json>,
    #[serde(default)]
    pub(in crate::daemon) exclude: Option<String>,
    #[serde(default)]
    pub(in crate::daemon) check: bool,
    #[serde(default)]
    pub(in crate::daemon) timeout: Option<f64>,
    #[serde(default)]
    pub(in crate::daemon) forks: Option<u32>,
}

/// The body of a job.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::daemon) struct JobRequest {
    pub(in crate::daemon) target: String,
    pub(in crate::daemon) method: String,
    #[serde(default)]
    pub(in crate::daemon) args: Vec<Json>,
    #[serde(default)]
    pub(in crate::daemon) exclude: Option<String>,
    #[serde(default)]
    pub(in crate::daemon) check: bool,
    #[serde(default)]
    pub(in crate::daemon) job_timeout: Option<f64>,
    #[serde(default)]
    pub(in crate::daemon) give_up_after: Option<f64>,
    #[serde(default)]
    pub(in crate::daemon) forks: Option<u32>,
}
