//! Takes secrets, and is careless with them: what it says of them must be hidden by the host.

use exports::guests::keeper::keeper::{Account, Guest};
use func_sdk::{Error, Result, Secret, files, job, program::Program};

func_sdk::module!(Keeper);

struct Keeper;

/// Says a text in every way that a module has.
fn say(text: &str) {
    job::log(job::Level::Info, &format!("it is {text}"), &[("field".to_owned(), format!("<{text}>"))]);
    job::progress(1, None, &format!("at {text}"));
    println!("printed {text}");
    eprintln!("complained of {text}");
}

fn length(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

impl Guest for Keeper {
    fn keep(name: String, password: Secret, file: Option<String>) -> Result<u32> {
        say(password.text());
        // In a check the host plans it.
        Program::new("cat").stdin(format!("{name}:{}\n", password.text())).change()?;
        if let Some(file) = file {
            files::write(&file, password.text().as_bytes(), None)?;
        }
        // Nobody grants this: the denial would tell it.
        let denied = files::read(&format!("/nowhere/{}", password.text()));
        job::log(job::Level::Warn, &format!("{denied:?}"), &[]);
        Ok(length(password.text()))
    }

    fn blurt(password: Secret, panics: Option<bool>) -> Result<()> {
        assert!(panics != Some(true), "it is {}", password.text());
        Err(Error::failed(format!("it is {}", password.text())).hint(format!("not {}", password.text())))
    }

    fn count(accounts: Vec<Account>) -> Vec<u32> {
        let secrets = accounts.iter().map(|account| account.password.as_ref().map_or("", Secret::text));
        secrets
            .map(|text| {
                say(text);
                length(text)
            })
            .collect()
    }

    fn hold(password: Secret, ms: u64) -> Result<u32> {
        job::sleep(ms)?;
        Ok(length(password.text()))
    }

    fn answer(password: Secret) -> Secret {
        password
    }
}
