//! The functions of `minion:host/files` as calls.

use serde::{Deserialize, Serialize};

use super::{
    super::{
        Access, Error,
        bindings::minion::host::files::{Entry, Metadata, Usage},
        blocking,
        call::{Effect, HostCall},
    },
    change, look,
    overlay::Overlay,
    rehearse::{self, Planning},
    space,
};
use crate::plugin::plan::Rehearsal;

/// One structure for each function that looks: what it does, and what it does in a check, where it sees
/// what was planned; each on a thread that may block.
macro_rules! looks {
    ($($name:literal $call:ident { $($argument:ident: $type:ty),* } -> $answer:ty: $work:expr, $check:expr;)*) => {$(
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub(super) struct $call { $(pub(super) $argument: $type),* }

        impl HostCall for $call {
            const NAME: &'static str = $name;
            const EFFECT: Effect = Effect::Looks;
            type Answer = $answer;

            async fn perform(self, access: Access) -> Result<Self::Answer, Error> {
                let work: fn(&Access, &Self) -> Result<Self::Answer, Error> = $work;
                blocking(move || work(&access, &self)).await
            }

            async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<Self::Answer, Error> {
                let work: fn(&Access, &Overlay, &Self) -> Result<Self::Answer, Error> = $check;
                lend(&mut rehearsal.overlay, move |overlay| work(&access, overlay, &self)).await
            }
        }
    )*};
}

/// The same for each function that changes something: what it does, and how that is planned.
macro_rules! changes {
    ($($name:literal $call:ident { $($argument:ident: $type:ty),* }: $work:expr, $plan:expr;)*) => {$(
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub(super) struct $call { $(pub(super) $argument: $type),* }

        impl HostCall for $call {
            const NAME: &'static str = $name;
            const EFFECT: Effect = Effect::Changes;
            type Answer = ();

            async fn perform(self, access: Access) -> Result<(), Error> {
                let work: fn(&Access, &Self) -> Result<(), Error> = $work;
                blocking(move || work(&access, &self)).await
            }

            async fn rehearse(self, access: Access, rehearsal: &mut Rehearsal) -> Result<(), Error> {
                let plan: fn(&Access, &mut Overlay, &Self) -> Planning = $plan;
                let arguments = Rehearsal::arguments(&self);
                let planned = lend(&mut rehearsal.overlay, move |overlay| plan(&access, overlay, &self)).await;
                rehearsal.planned(Self::NAME, arguments, planned)
            }
        }
    )*};
}

/// Lends the overlay to a thread that may block. Only a call that is over does not get it back.
async fn lend<T: Send + 'static>(
    overlay: &mut Overlay,
    work: impl FnOnce(&mut Overlay) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let mut lent = std::mem::take(overlay);
    let (answer, back) = blocking(move || Ok((work(&mut lent), lent))).await?;
    *overlay = back;
    answer
}

looks! {
    "files.read" Read { path: String } -> Vec<u8>:
        |access, call| look::read(access, &call.path),
        |access, overlay, call| rehearse::read(access, overlay, &call.path);
    "files.read-text" ReadText { path: String } -> String:
        |access, call| look::read_text(access, &call.path),
        |access, overlay, call| rehearse::read_text(access, overlay, &call.path);
    "files.read-part" ReadPart { path: String, offset: u64, length: u32 } -> Vec<u8>:
        |access, call| look::read_part(access, &call.path, call.offset, call.length), rehearse::read_part;
    "files.list-dir" ListDir { path: String } -> Vec<Entry>:
        |access, call| look::list(access, &call.path),
        |access, overlay, call| rehearse::list(access, overlay, &call.path);
    "files.stat" Stat { path: String } -> Metadata:
        |access, call| look::stat(access, &call.path),
        |access, overlay, call| rehearse::stat(access, overlay, &call.path);
    "files.stat-link" StatLink { path: String } -> Metadata:
        |access, call| look::stat_link(access, &call.path),
        |access, overlay, call| rehearse::stat_link(access, overlay, &call.path);
    "files.exists" Exists { path: String } -> bool:
        |access, call| look::exists(access, &call.path),
        |access, overlay, call| rehearse::exists(access, overlay, &call.path);
    "files.read-link" ReadLink { path: String } -> String:
        |access, call| look::read_link(access, &call.path),
        |access, overlay, call| rehearse::read_link(access, overlay, &call.path);
    "files.space" Space { path: String } -> Usage:
        |access, call| space::space(access, &call.path), |access, _, call| space::space(access, &call.path);
}

changes! {
    "files.write" Write { path: String, contents: Vec<u8>, mode: Option<u32> }:
        |access, call| change::write(access, &call.path, &call.contents, call.mode), rehearse::write;
    "files.create" Create { path: String, contents: Vec<u8>, mode: Option<u32> }:
        |access, call| change::create(access, &call.path, &call.contents, call.mode), rehearse::create;
    "files.append" Append { path: String, contents: Vec<u8> }:
        |access, call| change::append(access, &call.path, &call.contents), rehearse::append;
    "files.remove" Remove { path: String }:
        |access, call| change::remove(access, &call.path),
        |access, overlay, call| rehearse::remove(access, overlay, &call.path);
    "files.make-dir" MakeDir { path: String }:
        |access, call| change::make_dir(access, &call.path),
        |access, overlay, call| rehearse::make_dir(access, overlay, &call.path);
}
