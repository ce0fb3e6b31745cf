//! The notices of one sender: due, waiting, sent.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use skywatch_alerters::notice::{Content, Counts, Item, News, What};
use skywatch_alerters::senders::Sender;
use skywatch_alerters::{Anomaly, Notice, cooldown};

use super::notice_id;
use crate::clock::unix_now;
use crate::status::Findings;
use crate::store::{Connect, Keys as _, StoreError};

/// Notices made in one pass; what is over becomes due again in the next.
const MADE_A_PASS: usize = 50;
/// Notices that may wait for a server to come back; the oldest give way.
const WAITING: usize = 1_000;
/// First and longest pause between two tries of one notice.
const BACKOFF: Duration = Duration::from_secs(5);
const LONGEST_BACKOFF: Duration = Duration::from_secs(300);
/// Pause before a notice that was refused for good is made again for the same metric.
const AFTER_REFUSAL: Duration = Duration::from_secs(600);

/// A notice on its way.
struct Waiting {
    notice: Notice,
    tries: u32,
    try_at: Instant,
}

/// What one sender has to do.
pub(super) struct Outgoing<K: Connect> {
    connect: K,
    store: Option<K::Store>,
    sender: Box<dyn Sender>,
    cooldown: Duration,
    base_url: String,
    waiting: VecDeque<Waiting>,
    /// Until when a metric is quiet, as far as this process knows: stands in for the store while that is
    /// away. Entries that have run out are swept.
    quiet_until: HashMap<String, Instant>,
}

impl<K: Connect> Outgoing<K> {
    pub(super) fn new(connect: K, sender: Box<dyn Sender>, cooldown: Duration, base_url: String) -> Self {
        Self {
            connect,
            store: None,
            sender,
            cooldown,
            base_url,
            waiting: VecDeque::new(),
            quiet_until: HashMap::new(),
        }
    }

    /// Makes notices of a pass's anomalies, most votes first, of those metrics that are not quiet.
    pub(super) fn take(&mut self, findings: &Findings) {
        let now = findings.now;
        self.quiet_until.retain(|_, until| *until > Instant::now());
        let waiting: std::collections::HashSet<&str> = self
            .waiting
            .iter()
            .map(|waiting| name_of(&waiting.notice))
            .collect();
        let mut loud: Vec<_> = findings
            .findings
            .iter()
            .map(|finding| &finding.anomaly)
            .filter(|anomaly| !self.quiet_until.contains_key(anomaly.name()))
            .filter(|anomaly| !waiting.contains(anomaly.name()))
            .collect();
        loud.sort_by(|a, b| b.score().total_cmp(&a.score()));
        let last_sent = self.last_sent(&loud.iter().map(|a| a.name()).collect::<Vec<_>>());
        let mut made = 0;
        let mut held_back = 0usize;
        for (anomaly, last_sent) in loud.into_iter().zip(last_sent) {
            if !cooldown::due(last_sent, now, self.cooldown) {
                continue;
            }
            if made == MADE_A_PASS {
                held_back += 1;
                continue;
            }
            made += 1;
            let notice = self.notice(anomaly, now);
            self.waiting.push_back(Waiting {
                notice,
                tries: 0,
                try_at: Instant::now(),
            });
        }
        if held_back > 0 {
            tracing::warn!(
                "{} :: {held_back} notices held back, {MADE_A_PASS} are sent in a pass :: the pages show all",
                self.sender.kind()
            );
        }
        while self.waiting.len() > WAITING {
            if let Some(given_up) = self.waiting.pop_front() {
                let metric = name_of(&given_up.notice);
                tracing::error!(
                    "notice about `{metric}` given up :: too many wait for {}",
                    self.sender.kind()
                );
            }
        }
    }

    fn notice(&self, anomaly: &Anomaly, now: f64) -> Notice {
        let id = notice_id(anomaly);
        let item = Item {
            incident: 0,
            what: What::Opened,
            anomaly: anomaly.clone(),
            severity: anomaly.severity(),
            since: anomaly.at,
            until: None,
            before: 0,
            last_before: None,
            not_before: Some(cooldown::not_before(now, self.cooldown)),
            remark: String::new(),
        };
        Notice {
            thread: id.clone(),
            id,
            receiver: "email".to_owned(),
            route: "default".to_owned(),
            at: now,
            content: Content::Incidents(News {
                items: vec![item],
                counts: Counts {
                    firing: 1,
                    ..Counts::default()
                },
                still_open: 1,
                ..News::default()
            }),
            base_url: self.base_url.clone(),
        }
    }

    /// Sends one notice that is due, if there is one. Answers whether there was. A server that cannot be reached is
    /// left alone for a while: all that waits, waits with the notice that found out.
    pub(super) fn send_one(&mut self) -> bool {
        let now = Instant::now();
        let Some(due) = self.waiting.iter().position(|waiting| waiting.try_at <= now) else {
            return false;
        };
        let Some(waiting) = self.waiting.remove(due) else {
            return false;
        };
        if let Some(again) = self.send(waiting) {
            for waiting in &mut self.waiting {
                waiting.try_at = waiting.try_at.max(Instant::now() + BACKOFF);
            }
            self.waiting.push_front(again);
        }
        true
    }

    /// One last try for what waits; what is left is named.
    pub(super) fn end(mut self) {
        while let Some(waiting) = self.waiting.pop_front() {
            if let Some(left) = self.send(waiting) {
                let left = std::iter::once(left).chain(self.waiting);
                let metrics: Vec<_> = left.map(|waiting| name_of(&waiting.notice).to_owned()).collect();
                tracing::error!("notices not sent before the end :: {metrics:?}");
                return;
            }
        }
    }

    /// Tries once. Answers the notice if it is to be tried again.
    fn send(&mut self, mut waiting: Waiting) -> Option<Waiting> {
        let metric = name_of(&waiting.notice).to_owned();
        let sender = self.sender.kind();
        match self.sender.send(&waiting.notice, None) {
            Ok(sent) => {
                tracing::info!(
                    "triggering alert :: {metric} {} via {sender}",
                    skywatch_alerters::render::summary(&waiting.notice)
                );
                for refused in sent.refused {
                    tracing::warn!("notice about `{metric}` not taken by all :: {refused}");
                }
                self.remember(&metric);
                None
            }
            Err(error) if error.is_transient() => {
                waiting.tries += 1;
                let pause = BACKOFF
                    .saturating_mul(1 << (waiting.tries - 1).min(8))
                    .min(LONGEST_BACKOFF);
                tracing::warn!("notice about `{metric}` waits, try {} :: {error}", waiting.tries);
                waiting.try_at = Instant::now() + pause;
                Some(waiting)
            }
            Err(error) => {
                tracing::error!("notice about `{metric}` refused :: {error}");
                if let Some(hint) = error.hint() {
                    tracing::error!("hint: {hint}");
                }
                self.quiet_until.insert(metric, Instant::now() + AFTER_REFUSAL);
                None
            }
        }
    }

    /// Begins the quiet time: here and, if it can be reached, in the store.
    fn remember(&mut self, metric: &str) {
        let now = unix_now();
        let key = cooldown::key(self.sender.kind(), metric);
        let cooldown = self.cooldown;
        self.quiet_until
            .insert(metric.to_owned(), Instant::now() + cooldown);
        if cooldown.is_zero() {
            return;
        }
        let written =
            self.with_store(|store| store.set(&[(&key, now.to_string().as_bytes())], Some(cooldown)));
        if let Err(error) = written {
            tracing::warn!("cooldown of `{metric}` kept in memory only :: {error}");
        }
    }

    /// Unix time of the last notice about each metric, as the store knows it.
    fn last_sent(&mut self, metrics: &[&str]) -> Vec<Option<f64>> {
        if metrics.is_empty() {
            return Vec::new();
        }
        let keys: Vec<String> = metrics
            .iter()
            .map(|metric| cooldown::key(self.sender.kind(), metric))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        match self.with_store(|store| store.get(&keys)) {
            Ok(stored) => stored
                .into_iter()
                .map(|value| std::str::from_utf8(&value?).ok()?.parse().ok())
                .collect(),
            Err(error) => {
                tracing::warn!("cooldowns not readable, going by memory :: {error}");
                vec![None; metrics.len()]
            }
        }
    }

    fn with_store<T>(
        &mut self,
        ask: impl FnOnce(&mut K::Store) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut store = match self.store.take() {
            Some(store) => store,
            None => self.connect.connect()?,
        };
        let answer = ask(&mut store)?;
        self.store = Some(store);
        Ok(answer)
    }
}

/// The metric a notice is about.
fn name_of(notice: &Notice) -> &str {
    let item = notice.news().and_then(|news| news.items.first());
    item.map_or("", |item| item.anomaly.name())
}
