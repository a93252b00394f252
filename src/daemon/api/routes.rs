//! What can be asked, and how it is found in the [table](ROUTES).

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::table::ROUTES;
use crate::daemon::caller::Deed;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::daemon) enum Endpoint {
    Hosts,
    Call,
    Submit,
    Jobs,
    Job,
    Cancel,
    Resume,
    Retry,
    Budgets,
    Events,
    Schedules,
    Schedule,
    SetSchedule,
    RemoveSchedule,
    RunSchedule,
    PauseSchedule,
    ResumeSchedule,
    Rpc,
    Metrics,
    Health,
    Document,
}

impl Endpoint {
    /// What asking for it does. XML-RPC is looked at again when its method is known. Whoever listens to a job asks its hosts,
    /// settles those that are in doubt and writes down what they answer.
    pub(in crate::daemon) fn deed(self) -> Deed {
        match self {
            Self::Call | Self::Submit | Self::Cancel | Self::Resume | Self::Retry | Self::Budgets | Self::Events => {
                Deed::Acts
            }
            Self::SetSchedule
            | Self::RemoveSchedule
            | Self::RunSchedule
            | Self::PauseSchedule
            | Self::ResumeSchedule => Deed::Acts,
            Self::Schedules | Self::Schedule => Deed::Looks,
            Self::Hosts | Self::Jobs | Self::Job | Self::Rpc | Self::Metrics | Self::Health | Self::Document => {
                Deed::Looks
            }
        }
    }
}

/// One row of the table.
pub(super) struct Route {
    pub(super) endpoint: Endpoint,
    /// For figures and as `operationId`.
    pub(super) name: &'static str,
    pub(super) method: Method,
    /// `{…}` stands for one segment.
    pub(super) path: &'static str,
    pub(super) summary: &'static str,
    pub(super) query: &'static [(&'static str, &'static str)],
    pub(super) body: Option<(&'static str, &'static str)>,
    pub(super) status: u16,
    pub(super) answer: (&'static str, &'static str),
}

/// A request's place in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::daemon) enum Found {
    /// It is this, about the job of that id, if it is about one.
    Endpoint {
        endpoint: Endpoint,
        name: &'static str,
        id: Option<String>,
    },
    /// The path is known, with these methods.
    OtherMethods(String),
    Nothing,
}

/// What a path says.
struct About {
    /// What stands at the place of `{id}`.
    id: Option<String>,
}

/// Finds what a request is for.
pub(in crate::daemon) fn find(method: &Method, path: &str) -> Found {
    let mut others = Vec::new();
    for route in &ROUTES {
        let Some(job) = route.fits(path) else { continue };
        if route.method == *method {
            return Found::Endpoint { endpoint: route.endpoint, name: route.name, id: job.id };
        }
        others.push(route.method.as_str());
    }
    if others.is_empty() { Found::Nothing } else { Found::OtherMethods(others.join(", ")) }
}

impl Route {
    /// What the path says, if it is this one.
    fn fits(&self, path: &str) -> Option<About> {
        let mut id = None;
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return Some(About { id }),
                (Some("{id}"), Some(segment)) => {
                    id = Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned());
                }
                (Some(wanted), Some(given)) if wanted == given => {}
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_found_by_its_method_and_path() {
        let job = find(&Method::GET, "/v1/jobs/%2A-test-add-7");
        let expected = Found::Endpoint { endpoint: Endpoint::Job, name: "job", id: Some("*-test-add-7".into()) };
        assert_eq!(job, expected);
        assert_eq!(find(&Method::DELETE, "/v1/jobs"), Found::OtherMethods("POST, GET".into()));
        for path in ["/", "/v1", "/v1/jobs/", "/v1/jobs/x/cancel/now", "/v1/jobs/%ff", "//v1/jobs"] {
            let found = find(&Method::GET, path);
            assert!(!matches!(&found, Found::Endpoint { id: None, .. }), "{path}: {found:?}");
        }
    }
}
