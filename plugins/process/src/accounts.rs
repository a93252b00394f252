//! The names of users.

use std::collections::HashMap;

/// The users of /etc/passwd, by number.
#[derive(Debug, Default)]
pub struct Accounts(HashMap<u32, String>);

impl Accounts {
    /// A line is `NAME:PASSWORD:UID:…`.
    pub fn parse(passwd: &str) -> Self {
        let account = |line: &str| {
            let mut fields = line.split(':');
            let (name, uid) = (fields.next()?, fields.nth(1)?);
            Some((uid.parse().ok()?, name.to_owned()))
        };
        Self(passwd.lines().filter_map(account).collect())
    }

    /// The user's name, or the number where there is none.
    pub fn name(&self, uid: u32) -> String {
        self.0.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_a_number() {
        let accounts = Accounts::parse("root:x:0:0:root:/root:/bin/sh\n+::::\nx\n");
        assert_eq!(accounts.name(0), "root");
        assert_eq!(accounts.name(7), "7");
    }
}
