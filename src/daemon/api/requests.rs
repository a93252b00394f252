//! The bodies that are read. Unknown members are refused; what members hold is judged by [`wanted`](super::wanted).

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::{Map, Value as Json};

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
    pub(in crate::daemon) allow_unknown: bool,
    #[serde(default)]
    pub(in crate::daemon) filter: Vec<String>,
    #[serde(default)]
    pub(in crate::daemon) filter_or: Vec<String>,
    #[serde(default)]
    pub(in crate::daemon) check: bool,
    #[serde(default)]
    pub(in crate::daemon) timeout: Option<f64>,
    #[serde(default)]
    pub(in crate::daemon) forks: Option<u32>,
    #[serde(default)]
    pub(in crate::daemon) canary: Json,
    #[serde(default)]
    pub(in crate::daemon) batch: Json,
    #[serde(default)]
    pub(in crate::daemon) pause: Option<f64>,
    #[serde(default)]
    pub(in crate::daemon) max_fail: Json,
    #[serde(default)]
    pub(in crate::daemon) retry: u32,
}

/// The body of a job: a call, and how long it may take.
#[derive(Debug, Default, Serialize)]
pub(in crate::daemon) struct JobRequest {
    #[serde(flatten)]
    pub(in crate::daemon) call: CallRequest,
    pub(in crate::daemon) job_timeout: Option<f64>,
    pub(in crate::daemon) give_up_after: Option<f64>,
}

/// The body of a schedule: a job, and when it is made.
#[derive(Debug, Default, Serialize)]
pub(in crate::daemon) struct ScheduleRequest {
    #[serde(flatten)]
    pub(in crate::daemon) job: JobRequest,
    pub(in crate::daemon) cron: String,
    pub(in crate::daemon) zone: Option<String>,
    pub(in crate::daemon) catch_up: Option<f64>,
    pub(in crate::daemon) allow_overlap: bool,
}

/// The body of another try of a job.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::daemon) struct RetryRequest {
    pub(in crate::daemon) outcomes: Vec<String>,
    #[serde(default)]
    pub(in crate::daemon) secrets: Vec<String>,
    #[serde(default)]
    pub(in crate::daemon) canary: Json,
    #[serde(default)]
    pub(in crate::daemon) batch: Json,
    #[serde(default)]
    pub(in crate::daemon) pause: Option<f64>,
    #[serde(default)]
    pub(in crate::daemon) max_fail: Json,
    #[serde(default)]
    pub(in crate::daemon) retry: u32,
}

/// The body of going on with a job; there need not be one.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::daemon) struct ResumeRequest {
    #[serde(default)]
    pub(in crate::daemon) secrets: Vec<String>,
}

impl<'de> Deserialize<'de> for ScheduleRequest {
    /// By hand, for the same reason as that of a job.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn member<T: DeserializeOwned, E: serde::de::Error>(
            members: &mut Map<String, Json>,
            name: &str,
        ) -> Result<T, E> {
            let value = members.remove(name).unwrap_or_default();
            T::deserialize(value).map_err(|error| E::custom(format!("`{name}`: {error}")))
        }
        let mut members = Map::deserialize(deserializer)?;
        Ok(Self {
            cron: member(&mut members, "cron")?,
            zone: member(&mut members, "zone")?,
            catch_up: member(&mut members, "catch_up")?,
            allow_overlap: member::<Option<bool>, _>(&mut members, "allow_overlap")?.unwrap_or_default(),
            job: JobRequest::deserialize(Json::Object(members)).map_err(D::Error::custom)?,
        })
    }
}

impl<'de> Deserialize<'de> for JobRequest {
    /// By hand: serde does not refuse unknown members where one structure is part of another.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut members = Map::deserialize(deserializer)?;
        let mut seconds = |name: &str| {
            let value = members.remove(name).unwrap_or_default();
            Option::<f64>::deserialize(value).map_err(|error| D::Error::custom(format!("`{name}`: {error}")))
        };
        let (job_timeout, give_up_after) = (seconds("job_timeout")?, seconds("give_up_after")?);
        let call = CallRequest::deserialize(Json::Object(members)).map_err(D::Error::custom)?;
        Ok(Self { call, job_timeout, give_up_after })
    }
}
