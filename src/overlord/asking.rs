//! One question that any minion of a target can answer, put to as few of them as it takes.

use std::pin::pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout};

use super::{CallOptions, Overlord};
use crate::fleet::{Outcome, Selection};
use crate::ids::{HostName, MethodName};
use crate::wire::Value;

/// So many hosts that answered something else are believed.
const BELIEVED: usize = 3;

/// A host that has not answered for so long, or for a quarter of the whole time, gets company.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest that is looked for somebody who answers.
const LONGEST: Duration = Duration::from_secs(15);

/// What `good` makes of the first answer that it takes. Hosts that cannot be reached do not count: the
/// next one is asked. Otherwise what the last of those asked said, if any said anything.
pub async fn first_answer<T>(
    overlord: &Overlord,
    selection: &Selection,
    method: &MethodName,
    params: &[Value],
    options: CallOptions,
    good: impl Fn(Value) -> Option<T>,
) -> Result<(HostName, T), Option<(HostName, Outcome)>> {
    let longest = options.timeout.unwrap_or(LONGEST).min(LONGEST);
    let deadline = Instant::now() + longest;
    let mut hosts = selection.hosts.iter();
    let mut asked = FuturesUnordered::new();
    let (mut answered, mut last) = (0, None);
    loop {
        let next = if answered < BELIEVED { hosts.next() } else { None };
        if let Some(host) = next {
            let one = Selection { hosts: vec![host.clone()], ..Selection::default() };
            match overlord.call(one, method, params.to_vec(), options) {
                Ok(answers) => asked.push(async move { pin!(answers).next().await }),
                // Our own identity cannot be used: the call itself will say so.
                Err(_) => return Err(last),
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        // One host after the other: a whole fleet is not asked what any of them can tell.
        let patience = if next.is_some() { PATIENCE.min(longest / 4).min(left) } else { left };
        match timeout(patience, asked.next()).await {
            Ok(None) => return Err(last),
            Ok(Some(Some((host, Outcome::Ok(value))))) => match good(value) {
                Some(found) => return Ok((host, found)),
                None => answered += 1,
            },
            Ok(Some(Some((host, outcome)))) => {
                answered += usize::from(!matches!(outcome, Outcome::Unreachable { .. }));
                last = Some((host, outcome));
            }
            Err(_) if left.is_zero() => return Err(last),
            Ok(Some(None)) | Err(_) => {}
        }
    }
}
