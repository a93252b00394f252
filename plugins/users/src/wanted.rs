//! What callers want a user to be, checked, and as arguments of `useradd`.

use func_sdk::{Error, Result, Secret, checked};

use crate::exports::base::users::users::{NewUser, User};

/// A user of whom nothing is asked.
pub const ANY_USER: NewUser = NewUser {
    uid: None,
    group: None,
    groups: None,
    comment: None,
    home: None,
    create_home: None,
    shell: None,
    system: None,
};

/// The name of a user or a group. Numbers alone are none: programs would take them for a number.
pub fn name<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    checked::word(what, text, "-_.")?;
    if text.len() > 32 || text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::invalid(format!("{} is no name of a {what}", checked::shown(text))));
    }
    Ok(text)
}

/// A password as it stands in a line for `chpasswd`. No error repeats it.
pub fn password(secret: &Secret) -> Result<&str> {
    match secret.text() {
        "" => Err(Error::invalid("the password is empty")),
        text if text.chars().any(char::is_control) => {
            Err(Error::invalid("the password has a line break or another control character in it"))
        }
        text => Ok(text),
    }
}

/// A text that becomes a field of /etc/passwd.
pub fn field<'a>(what: &str, text: &'a str) -> Result<&'a str> {
    if text.contains(':') {
        return Err(Error::invalid(format!("the {what} {} has a colon in it", checked::shown(text))));
    }
    Ok(text)
}

/// The names of groups, sorted, each once.
pub fn groups(names: &[String]) -> Result<Vec<String>> {
    let mut names = names.iter().map(|text| Ok(name("group", text)?.to_owned())).collect::<Result<Vec<_>>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// A day, such as `2026-02-28`.
pub fn date(text: &str) -> Result<&str> {
    let digits = |at: std::ops::Range<usize>| text.get(at).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let number = |at| digits(at).and_then(|part| part.parse::<u32>().ok()).unwrap_or(0);
    let whole =
        text.len() == 10 && digits(0..4).is_some() && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    if whole && (1..=12).contains(&number(5..7)) && (1..=31).contains(&number(8..10)) {
        return Ok(text);
    }
    Err(Error::invalid(format!("{} is no day", checked::shown(text))).hint("write it like 2026-02-28"))
}

/// What `useradd` is to be told, but for the name.
pub fn useradd(wanted: &NewUser) -> Result<Vec<String>> {
    let mut args: Vec<String> = Vec::new();
    args.extend(wanted.uid.map(|uid| format!("--uid={uid}")));
    if let Some(group) = &wanted.group {
        args.push(format!("--gid={}", name("group", group)?));
    }
    if let Some(names) = &wanted.groups {
        args.push(format!("--groups={}", groups(names)?.join(",")));
    }
    if let Some(comment) = &wanted.comment {
        args.push(format!("--comment={}", field("comment", checked::line("comment", comment)?)?));
    }
    if let Some(home) = &wanted.home {
        args.push(format!("--home-dir={}", field("home", checked::path("home", home)?)?));
    }
    if let Some(shell) = &wanted.shell {
        args.push(format!("--shell={}", field("shell", checked::path("shell", shell)?)?));
    }
    args.extend(wanted.create_home.map(|create| if create { "--create-home" } else { "--no-create-home" }.to_owned()));
    args.extend(wanted.system.filter(|system| *system).map(|_| "--system".to_owned()));
    Ok(args)
}

/// In what a user differs from what was asked for.
pub fn difference(wanted: &NewUser, user: &User) -> Option<&'static str> {
    let other = |wanted: &Option<String>, is: &str| wanted.as_deref().is_some_and(|wanted| wanted != is);
    let asked = wanted.groups.as_ref().and_then(|names| groups(names).ok());
    [
        (wanted.uid.is_some_and(|uid| uid != user.uid), "number"),
        (other(&wanted.group, user.group.as_deref().unwrap_or_default()), "first group"),
        (asked.is_some_and(|groups| groups != user.groups), "set of groups"),
        (other(&wanted.comment, &user.comment), "comment"),
        (other(&wanted.home, &user.home), "home"),
        (other(&wanted.shell, &user.shell), "shell"),
    ]
    .into_iter()
    .find_map(|(differs, what)| differs.then_some(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_becomes_arguments() {
        assert!(useradd(&ANY_USER).unwrap().is_empty());
        let wanted = NewUser {
            uid: Some(7),
            groups: Some(vec!["b".into(), "a".into(), "b".into()]),
            shell: Some("/bin/sh".into()),
            create_home: Some(false),
            system: Some(true),
            ..ANY_USER
        };
        assert_eq!(
            useradd(&wanted).unwrap().join(" "),
            "--uid=7 --groups=a,b --shell=/bin/sh --no-create-home --system"
        );
    }

    #[test]
    fn what_would_break_a_line_of_passwd_is_refused() {
        for wanted in [
            NewUser { comment: Some("a:b".into()), ..ANY_USER },
            NewUser { comment: Some("a\nroot2::0:0:::".into()), ..ANY_USER },
            NewUser { home: Some("relative".into()), ..ANY_USER },
            NewUser { shell: Some("/bin/sh:x".into()), ..ANY_USER },
            NewUser { groups: Some(vec!["a,b".into()]), ..ANY_USER },
            NewUser { group: Some("-1".into()), ..ANY_USER },
        ] {
            assert!(useradd(&wanted).is_err(), "{wanted:?}");
        }
        for text in ["", "1000", "-r", "a b", "a:b", &"x".repeat(33)] {
            assert!(name("user", text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_checked() {
        assert!(date("2026-02-28").is_ok());
        for text in ["", "2026-13-01", "2026-01-32", "2026-1-1", "tomorrow", "2026/01/01", "é026-01-01", "-026-01-01"]
        {
            assert!(date(text).is_err(), "{text}");
        }
    }
}
