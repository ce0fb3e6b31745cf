//! What the demo says on the terminal.

use std::io::Write;
use std::net::SocketAddr;

use skywatch_alerters::chart::sparkline;
use skywatch_alerters::{render, units};
use skywatch_algorithms::Series;

use super::generate::Fleet;
use crate::status::{Current, PassSummary};
use crate::store::{AnyConnect, Connect, Fetched, Points as _};
use crate::windows::as_judged;

/// Columns of a sparkline: three hours, each column three minutes.
const COLUMNS: usize = 60;
/// Seconds of them all.
const SPARK_SECONDS: f64 = 3.0 * 3600.0;

/// Writes passes as they end, anomalies only when they change.
pub(super) struct Screen<'o> {
    out: &'o mut dyn Write,
    store: AnyConnect,
    full_duration: f64,
    shown: Vec<String>,
    planted: Vec<String>,
}

impl<'o> Screen<'o> {
    pub(super) fn new(out: &'o mut dyn Write, store: AnyConnect, full_duration: f64) -> Self {
        Self {
            out,
            store,
            full_duration,
            shown: Vec::new(),
            planted: Vec::new(),
        }
    }

    pub(super) fn begin(
        &mut self,
        fleet: &Fleet,
        carbon: Option<SocketAddr>,
        pages: Option<SocketAddr>,
    ) -> std::io::Result<()> {
        self.planted = fleet.planted();
        writeln!(
            self.out,
            "planted {} anomalies: {}",
            self.planted.len(),
            self.planted.join(", ")
        )?;
        if let Some(carbon) = carbon {
            writeln!(
                self.out,
                "carbon lines   {carbon}   (try: echo \"my.metric 1 $(date +%s)\" | nc -q0 {} {})",
                carbon.ip(),
                carbon.port()
            )?;
        }
        if let Some(pages) = pages {
            writeln!(self.out, "pages          http://{pages}")?;
        }
        writeln!(self.out, "ctrl-c ends it and removes everything\n")
    }

    pub(super) fn pass(&mut self, pass: &PassSummary, anomalies: &[Current]) -> std::io::Result<()> {
        writeln!(
            self.out,
            "pass {}: {} metrics, {} analyzed, {} anomalous, {:.0} ms",
            pass.pass,
            pass.metrics,
            pass.analyzed,
            pass.anomalies,
            pass.seconds.total * 1000.0
        )?;
        let mut names: Vec<String> = anomalies
            .iter()
            .map(|current| current.anomaly.name().to_owned())
            .collect();
        names.sort_unstable();
        if names == self.shown {
            return Ok(());
        }
        for current in anomalies {
            self.anomaly(current)?;
        }
        writeln!(self.out)?;
        self.shown = names;
        Ok(())
    }

    fn anomaly(&mut self, current: &Current) -> std::io::Result<()> {
        let anomaly = &current.anomaly;
        let mark = if self.planted.iter().any(|name| name == anomaly.name()) {
            "planted"
        } else {
            "not planted"
        };
        let expected = anomaly
            .expected
            .map(|expected| format!(", expected {expected}"))
            .unwrap_or_default();
        let spark = self
            .spark(anomaly.name(), anomaly.window().rate)
            .unwrap_or_default();
        writeln!(
            self.out,
            "\n  {}   {}{expected}   [{mark}]",
            anomaly.name(),
            units::number(anomaly.observed)
        )?;
        writeln!(self.out, "  {spark}")?;
        writeln!(self.out, "  {}", render::judged(anomaly))
    }

    /// The last hours of a metric, as the detectors saw them.
    fn spark(&self, metric: &str, rate: bool) -> Option<String> {
        let mut spark = None;
        let mut series = Series::default();
        let mut store = self.store.connect().ok()?;
        let read = store.fetch(&[metric], &mut series, &mut |_, series, fetched| {
            if matches!(fetched, Fetched::Found { .. }) {
                series.canonicalise(self.full_duration);
                let judged = as_judged(series, rate);
                let end = judged.times.last().copied().unwrap_or(0.0);
                let from = judged.times.partition_point(|time| *time <= end - SPARK_SECONDS);
                spark = Some(sparkline(&judged.times[from..], &judged.values[from..], COLUMNS));
            }
        });
        read.ok().and(spark)
    }
}
