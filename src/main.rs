//! Parse, run, exit.

use std::process::ExitCode;

fn main() -> ExitCode {
    skywatch::cli::main(std::env::args_os())
}
