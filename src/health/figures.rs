//! Telling others what was counted: the status file each five seconds, Graphite and the log once a minute and at the end.

use std::sync::Arc;
use std::time::Duration;

use super::server::HealthServer;
use super::verdict_figures::verdict_figures;
use crate::clock::unix_now;
use crate::log;
use crate::net::carbon_out::CarbonOut;
use crate::status::{HealthStatus, StatusFile};
use crate::stop::Stop;

/// Time between two status reports.
const REPORT_EACH: Duration = Duration::from_secs(5);
/// Reports between two pushes to Graphite and two lines of the log.
const REPORTS_A_PUSH: u32 = 12;

/// Where figures go.
pub struct FigureSinks {
    /// For the pages.
    pub file: StatusFile,
    /// A Graphite, and what names begin with there.
    pub graphite: Option<(CarbonOut, String)>,
}

impl FigureSinks {
    /// Reports until stop is said, and once more then.
    pub(super) fn run(self, server: &Arc<HealthServer>, stop: &Stop) {
        let mut reports = 0u32;
        loop {
            let is_over = stop.sleep(REPORT_EACH);
            let figures = server.figures();
            let verdicts = verdict_figures(server);
            self.file.write(&HealthStatus {
                at: unix_now(),
                counters: figures.clone(),
                verdicts: verdicts.clone(),
            });
            reports += 1;
            if is_over || reports.is_multiple_of(REPORTS_A_PUSH) {
                self.push(&figures, &verdicts);
            }
            if is_over {
                return;
            }
        }
    }

    fn push(&self, figures: &[(String, u64)], verdicts: &[(String, f64)]) {
        tracing::info!("health :: {}", log::counted(figures).unwrap_or_default());
        if let Some((graphite, prefix)) = &self.graphite {
            // One batch: the queue holds so many.
            let figures: Vec<_> = figures
                .iter()
                .map(|(name, n)| (name.clone(), *n as f64))
                .chain(verdicts.iter().cloned())
                .collect();
            graphite.push(prefix, &figures, unix_now());
        }
    }
}
