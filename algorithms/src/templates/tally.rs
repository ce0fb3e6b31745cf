//! What is counted of templates between two points in time, and which of them are new or have vanished.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ClusterId, MinerUpdate, TemplateChange};
use serde::{Deserialize, Serialize};

/// Lines after which a template may have a metric of its own: what was seen a few times has no rate.
const LINES_OF_A_RATE: u64 = 10;
/// Intervals with lines after which a template that stays away is missed.
const SEEN_OF_A_REGULAR: u32 = 20;
/// A template has vanished when it was silent for this many of its own gaps, and as many intervals: by chance alone (a Poisson process)
/// a silence of ten mean gaps comes once in 20,000.
const SILENT_GAPS: f64 = 10.0;
/// Weight of the newest gap in the mean gap.
const NEWEST_GAP: f64 = 0.1;
/// Intervals of silence after which a template is not counted as missing any more, and its metric ends: a day at one minute.
const FORGOTTEN_AFTER: u32 = 1_440;
/// Letters of a metric's last element that are taken from its template.
const LONGEST_SLUG: usize = 48;

/// The counts of the templates that one miner has learnt. Names and values of metrics come out of it, an interval at a time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TemplateTally {
    templates: BTreeMap<ClusterId, CountedTemplate>,
    /// Since the last point.
    #[serde(skip)]
    interval: IntervalCounts,
}

/// What was counted since the last point.
#[derive(Debug, Clone, Default, PartialEq)]
struct IntervalCounts {
    lines: u64,
    unmatched: u64,
    new: u64,
}

/// One template.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct CountedTemplate {
    /// The last element of its metric's name, from its template when it was given one; none if it has none.
    metric: Option<String>,
    /// Lines since the last point.
    #[serde(skip)]
    now: u64,
    /// Lines in all.
    lines: u64,
    /// Intervals with lines.
    seen: u32,
    /// Intervals since the last one with lines.
    silent: u32,
    /// Mean number of intervals from one with lines to the next.
    gap: f64,
    /// Whether it is missed.
    is_missing: bool,
}

/// How a line counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counting {
    /// It was there before anybody looked: nothing is new in it.
    Known,
    /// It was written while nobody looked: it belongs to no interval, but may bring something new.
    Late,
    /// It has just been written.
    Fresh,
}

impl TemplateTally {
    /// Counts a line and what became of it.
    pub fn count(&mut self, update: &MinerUpdate, counting: Counting) {
        for absorbed in &update.absorbed {
            if let Some(absorbed) = self.templates.remove(absorbed) {
                self.templates
                    .entry(update.cluster)
                    .or_default()
                    .take_in(absorbed);
            }
        }
        if let Some(evicted) = &update.evicted {
            self.templates.remove(&evicted.cluster);
        }
        let template = self.templates.entry(update.cluster).or_default();
        template.lines += 1;
        let is_fresh = counting == Counting::Fresh;
        template.now += u64::from(is_fresh);
        self.interval.lines += u64::from(is_fresh);
        let is_new = update.change == TemplateChange::Created && counting != Counting::Known;
        self.interval.new += u64::from(is_new);
    }

    /// Counts a line that is no message.
    pub fn count_unmatched(&mut self, counting: Counting) {
        self.interval.unmatched += u64::from(counting == Counting::Fresh);
    }

    /// Templates that have a metric of their own.
    #[must_use]
    pub fn rates(&self) -> usize {
        let templates = self.templates.values();
        templates.filter(|template| template.metric.is_some()).count()
    }

    /// Ends an interval: `point` gets the name and value of each metric, of templates at most `max_rates`: `lines`, `unmatched`,
    /// `templates`, `new`, `vanished`, `missing`, and `template.ID_FIRST_WORDS`, all of them numbers of lines or of templates.
    /// `text` knows a template. O(templates).
    pub fn close(
        &mut self,
        max_rates: usize,
        text: impl Fn(ClusterId) -> Option<String>,
        mut point: impl FnMut(&str, f64),
    ) {
        let interval = std::mem::take(&mut self.interval);
        let mut rates = self.rates();
        let (mut vanished, mut missing) = (0_u32, 0_u32);
        for (&cluster, template) in &mut self.templates {
            if template.metric.is_none()
                && rates < max_rates
                && template.lines >= LINES_OF_A_RATE
                && template.now > 0
            {
                template.metric = text(cluster).map(|text| metric_name(cluster, &text));
                rates += usize::from(template.metric.is_some());
            }
            if let Some(metric) = &template.metric {
                point(metric, template.now as f64);
            }
            vanished += u32::from(template.end_interval());
            missing += u32::from(template.is_missing);
        }
        point("lines", interval.lines as f64);
        point("unmatched", interval.unmatched as f64);
        point("templates", self.templates.len() as f64);
        point("new", interval.new as f64);
        point("vanished", f64::from(vanished));
        point("missing", f64::from(missing));
    }

    /// Forgets what belongs to no whole interval; what is new stays, to be told with the next one.
    pub fn discard(&mut self) {
        self.interval = IntervalCounts {
            new: self.interval.new,
            ..IntervalCounts::default()
        };
        self.templates.values_mut().for_each(|template| template.now = 0);
    }

    /// The last element of a template's metric, if it has one.
    #[must_use]
    pub fn metric(&self, cluster: ClusterId) -> Option<&str> {
        self.templates.get(&cluster)?.metric.as_deref()
    }
}

impl CountedTemplate {
    /// Becomes one with another; the metric of the older one, this one's, goes before.
    fn take_in(&mut self, other: Self) {
        let gap = if self.seen >= other.seen {
            self.gap
        } else {
            other.gap
        };
        *self = Self {
            metric: self.metric.take().or(other.metric),
            now: self.now + other.now,
            lines: self.lines + other.lines,
            seen: self.seen.max(other.seen),
            silent: self.silent.min(other.silent),
            gap,
            is_missing: self.is_missing && other.is_missing,
        };
    }

    /// Goes on to the next interval; whether it has vanished with this one.
    fn end_interval(&mut self) -> bool {
        if std::mem::take(&mut self.now) > 0 {
            let gap = f64::from(self.silent) + 1.0;
            // The mean of all gaps at first, then of the newer ones.
            let weight = NEWEST_GAP.max(1.0 / f64::from(self.seen.max(1)));
            self.gap += weight * (gap - self.gap);
            (self.silent, self.seen, self.is_missing) = (0, self.seen.saturating_add(1), false);
            return false;
        }
        self.silent = self.silent.saturating_add(1);
        if self.silent >= FORGOTTEN_AFTER {
            (self.is_missing, self.metric, self.seen) = (false, None, 0);
            return false;
        }
        let limit = SILENT_GAPS * (self.gap + 1.0);
        let has_vanished =
            !self.is_missing && self.seen >= SEEN_OF_A_REGULAR && f64::from(self.silent) > limit;
        self.is_missing |= has_vanished;
        has_vanished
    }
}

/// `template.17_connection_from_port`: the id, which never changes, and what reminds of the text.
fn metric_name(cluster: ClusterId, template: &str) -> String {
    let mut name = format!("template.{cluster}");
    let words = template
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty());
    for word in words {
        if name.len() + word.len() > LONGEST_SLUG {
            break;
        }
        let _ = write!(name, "_{}", word.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn seen(cluster: ClusterId, change: TemplateChange) -> MinerUpdate {
        MinerUpdate {
            cluster,
            change,
            absorbed: Vec::new(),
            evicted: None,
        }
    }

    fn close(tally: &mut TemplateTally) -> HashMap<String, f64> {
        let mut points = HashMap::new();
        let text = |cluster| Some(format!("statement {cluster}: <*> of <*>"));
        tally.close(2, text, |name, value| {
            assert_eq!(points.insert(name.to_owned(), value), None)
        });
        points
    }

    #[test]
    fn a_template_is_new_once_has_a_rate_and_vanishes_once() {
        let mut tally = TemplateTally::default();
        tally.count(&seen(1, TemplateChange::Created), Counting::Known);
        tally.count(&seen(2, TemplateChange::Created), Counting::Late);
        tally.count(&seen(3, TemplateChange::Created), Counting::Fresh);
        tally.count_unmatched(Counting::Fresh);
        let points = close(&mut tally);
        let of = |name: &str| points[name];
        assert_eq!(
            [of("lines"), of("unmatched"), of("templates"), of("new")],
            [1.0, 1.0, 3.0, 2.0]
        );

        for _ in 0..30 {
            tally.count(&seen(1, TemplateChange::None), Counting::Fresh);
            close(&mut tally);
        }
        assert_eq!(tally.metric(1), Some("template.1_statement_1_of"));
        let silent: Vec<_> = (0..40).map(|_| close(&mut tally)).collect();
        assert!(
            silent
                .iter()
                .all(|points| points["template.1_statement_1_of"] == 0.0),
            "its silence is seen"
        );
        let vanished: f64 = silent.iter().map(|points| points["vanished"]).sum();
        assert_eq!((vanished, silent[39]["missing"]), (1.0, 1.0));
        assert_eq!(silent[15]["vanished"], 0.0, "not at once");

        tally.count(&seen(1, TemplateChange::None), Counting::Fresh);
        assert_eq!(close(&mut tally)["missing"], 0.0);
    }

    #[test]
    fn rates_are_bounded_and_those_of_united_templates_go_on() {
        let mut tally = TemplateTally::default();
        for cluster in [1, 2, 3] {
            for _ in 0..20 {
                tally.count(&seen(cluster, TemplateChange::None), Counting::Fresh);
            }
        }
        assert_eq!(close(&mut tally).len(), 6 + 2);
        let update = MinerUpdate {
            absorbed: vec![2, 3],
            ..seen(1, TemplateChange::Changed)
        };
        tally.count(&update, Counting::Fresh);
        let points = close(&mut tally);
        assert_eq!(
            (points["templates"], points["template.1_statement_1_of"]),
            (1.0, 1.0)
        );
        assert_eq!(tally.templates[&1].lines, 61);
    }
}
