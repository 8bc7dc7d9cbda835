//! Arguments in, exit status out. What the commands do stands in [`firstpass::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    // One TLS stack, chosen before anything can ask for another. An error says that it was chosen already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    firstpass::cli::main()
}
