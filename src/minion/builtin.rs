//! The methods that every minion has, whatever modules it serves.

use crate::{
    access::MethodClass,
    wire::{RemoteError, Value},
};

/// A built-in method: `system.…` and `jobs.…`. No plugin can take these names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Builtin {
    pub(super) name: &'static str,
    /// Names and types, in the words of XML-RPC.
    pub(super) params: &'static [(&'static str, &'static str)],
    pub(super) result: &'static str,
    pub(super) doc: &'static str,
}

/// The module names that belong to built-in methods.
pub const RESERVED_MODULES: [&str; 10] =
    ["system", "jobs", "async", "check", "modules", "copyfile", "getfile", "transfer", "identity", "overlord"];

/// All of them, sorted by name.
pub(super) const BUILTINS: &[Builtin] = &[
    builtin(
        "copyfile.make_dir",
        &[PATH, ("manner", "struct")],
        "nil",
        "Makes a directory, and those above it that are missing. A manner of {mode, owner, group} is for the directory itself, also \
         when it is there already; it may be left out.",
    ),
    builtin(
        "copyfile.put",
        &[PATH, ("digest", "string"), ("size", "int"), ("manner", "struct")],
        "struct",
        "Puts a staged file in its place; {state: wanted, offset} if its bytes have to be sent first.",
    ),
    builtin(
        "getfile.list",
        &[PATH],
        "array",
        "A file, or a directory with everything in it that may be read: {path, folder, size, mode, owner, group} each. Of what cannot \
         be fetched {path, left_out, missing} instead: why not, and whether it is a file or a directory at all.",
    ),
    builtin(
        "getfile.offer",
        &[PATH],
        "struct",
        "Makes a file ready to be fetched by its digest; {digest, path, size, mode, …}. To who sends `func-digest: trailing`, by a \
         number: {offer, version, …} then, and the digest comes behind the bytes.",
    ),
    builtin(
        "identity.crl",
        &[("list", "string")],
        "struct",
        "Brings a signed revocation list, in PEM form: {taken, numbers}. An older one than is in force is not taken.",
    ),
    builtin(
        "identity.csr",
        &[],
        "string",
        "Makes a new key and answers the request for its certificate, in PEM form, and behind it this minion's word that it is its own; \
         overlords and sub-overlords only.",
    ),
    builtin(
        "identity.install",
        &[("certificate", "string")],
        "struct",
        "Serves from now on with the certificate for the last request: {serial, until}; overlords and sub-overlords only.",
    ),
    builtin(
        "identity.trust",
        &[("statements", "string")],
        "struct",
        "Brings signed statements of the authorities that are believed from now on, in PEM form: {taken, number, serial}, the last \
         of this minion's own certificate. What is not newer, or not signed by the newest authority of now, is not taken.",
    ),
    builtin(
        "jobs.budget",
        &[ID],
        "struct",
        "What an ended job has used: time, memory, calls of host functions, denials; nil while it runs.",
    ),
    builtin(
        "jobs.cancel",
        &[ID],
        "array",
        "Ends a job with all that it has started, and answers like jobs.job_status: the result if there was one by then, else a \
         remote error of type Cancelled. An id that was never submitted can not be submitted any more.",
    ),
    builtin(
        "jobs.follow",
        &[ID, ("offset", "int"), ("seconds", "double")],
        "array",
        "[bytes, next offset, ended, [current, total, note]]: like jobs.log, with the progress, but answers when the log goes \
         on behind the offset, the job ends or the time is over (300 s at most).",
    ),
    builtin(
        "jobs.get_progress",
        &[ID],
        "array",
        "[current, total], as the job last reported it; [0, 0] if it did not.",
    ),
    builtin(
        "jobs.job_status",
        &[ID],
        "array",
        "[status, result]: 0 running (result -1), 1 finished, 2 lost or unknown, 4 remote error.",
    ),
    builtin(
        "jobs.log",
        &[ID, ("offset", "int")],
        "array",
        "[bytes, next offset, ended]: the job's log from the offset on. Nothing follows when ended is true.",
    ),
    builtin("jobs.open_ids", &[], "struct", "The caller's jobs that are kept, each with its status."),
    builtin("jobs.tail_output", &[ID], "array", "[standard output, standard error]: the last 50 lines of each."),
    builtin(
        "jobs.wait",
        &[ID, ("seconds", "double")],
        "array",
        "Like jobs.job_status, but answers when the job ends or the time is over (300 s at most).",
    ),
    builtin(
        "modules.install",
        &[("name", "string"), ("digest", "string"), ("size", "int"), ("signature", "string")],
        "struct",
        "Takes a staged module into service; {state: wanted, offset} if its bytes have to be sent first.",
    ),
    builtin(
        "modules.rollback",
        &[("name", "string")],
        "struct",
        "Puts the version of a module back that a push replaced.",
    ),
    builtin(
        "overlord.delegate",
        &[("way", "array"), ("method", "string"), ("args", "array")],
        "struct",
        "Passes a call on to the last host of the way, through those before it, and answers what became of it there: {outcome, …}. \
         The caller needs the right for the method here too.",
    ),
    builtin("overlord.map", &[], "struct", "Whom this minion passes calls on to: {hosts}, the names of its inventory."),
    builtin(
        "system.audit_head",
        &[],
        "string",
        "NUMBER:HASH of the last line of the audit log: whoever notes it can tell later whether the log up to it is what it was.",
    ),
    builtin(
        "system.explain",
        &[("caller", "string"), ("role", "string"), ("call", "struct")],
        "struct",
        "Whether a caller of a name and a role may make a call, a struct of method and args, and the rule that decides: {allowed, because}.",
    ),
    builtin("system.facts", &[], "struct", "What this machine is, as its modules tell it: facts by name."),
    builtin(
        "system.grep",
        &[("word", "string")],
        "struct",
        "The modules and methods whose name or text holds the word.",
    ),
    builtin("system.inventory", &[], "struct", "Every module with the names of its methods."),
    builtin("system.listMethods", &[], "array", "The full names of all methods."),
    builtin("system.list_methods", &[], "array", "The full names of all methods."),
    builtin("system.list_modules", &[], "array", "The names of all modules."),
    builtin("system.methodHelp", &[("method", "string")], "string", "What a method does."),
    builtin(
        "system.methodSignature",
        &[("method", "string")],
        "array",
        "A list of one list: the result's type and the arguments'.",
    ),
    builtin(
        "system.modules",
        &[],
        "array",
        "What is served and what waits: structs of module, version, digest, signer, file, state, why and asks. The state is serving, held, unsigned or failed.",
    ),
    builtin(
        "system.multicall",
        &[("calls", "array")],
        "array",
        "Calls one after the other: structs of methodName and params. Answers a list of one result, or a fault's struct, for each.",
    ),
    builtin("system.ping", &[], "int", "Answers 1: the minion is there, and its caller may call."),
    builtin("system.time", &[], "int", "What this machine's clock shows: seconds since 1970."),
    builtin(
        "transfer.get",
        &[("digest", "string"), ("offset", "int"), ("size", "int")],
        "base64",
        "A piece of a file that was offered, from the offset on; shorter than asked for at its end, and where more than 4 MiB are.",
    ),
    builtin(
        "transfer.put",
        &[("digest", "string"), ("size", "int"), ("offset", "int"), ("bytes", "base64")],
        "struct",
        "Stages a piece of a file, for clients that only make calls: {offset, whole} says where to go on.",
    ),
];

const PATH: (&str, &str) = ("path", "string");
const ID: (&str, &str) = ("id", "string");

const fn builtin(
    name: &'static str,
    params: &'static [(&'static str, &'static str)],
    result: &'static str,
    doc: &'static str,
) -> Builtin {
    Builtin { name, params, result, doc }
}

impl Builtin {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        BUILTINS.iter().find(|builtin| builtin.name == name)
    }

    /// What it is to the policy. Nobody asks about another's jobs: `jobs.…` answers a job's owner alone.
    pub(super) fn class(&self) -> MethodClass {
        let tells = self.name.starts_with("system.") && !self.name.ends_with(".explain");
        if tells || self.name.starts_with("jobs.") { MethodClass::Introspection } else { MethodClass::Other }
    }

    /// The arguments, if there are as many as there should be.
    pub(super) fn args<const N: usize>(&self, params: Vec<Value>) -> Result<[Value; N], RemoteError> {
        debug_assert_eq!(N, self.params.len());
        let given = params.len();
        params.try_into().map_err(|_| {
            let names: Vec<String> = self.params.iter().map(|(name, kind)| format!("{name}: {kind}")).collect();
            let signature = format!("{}({})", self.name, names.join(", "));
            RemoteError::new("InvalidArguments", format!("{signature} takes {N} arguments, not {given}"))
        })
    }

    /// An argument that is not what it should be.
    pub(super) fn wrong(&self, index: usize, given: &Value) -> RemoteError {
        let (name, kind) = self.params[index];
        let message = format!("argument `{name}` of {}: {kind} wanted, not {}", self.name, given.kind());
        RemoteError::new("InvalidArguments", message)
    }

    /// A string argument.
    pub(super) fn text(&self, index: usize, value: Value) -> Result<String, RemoteError> {
        match value {
            Value::String(text) => Ok(text),
            other => Err(self.wrong(index, &other)),
        }
    }

    /// A number argument, also as the text of one, as old command lines send it.
    pub(super) fn number(&self, index: usize, value: &Value) -> Result<f64, RemoteError> {
        let number = match value {
            #[expect(clippy::cast_precision_loss, reason = "seconds and offsets are far below 2^53")]
            Value::Int(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|number| number.is_finite() && *number >= 0.0).ok_or_else(|| self.wrong(index, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_its_modules_are_reserved() {
        assert!(BUILTINS.is_sorted_by_key(|builtin| builtin.name));
        for builtin in BUILTINS {
            let module = builtin.name.split_once('.').unwrap().0;
            assert!(RESERVED_MODULES.contains(&module));
        }
    }

    #[test]
    fn wrong_arguments_are_named() {
        let wait = Builtin::find("jobs.wait").unwrap();
        let error = wait.args::<2>(vec![]).unwrap_err();
        assert_eq!(error.message, "jobs.wait(id: string, seconds: double) takes 2 arguments, not 0");
        let error = wait.number(1, &Value::Bool(true)).unwrap_err();
        assert_eq!(error.message, "argument `seconds` of jobs.wait: double wanted, not boolean");
        assert!(wait.number(1, &Value::Int(-1)).is_err());
        assert_eq!(wait.number(1, &"2.5".into()).unwrap().to_string(), "2.5");
    }
}
