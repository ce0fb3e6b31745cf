//! A real S3-compatible server: moto's, from Python's registry, in an environment of its own that is made once and kept.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use skywatch::models::Bucket;
use skywatch_settings::{Models, Secret};

use crate::common::redis::free_port;

/// A running server; killed when dropped.
pub(crate) struct Moto {
    child: Child,
    port: u16,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's program. Made by `scripts/test`, or here.
fn program() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto");
    let program = folder.join("bin/moto_server");
    // Tests of one run are processes of their own.
    let lock = File::create(folder.with_extension("lock")).unwrap();
    lock.lock().unwrap();
    if !program.exists() {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder));
        run(Command::new(folder.join("bin/python")).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "moto[server,s3]",
        ]));
        assert!(program.exists());
    }
    program
}

fn run(command: &mut Command) {
    let ended = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        ended.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&ended.stderr)
    );
}

impl Moto {
    /// A server with an empty bucket `models`.
    pub(crate) fn start() -> Self {
        let (program, port) = (program(), free_port());
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, port };
        let limit = Instant::now() + Duration::from_secs(60);
        let agent = ureq::Agent::new_with_defaults();
        while agent
            .put(format!("{}/models", server.endpoint()))
            .send_empty()
            .is_err()
        {
            assert!(Instant::now() < limit, "moto does not answer");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What the settings say of it.
    pub(crate) fn models(&self) -> Models {
        Models {
            place: Some("s3://models/sky/watch".to_owned()),
            endpoint: Some(self.endpoint()),
            access_key: Some("key".to_owned()),
            secret_key: Some(Secret::new("secret")),
            ..Models::default()
        }
    }

    pub(crate) fn bucket(&self) -> Bucket {
        Bucket::new(&self.models()).unwrap()
    }
}
