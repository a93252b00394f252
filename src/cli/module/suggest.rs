//! `func module suggest`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use futures_util::StreamExt as _;
use serde_json::json;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::fleet_options::{everybody, overlord};
use crate::cli::render;
use crate::cli::report::{Lines, Report};
use crate::config;
use crate::fleet::{Outcome, Selector};
use crate::ids::{HostName, MethodName, MinionJobId, OverlordJobId};
use crate::overlord::{CallOptions, Overlord};
use crate::wire::Value;

/// Turn what a job was denied into the grants that it would have needed
///
/// Asks the minions for the denials of their parts of the job, and prints TOML for their minion.toml. Read
/// it before you grant it: what a module asked for is not always what it should have. Only jobs are kept, which
/// `func call --async` starts: of a plain call, `func call --budget` tells the denials.
#[derive(Debug, Args)]
pub(in crate::cli) struct Suggest {
    /// The job
    #[arg(long, value_name = "ID", required_unless_present = "last", conflicts_with = "last")]
    job: Option<OverlordJobId>,
    /// The newest job
    #[arg(long)]
    last: bool,
}

/// What was denied, and where.
type Denials = BTreeMap<String, BTreeSet<HostName>>;

impl Suggest {
    /// Asks every host of the job.
    pub(in crate::cli) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let (job, denials, silent) = Context::block_on(async {
            let id = match self.job {
                Some(id) => id,
                None => newest(&overlord).await?,
            };
            let view = overlord.status(&id).await?;
            let job = format!("{id} ({})", view.record.method);
            let parts = view.hosts.into_iter().filter_map(|(host, part)| Some((host, part.minion_job?)));
            let mut denials = Denials::new();
            let mut silent = Vec::new();
            for (host, job) in parts {
                match budget(&overlord, &host, &job).await {
                    Ok(Outcome::Ok(budget)) => {
                        for lines in allowed(&budget) {
                            denials.entry(lines).or_default().insert(host.clone());
                        }
                    }
                    Ok(other) => silent.push((host, other.to_json().to_string())),
                    Err(failure) => silent.push((host, failure.to_string())),
                }
            }
            Ok((job, denials, silent))
        })?;
        for (host, why) in silent {
            Context::warn(format!("`{host}` does not say what was denied: {}", render::visible(&why)));
        }
        let toml = merged(denials.keys().map(String::as_str));
        let job = render::visible(&job);
        if toml.is_empty() {
            Context::say(format!(
                "nothing was denied to the job {job} that a grant would have allowed; plain calls are not recorded: \
                 make one again with --budget, which tells what it was denied, or with --async"
            ));
        } else {
            Context::say(format!("what the job {job} was denied:"));
        }
        let data: Vec<_> = denials.iter().map(|(lines, hosts)| json!({ "lines": lines, "hosts": hosts })).collect();
        let lines = toml.trim().lines().map(render::visible).collect();
        Ok(Box::new(Lines { lines, data: json!({ "denials": data, "toml": toml.trim() }) }))
    }
}

async fn newest(overlord: &Overlord) -> Result<OverlordJobId, Failure> {
    let jobs = overlord.list().await?.jobs;
    let last = jobs.into_iter().next_back().map(|job| job.id);
    last.ok_or_else(|| {
        Failure::new(Exit::Configuration, "there is no job yet, and plain calls are not recorded")
            .hint("call with --async, or with --budget, which tells what a plain call was denied")
    })
}

async fn budget(overlord: &Overlord, host: &HostName, job: &MinionJobId) -> Result<Outcome, Failure> {
    let skipped = || Failure::new(Exit::NoHost, format!("`{host}` is not in the inventory, or is known to be down"));
    let mut selection = overlord.select(&Selector::new(everybody()?))?;
    selection.hosts.retain(|known| known.name == *host);
    let method: MethodName = "jobs.budget".parse().or_exit(Exit::Internal)?;
    let job = vec![Value::from(job.as_str())];
    let mut answers = overlord.call(selection, &method, job, CallOptions::default())?;
    answers.next().await.map(|(_, outcome)| outcome).ok_or_else(skipped)
}

/// What the denials of a budget say would allow them.
fn allowed(budget: &Value) -> Vec<String> {
    let Value::Struct(budget) = budget else { return Vec::new() };
    let Some(Value::Array(denials)) = budget.get("denials") else { return Vec::new() };
    let lines = |denial: &Value| match denial {
        Value::Struct(denial) => match denial.get("allow") {
            Some(Value::String(lines)) => Some(lines.clone()),
            _ => None,
        },
        _ => None,
    };
    denials.iter().filter_map(lines).collect()
}

/// One text of many that each grant something, in TOML; what does not is left out.
pub(in crate::cli) fn merged<'a>(grants: impl Iterator<Item = &'a str>) -> String {
    let mut text = String::new();
    for grant in grants {
        let Ok(mut root) = toml::from_str::<toml::Table>(grant) else { continue };
        let Some(toml::Value::Table(modules)) = root.remove("grants") else { continue };
        for (module, rights) in modules {
            let toml::Value::Table(rights) = rights else { continue };
            for (right, values) in rights {
                let toml::Value::Array(values) = values else { continue };
                for value in values {
                    text = config::add_to_list(&text, &["grants", &module], &right, &value.to_string()).unwrap_or(text);
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denials_become_one_text_that_can_be_added() {
        let lines = [
            "[grants.disk]\nread = [\"/a\"]",
            "[grants.disk]\nread = [\"/b]\"]",
            "[grants.\"acme:x/y\"]\nrun = [{ program = \"df\", args = [\"\\\\*\"] }]",
            "[grants.disk]\nread = [\"/a\"]",
            "[listen]\nx = 1",
            "junk",
            "[grants.disk]\nread = [",
        ];
        let text = merged(lines.into_iter());
        let grants: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(grants["grants"]["disk"]["read"].as_array().unwrap().len(), 2, "{text}");
        assert_eq!(grants.len(), 1);
        let table = grants["grants"].clone();
        assert_eq!(table.try_into::<crate::access::Grants>().unwrap().modules().count(), 2);
    }
}
