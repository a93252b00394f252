//! What a module would keep, in a check.

use std::collections::BTreeMap;

use super::{
    super::{Access, Error, blocking},
    keep::{self as kept, Key},
};
use crate::plugin::plan::Effect;

/// The changes that a check has planned: a value, or that there is none.
#[derive(Debug, Default)]
pub(in crate::plugin) struct Planned(BTreeMap<Key, Option<Vec<u8>>>);

impl Planned {
    pub(super) fn at(&self, key: &Key) -> Option<&Option<Vec<u8>>> {
        self.0.get(key)
    }

    /// What is kept, as it would be.
    pub(super) fn over(&self, mut sizes: BTreeMap<String, usize>) -> BTreeMap<String, usize> {
        for (key, planned) in &self.0 {
            match planned {
                Some(value) => sizes.insert(key.as_str().to_owned(), value.len()),
                None => sizes.remove(key.as_str()),
            };
        }
        sizes
    }
}

/// What must be there for a change to be made.
pub(super) enum Expected {
    Anything,
    /// A value, or none.
    This(Option<Vec<u8>>),
}

/// Plans a change, under the rules of the real one. Of what is there now, and of the effect, if something
/// would be done.
pub(super) async fn change(
    access: &Access,
    planned: &mut Planned,
    key: &str,
    expected: Expected,
    value: Option<Vec<u8>>,
) -> Result<Option<(Option<Vec<u8>>, Effect)>, Error> {
    let (key, keep) = (Key::new(key)?, super::keep(access)?);
    let (asked, seen) = (key.clone(), planned.at(&key).cloned());
    let (before, sizes, keep) = blocking(move || {
        let before = if let Some(seen) = seen { seen } else { keep.get(&asked)? };
        let sizes = keep.sizes()?;
        Ok((before, sizes, keep))
    })
    .await?;
    if matches!(expected, Expected::This(expected) if expected != before) {
        return Ok(None);
    }
    if let Some(value) = &value {
        kept::Keep::judge(&keep, &planned.over(sizes), &key, value.len())?;
    }
    let what = match (&before, &value) {
        (None, Some(new)) => format!("kept: {} bytes", new.len()),
        (Some(old), Some(new)) if old == new => "unchanged".to_owned(),
        (Some(old), Some(new)) => format!("replaced: {} bytes by {}", old.len(), new.len()),
        (Some(old), None) => format!("forgotten: {} bytes", old.len()),
        (None, None) => "unchanged".to_owned(),
    };
    planned.0.insert(key, value);
    Ok(Some((before, Effect::Other { what })))
}
