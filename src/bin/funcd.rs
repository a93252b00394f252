//! `funcd`: the minion.

fn main() -> std::process::ExitCode {
    func::cli::funcd()
}
