//! A sign of life to somebody outside, who notices when it stops.

use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use skywatch_alerters::http_client::{self, Trust};

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Calls an address after each good pass, from a thread of its own.
pub struct DeadMansSwitch {
    beats: Sender<()>,
}

impl DeadMansSwitch {
    /// Starts the thread. The address is a secret: whoever knows it can pretend that we live.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub fn start(url: String) -> std::io::Result<Self> {
        let (beats, receive) = bounded(1);
        std::thread::Builder::new()
            .name("heartbeat".to_owned())
            .spawn(move || call(&url, &receive))?;
        Ok(Self { beats })
    }

    /// Says that a pass went well. While a call is under way, the next sign waits; more are not needed.
    pub fn beat(&self) {
        let _ = self.beats.try_send(());
    }
}

fn call(url: &str, beats: &Receiver<()>) {
    let config = http_client::config(Trust::Public).expect("the public authorities are built in");
    let agent: ureq::Agent = config
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(true)
        .build()
        .into();
    let mut failing = false;
    for () in beats {
        match agent.get(url).call() {
            Ok(_) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("heartbeat taken again");
                }
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!("heartbeat not taken :: {}", without(url, &error.to_string()));
                }
            }
        }
    }
}

/// The text without the secret part of the address.
fn without(url: &str, text: &str) -> String {
    text.replace(url, "the heartbeat address")
}
