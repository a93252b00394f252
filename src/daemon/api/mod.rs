//! Everything that can be asked, once: [`routes`] is the table by which requests are found, [`requests`] are the bodies that are
//! read, [`wanted`] is what they mean, and the `OpenAPI` [`document`](mod@document) is made of the first two.

mod document;
mod requests;
mod routes;
mod wanted;

pub(super) use document::document;
pub(super) use requests::{CallRequest, JobRequest, ResumeRequest, RetryRequest, ScheduleRequest};
pub(super) use routes::{Endpoint, Found, find};
pub(super) use wanted::{Wanted, secrets, target};
