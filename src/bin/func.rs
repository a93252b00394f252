//! `func`: the overlord, the certificate authority and the tools of module authors.

fn main() -> std::process::ExitCode {
    func::cli::func()
}
