//! The desk: one thread that knows everything about incidents, and the only one that writes it down. What it answers to
//! people is in [`answers`].

mod anew;
mod answers;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select};
use skywatch_alerters::incident::{Incident, Look, Outcome, Phase, Transition};
use skywatch_alerters::notice::Content;
use skywatch_alerters::state::{Audience, Claim, Event, Kept, Next, Refused, State, Step};
use skywatch_alerters::{Notice, Subject, host, render};

use super::books::{Books, Mark};
use super::finders::Finders;
use super::post::{Delivery, IN_MEMORY, Post, Verdict};
use super::vitals::{self, Vitals};
use super::{ANALYZER, DispatchOptions, Inbox, Message};
use crate::clock::unix_now;
use crate::history::{HistoryBatch, PassRecord, Posting};
use crate::inlet::{Finder, FromFinder, Observations, Report};
use crate::status::PassSummary;
use crate::stop::Stop;

/// Incidents of one step that get a line in the log; the rest are counted there and shown on the pages.
const LOGGED: usize = 100;
/// How often the desk looks up when nothing comes.
const TICK: Duration = Duration::from_millis(500);
/// How often the desk looks at how Skywatch itself does.
const LOOK_EACH: Duration = Duration::from_secs(5);
/// How far back "how often before" looks, seconds.
const BEFORE: f64 = 30.0 * 86_400.0;
/// Seconds between two times all live incidents are written down, though they took no step.
const WRITE_ALL_EACH: f64 = 300.0;
/// Seconds between two times old history is thrown away, and how much at once.
const PRUNE_EACH: f64 = 600.0;
const PRUNE_SLICE: usize = 2_000;
/// Under which key the numbers lie that may have been given.
const CLAIMED: &str = "claimed";
/// Under which key it is kept which reports of finders were taken.
const TAKEN: &str = "taken";
/// Numbers claimed beyond those that are asked for: a kill makes the next run begin so far ahead.
const CLAIMED_AHEAD: u64 = 10;
/// Entries shown for one question, at most.
pub(crate) const SHOWN: usize = 10_000;

/// Everything about incidents.
pub struct Desk {
    options: DispatchOptions,
    state: State,
    /// Numbers below these are claimed in the file.
    claimed: Next,
    books: Books,
    posts: BTreeMap<String, Post>,
    all_written_at: f64,
    pruned_at: f64,
    /// Receivers whose rate cap holds something back, so that it is said once.
    held_back: HashMap<String, usize>,
    vitals: Vitals,
    looked_at: Instant,
    finders: Finders,
}

impl Desk {
    /// Opens the history and takes up where it ended. Nothing is sent before [`Desk::open_posts`].
    pub fn open(options: DispatchOptions) -> Self {
        let now = unix_now();
        let mut books = Books::open(&options.history, now);
        let saved = books.load(now - options.policy.hysteresis.return_within);
        let origin: Option<String> = meta(&saved.meta, "origin");
        let pace = meta(&saved.meta, "pace").unwrap_or_default();
        let mut batch = HistoryBatch::new(now);
        let origin = origin.unwrap_or_else(|| {
            let origin = new_origin(now);
            batch
                .meta
                .push(("origin".to_owned(), Some(origin.clone().into())));
            origin
        });
        // What the run before claimed it may have given, and told people of, though it could not write it down.
        let next: Next = meta(&saved.meta, "next").unwrap_or_default();
        let claimed: Next = meta(&saved.meta, CLAIMED).unwrap_or(next);
        let next = Next {
            incident: next.incident.max(claimed.incident).max(saved.next_incident),
            silence: next.silence.max(claimed.silence).max(saved.next_silence),
            notice: 1,
        };
        if !books.is_loaded() {
            tracing::warn!(
                "what was known of before is not known now :: incidents get long numbers meanwhile"
            );
        }
        let kept = Kept {
            incidents: saved.incidents,
            silences: saved.silences,
            cooldowns: saved.cooldowns,
            pace,
            next,
        };
        books.keep(batch);
        let vitals = Vitals::new(options.vitals.clone(), meta(&saved.meta, "daily"), now);
        let claim = Claim::nothing((now * 1e6) as u64);
        Self {
            finders: Finders::new(saved.meta.get(TAKEN).cloned()),
            state: State::new(&origin, &run_name(now), kept, claim),
            claimed: next,
            vitals,
            looked_at: Instant::now(),
            options,
            books,
            posts: BTreeMap::new(),
            all_written_at: now,
            pruned_at: now,
            held_back: HashMap::new(),
        }
    }

    /// Claims so many numbers, and some more, before they are given. Without a file that can be written, or whose numbers
    /// are not known, none are claimed.
    fn claim(&mut self, incidents: u64, silences: u64, now: f64) {
        let next = self.state.next();
        let is_enough = self.claimed.incident >= next.incident + incidents
            && self.claimed.silence >= next.silence + silences;
        if is_enough || !self.books.is_loaded() {
            return;
        }
        // A command that opens the files itself gives what it was asked for, and ends.
        let ahead = if self.options.outlets.is_empty() {
            0
        } else {
            CLAIMED_AHEAD
        };
        let claim = Next {
            incident: next.incident + incidents + ahead,
            silence: next.silence + silences + ahead,
            ..next
        };
        let mut batch = HistoryBatch::new(now);
        batch
            .meta
            .push((CLAIMED.to_owned(), serde_json::to_value(claim).ok()));
        self.books.keep(batch);
        if self.books.trouble().is_none() {
            self.claimed = claim;
            self.state.claimed(claim.incident, claim.silence);
        }
    }

    /// Opens a post for each receiver, with what waits for it since before.
    pub fn open_posts(&mut self, inbox: &Inbox) {
        for outlet in self.options.outlets.clone() {
            let name = outlet.name.clone();
            match Post::start(outlet, inbox.sender(), Arc::clone(&self.options.window_of)) {
                Ok(post) => drop(self.posts.insert(name, post)),
                Err(error) => tracing::error!("receiver `{name}` gets nothing :: no thread for it: {error}"),
            }
        }
        let names: Vec<String> = self.posts.keys().cloned().collect();
        for name in names {
            self.refill(&name, unix_now());
        }
        self.bury_the_unreachable(unix_now());
    }

    /// Ends what belongs to receivers that are not in the settings any more: their notices become dead letters, the
    /// incidents about them are gone.
    fn bury_the_unreachable(&mut self, now: f64) {
        let gone = |subject: &Subject| match subject {
            Subject::Component(name) => match name.strip_prefix("skywatch.receiver.") {
                Some(receiver) => !self.posts.contains_key(receiver),
                None => name == "skywatch.ingest" && self.options.vitals.ingest.is_none(),
            },
            _ => false,
        };
        let looks: Vec<Look> = self
            .state
            .incidents()
            .filter(|incident| gone(&incident.subject))
            .map(|incident| Look {
                subject: incident.subject.clone(),
                outcome: Outcome::Deleted,
            })
            .collect();
        if !looks.is_empty() {
            let _ = self.event(Event::Looks(looks), now, HistoryBatch::new(now));
        }
        let Some(history) = self.books.history() else {
            return;
        };
        let depths = history.depths().unwrap_or_default();
        for depth in depths {
            if self.posts.contains_key(&depth.receiver) {
                continue;
            }
            tracing::warn!(
                "{} notices wait for `{}`, which is not in the settings any more :: `skywatch notices` shows them",
                depth.waiting,
                depth.receiver
            );
            let waiting = history.waiting(&depth.receiver, SHOWN, now).unwrap_or_default();
            for record in waiting {
                let why = "the receiver is not in the settings any more";
                if let Err(error) = history.dead(&record.notice.id, why, now) {
                    tracing::warn!("outbox not written :: {error}");
                    return;
                }
            }
        }
    }

    /// Why nothing is written down at present, if so.
    pub fn trouble(&self) -> Option<&str> {
        self.books.trouble()
    }

    /// Works until stop is said, takes what finders have handed over by then, and lets posts finish what they have in hand.
    pub fn run(mut self, finders: &Receiver<FromFinder>, messages: &Receiver<Message>, stop: &Stop) {
        let mut from_finders = finders.clone();
        while !stop.is_said() {
            select! {
                recv(from_finders) -> message => match message {
                    Ok(message) => self.take_in(message),
                    Err(_) => from_finders = never(),
                },
                recv(messages) -> message => if let Ok(message) = message { self.message(message) },
                recv(stop.channel()) -> _ => {}
                default(TICK) => {}
            }
            self.tick();
        }
        while let Ok(message) = finders.try_recv() {
            self.take_in(message);
        }
        self.confirm();
        self.end(messages);
    }

    fn take_in(&mut self, message: FromFinder) {
        match message {
            FromFinder::Connected { finder, answers } => {
                tracing::debug!("finder `{}` is there", finder.name);
                self.finders.connected(finder, answers);
                self.follow();
            }
            FromFinder::Gone { finder, answers } => self.finders.gone(&finder, &answers),
            FromFinder::Answered { question, answer } => self.finders.answered(question, answer),
            FromFinder::Report {
                finder,
                number,
                report,
            } => {
                if self.finders.takes(&finder, number) {
                    self.report(&finder, Arc::unwrap_or_clone(report));
                } else {
                    tracing::info!("report {number} of `{}` was taken before", finder.name);
                    self.finders.repeated(&finder.name);
                }
            }
        }
    }

    fn report(&mut self, finder: &Finder, report: Report) {
        match report {
            Report::Seen(observations) => self.observed(*observations),
            Report::NoPass { why, since } => self.no_pass(finder, &why, since),
            Report::StoreAnswers => self.vitals.answers(),
        }
    }

    /// Tells finders what was taken of them, unless it is in memory only: then they must keep it.
    fn confirm(&mut self) {
        if self.books.trouble().is_none() {
            self.finders.confirm();
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Ask(request, reply) => {
                // Whoever asked may have gone.
                let _ = reply.send(self.answer(*request));
            }
            Message::Delivered(delivery) => self.delivered(*delivery),
            Message::Examine(metric, at, reply) => self.finders.examine(ANALYZER, metric, at, reply),
        }
    }

    /// Takes what a finder has seen.
    fn observed(&mut self, observations: Observations) {
        let Observations {
            mut seen,
            all_of,
            pass,
        } = observations;
        // The moment it is taken in, as with all other events: the core's time must not run backwards.
        let now = unix_now();
        let mut batch = HistoryBatch::new(now);
        batch.meta.push((TAKEN.to_owned(), self.finders.taken()));
        let silent = pass.as_ref().and_then(|pass| self.vitals.silent(pass));
        if let Some(pass) = pass {
            seen.extend(self.vitals.pass(&pass));
            self.passed(&pass.summary, &mut batch);
        }
        let event = match all_of {
            Some(kind) => Event::AllLooks(kind, seen),
            None => Event::Looks(seen),
        };
        // No event of a finder is ever refused.
        let _ = self.event(event, now, batch);
        self.follow();
        if let Some(silent) = silent {
            self.tell_all("skywatch.silent", Content::Silent(silent), HistoryBatch::new(now));
        }
    }

    /// Notes that a pass has ended.
    fn passed(&mut self, summary: &PassSummary, batch: &mut HistoryBatch) {
        let now = batch.at;
        if let Some(heartbeat) = &self.options.heartbeat
            && summary.unfinished == 0
        {
            heartbeat.beat();
        }
        batch.passes.push(PassRecord::one(
            summary.at,
            summary.metrics,
            summary.analyzed,
            summary.anomalies,
            summary.seconds.total,
        ));
        if now - self.all_written_at > WRITE_ALL_EACH {
            self.all_written_at = now;
            let live = self
                .state
                .incidents()
                .filter(|incident| incident.phase != Phase::Pending);
            batch.incidents.extend(live.cloned());
        }
    }

    /// The store has let no pass run since then, Unix seconds: told once that has lasted, and nothing is known of its subjects.
    fn no_pass(&mut self, finder: &Finder, why: &str, since: f64) {
        let now = unix_now();
        if let Some(look) = self.vitals.trouble(why, since, now) {
            let mut looks = vec![look];
            let open = self.state.incidents().filter(|incident| incident.phase.is_open());
            looks.extend(open.filter_map(|incident| {
                let is_its = Some(incident.subject.kind().name) == finder.follows.as_deref();
                (is_its && incident.unknown_since.is_none()).then(|| Look {
                    subject: incident.subject.clone(),
                    outcome: Outcome::Unknown,
                })
            }));
            let _ = self.event(Event::Looks(looks), now, HistoryBatch::new(now));
        }
    }

    /// Makes a notice that is about no incident, for all to whom a component of that name would lead.
    fn tell_all(&mut self, component: &str, content: Content, mut batch: HistoryBatch) {
        let now = batch.at;
        let subject = Subject::Component(component.to_owned());
        let outlook = self.state.outlook(&self.options.policy, &subject, now);
        if let Some(silence) = outlook.silences.first() {
            return tracing::info!("nothing is said of {component} :: silence {silence} is in force");
        }
        for prospect in outlook.prospects {
            let id = self.state.new_notice_id();
            let receivers = &self.options.policy.receivers;
            let people = receivers
                .iter()
                .any(|receiver| receiver.name == prospect.receiver && receiver.audience == Audience::People);
            let content = match content.clone() {
                Content::Silent(silent) if people => Content::Silent(silent.for_people()),
                content => content,
            };
            let notice = Notice {
                thread: id.clone(),
                id,
                receiver: prospect.receiver,
                route: prospect.route,
                at: now,
                content,
                base_url: self.options.policy.base_url.clone(),
                command: self.options.policy.command.clone(),
            };
            batch.notices.push(Posting {
                notice,
                incidents: Vec::new(),
                settled: None,
            });
        }
        let next = serde_json::to_value(self.state.next()).ok();
        batch.meta.push(("next".to_owned(), next));
        self.post(batch);
    }

    /// Looks at ourselves between passes.
    fn look_at_ourselves(&mut self, now: f64) {
        let mut looks: Vec<Look> = self.vitals.ingest(now).into_iter().collect();
        let trouble = self
            .books
            .trouble()
            .map(|why| format!("going on from memory, as {why}"));
        looks.push(vitals::look("skywatch.history", trouble, now));
        for post in self.posts.values() {
            let waiting = post.waiting();
            let ill = post
                .failing()
                .map(|why| format!("notices to `{}` fail, {waiting} wait: {why}", post.name()));
            // After a start nothing is known of it until something was tried.
            if ill.is_some() || post.is_well() {
                let component = format!("skywatch.receiver.{}", post.name());
                looks.push(vitals::look(&component, ill, now));
            }
        }
        // What is well and was well is no event.
        looks.retain(|look| {
            let open = |incident: &Incident| incident.phase.is_open();
            matches!(look.outcome, Outcome::Anomalous(_)) || self.state.about(&look.subject).is_some_and(open)
        });
        if !looks.is_empty() {
            let _ = self.event(Event::Looks(looks), now, HistoryBatch::new(now));
        }
        if let Some((from, to)) = self.vitals.day(now)
            && let Some(history) = self.books.history()
        {
            match history.day(from, to) {
                Ok(day) => {
                    let mut batch = HistoryBatch::new(now);
                    self.vitals.told_day(to);
                    batch.meta.push(("daily".to_owned(), Some(to.into())));
                    self.tell_all("skywatch.daily", Content::Daily(day), batch);
                }
                Err(error) => tracing::error!("no digest of the day :: {error}"),
            }
        }
    }

    /// Lets the core work out what follows, keeps it, and hands out the notices.
    fn event(&mut self, event: Event, now: f64, mut batch: HistoryBatch) -> Result<(), Refused> {
        let (incidents, silences) = self.state.asks_for(&event);
        if incidents + silences > 0 {
            self.claim(incidents, silences, now);
        }
        let step = self.state.step(&self.options.policy, event, now)?;
        self.tell(&step);
        let Step {
            incidents,
            transitions,
            notices,
            told,
            silences,
            cooldowns,
            paced,
            ..
        } = step;
        let touched: HashSet<u64> = incidents.iter().map(|incident| incident.id).collect();
        batch.incidents.retain(|incident| !touched.contains(&incident.id));
        batch.incidents.extend(incidents);
        batch.transitions = transitions;
        batch.silences = silences;
        batch.cooldowns = cooldowns;
        if !paced.is_empty() {
            let pace: Vec<_> = self
                .options
                .policy
                .receivers
                .iter()
                .filter_map(|receiver| Some((&receiver.name, self.state.spoken(&receiver.name)?)))
                .collect();
            batch
                .meta
                .push(("pace".to_owned(), serde_json::to_value(pace).ok()));
        }
        if !(paced.is_empty() && batch.incidents.is_empty() && batch.silences.is_empty()) {
            let next = serde_json::to_value(self.state.next()).ok();
            batch.meta.push(("next".to_owned(), next));
        }
        let postings = notices.into_iter().zip(told);
        batch.notices = postings
            .map(|(notice, incidents)| Posting {
                notice: self.complete(notice, now),
                incidents,
                settled: None,
            })
            .collect();
        self.post(batch);
        Ok(())
    }

    /// Keeps a batch, then hands its notices to the posts.
    fn post(&mut self, batch: HistoryBatch) {
        let notices: Vec<Notice> = batch
            .notices
            .iter()
            .map(|posting| posting.notice.clone())
            .collect();
        self.books.keep(batch);
        let on_disk = self.books.trouble().is_none();
        for notice in notices {
            let Some(post) = self.posts.get_mut(&notice.receiver) else {
                continue;
            };
            // What is committed can wait there; what is not must wait here.
            if on_disk && post.is_full() {
                post.more_wait(true);
                continue;
            }
            let reference = self
                .books
                .history()
                .and_then(|history| history.reference(&notice.receiver, &notice.thread).ok().flatten());
            if let Some(post) = self.posts.get_mut(&notice.receiver) {
                post.add(notice, reference);
            }
        }
    }

    /// Adds to a notice what the core cannot know: how often before. The window of its first incident is read by its post.
    fn complete(&mut self, mut notice: Notice, now: f64) -> Notice {
        let Content::Incidents(news) = &mut notice.content else {
            return notice;
        };
        let asked: Vec<(&Subject, u64)> = news
            .items
            .iter()
            .map(|item| (&item.anomaly.subject, item.incident))
            .collect();
        let before = self.books.before(&asked, now - BEFORE);
        for (item, before) in news.items.iter_mut().zip(before) {
            item.before = before.count;
            item.last_before = before.last;
        }
        notice
    }

    /// Says in the log what happened.
    fn tell(&mut self, step: &Step) {
        if self.options.log {
            // Those that have ended are known from the step alone.
            let kept: HashMap<u64, &Incident> = step
                .incidents
                .iter()
                .map(|incident| (incident.id, incident))
                .collect();
            let lines = |wanted: fn(&Transition) -> bool| step.transitions.iter().filter(move |t| wanted(t));
            for transition in lines(|transition| transition.to == Phase::Open).take(LOGGED) {
                if let Some(incident) = kept.get(&transition.incident) {
                    let line = render::log_line(&incident.anomaly);
                    tracing::warn!(target: "skywatch::anomaly", "{line}; incident {}", incident.id);
                }
            }
            for transition in lines(|transition| transition.to != Phase::Open).take(LOGGED) {
                if let Some(incident) = kept.get(&transition.incident) {
                    let name = skywatch_alerters::text::shorten(incident.subject.name(), 300);
                    tracing::info!(
                        target: "skywatch::anomaly",
                        "{name} {} :: {}; incident {}", transition.to, transition.why, incident.id
                    );
                }
            }
            let rest = step.transitions.len().saturating_sub(LOGGED);
            if rest > 0 {
                tracing::warn!(target: "skywatch::anomaly", "and up to {rest} more changes of incidents");
            }
        }
        for (receiver, held) in &step.held_back {
            if self.held_back.insert(receiver.clone(), *held) != Some(*held) {
                tracing::warn!(
                    "{held} notices to `{receiver}` held back by its rate cap :: the next one says so"
                );
            }
        }
        self.held_back.retain(|receiver, _| {
            step.held_back.iter().any(|(held, _)| held == receiver) || step.paced.is_empty()
        });
    }

    /// Tells finders whose incidents live.
    fn follow(&mut self) {
        let state = &self.state;
        self.finders
            .follow(|kind| state.followed(kind).map(str::to_owned).collect());
    }

    fn delivered(&mut self, delivery: Delivery) {
        let now = unix_now();
        let Some(post) = self.posts.get_mut(&delivery.receiver) else {
            return;
        };
        let receiver = delivery.receiver.clone();
        let id = delivery.notice.id.clone();
        let summary = render::summary(&delivery.notice);
        match post.delivered(delivery, now) {
            Verdict::Sent(sent) => {
                tracing::info!("notice {id} sent to `{receiver}` :: {summary}");
                for refused in &sent.refused {
                    tracing::warn!("notice {id} to `{receiver}` not taken by all :: {refused}");
                }
                let reference = sent.reference.as_deref();
                self.books.mark(&id, &Mark::Sent { reference }, now);
            }
            Verdict::Again { error, after } => {
                tracing::warn!("notice {id} to `{receiver}` waits {after:.1?} :: {error}");
                let next_try = now + after.as_secs_f64();
                let error = &error;
                self.books.mark(&id, &Mark::Failed { error, next_try }, now);
            }
            Verdict::Dead(error) => {
                tracing::error!(
                    "notice {id} to `{receiver}` given up :: {error} :: {summary}\n  hint: `skywatch notices` shows it \
                     and can try it again"
                );
                self.books.mark(&id, &Mark::Dead { error: &error }, now);
            }
        }
        // What lies in the outbox is read when little is left here, not after each notice: it may be many megabytes.
    }

    /// Brings notices from the outbox to a post that has few left.
    fn refill(&mut self, receiver: &str, now: f64) {
        let Some(post) = self.posts.get_mut(receiver) else {
            return;
        };
        if post.waiting() > IN_MEMORY / 2 {
            return;
        }
        let Some(history) = self.books.history() else {
            return;
        };
        let waiting = match history.waiting(receiver, IN_MEMORY, now) {
            Ok(waiting) => waiting,
            Err(error) => return tracing::warn!("outbox not readable :: {error}"),
        };
        post.more_wait(waiting.len() == IN_MEMORY);
        for record in waiting {
            let id = &record.notice.id;
            // What was handed over while the disk was full still waits as far as the file knows.
            if post.holds(id) || self.books.is_settled(id) {
                continue;
            }
            let reference = self
                .books
                .history()
                .and_then(|history| history.reference(receiver, &record.notice.thread).ok().flatten());
            post.add(record.notice, reference);
        }
    }

    fn tick(&mut self) {
        let now = unix_now();
        // Groups whose turn comes between two passes.
        let _ = self.event(Event::Tick, now, HistoryBatch::new(now));
        if self.looked_at.elapsed() >= LOOK_EACH {
            self.looked_at = Instant::now();
            self.look_at_ourselves(now);
        }
        self.mind_the_history(now);
        self.books.tick(now);
        self.confirm();
        self.refill_the_short(now);
        for post in self.posts.values_mut() {
            post.work();
        }
        if now - self.pruned_at > PRUNE_EACH {
            self.prune(now);
        }
    }

    /// Brings notices from the outbox to posts that have few left while more wait there.
    fn refill_the_short(&mut self, now: f64) {
        let short: Vec<String> = self
            .posts
            .values()
            .filter(|post| post.runs_short())
            .map(|post| post.name().to_owned())
            .collect();
        for name in short {
            self.refill(&name, now);
        }
    }

    fn prune(&mut self, now: f64) {
        self.pruned_at = now;
        let keep = self.options.keep_history.as_secs_f64();
        let Some(history) = self.books.history() else {
            return;
        };
        match history.prune(now - keep, PRUNE_SLICE) {
            // More is left: go on soon, and let others have their turn meanwhile.
            Ok(pruned) if pruned.more => self.pruned_at = now - PRUNE_EACH + 1.0,
            Ok(_) => {}
            Err(error) => tracing::warn!("old history not thrown away :: {error}"),
        }
        if let Some(history) = self.books.history()
            && let Err(error) = history.thin_passes(now - 7.0 * 86_400.0, 24)
        {
            tracing::warn!("old passes not thinned :: {error}");
        }
    }

    /// Lets posts finish within the grace, notes what became of their notices, and writes everything down.
    fn end(mut self, messages: &Receiver<Message>) {
        // First of all, what must not depend on how long receivers take.
        self.write_all(unix_now());
        let due = Instant::now() + self.options.grace * 4 / 5;
        loop {
            self.refill_the_short(unix_now());
            for post in self.posts.values_mut() {
                if post.failing().is_none() {
                    post.work();
                }
            }
            if !self.posts.values().any(Post::is_busy) {
                break;
            }
            match messages.recv_deadline(due) {
                Ok(Message::Delivered(delivery)) => self.delivered(*delivery),
                Ok(Message::Ask(..) | Message::Examine(..)) => {}
                Err(_) => break,
            }
        }
        for post in self.posts.values() {
            if post.waiting() > 0 {
                tracing::warn!(
                    "{} notices to `{}` wait for the next start",
                    post.waiting(),
                    post.name()
                );
            }
        }
        self.books.save(unix_now());
        if let Some(why) = self.books.trouble() {
            tracing::error!("the history lacks what happened last :: {why}");
        }
        // Threads that hang in a send are left behind; the process ends.
        for (_, post) in std::mem::take(&mut self.posts) {
            if !post.is_busy() {
                let _ = post.end().join();
            }
        }
    }

    /// Writes down all live incidents, also what took no step.
    fn write_all(&mut self, now: f64) {
        let mut batch = HistoryBatch::new(now);
        let live = self
            .state
            .incidents()
            .filter(|incident| incident.phase != Phase::Pending);
        batch.incidents = live.cloned().collect();
        // Nothing more is given: the next run may go on where this one ended.
        if self.books.trouble().is_none() && self.books.is_loaded() {
            let next = serde_json::to_value(self.state.next()).ok();
            batch.meta.push((CLAIMED.to_owned(), next));
        }
        self.books.keep(batch);
        self.books.save(now);
    }
}

fn meta<T: serde::de::DeserializeOwned>(kept: &BTreeMap<String, serde_json::Value>, key: &str) -> Option<T> {
    serde_json::from_value(kept.get(key)?.clone()).ok()
}

/// The name of this run, as no other has it: whatever lies on the disk, and whether or not it can be written, ids of
/// notices made of it were never given before. Letters and digits.
fn run_name(now: f64) -> String {
    // The library seeds each hasher by the system's randomness and a counter.
    let random = RandomState::new().hash_one((std::process::id(), now.to_bits()));
    format!("{:x}{:04x}", now as u64, random & 0xffff)
}

/// What the ids of this history's notices begin with: never the same for two histories.
fn new_origin(now: f64) -> String {
    let seed = format!("{} {} {now}", host::name(), std::process::id());
    format!("{:08x}", crate::hash::hash(&seed) & 0xffff_ffff)
}
