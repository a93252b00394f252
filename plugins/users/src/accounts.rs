//! Users and groups, from /etc/passwd (passwd(5)), /etc/group (group(5)) and /etc/shadow (shadow(5)).

use func_sdk::{table, time};

use crate::exports::base::users::users::{PasswordState, User, UserGroup};

/// The users; lines that make no sense are left out.
pub fn users(passwd: &str, group: &str, shadow: &str) -> Vec<User> {
    let groups = groups(group);
    let shadow: Vec<Vec<&str>> = table::fields(shadow, ':').collect();
    let user = |row: Vec<&str>| {
        let [name, _, uid, gid, comment, home, shell] = row[..] else { return None };
        let gid = gid.parse().ok()?;
        let mut others: Vec<String> = groups
            .iter()
            .filter(|group| group.members.iter().any(|m| m == name))
            .map(|group| group.name.clone())
            .collect();
        others.sort();
        let secret = shadow.iter().find(|row| row[0] == name);
        let day = |at: usize| secret?.get(at)?.parse().ok().map(time::date);
        Some(User {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid,
            group: groups.iter().find(|group| group.gid == gid).map(|group| group.name.clone()),
            groups: others,
            comment: comment.to_owned(),
            home: home.to_owned(),
            shell: shell.to_owned(),
            password: secret.and_then(|row| row.get(1)).map_or(PasswordState::Unknown, |field| password(field)),
            password_changed: day(2),
            expires: day(7),
        })
    };
    table::fields(passwd, ':').filter_map(user).collect()
}

/// The groups; lines that make no sense are left out.
pub fn groups(text: &str) -> Vec<UserGroup> {
    let group = |row: Vec<&str>| {
        let [name, _, gid, members] = row[..] else { return None };
        let members = members.split(',').map(str::trim).filter(|member| !member.is_empty());
        Some(UserGroup { name: name.to_owned(), gid: gid.parse().ok()?, members: members.map(str::to_owned).collect() })
    };
    table::fields(text, ':').filter_map(group).collect()
}

fn password(field: &str) -> PasswordState {
    match field {
        "" => PasswordState::Empty,
        "*" | "!*" | "x" => PasswordState::Disabled,
        locked if locked.starts_with('!') => PasswordState::Locked,
        _ => PasswordState::Set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:Ann,,,:/home/ann:/bin/sh\n+::::::\nbad:x:1\n";
    const GROUP: &str = "root:x:0:\nann:x:1000:\nwheel:x:10:ann,root\nadm:x:4:ann\n";
    const SHADOW: &str = "root:*:20228:0:99999:7:::\nann:$6$secret:20512:0:99999:7::20513:\n";

    #[test]
    fn a_user_is_told_with_groups_and_days() {
        let told = users(PASSWD, GROUP, SHADOW);
        assert_eq!(told.len(), 2);
        let ann = &told[1];
        assert_eq!((ann.uid, ann.group.as_deref(), ann.groups.join(" ")), (1000, Some("ann"), "adm wheel".into()));
        assert_eq!((ann.password, ann.password_changed.as_deref()), (PasswordState::Set, Some("2026-02-28")));
        assert_eq!((ann.expires.as_deref(), told[0].expires.as_deref()), (Some("2026-03-01"), None));
        assert_eq!(told[0].password, PasswordState::Disabled);
    }

    #[test]
    fn a_password_has_one_of_five_states() {
        for (field, state) in [
            ("", PasswordState::Empty),
            ("*", PasswordState::Disabled),
            ("!", PasswordState::Locked),
            ("!$6$x", PasswordState::Locked),
            ("$y$x", PasswordState::Set),
        ] {
            assert_eq!(password(field), state, "{field}");
        }
        assert_eq!(users(PASSWD, GROUP, "")[0].password, PasswordState::Unknown);
    }
}
