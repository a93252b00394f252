//! Everything that can be asked, once: [`routes`] is the table by which requests are found, [`requests`] are the bodies that are
//! read, and the `OpenAPI` [`document`](mod@document) is made of both.

mod document;
mod requests;
mod routes;

pub(super) use document::document;
pub(super) use requests::{CallRequest, JobRequest};
pub(super) use routes::{Endpoint, Found, find};
