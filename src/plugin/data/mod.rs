//! Host calls and their answers as data that people read and edit.
//!
//! Everything becomes TOML: names as WIT writes them (`not-found`, `free-inodes`), bytes as text where
//! they are UTF-8 and `{ base64 = "…" }` where they are not, a variant with a payload as a table of one
//! key, a number beyond 63 bits as text. What is not there (nil, unit) is left out. Any type that serde
//! derives goes through unchanged, so a new interface needs nothing here.

mod read;
mod write;

pub(super) use read::read;
pub(super) use write::write;

/// The key of bytes that are no text.
pub(super) const BASE64: &str = "base64";

/// A field or a case as WIT writes it.
fn wit_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, letter) in name.trim_end_matches('_').char_indices() {
        if letter.is_ascii_uppercase() {
            if index > 0 {
                out.push('-');
            }
            out.push(letter.to_ascii_lowercase());
        } else {
            out.push(if letter == '_' { '-' } else { letter });
        }
    }
    out
}

/// Why a value and its data do not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct DataError(String);

impl serde::ser::Error for DataError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for DataError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize, de::DeserializeOwned};
    use toml::Value as Toml;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum Status {
        Exited(i32),
        TimedOut,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Output {
        status: Vec<Status>,
        std_out: Vec<u8>,
        raw: Option<Vec<u8>>,
        env: Vec<(String, String)>,
        size: u64,
        ratio: f64,
        unit: (),
        #[expect(clippy::option_option, reason = "WIT has options of options")]
        inner: Option<Option<bool>>,
    }

    fn there_and_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) -> Option<Toml> {
        let data = write(value).unwrap();
        let text = data.as_ref().map(|data| toml::to_string(&toml::Table::from_iter([("x".into(), data.clone())])));
        let again = text.map(|text| toml::from_str::<toml::Table>(&text.unwrap()).unwrap()["x"].clone());
        assert_eq!(&read::<T>(again.as_ref()).unwrap(), value, "{data:?}");
        data
    }

    #[test]
    fn everything_comes_back_and_reads_well() {
        let output = Output {
            status: vec![Status::Exited(-1), Status::TimedOut],
            std_out: b"one\ntwo".to_vec(),
            raw: Some(vec![0, 255]),
            env: vec![("A".into(), "1".into())],
            size: u64::MAX,
            ratio: 2.0,
            unit: (),
            inner: None,
        };
        let data = there_and_back(&output).unwrap();
        insta::assert_snapshot!(toml::to_string(&data).unwrap(), @r#"
        env = [["A", "1"]]
        ratio = 2.0
        size = "18446744073709551615"
        status = [{ exited = -1 }, "timed-out"]
        std-out = """
        one
        two"""

        [raw]
        base64 = "AP8="
        "#);
        for nothing in [there_and_back(&()), there_and_back(&None::<String>)] {
            assert_eq!(nothing, None);
        }
        there_and_back(&Vec::<u8>::new());
        there_and_back(&vec![1_u8, 2]);
        there_and_back(&Some("text".to_owned()));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        #[derive(Debug, Deserialize)]
        struct Path {
            #[expect(dead_code, reason = "read only")]
            path: String,
        }
        let wrong = |text: &str| {
            let table: toml::Table = toml::from_str(text).unwrap();
            read::<Status>(Some(&table["x"])).unwrap_err().to_string()
        };
        assert_eq!(wrong("x = \"gone\""), "there is no `gone`: one of exited, timed-out");
        assert!(wrong("x = { exited = \"0\" }").contains("i32"), "{}", wrong("x = { exited = \"0\" }"));
        let table: toml::Table = toml::from_str("path = \"/a\"\npaht = 1").unwrap();
        let unknown = read::<Path>(Some(&Toml::Table(table))).unwrap_err();
        assert_eq!(unknown.to_string(), "there is no `paht`: one of path");
    }
}
