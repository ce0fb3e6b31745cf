//! A program nobody here wrote.

use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A program that ends with the value.
pub(crate) struct Program(Child);

impl Program {
    /// Starts it; what it says goes to `program.log` in `folder`. `package`: whose program it is on Debian.
    pub(crate) fn start(command: &mut Command, folder: &Path, package: &str) -> Self {
        let log = || {
            std::fs::File::options()
                .create(true)
                .append(true)
                .open(folder.join("program.log"))
                .unwrap()
        };
        let child = command.stdin(Stdio::null()).stdout(log()).stderr(log()).spawn();
        Self(child.unwrap_or_else(|error| panic!("{error}; Debian: `apt install {package}`")))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
