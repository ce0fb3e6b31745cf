//! Sensors whose models are fitted to what Druid knows of them.

use std::time::Duration;

use crate::check::Check;
use crate::cron::Cron;
use crate::section::Section;

options! {
    /// Sensors whose models are fitted to what Druid knows of them.
    pub Sensors {
        /// Which, as queries filter by them.
        names: Vec<String> = Vec::new(),
        /// When their models are fitted, in UTC; `None` only when asked.
        schedule: Option<Cron> = None,
        /// The table of Druid that knows them.
        data_source: String = "rb_flow".to_owned(),
        /// The lengths of rows that a model learns from, each as a table of its own: ISO 8601 periods.
        granularities: Vec<String> = ["PT1M", "PT2M", "PT5M", "PT15M", "PT30M", "PT1H", "PT2H", "PT8H"].map(str::to_owned).to_vec(),
        /// How far back a table reaches; further where its rows are too long for three windows of 32.
        span: Duration = Duration::from_secs(86_400) => Duration::from_secs(3_600)..,
        /// A filter of Druid, JSON, that rows must pass besides being the sensor's.
        filter: String = String::new(),
        /// Numbers of an answer of Druid, at most.
        max_numbers: usize = 1_000_000 => 1_000..,
    }
}

impl Section for Sensors {
    fn check(&self, check: &mut Check<'_>) {
        check.require(
            !self.granularities.is_empty(),
            "granularities",
            &self.granularities,
            "expected at least one period, such as `[\"PT5M\"]`",
        );
        let filter = self.filter.trim();
        check.require(
            filter.is_empty() || (filter.starts_with('{') && filter.ends_with('}')),
            "filter",
            &self.filter,
            "expected a filter of Druid, such as `{\"type\": \"selector\", \"dimension\": \"proto\", \"value\": \"tcp\"}`",
        );
    }
}
