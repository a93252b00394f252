//! Variables that a module may set for the programs that it runs.

use serde::{Deserialize, Serialize};

use super::{InvalidGrant, names::as_text};

/// The name of a variable that a module may set for the programs it runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VariableGrant {
    text: String,
}

as_text!(VariableGrant);

impl TryFrom<String> for VariableGrant {
    type Error = InvalidGrant;

    fn try_from(text: String) -> Result<Self, InvalidGrant> {
        let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !begins || !text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            Err(InvalidGrant::new(&text, "it is no name of a variable"))
        } else if changes_programs(&text) {
            Err(InvalidGrant::new(
                &text,
                "it makes programs load or run other code than their own, or find other files and hosts",
            ))
        } else {
            Ok(Self { text })
        }
    }
}

/// Beginnings of names of which all are meant.
const PREFIXES: [&str; 14] = [
    "LD_",
    "KRB5_",
    "PYTHON",
    "PERL5",
    "RUBY",
    "GEM_",
    "BUNDLE_",
    "BASH_FUNC_",
    "OPENSSL_",
    "LUA_",
    "GIT_",
    "GCONV_",
    "DOTNET_",
    "NPM_CONFIG_",
];
const HARMLESS: [&str; 3] = ["GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_TERMINAL_PROMPT"];
const NAMES: [&str; 64] = [
    // The search for programs, and shells.
    "PATH",
    "SHELL",
    "ENV",
    "BASH_ENV",
    "SHELLOPTS",
    "BASHOPTS",
    "PS4",
    "IFS",
    "ZDOTDIR",
    "PROMPT_COMMAND",
    "CDPATH",
    "GLOBIGNORE",
    "FPATH",
    "NULLCMD",
    "READNULLCMD",
    "TMPPREFIX",
    // The loader and what libraries load, write, and take for the names of hosts.
    "GLIBC_TUNABLES",
    "GIO_EXTRA_MODULES",
    "GIO_MODULE_DIR",
    "LOCPATH",
    "MALLOC_CONF",
    "MALLOC_TRACE",
    "GETCONF_DIR",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "RES_OPTIONS",
    "RESOLV_HOST_CONF",
    "NIS_PATH",
    "NLSPATH",
    "PATH_LOCALE",
    "TZDIR",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TERMPATH",
    "TERMCAP",
    "AUTHSTATE",
    // Interpreters.
    "NODE_OPTIONS",
    "NODE_PATH",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "CLASSPATH",
    "PERLLIB",
    "PERLIO_DEBUG",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "TCLLIBPATH",
    // Configuration and options that name programs.
    "APT_CONFIG",
    "TAR_OPTIONS",
    "MAKEFLAGS",
    "MAKEFILES",
    "RSYNC_RSH",
    "CURL_HOME",
    "WGETRC",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    // Programs that others run for their user.
    "EDITOR",
    "VISUAL",
    "PAGER",
    "MANPAGER",
    "SYSTEMD_PAGER",
    "SYSTEMD_EDITOR",
    "LESSOPEN",
    "LESSCLOSE",
];

/// Whether a variable would turn a program that was granted into another: the loader's own, those of shells, those by
/// which interpreters and libraries load files, and those that name a program or a configuration which names one. Of
/// git's, all but the harmless: there are many, and more with each version. Whatever `sudo` takes away on Linux, and what
/// glibc takes away from a program that gains privileges, is here, but for `TMPDIR`.
pub fn changes_programs(name: &str) -> bool {
    let begins = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    (begins(&PREFIXES) && !begins(&HARMLESS)) || NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_granted_by_its_name() {
        let variable = |text: &str| VariableGrant::try_from(text.to_owned());
        for text in ["", "1A", "A=B", "A B", "Ä"] {
            assert!(variable(text).is_err(), "{text:?}");
        }
        for text in
            ["A", "TZ", "LC_ALL", "DEBIAN_FRONTEND", "GIT_AUTHOR_NAME", "GIT_COMMITTER_DATE", "GIT_TERMINAL_PROMPT"]
        {
            assert_eq!(variable(text).unwrap().as_str(), text);
        }
    }

    /// Of sudo's `initial_badenv_table` what means something on Linux, and of glibc's `UNSECURE_ENVVARS`.
    #[test]
    fn what_sudo_and_the_loader_take_away_is_not_granted() {
        let sudo = "IFS CDPATH LOCALDOMAIN RES_OPTIONS HOSTALIASES NLSPATH PATH_LOCALE LD_AUDIT LD_LIBRARY_PATH AUTHSTATE \
            KRB5_CONFIG KRB5_KTNAME TERMINFO TERMINFO_DIRS TERMPATH TERMCAP ENV BASH_ENV PS4 GLOBIGNORE BASHOPTS SHELLOPTS \
            JAVA_TOOL_OPTIONS PERLIO_DEBUG PERLLIB PERL5LIB PERL5OPT PERL5DB FPATH NULLCMD READNULLCMD ZDOTDIR TMPPREFIX \
            PYTHONHOME PYTHONPATH PYTHONINSPECT PYTHONUSERBASE RUBYLIB RUBYOPT";
        let glibc = "GCONV_PATH GETCONF_DIR GLIBC_TUNABLES LOCPATH MALLOC_TRACE NIS_PATH RESOLV_HOST_CONF TZDIR";
        let granted: Vec<_> = [sudo, glibc].iter().flat_map(|names| names.split_ascii_whitespace()).collect();
        let granted: Vec<_> = granted.into_iter().filter(|name| !changes_programs(name)).collect();
        assert_eq!(granted, [""; 0]);
    }

    #[test]
    fn what_makes_a_program_another_is_not_granted() {
        let refused = [
            "LD_PRELOAD",
            "PATH",
            "BASH_ENV",
            "BASH_FUNC_ls",
            "IFS",
            "PYTHONPATH",
            "PERL5LIB",
            "NODE_OPTIONS",
            "OPENSSL_CONF",
            "GIO_EXTRA_MODULES",
            "LUA_INIT_5_4",
            "_JAVA_OPTIONS",
            "APT_CONFIG",
            "GIT_CONFIG_COUNT",
            "GIT_SSH_COMMAND",
            "GIT_DIR",
            "PAGER",
            "LESSOPEN",
            "TAR_OPTIONS",
            "GCONV_PATH",
        ];
        for name in refused {
            let error = VariableGrant::try_from(name.to_owned()).unwrap_err().to_string();
            assert!(error.contains("other code"), "{name}: {error}");
        }
    }
}
