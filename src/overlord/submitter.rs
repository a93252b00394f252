//! In whose name jobs are made.

use nix::unistd::{Uid, User};

use super::Overlord;

impl Overlord {
    /// The same overlord, asked by somebody else than the user of this process: the jobs that are made through this handle
    /// name them.
    #[must_use]
    pub fn asked_by(&self, who: &str) -> Self {
        let mut asked = self.clone();
        asked.asked_by = Some(who.into());
        asked
    }

    /// Who makes jobs through this handle.
    pub(super) fn submitter(&self) -> String {
        self.asked_by.as_deref().map_or_else(of_this_process, str::to_owned)
    }
}

/// The user whose process this is, and who that was before `sudo`.
fn of_this_process() -> String {
    let uid = Uid::current();
    let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    match std::env::var("SUDO_USER") {
        Ok(before) if before != user && !before.is_empty() => format!("{before} as {user}"),
        _ => user,
    }
}
