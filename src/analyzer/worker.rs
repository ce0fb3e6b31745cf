//! A worker: one thread, one handle of the store, one shard of the metrics.
//!
//! A pass goes in two strides. Metrics whose window is cached are asked only for what is new; all others,
//! and those whose tail could not be told apart, are read whole. Fetching and judging alternate on the
//! same thread: while this worker judges, the store already prepares the next worker's reply.
//! The deadline is checked before each metric; what it leaves over is named.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, never, select};
use skywatch_alerters::Anomaly;
use skywatch_algorithms::{Ensemble, SameTime, Series};

use super::adaptive::AdaptiveOptions;
use super::desk::{Desk, Watched};
use super::inquiry::Question;
use super::judge::CounterClass;
use super::tally::Tally;
use crate::status::{Fate, Progress, WARMING_SHOWN, Warming};
use crate::stop::Stop;
use crate::store::{Connect, Keys as _, Points, StoreError};

/// Metrics asked for in one call of the store. The store sizes its replies by bytes; this bounds what is
/// asked again after a lost connection.
const CHUNK: usize = 2_000;
/// One cached metric in so many is read whole in a pass.
const REREAD_ONE_IN: usize = 256;
/// Time between tries at a lost store, and how many tries make a pass give up.
const RETRY_AFTER: Duration = Duration::from_millis(250);
const TRIES: u32 = 8;

/// What every worker is told once.
#[derive(Clone)]
pub struct WorkerOptions {
    /// The detectors.
    pub ensemble: Arc<Ensemble>,
    /// Length of the window, seconds.
    pub full_duration: f64,
    /// Age of the last point from which a metric is stale, seconds.
    pub stale_period: f64,
    /// Judge never-decreasing counters by their rate.
    pub counters_as_rates: bool,
    /// Keep windows in memory between passes.
    pub cache: bool,
    /// Most bytes of them in one worker.
    pub cache_bytes: usize,
    /// The metric whose window length is reported; empty for none in particular.
    pub canary: String,
    /// The adaptive profile; `None` in the classic one.
    pub adaptive: Option<Arc<AdaptiveOptions>>,
    /// Which worker it is, of how many.
    pub seat: (usize, usize),
}

impl WorkerOptions {
    /// Which of several points of one time stays in a window.
    pub(crate) fn same_time(&self) -> SameTime {
        match self.adaptive {
            Some(_) => SameTime::Last,
            None => SameTime::Smallest,
        }
    }
}

/// From the supervisor to a worker. A closed channel means: end.
pub enum Order {
    /// The shard changed.
    Assign {
        /// Metrics that are new to the shard.
        add: Vec<Arc<str>>,
        /// Metrics that left it.
        remove: Vec<Arc<str>>,
    },
    /// Look at every metric of the shard once.
    Pass {
        /// Number of the pass.
        number: u64,
        /// The pass's "now", Unix seconds.
        now: f64,
        /// Leave over what is not done by then.
        deadline: Instant,
        /// Metrics whose fate is to be told even if they are normal.
        followed: Arc<HashSet<String>>,
    },
}

/// From a worker to the supervisor, one a pass.
pub struct PassReport {
    /// What was counted.
    pub tally: Tally,
    /// What was found.
    pub anomalies: Vec<Anomaly>,
    /// Followed metrics that are not anomalous.
    pub fates: Vec<(Arc<str>, Fate)>,
    /// Metrics that have fallen silent and are not stale yet, with the time of their last point.
    pub silent: Vec<(Arc<str>, f64)>,
    /// Some of those that the adaptive profile is still learning.
    pub warming: Vec<Warming>,
    /// Metrics that have spoken again.
    pub back: Vec<Arc<str>>,
    /// Time of the shard's newest point, Unix seconds.
    pub newest: f64,
    /// Metrics the deadline, a lost store or a stop left over.
    pub unfinished: Vec<Arc<str>>,
    /// Thread time waiting for the store, and decoding (the store decodes as it reads).
    pub fetching: Duration,
    /// Thread time judging.
    pub judging: Duration,
    /// Length of the shard's longest window, seconds.
    pub longest: f64,
    /// Length of the canary's window, if the canary is in this shard, seconds.
    pub canary: Option<f64>,
    /// Sampled seconds of each detector.
    pub timings: Vec<Vec<f64>>,
    /// Questions asked of the store once more after it failed to answer.
    pub retried: u64,
    /// Why the store failed for good, if it did.
    pub trouble: Option<StoreError>,
    /// Bytes of cached windows.
    pub cached_bytes: usize,
    /// Metrics read whole because there is no room to keep their windows.
    pub without_room: u64,
}

impl PassReport {
    /// A report of nothing yet.
    pub fn new(options: &WorkerOptions) -> Self {
        let detectors = options.ensemble.detectors().len();
        Self {
            tally: Tally::new(detectors),
            anomalies: Vec::new(),
            fates: Vec::new(),
            silent: Vec::new(),
            warming: Vec::new(),
            back: Vec::new(),
            newest: 0.0,
            unfinished: Vec::new(),
            fetching: Duration::ZERO,
            judging: Duration::ZERO,
            longest: 0.0,
            canary: None,
            timings: vec![Vec::new(); detectors],
            retried: 0,
            trouble: None,
            cached_bytes: 0,
            without_room: 0,
        }
    }

    /// Adds another worker's report of the same pass.
    pub fn add(&mut self, mut other: Self) {
        self.tally.add(&other.tally);
        self.anomalies.append(&mut other.anomalies);
        self.fates.append(&mut other.fates);
        self.silent.append(&mut other.silent);
        self.warming.append(&mut other.warming);
        self.warming.truncate(WARMING_SHOWN);
        self.back.append(&mut other.back);
        self.newest = self.newest.max(other.newest);
        self.unfinished.append(&mut other.unfinished);
        self.fetching += other.fetching;
        self.judging += other.judging;
        self.longest = self.longest.max(other.longest);
        self.canary = self.canary.or(other.canary);
        for (ours, theirs) in self.timings.iter_mut().zip(other.timings) {
            ours.extend(theirs);
        }
        self.retried += other.retried;
        self.trouble = self.trouble.take().or(other.trouble);
        self.cached_bytes += other.cached_bytes;
        self.without_room += other.without_room;
    }

    /// Hours the canary's window spans; without a canary, the longest window's.
    pub fn canary_hours(&self, options: &WorkerOptions) -> f64 {
        let seconds = if options.canary.is_empty() {
            self.longest
        } else {
            self.canary.unwrap_or(0.0)
        };
        seconds / 3600.0
    }
}

type CursorOf<K> = <<K as Connect>::Store as Points>::Cursor;

/// The thread's state.
pub struct Worker<K: Connect> {
    connect: K,
    /// Opened when first needed and after each failure.
    store: Option<K::Store>,
    options: WorkerOptions,
    desk: Desk,
    /// The shard: names and knowledge side by side, same index.
    names: Vec<Arc<str>>,
    watched: Vec<Watched<CursorOf<K>>>,
    /// Points as they come from the store, one metric at a time.
    series: Series,
    /// What people ask about its metrics.
    questions: Receiver<Question>,
    stop: Stop,
}

/// One pass as a worker sees it.
pub(super) struct Pass {
    pub(super) number: u64,
    pub(super) now: f64,
    pub(super) deadline: Instant,
    pub(super) followed: Arc<HashSet<String>>,
    pub(super) report: PassReport,
    /// Metrics whose counter class must be written; indices into the shard.
    pub(super) classes: Vec<usize>,
}

impl Pass {
    /// Whether the fate of that metric is to be told.
    pub(super) fn follows(&self, name: &str) -> bool {
        !self.followed.is_empty() && self.followed.contains(name)
    }
}

impl<K: Connect> Worker<K> {
    /// A worker with an empty shard and no connection yet.
    pub fn new(connect: K, options: WorkerOptions, progress: Progress, stop: Stop) -> Self {
        Self {
            connect,
            store: None,
            desk: Desk::new(options.clone(), progress),
            options,
            names: Vec::new(),
            watched: Vec::new(),
            series: Series::default(),
            questions: never(),
            stop,
        }
    }

    /// The same, which answers questions about its metrics.
    #[must_use]
    pub fn with_questions(self, questions: Receiver<Question>) -> Self {
        Self { questions, ..self }
    }

    /// Follows orders until their channel closes.
    pub fn run(mut self, orders: &Receiver<Order>, reports: &Sender<PassReport>) {
        loop {
            let order = select! {
                recv(orders) -> order => order,
                recv(self.questions) -> question => {
                    match question {
                        Ok(question) => self.answer(question),
                        // Nobody can ask any more.
                        Err(_) => self.questions = never(),
                    }
                    continue;
                }
            };
            match order {
                Ok(Order::Assign { add, remove }) => self.assign(add, remove),
                Ok(Order::Pass {
                    number,
                    now,
                    deadline,
                    followed,
                }) => {
                    let report = self.pass(number, now, deadline, followed);
                    if reports.send(report).is_err() {
                        return;
                    }
                    self.save_a_part(number);
                }
                Err(_) => break,
            }
        }
        for part in 0..self.parts() {
            self.save_a_part(part as u64);
        }
    }

    /// Says what is known of one metric.
    fn answer(&self, question: Question) {
        let place = self.names.iter().position(|name| **name == *question.metric);
        let insight = place.map(|place| Box::new(self.watched[place].insight()));
        // Whoever asked may have gone.
        let _ = question.reply.try_send(insight);
    }

    /// Parts in which states are saved; 0 in the classic profile.
    fn parts(&self) -> usize {
        let adaptive = self.options.adaptive.as_ref();
        adaptive.map_or(0, |adaptive| adaptive.parts)
    }

    /// Saves the states of some metrics, others each pass; the pass has been reported by then.
    fn save_a_part(&self, number: u64) {
        let parts = self.parts();
        if parts == 0 {
            return;
        }
        let part = usize::try_from(number % parts as u64).unwrap_or(0);
        let (seat, seats) = self.options.seat;
        let metrics = self.names.len();
        let range = metrics * part / parts..metrics * (part + 1) / parts;
        let names = self.names[range.clone()].iter();
        self.desk.save(
            &format!("{seat}-of-{seats}.{part}"),
            names.zip(&self.watched[range]),
        );
    }

    fn assign(&mut self, mut add: Vec<Arc<str>>, remove: Vec<Arc<str>>) {
        if !remove.is_empty() {
            let gone: HashSet<_> = remove.into_iter().collect();
            let all = self.names.iter().zip(&self.watched);
            self.desk.leave(all.filter(|(name, _)| gone.contains(*name)));
            for index in (0..self.names.len()).rev() {
                if gone.contains(&self.names[index]) {
                    self.names.swap_remove(index);
                    self.watched.swap_remove(index);
                }
            }
        }
        if let Some(adaptive) = &self.options.adaptive {
            adaptive.memory.sort(&mut add);
        }
        self.names.extend(add);
        self.watched.resize_with(self.names.len(), Watched::default);
    }

    fn pass(
        &mut self,
        number: u64,
        now: f64,
        deadline: Instant,
        followed: Arc<HashSet<String>>,
    ) -> PassReport {
        let report = PassReport::new(&self.options);
        let mut pass = Pass {
            number,
            now,
            deadline,
            followed,
            report,
            classes: Vec::new(),
        };
        let begun = Instant::now();
        self.desk.begin();
        pass.report.trouble = self.look_at_all(&mut pass).err();
        pass.report.fetching = begun.elapsed().saturating_sub(pass.report.judging);
        self.desk.rest();
        for (name, watched) in self.names.iter().zip(&self.watched) {
            if !watched.is_done(number) {
                pass.report.unfinished.push(Arc::clone(name));
            }
            if pass.report.warming.len() < WARMING_SHOWN
                && let Some((warmth, ready_at)) = self.desk.warmth(watched)
            {
                pass.report.warming.push(Warming {
                    metric: name.to_string(),
                    warmth,
                    ready_at,
                });
            }
        }
        pass.report.cached_bytes = self.keep_to_the_limit();
        pass.report
    }

    /// Gives up the windows that came last until the others are within the limit, and answers their bytes.
    ///
    /// A pass looks at every metric once, in the same order. Whatever gave way to what is looked at now (the least recently
    /// used, the oldest) would be missed again before the pass is over, and nothing would be served from memory. So who is
    /// there stays; who comes when there is no room, or no longer has any as windows grow, is read whole.
    fn keep_to_the_limit(&mut self) -> usize {
        let mut bytes: usize = self.watched.iter().map(Watched::bytes).sum();
        for watched in self.watched.iter_mut().rev() {
            if bytes <= self.options.cache_bytes {
                break;
            }
            bytes -= watched.bytes();
            watched.forget();
        }
        self.desk.cached_bytes = bytes;
        bytes
    }

    /// Both strides; what an error or the deadline prevents is simply not done.
    fn look_at_all(&mut self, pass: &mut Pass) -> Result<(), StoreError> {
        // The adaptive profile knows counters by itself.
        if self.options.counters_as_rates && self.options.adaptive.is_none() {
            let unknown = self.select(|watched| watched.class.is_none());
            self.in_chunks(&unknown, pass, Self::learn_classes)?;
        }
        self.choose_for_rereading(pass);
        let cached = self.select(|watched| watched.cursor.is_some());
        self.in_chunks(&cached, pass, Self::look_at_tails)?;
        let number = pass.number;
        let others = self.select(|watched| watched.cursor.is_none() && !watched.is_done(number));
        self.in_chunks(&others, pass, Self::look_at_whole)
    }

    /// Lets a few metrics be read whole though cached, others each pass. A tail alone cannot show everything another
    /// trimmer may do to a key (`store/redis/cursor.rs` says what); this bounds how long a difference can last.
    fn choose_for_rereading(&mut self, pass: &mut Pass) {
        let number = usize::try_from(pass.number).unwrap_or(0);
        for (index, watched) in self.watched.iter_mut().enumerate() {
            if (index + number).is_multiple_of(REREAD_ONE_IN) && watched.cursor.take().is_some() {
                pass.report.tally.refetched += 1;
            }
        }
    }

    fn select(&self, wanted: impl Fn(&Watched<CursorOf<K>>) -> bool) -> Vec<usize> {
        (0..self.watched.len())
            .filter(|&index| wanted(&self.watched[index]))
            .collect()
    }

    /// Runs `stride` over the metrics a chunk at a time. A lost store is tried again, for those of the
    /// chunk that are not done; it is given up after `TRIES`, at the deadline, or when told to stop.
    fn in_chunks(
        &mut self,
        indices: &[usize],
        pass: &mut Pass,
        stride: fn(&mut Self, &[usize], &mut Pass) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for chunk in indices.chunks(CHUNK) {
            while let Ok(question) = self.questions.try_recv() {
                self.answer(question);
            }
            let mut tries = 0;
            loop {
                if self.stop.is_said() || Instant::now() >= pass.deadline {
                    return Ok(());
                }
                let left: Vec<usize> = chunk
                    .iter()
                    .copied()
                    .filter(|&i| !self.watched[i].is_done(pass.number))
                    .collect();
                let outcome = self.open().and_then(|()| stride(self, &left, pass));
                let Err(error) = outcome else { break };
                self.store = None;
                tries += 1;
                if !error.is_retryable() || tries == TRIES {
                    return Err(error);
                }
                pass.report.retried += 1;
                if tries == 1 {
                    tracing::warn!("asking the store again :: {error}");
                }
                self.stop.sleep(RETRY_AFTER);
            }
        }
        Ok(())
    }

    fn open(&mut self) -> Result<(), StoreError> {
        if self.store.is_none() {
            self.store = Some(self.connect.connect()?);
        }
        Ok(())
    }

    /// Asks the store which metrics are known as counters.
    fn learn_classes(&mut self, indices: &[usize], pass: &mut Pass) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        let keys: Vec<String> = indices
            .iter()
            .map(|&index| class_key(&self.names[index]))
            .collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let stored = store.get(&keys)?;
        for (&index, stored) in indices.iter().zip(stored) {
            let seen = stored.and_then(|text| std::str::from_utf8(&text).ok()?.parse::<f64>().ok());
            // A moment still to come was stored by a clock that was wrong.
            let class = seen.map_or_else(CounterClass::default, |seen| {
                CounterClass::stored(seen.min(pass.now), self.options.full_duration)
            });
            self.watched[index].class = Some(class);
        }
        Ok(())
    }

    fn look_at_tails(&mut self, indices: &[usize], pass: &mut Pass) -> Result<(), StoreError> {
        let Self {
            store: Some(store),
            desk,
            names,
            watched,
            series,
            ..
        } = self
        else {
            return Ok(());
        };
        // Asked a second time after a lost connection, some have turned out to need a whole read; they have no cursor any
        // more, and must not shift the places of those behind them.
        let indices: Vec<usize> = indices
            .iter()
            .copied()
            .filter(|&index| watched[index].cursor.is_some())
            .collect();
        // Cursors are lent to the store while the callback changes what lies beside them.
        let lent: Vec<_> = indices
            .iter()
            .map(|&index| watched[index].cursor.take())
            .collect();
        let asks: Vec<_> = indices
            .iter()
            .zip(&lent)
            .filter_map(|(&index, cursor)| Some((&*names[index], cursor.as_ref()?)))
            .collect();
        let mut answered = vec![false; indices.len()];
        let outcome = store.fetch_tails(&asks, series, &mut |position, series, tail| {
            answered[position] = true;
            let index = indices[position];
            desk.tail(index, &names[index], &mut watched[index], series, tail, pass);
        });
        drop(asks);
        for (position, cursor) in lent.into_iter().enumerate() {
            let watched = &mut watched[indices[position]];
            if watched.cursor.is_none() && (!answered[position] || watched.keeps_cursor()) {
                watched.cursor = cursor;
            }
        }
        self.store_classes(pass)?;
        outcome
    }

    fn look_at_whole(&mut self, indices: &[usize], pass: &mut Pass) -> Result<(), StoreError> {
        let Self {
            store: Some(store),
            desk,
            names,
            watched,
            series,
            ..
        } = self
        else {
            return Ok(());
        };
        let asks: Vec<&str> = indices.iter().map(|&index| &*names[index]).collect();
        let outcome = store.fetch(&asks, series, &mut |position, series, fetched| {
            let index = indices[position];
            desk.whole(index, &names[index], &mut watched[index], series, fetched, pass);
        });
        self.store_classes(pass)?;
        outcome
    }

    /// Writes the counter classes that the last stride renewed.
    fn store_classes(&mut self, pass: &mut Pass) -> Result<(), StoreError> {
        let Some(store) = &mut self.store else {
            return Ok(());
        };
        if pass.classes.is_empty() {
            return Ok(());
        }
        let seen = pass.now.to_string();
        let keys: Vec<String> = pass
            .classes
            .iter()
            .map(|&index| class_key(&self.names[index]))
            .collect();
        let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), seen.as_bytes())).collect();
        match store.set(
            &entries,
            Some(Duration::from_secs_f64(self.options.full_duration)),
        ) {
            // Known here until the next look, five minutes on, writes them again.
            Err(error) if error.is_of_writes_only() => {
                tracing::warn!("{} counter classes not stored :: {error}", entries.len());
            }
            outcome => outcome?,
        }
        pass.classes.clear();
        Ok(())
    }
}

/// Where the class of a counter lies in the store: Unix seconds of the last never-decreasing window.
pub(super) fn class_key(metric: &str) -> String {
    format!("skywatch.counter.{metric}")
}

/// Steps of a worker one by one, for the law that a live watch and a replay agree.
#[cfg(test)]
impl<K: Connect> Worker<K> {
    pub(super) fn take_over(&mut self, metrics: Vec<Arc<str>>) {
        self.assign(metrics, Vec::new());
    }

    pub(super) fn look(&mut self, number: u64, now: f64) -> PassReport {
        self.look_following(number, now, &[])
    }

    pub(super) fn look_following(&mut self, number: u64, now: f64, followed: &[&str]) -> PassReport {
        let deadline = Instant::now() + Duration::from_secs(600);
        let followed = followed.iter().map(|&name| name.to_owned()).collect();
        self.pass(number, now, deadline, Arc::new(followed))
    }

    pub(super) fn save(&self, number: u64) {
        self.save_a_part(number);
    }

    /// Each metric's state as it would be saved: all points but the newest.
    pub(super) fn states(&self) -> Vec<(Arc<str>, Vec<u8>)> {
        let all = self.names.iter().zip(&self.watched);
        all.filter_map(|(name, watched)| {
            let mut bytes = Vec::new();
            watched.state()?.adaptive().write(&mut bytes);
            Some((Arc::clone(name), bytes))
        })
        .collect()
    }
}
