//! What requests mean, once each member makes sense. A refusal names the member.

use std::{str::FromStr, time::Duration};

use serde_json::Value as Json;

use super::requests::{Asked, JobRequest, RetryRequest, ScheduleRequest, StepsRequest};
use crate::{
    daemon::problem::Problem,
    fleet::{Filter, Outcome, Selector, Share, Steps, Target},
    ids::MethodName,
    overlord::{CallOptions, JobFilter, JobOptions},
    wire::{Secret, Secrets, Value},
};

/// A call.
#[derive(Debug)]
pub(in crate::daemon) struct Wanted {
    /// Whom.
    pub(in crate::daemon) selector: Selector,
    /// What, or the check of it.
    pub(in crate::daemon) method: MethodName,
    /// With what, but for the filter.
    pub(in crate::daemon) args: Vec<Value>,
    /// Where each host lets it run.
    pub(in crate::daemon) filter: Option<Filter>,
    /// In which steps.
    pub(in crate::daemon) steps: Steps,
    timeout: Option<Duration>,
    forks: Option<usize>,
}

impl Asked {
    /// What it means.
    pub(in crate::daemon) fn wanted(&self) -> Result<Wanted, Problem> {
        let method: MethodName = self.method.parse().map_err(|error| bad("method", error))?;
        let exclude = self.exclude.as_deref().map(|exclude| target("exclude", exclude)).transpose()?;
        let (allow_unknown, check) = (self.allow_unknown, self.check);
        let forks = match self.forks {
            Some(0) => return Err(Problem::bad("`forks` is at least 1")),
            forks => forks.map(|forks| forks as usize),
        };
        let filters = |name: &str, filters: &[String]| {
            let filter = |text: &String| text.parse::<Filter>().map_err(|error| bad(name, error));
            filters.iter().map(filter).collect::<Result<Vec<_>, _>>()
        };
        Ok(Wanted {
            selector: Selector { exclude, allow_unknown, ..Selector::new(target("target", &self.target)?) },
            method: if check { method.check() } else { method },
            args: self.args.iter().map(Value::from_json).collect(),
            filter: Filter::of(&filters("filter", &self.filter)?, &filters("filter_or", &self.filter_or)?),
            steps: self.steps.wanted()?,
            timeout: seconds("timeout", self.timeout)?,
            forks,
        })
    }
}

impl Wanted {
    /// How so many hosts are called.
    pub(in crate::daemon) fn call_options(&self, hosts: usize) -> CallOptions {
        let usual = CallOptions::default();
        CallOptions {
            forks: self.forks.unwrap_or(usual.forks),
            timeout: self.timeout,
            rollout: self.steps.for_hosts(hosts),
        }
    }

    /// The arguments as they are sent.
    pub(in crate::daemon) fn sent(filter: Option<&Filter>, args: Vec<Value>) -> Vec<Value> {
        filter.map(Filter::to_argument).into_iter().chain(args).collect()
    }
}

impl JobRequest {
    /// What it means, and how a job of it is made for so many hosts.
    pub(in crate::daemon) fn wanted(&self) -> Result<(Wanted, impl Fn(usize) -> JobOptions + use<>), Problem> {
        let wanted = self.asked.wanted()?;
        let usual = JobOptions::default();
        let options = JobOptions {
            forks: wanted.forks.unwrap_or(usual.forks),
            acceptance: wanted.timeout.unwrap_or(usual.acceptance),
            timeout: seconds("job_timeout", self.job_timeout)?,
            give_up_after: seconds("give_up_after", self.give_up_after)?.unwrap_or(usual.give_up_after),
            rollout: usual.rollout,
        };
        let steps = wanted.steps;
        Ok((wanted, move |hosts| JobOptions { rollout: steps.for_hosts(hosts), ..options }))
    }
}

impl ScheduleRequest {
    /// How late a run may begin.
    pub(in crate::daemon) fn catch_up(&self) -> Result<Duration, Problem> {
        Ok(seconds("catch_up", self.catch_up)?.unwrap_or(Duration::from_mins(1)))
    }
}

impl StepsRequest {
    /// In which steps.
    pub(in crate::daemon) fn wanted(&self) -> Result<Steps, Problem> {
        Ok(Steps {
            canary: share("canary", &self.canary)?,
            batch: share("batch", &self.batch)?,
            pause: seconds("pause", self.pause)?.unwrap_or_default(),
            max_fail: share("max_fail", &self.max_fail)?,
            retry: self.retry,
        })
    }
}

impl RetryRequest {
    /// The names of the outcomes after which a host is tried again.
    pub(in crate::daemon) fn outcomes(&self) -> Result<Vec<String>, Problem> {
        let bad = &Outcome::NAMES[1..];
        match self.outcomes.iter().find(|name| !bad.contains(&name.as_str())) {
            Some(name) => Err(Problem::bad(format!("`outcomes`: `{name}` is none of {}", bad.join(", ")))),
            None if self.outcomes.is_empty() => {
                Err(Problem::bad(format!("`outcomes` names one at least, of {}", bad.join(", "))))
            }
            None => Ok(self.outcomes.clone()),
        }
    }
}

/// Which jobs are asked for, by these parameters.
pub(in crate::daemon) fn job_filter(
    parameters: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
) -> Result<JobFilter, Problem> {
    fn parsed<T: FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<Option<T>, Problem> {
        text.parse().map(Some).map_err(|error| bad(name, error))
    }
    let mut wanted = JobFilter::default();
    for (name, text) in parameters {
        let (name, text) = (name.as_ref(), text.as_ref());
        match name {
            "state" => wanted.state = parsed(name, text)?,
            "method" => wanted.method = parsed(name, text)?,
            "by" => wanted.by = parsed(name, text)?,
            "host" => wanted.host = parsed(name, text)?,
            "since" => wanted.since = seconds(name, parsed(name, text)?)?,
            "limit" => wanted.limit = parsed(name, text)?,
            name => {
                let name = name.escape_debug();
                let why = format!("there is no parameter `{name}`; there are state, method, by, host, since, limit");
                return Err(Problem::bad(why));
            }
        }
    }
    Ok(wanted)
}

/// Secrets, in their order.
pub(in crate::daemon) fn secrets(texts: &[String]) -> Secrets {
    texts.iter().map(|text| Secret::new(text.as_str())).collect()
}

/// A target, or what is left out of one.
pub(in crate::daemon) fn target(name: &str, text: &str) -> Result<Target, Problem> {
    text.parse().map_err(|error| bad(name, error))
}

fn bad(name: &str, error: impl std::fmt::Display) -> Problem {
    Problem::bad(format!("`{name}`: {error}"))
}

fn share(name: &str, share: &Json) -> Result<Option<Share>, Problem> {
    let text = match share {
        Json::Null => return Ok(None),
        Json::Number(number) => number.to_string(),
        Json::String(text) => text.clone(),
        _ => return Err(Problem::bad(format!("`{name}` is a number of hosts, or a percentage like \"20%\""))),
    };
    text.parse().map(Some).map_err(|error| bad(name, error))
}

fn seconds(name: &str, seconds: Option<f64>) -> Result<Option<Duration>, Problem> {
    let Some(seconds) = seconds else { return Ok(None) };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
        _ => Err(Problem::bad(format!("`{name}` is a number of seconds above 0, not {seconds}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::daemon::api::{CallRequest, Members, read};

    fn call(more: &Json) -> Json {
        let mut body = json!({ "target": "*", "method": "test.add" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    }

    fn refused<T: Members, W>(body: Json, wanted: impl Fn(&T) -> Result<W, Problem>) -> String {
        match read::<T>(body).and_then(|request| wanted(&request).map(drop)) {
            Ok(()) => "nothing".to_owned(),
            Err(problem) => problem.text().to_owned(),
        }
    }

    #[test]
    fn whatever_the_command_line_can_say_of_a_job_is_understood() {
        let body = json!({
            "target": "@web", "method": "test.add", "args": [1, 2], "exclude": "web9", "allow_unknown": true, "check": true,
            "filter": ["os=debian", "cpus>=4"], "filter_or": ["rack:7"], "forks": 5, "timeout": 9, "job_timeout": 60.5,
            "give_up_after": 3600, "canary": 1, "batch": "25%", "pause": 0.5, "max_fail": "10%", "retry": 2,
        });
        let (wanted, options) = read::<JobRequest>(body).unwrap().wanted().unwrap();
        assert_eq!((wanted.method.to_string().as_str(), wanted.args.len()), ("check.test.add", 2));
        assert!(wanted.selector.allow_unknown && wanted.selector.exclude.is_some() && wanted.filter.is_some());
        let options = options(20);
        assert_eq!((options.forks, options.acceptance), (5, Duration::from_secs(9)));
        assert_eq!((options.timeout, options.give_up_after.as_secs()), (Some(Duration::from_millis(60_500)), 3600));
        let rollout = options.rollout;
        assert_eq!((rollout.canary, rollout.batch, rollout.max_fail, rollout.retry), (1, Some(5), Some(2), 2));
        assert_eq!(rollout.pause, Duration::from_millis(500));
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        for (more, named) in [
            (json!({ "target": "x;(" }), "`target`"),
            (json!({ "exclude": "(" }), "`exclude`"),
            (json!({ "method": "add" }), "`method`"),
            (json!({ "filter": ["web1"] }), "`filter`"),
            (json!({ "filter_or": ["("] }), "`filter_or`"),
            (json!({ "timeout": 0 }), "`timeout`"),
            (json!({ "pause": -1 }), "`pause`"),
            (json!({ "job_timeout": 1e300 }), "`job_timeout`"),
            (json!({ "give_up_after": "7d" }), "`give_up_after`"),
            (json!({ "forks": 0 }), "`forks`"),
            (json!({ "batch": "many" }), "`batch`"),
            (json!({ "batch": 1.5 }), "`batch`"),
            (json!({ "canary": "101%" }), "`canary`"),
            (json!({ "max_fail": [1] }), "`max_fail`"),
            (json!({ "retries": 1 }), "`retries`"),
            (json!({ "target": null }), "`target` is missing"),
            (json!({ "retry": -1 }), "`retry`"),
            (json!({ "check": "yes" }), "`check`"),
            (json!({ "budget": true }), "`budget`"),
        ] {
            let why = refused(call(&more), JobRequest::wanted);
            assert!(why.contains(named), "{more}: {why}");
        }
        assert!(refused(json!([]), |_: &CallRequest| Ok(())).contains("no object"));
        assert!(refused(call(&json!({ "job_timeout": 1 })), |_: &CallRequest| Ok(())).contains("`job_timeout`"));
        for (outcomes, named) in [(json!([]), "`outcomes`"), (json!(["ok"]), "`ok`"), (json!(["bad"]), "`bad`")] {
            let why = refused(json!({ "outcomes": outcomes }), RetryRequest::outcomes);
            assert!(why.contains(named), "{why}");
        }
    }

    #[test]
    fn jobs_are_asked_for_by_what_makes_sense() {
        let asked = [
            ("state", "partial"),
            ("method", "disk.*"),
            ("by", "schedule:*"),
            ("host", "web1"),
            ("since", "7200"),
            ("limit", "5"),
        ];
        let filter = job_filter(asked).unwrap();
        assert_eq!((filter.since, filter.limit), (Some(Duration::from_hours(2)), Some(5)));
        assert!(filter.state.is_some() && filter.method.is_some() && filter.by.is_some() && filter.host.is_some());
        for (name, text) in
            [("state", "ended"), ("method", "["), ("host", "a b"), ("since", "-1"), ("limit", "all"), ("age", "1")]
        {
            let why = job_filter([(name, text)]).unwrap_err();
            assert!(why.text().contains(&format!("`{name}`")), "{name}: {}", why.text());
        }
    }

    #[test]
    fn any_body_is_read_or_refused() {
        let bodies: [&[u8]; 3] = [
            br#"{"target":"web*;db1","method":"test.add","args":[1,{"$base64":"AAEC"}],"check":true,"timeout":0.5}"#,
            br#"{"target":"*","method":"a.b","exclude":"web1","job_timeout":1e3,"give_up_after":9,"forks":4,"batch":"5%"}"#,
            br#"{"outcomes":["failed","lost"],"secrets":["x"],"canary":1,"filter":["a=b"],"max_fail":3,"pause":1}"#,
        ];
        let words = ["{", "}", "[", "]", "\"", ":", ",", "null", "-", "1e400", "0", "\"args\":", "{1..9}", "\\ud800"];
        crate::sys::fuzz::fuzz("requests_in_json", &bodies, &words, |bytes| {
            let told = |problem: Problem| problem.to_json().to_string();
            let body: Json = serde_json::from_slice(bytes).map_err(|error| error.classify())?;
            let call = read::<CallRequest>(body.clone()).and_then(|call| {
                let wanted = call.asked.wanted()?;
                Ok((wanted.args.len().min(3), wanted.filter.is_some(), wanted.selector.allow_unknown))
            });
            let job = read::<JobRequest>(body.clone()).and_then(|job| Ok(job.wanted()?.1(10).rollout));
            let retry = read::<RetryRequest>(body).map(|retry| {
                (retry.outcomes().map_err(told), retry.steps.wanted().is_ok(), secrets(&retry.secrets).len().min(3))
            });
            Ok::<_, serde_json::error::Category>((call.map_err(told), job.map_err(told), retry.map_err(told)))
        });
    }
}
