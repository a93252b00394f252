//! The functions of `minion:host/files` as calls.

use serde::{Deserialize, Serialize};

use super::{
    super::{
        Access, Error,
        bindings::minion::host::files::{Entry, Metadata, Usage},
        blocking,
        call::{Effect, HostCall},
    },
    change, look, space,
};

/// One structure for each function, and what it does on a thread that may block.
macro_rules! file_calls {
    ($($name:literal $effect:ident $call:ident { $($argument:ident: $type:ty),* } -> $answer:ty: $work:expr;)*) => {$(
        #[derive(Debug, Clone, Serialize, Deserialize)]
        pub(super) struct $call { $(pub(super) $argument: $type),* }

        impl HostCall for $call {
            const NAME: &'static str = $name;
            const EFFECT: Effect = Effect::$effect;
            type Answer = $answer;

            async fn perform(self, access: Access) -> Result<Self::Answer, Error> {
                let work: fn(&Access, Self) -> Result<Self::Answer, Error> = $work;
                blocking(move || work(&access, self)).await
            }
        }
    )*};
}

file_calls! {
    "files.read" Looks Read { path: String } -> Vec<u8>: |access, call| look::read(access, &call.path);
    "files.read-text" Looks ReadText { path: String } -> String: |access, call| look::read_text(access, &call.path);
    "files.read-part" Looks ReadPart { path: String, offset: u64, length: u32 } -> Vec<u8>:
        |access, call| look::read_part(access, &call.path, call.offset, call.length);
    "files.list-dir" Looks ListDir { path: String } -> Vec<Entry>: |access, call| look::list(access, &call.path);
    "files.stat" Looks Stat { path: String } -> Metadata: |access, call| look::stat(access, &call.path);
    "files.stat-link" Looks StatLink { path: String } -> Metadata: |access, call| look::stat_link(access, &call.path);
    "files.exists" Looks Exists { path: String } -> bool: |access, call| look::exists(access, &call.path);
    "files.read-link" Looks ReadLink { path: String } -> String: |access, call| look::read_link(access, &call.path);
    "files.space" Looks Space { path: String } -> Usage: |access, call| space::space(access, &call.path);
    "files.write" Changes Write { path: String, contents: Vec<u8>, mode: Option<u32> } -> ():
        |access, call| change::write(access, &call.path, &call.contents, call.mode);
    "files.create" Changes Create { path: String, contents: Vec<u8>, mode: Option<u32> } -> ():
        |access, call| change::create(access, &call.path, &call.contents, call.mode);
    "files.append" Changes Append { path: String, contents: Vec<u8> } -> ():
        |access, call| change::append(access, &call.path, &call.contents);
    "files.remove" Changes Remove { path: String } -> (): |access, call| change::remove(access, &call.path);
    "files.make-dir" Changes MakeDir { path: String } -> (): |access, call| change::make_dir(access, &call.path);
}
