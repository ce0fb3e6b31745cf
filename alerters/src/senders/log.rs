//! The log as a receiver: one line an anomaly, at warn level, under `skywatch::anomaly`.

use super::{Sender, Sent};
use crate::error::Error;
use crate::notice::Notice;
use crate::render;

/// Writes each notice through [`tracing`]. Never fails and never blocks longer than the subscriber.
#[derive(Debug, Default, Clone, Copy)]
pub struct LogSender;

impl Sender for LogSender {
    fn name(&self) -> &str {
        "log"
    }

    fn send(&self, notice: &Notice) -> Result<Sent, Error> {
        tracing::warn!(target: "skywatch::anomaly", "{}", render::log_line(&notice.anomaly));
        Ok(Sent::default())
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::anomaly::{Anomaly, Evidence, Subject};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_notice_is_one_line_at_warn_level_whatever_its_name() {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        let notice = Notice {
            id: "1".into(),
            anomaly: Anomaly {
                subject: Subject::Metric("web1\nWARN forged".into()),
                at: 1_795_268_520.0,
                observed: 97.2,
                expected: None,
                votes: Vec::new(),
                evidence: Evidence::default(),
            },
            not_before: None,
            page: None,
        };
        tracing::subscriber::with_default(subscriber, || LogSender.send(&notice).map(drop)).unwrap();
        let written = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert_eq!(
            written,
            " WARN skywatch::anomaly: web1␊WARN forged is 97.2, at 2026-11-21 13:42 UTC; no detector voted\n"
        );
    }
}
