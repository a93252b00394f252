//! Lists and changes users, groups and their SSH keys.

mod accounts;
mod keys;
mod wanted;

use exports::base::users::users::{
    Change, GroupChange, Guest, KeysChange, NewUser, PasswordState, SshKey, User, UserGroup,
};
use func_sdk::{Error, ErrorKind, Result, Secret, checked, config, file, files, job, program::Program};

func_sdk::module!(Users);

struct Users;

impl Guest for Users {
    fn list() -> Result<Vec<User>> {
        users()
    }

    fn get(name: String) -> Result<User> {
        let name = wanted::name("user", &name)?;
        user(name)?.ok_or_else(|| Error::no_such("user", name, "users.list"))
    }

    fn groups() -> Result<Vec<UserGroup>> {
        groups()
    }

    fn add(name: String, options: Option<NewUser>) -> Result<Change> {
        let name = wanted::name("user", &name)?;
        let options = options.unwrap_or(wanted::ANY_USER);
        let args = wanted::useradd(&options)?;
        if let Some(there) = user(name)? {
            return match wanted::difference(&options, &there) {
                None => Ok(Change { before: Some(there.clone()), after: Some(there), changed: false }),
                Some(what) => {
                    let message = format!("there is a user {} already, with another {what}", checked::shown(name));
                    Err(Error::new(ErrorKind::AlreadyExists, message))
                }
            };
        }
        tool("useradd").args(args).arg(name).change()?;
        Ok(Change { before: None, after: user(name)?, changed: true })
    }

    fn delete(name: String, remove_home: Option<bool>) -> Result<Change> {
        let name = wanted::name("user", &name)?;
        let Some(before) = user(name)? else { return Ok(Change { before: None, after: None, changed: false }) };
        if before.uid == 0 {
            return Err(Error::invalid("root is not deleted"));
        }
        let tool = tool("userdel");
        let tool = if remove_home.unwrap_or(false) { tool.arg("--remove") } else { tool };
        tool.arg(name).change()?;
        Ok(Change { after: user(name)?, before: Some(before), changed: true })
    }

    fn password(name: String, password: Secret) -> Result<Change> {
        let name = wanted::name("user", &name)?;
        let before = user(name)?.ok_or_else(|| Error::no_such("user", name, "users.list"))?;
        // By the standard input: arguments are seen by everybody on the machine.
        let line = format!("{name}:{}\n", wanted::password(&password)?);
        chpasswd().stdin(line).change()?;
        Ok(Change { after: user(name)?, before: Some(before), changed: true })
    }

    fn lock(name: String) -> Result<Change> {
        modify(&name, |user| Ok((user.password != PasswordState::Locked).then(|| vec!["--lock".to_owned()])))
    }

    fn unlock(name: String) -> Result<Change> {
        let locked = |state| matches!(state, PasswordState::Locked | PasswordState::Unknown);
        let change = modify(&name, |user| Ok(locked(user.password).then(|| vec!["--unlock".to_owned()])))?;
        match &change.after {
            Some(after) if after.password == PasswordState::Locked && change.changed && !job::dry_run() => {
                Err(Error::failed(format!("{} would have no password", checked::shown(&after.name))))
            }
            _ => Ok(change),
        }
    }

    fn set_shell(name: String, shell: String) -> Result<Change> {
        let shell = wanted::field("shell", checked::path("shell", &shell)?)?;
        modify(&name, |user| Ok((user.shell != shell).then(|| vec![format!("--shell={shell}")])))
    }

    fn set_home(name: String, home: String, move_: Option<bool>) -> Result<Change> {
        let home = wanted::field("home", checked::path("home", &home)?)?;
        let contents = move_.unwrap_or(false).then(|| "--move-home".to_owned());
        modify(&name, |user| {
            Ok((user.home != home).then(|| [vec![format!("--home={home}")], Vec::from_iter(contents)].concat()))
        })
    }

    fn set_comment(name: String, comment: String) -> Result<Change> {
        let comment = wanted::field("comment", checked::line("comment", &comment)?)?;
        modify(&name, |user| Ok((user.comment != comment).then(|| vec![format!("--comment={comment}")])))
    }

    fn set_expiry(name: String, date: Option<String>) -> Result<Change> {
        let date = date.as_deref().map(wanted::date).transpose()?;
        modify(&name, |user| {
            Ok((user.expires.as_deref() != date).then(|| vec![format!("--expiredate={}", date.unwrap_or_default())]))
        })
    }

    fn set_groups(name: String, groups: Vec<String>) -> Result<Change> {
        let groups = wanted::groups(&groups)?;
        modify(&name, |user| Ok((user.groups != groups).then(|| vec![format!("--groups={}", groups.join(","))])))
    }

    fn join_group(name: String, group: String) -> Result<Change> {
        let group = wanted::name("group", &group)?;
        modify(&name, |user| {
            let is_in = user.group.as_deref() == Some(group) || user.groups.iter().any(|other| other == group);
            Ok((!is_in).then(|| vec!["--append".to_owned(), format!("--groups={group}")]))
        })
    }

    fn leave_group(name: String, group: String) -> Result<Change> {
        let group = wanted::name("group", &group)?;
        modify(&name, |user| {
            if user.group.as_deref() == Some(group) {
                let (user, group) = (checked::shown(&user.name), checked::shown(group));
                return Err(Error::invalid(format!("{group} is the first group of {user}, which cannot be left")));
            }
            let others: Vec<_> = user.groups.iter().filter(|other| *other != group).cloned().collect();
            Ok((others.len() < user.groups.len()).then(|| vec![format!("--groups={}", others.join(","))]))
        })
    }

    fn add_group(name: String, gid: Option<u32>, system: Option<bool>) -> Result<GroupChange> {
        let name = wanted::name("group", &name)?;
        if let Some(there) = group(name)? {
            return if gid.is_none_or(|gid| there.gid == gid) {
                Ok(GroupChange { before: Some(there.clone()), after: Some(there), changed: false })
            } else {
                let message = format!("there is a group {} already, of number {}", checked::shown(name), there.gid);
                Err(Error::new(ErrorKind::AlreadyExists, message))
            };
        }
        let gid = gid.map(|gid| format!("--gid={gid}"));
        let system = system.filter(|system| *system).map(|_| "--system".to_owned());
        tool("groupadd").args(gid).args(system).arg(name).change()?;
        Ok(GroupChange { before: None, after: group(name)?, changed: true })
    }

    fn delete_group(name: String) -> Result<GroupChange> {
        let name = wanted::name("group", &name)?;
        let Some(before) = group(name)? else {
            return Ok(GroupChange { before: None, after: None, changed: false });
        };
        tool("groupdel").arg(name).change()?;
        Ok(GroupChange { before: Some(before), after: group(name)?, changed: true })
    }

    fn ssh_keys(name: String) -> Result<Vec<SshKey>> {
        let user = Self::get(name)?;
        Ok(keys::parse(&file::optional(&keys::file(&prefix(), &user)?)?.unwrap_or_default()))
    }

    fn add_ssh_key(name: String, key: String) -> Result<KeysChange> {
        let key = keys::one(&key)?;
        change_keys(name, |text| keys::with(text, &key))
    }

    fn remove_ssh_key(name: String, key: String) -> Result<KeysChange> {
        let key = keys::blob(&key)?;
        change_keys(name, |text| keys::without(text, &key))
    }
}

/// The folder of the system that is worked on; empty for the one that runs.
fn prefix() -> String {
    config::get("prefix").unwrap_or_default().trim_end_matches('/').to_owned()
}

fn tool(name: &str) -> Program {
    let program = Program::new(name);
    match prefix() {
        prefix if prefix.is_empty() => program,
        prefix => program.arg(format!("--prefix={prefix}")),
    }
}

/// `chpasswd` has no `--prefix` on many machines. With `--root` it must not ask PAM, which is not in every image.
fn chpasswd() -> Program {
    let program = Program::new("chpasswd");
    match prefix() {
        prefix if prefix.is_empty() => program,
        prefix => program.args([format!("--root={prefix}"), "--crypt-method=SHA512".to_owned()]),
    }
}

fn users() -> Result<Vec<User>> {
    let prefix = prefix();
    let passwd = file::text(&format!("{prefix}/etc/passwd"))?;
    let group = file::optional(&format!("{prefix}/etc/group"))?.unwrap_or_default();
    // Only root can read it, and not every operator grants it.
    let shadow = file::text(&format!("{prefix}/etc/shadow")).unwrap_or_default();
    Ok(accounts::users(&passwd, &group, &shadow))
}

fn user(name: &str) -> Result<Option<User>> {
    Ok(users()?.into_iter().find(|user| user.name == name))
}

fn groups() -> Result<Vec<UserGroup>> {
    Ok(accounts::groups(&file::text(&format!("{}/etc/group", prefix()))?))
}

fn group(name: &str) -> Result<Option<UserGroup>> {
    Ok(groups()?.into_iter().find(|group| group.name == name))
}

/// Runs `usermod` with the arguments that make a user what was asked for; there are none where it is so already.
fn modify(name: &str, args: impl FnOnce(&User) -> Result<Option<Vec<String>>>) -> Result<Change> {
    let name = wanted::name("user", name)?;
    let before = user(name)?.ok_or_else(|| Error::no_such("user", name, "users.list"))?;
    match args(&before)? {
        None => Ok(Change { before: Some(before.clone()), after: Some(before), changed: false }),
        Some(args) => {
            tool("usermod").args(args).arg(name).change()?;
            Ok(Change { after: user(name)?, before: Some(before), changed: true })
        }
    }
}

fn change_keys(name: String, change: impl FnOnce(&str) -> String) -> Result<KeysChange> {
    let user = Users::get(name)?;
    let path = keys::file(&prefix(), &user)?;
    let text = file::optional(&path)?.unwrap_or_default();
    let wanted = change(&text);
    let (before, changed) = (keys::parse(&text), wanted != text);
    if !changed {
        return Ok(KeysChange { after: before.clone(), before, changed });
    }
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    // A user could make these links, and have somebody else's file written.
    for path in [folder, &path] {
        if file::if_there(files::stat_link(path))?.is_some_and(|meta| meta.kind == files::Kind::Symlink) {
            return Err(Error::invalid(format!("{} is a symbolic link", checked::shown(path))));
        }
    }
    files::make_dir(folder)?;
    files::write(&path, wanted.as_bytes(), None)?;
    Ok(KeysChange { before, after: keys::parse(&wanted), changed })
}
