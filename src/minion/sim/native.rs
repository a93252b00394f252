//! The module `test` in Rust: what a simulated minion can do.

use std::{collections::BTreeMap, sync::Arc, sync::LazyLock, time::Duration};

use crate::{
    minion::view::{MethodView, ModuleView},
    plugin::Param,
    wire::{RemoteError, Secrecy, Value},
};

/// A parameter's name, its WIT type and its type on the wire.
type Shape = (&'static str, &'static str, &'static str);

/// A method of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Native {
    Ping,
    Add,
    Echo,
    Sleep,
    Explode,
}

impl Native {
    const ALL: [Self; 5] = [Self::Ping, Self::Add, Self::Echo, Self::Sleep, Self::Explode];

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Add => "add",
            Self::Echo => "echo",
            Self::Sleep => "sleep",
            Self::Explode => "explode",
        }
    }

    /// Parameters, result and documentation.
    fn shape(self) -> (&'static [Shape], Option<&'static str>, &'static str) {
        match self {
            Self::Ping => (&[], Some("u32"), "Answers 1."),
            Self::Add => (&[("a", "s64", "int"), ("b", "s64", "int")], Some("s64"), "Adds two numbers."),
            Self::Echo => (&[("value", "value", "any")], Some("value"), "Answers what it was given."),
            Self::Sleep => (&[("seconds", "f64", "float")], Some("f64"), "Waits, then tells the time."),
            Self::Explode => (&[], None, "Fails as a module does that panics."),
        }
    }

    /// The arguments, if they fit.
    pub(super) fn check(self, args: &[Value]) -> Result<Ready, RemoteError> {
        let (params, ..) = self.shape();
        let wrong = |message: String| RemoteError::new("InvalidArguments", format!("test.{}: {message}", self.name()));
        if args.len() != params.len() {
            return Err(wrong(format!("takes {} arguments, not {}", params.len(), args.len())));
        }
        let not =
            |at: usize| wrong(format!("argument `{}`: {} wanted, not {}", params[at].0, params[at].1, args[at].kind()));
        let int = |at: usize| match &args[at] {
            Value::Int(number) => Ok(*number),
            Value::String(text) => text.trim().parse().map_err(|_| not(at)),
            _ => Err(not(at)),
        };
        match self {
            Self::Ping => Ok(Ready::Answer(1.into())),
            Self::Add => match int(0)?.checked_add(int(1)?) {
                Some(sum) => Ok(Ready::Answer(sum.into())),
                None => Ok(Ready::Fail(RemoteError::new("invalid", "the sum does not fit into 64 bits"))),
            },
            Self::Echo => Ok(Ready::Answer(args[0].clone())),
            Self::Explode => Ok(Ready::Fail(RemoteError::new("Trap", "khhhhhhaaaaaan!!!!!!"))),
            Self::Sleep => {
                let seconds = match &args[0] {
                    Value::Double(seconds) => Some(*seconds),
                    #[expect(clippy::cast_precision_loss, reason = "seconds to sleep are far below 2^53")]
                    Value::Int(seconds) => Some(*seconds as f64),
                    Value::String(text) => text.trim().parse().ok(),
                    _ => None,
                };
                let time = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                time.map(Ready::Sleep).ok_or_else(|| not(0))
            }
        }
    }
}

/// What a call comes down to once its arguments are checked.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ready {
    Answer(Value),
    Fail(RemoteError),
    Sleep(Duration),
}

impl Ready {
    pub(super) async fn run(self) -> Result<Value, RemoteError> {
        match self {
            Self::Answer(value) => Ok(value),
            Self::Fail(error) => Err(error),
            Self::Sleep(time) => {
                tokio::time::sleep(time).await;
                Ok(Value::Double(jiff::Timestamp::now().as_duration().as_secs_f64()))
            }
        }
    }
}

/// The module as introspection shows it; one for all hosts. The names are those of the real module.
pub(super) static MODULE: LazyLock<Option<Arc<ModuleView>>> = LazyLock::new(|| {
    let method = |native: Native| {
        let (params, result, doc) = native.shape();
        let param = |&(name, wit, wire_type): &Shape| Param {
            name: name.to_owned(),
            type_name: wit.to_owned(),
            wire_type,
            secrecy: Secrecy::Open,
            optional: false,
            doc: String::new(),
            options: Vec::new(),
            min: None,
            max: None,
        };
        let params = params.iter().map(param).collect();
        let (result, doc) = (result.map(str::to_owned), doc.to_owned());
        (
            native.name().to_owned(),
            MethodView { params, result, doc, read_only: native == Native::Ping, types: Vec::new() },
        )
    };
    Some(Arc::new(ModuleView {
        name: "test".parse().ok()?,
        full_name: "base:test/test".parse().ok()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        description: "Tries out the way to a minion and back; simulated.".to_owned(),
        methods: Native::ALL.into_iter().map(method).collect(),
        uncallable: BTreeMap::new(),
    }))
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_checked_as_a_typed_module_does() {
        let add = |a: Value, b: Value| Native::Add.check(&[a, b]);
        assert_eq!(add(1.into(), "2".into()), Ok(Ready::Answer(3.into())));
        assert_eq!(add(1.into(), Value::Nil).unwrap_err().message, "test.add: argument `b`: s64 wanted, not nil");
        assert!(matches!(add(i64::MAX.into(), 1.into()), Ok(Ready::Fail(_))));
        assert!(Native::Ping.check(&[Value::Nil]).is_err());
        assert_eq!(Native::Sleep.check(&["0.5".into()]), Ok(Ready::Sleep(Duration::from_millis(500))));
        assert!(Native::Sleep.check(&[(-1).into()]).is_err());
        assert!(MODULE.is_some());
    }
}
