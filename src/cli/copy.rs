//! `func copy`: files and folders to many machines.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use clap::Args;
use nix::unistd::{Gid, Group, Uid, User};

use super::confirm::confirm;
use super::context::Context;
use super::delivery::{for_each, moving};
use super::exit::Exit;
use super::failure::{Failure, OrExit};
use super::fleet_options::{FleetOptions, overlord};
use super::outcomes::Outcomes;
use super::place::Place;
use super::progress::Progress;
use super::report::Report;
use crate::ca::Host;
use crate::fleet::{Fleet, Outcome, Request, Source};
use crate::wire::{Call, Value};

/// The permission bits that travel: never set-user-id, set-group-id or sticky.
const MODE: u32 = 0o777;

/// Copy a file or a directory to every chosen minion
///
/// What was cut off goes on where it stopped, and a file takes its place whole, by a rename. Where a
/// minion lets files be written is up to its operator: `[grants.copyfile] write = ["/srv/**"]`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  func copy app.conf 'web*:/etc/app/'\n  func copy site 'web1:/srv/www'")]
pub(super) struct Copy {
    /// The file or directory
    local: PathBuf,
    /// Where to: `TARGET:/PATH`; with a `/` at the end, into that directory
    #[arg(value_name = "TARGET:PATH")]
    place: Place,
    #[command(flatten)]
    fleet: FleetOptions,
    /// Do not ask, however many hosts it goes to; asked is only on a terminal
    #[arg(long, short)]
    yes: bool,
    /// Keep owner and group, by name, where the minion runs as root
    #[arg(long)]
    owner: bool,
}

/// One thing to copy: where it goes, how it is to be, and a file's bytes. A folder has none.
struct Item {
    path: String,
    manner: Value,
    file: Option<Source>,
}

impl Copy {
    /// Copies, and says what became of it on every host.
    pub(super) fn run(self, context: &Context) -> Result<Box<dyn Report>, Failure> {
        let overlord = overlord(context)?;
        let selection = self.fleet.select(&overlord, &self.place.target)?;
        let items = Arc::new(self.items()?);
        let total: u64 = items.iter().filter_map(|item| item.file.as_ref()).map(|source| source.size).sum();
        let timeout = self.fleet.left_after(std::time::Duration::ZERO);
        let hosts = Context::block_on(async {
            if !self.yes {
                let put = "copyfile.put".parse().or_exit(Exit::Internal)?;
                confirm(context, &overlord, &selection, &put, self.fleet.call_options()).await?;
            }
            let fleet = overlord.fleet()?.clone();
            let progress = Arc::new(Progress::bytes(context, total * selection.hosts.len() as u64));
            Ok(for_each(selection, self.fleet.forks, |host| {
                let (fleet, items, moved) = (fleet.clone(), Arc::clone(&items), moving(&progress));
                async move { copy(&fleet, &host, &items, timeout, &moved).await }
            })
            .await)
        })?;
        Ok(Box::new(Outcomes { method: "copyfile.put".to_owned(), hosts }))
    }

    /// Everything to copy, folders before what is in them.
    fn items(&self) -> Result<Vec<Item>, Failure> {
        let mut to = self.place.path.clone();
        if to.ends_with('/') {
            let name = self.local.canonicalize().ok().and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
            let name = name.ok_or_else(|| Failure::new(Exit::Configuration, cannot_read(&self.local)))?;
            to.push_str(&name);
        }
        let mut items = Vec::new();
        self.collect(&self.local, to, &mut items)
            .map_err(|error| Failure::new(Exit::Configuration, format!("{}: {error}", cannot_read(&self.local))))?;
        Ok(items)
    }

    fn collect(&self, from: &Path, to: String, items: &mut Vec<Item>) -> io::Result<()> {
        let meta = fs::metadata(from)?;
        let mut manner = vec![("mode", Value::Int(i64::from(meta.mode() & MODE)))];
        if self.owner {
            let (uid, gid) = (Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid()));
            let user = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
            let group = Group::from_gid(gid).ok().flatten().map_or_else(|| gid.to_string(), |group| group.name);
            manner.extend([("owner", user.into()), ("group", group.into())]);
        }
        let manner = Value::structure(manner);
        if meta.is_file() {
            items.push(Item { path: to, manner, file: Some(Source::open(from)?) });
            return Ok(());
        }
        if !meta.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{}` is no regular file", from.display()),
            ));
        }
        items.push(Item { path: to.clone(), manner, file: None });
        let mut entries = fs::read_dir(from)?.collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type()?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                Context::warn(format!("`{}` is left out: its name is not UTF-8", entry.path().display()));
                continue;
            };
            if kind.is_file() || kind.is_dir() {
                self.collect(&entry.path(), format!("{to}/{name}"), items)?;
            } else {
                Context::warn(format!(
                    "`{}` is left out: it is neither a file nor a directory",
                    entry.path().display()
                ));
            }
        }
        Ok(())
    }
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read `{}`", path.display())
}

async fn copy(
    fleet: &Fleet,
    host: &Host,
    items: &[Item],
    timeout: std::time::Duration,
    moved: &(dyn Fn(u64) + Sync),
) -> Outcome {
    let (mut files, mut bytes) = (0, 0);
    for item in items {
        let path = Value::from(item.path.as_str());
        let outcome = match &item.file {
            None => {
                let call = Call::new("copyfile.make_dir", vec![path]);
                fleet.call(host, &Request::new(&call).timeout(timeout)).await
            }
            Some(source) => {
                let size = i64::try_from(source.size).unwrap_or(i64::MAX);
                let digest = format!("sha256:{}", source.digest);
                let params = vec![path, digest.into(), size.into(), item.manner.clone()];
                let call = Request::new(&Call::new("copyfile.put", params)).timeout(timeout);
                (files, bytes) = (files + 1, bytes + size);
                fleet.deliver(host, &call, source, moved).await
            }
        };
        if !outcome.is_ok() {
            return outcome;
        }
    }
    // Only now, and from the deepest on: one of them may not let anything be put into it.
    for folder in items.iter().rev().filter(|item| item.file.is_none()) {
        let call = Call::new("copyfile.make_dir", vec![folder.path.as_str().into(), folder.manner.clone()]);
        let outcome = fleet.call(host, &Request::new(&call).timeout(timeout)).await;
        if !outcome.is_ok() {
            return outcome;
        }
    }
    Outcome::Ok(Value::structure([("files", Value::Int(files)), ("bytes", Value::Int(bytes))]))
}
