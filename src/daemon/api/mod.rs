//! Everything that can be asked, once: [`table`] is that by which [`routes`] finds requests, [`requests`] are the bodies that are
//! read, [`wanted`] is what they mean, and the `OpenAPI` [`document`](mod@document) is made of the table and the bodies.

mod document;
mod requests;
mod routes;
mod table;
mod wanted;

pub(super) use document::document;
pub(super) use requests::{CallRequest, JobRequest, Members, ResumeRequest, RetryRequest, ScheduleRequest, read};
pub(super) use routes::{Endpoint, Found, find};
pub(super) use wanted::{Wanted, job_filter, secrets, target};
