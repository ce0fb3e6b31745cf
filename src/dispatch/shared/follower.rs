//! A node that follows: it writes down what the leading one does, hands over what its finders find and its people ask, and takes the
//! lead when that is free. It sends nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};
use skywatch_alerters::incident::{Incident, Observation, ObservedOutcome, Phase};
use skywatch_alerters::state::AdoptedState;

use super::member::DispatchMember;
use super::node_message::MessageExchange;
use super::questions::Questions;
use super::relay::Relays;
use super::replica::HistoryReplica;
use crate::clock::unix_now;
use crate::cluster::{LeadStanding, LeadView, Session};
use crate::dispatch::event_sinks;
use crate::dispatch::inbox::DispatchMessage;
use crate::dispatch::options::DispatchOptions;
use crate::dispatch::reading::{HistoryPruner, anomalous, read_request};
use crate::dispatch::request::{Reply, Request};
use crate::dispatch::self_monitor::{SelfMonitor, observation};
use crate::history::{Filter, HistoryReader};
use crate::inlet::{Finder, FinderReport, FromFinder, InletAddress, InletClient, Observations};
use crate::status::DispatchStatus;
use crate::stop::Stop;

/// Time between two turns, at most.
const TURN_EACH: Duration = Duration::from_millis(100);
/// Time between two looks at the log, which is how far this history is behind …
const LOG_EACH: Duration = Duration::from_millis(500);
/// … and at what this node itself does.
const CHECK_EACH: Duration = Duration::from_secs(5);
/// Reports of the node about itself that may wait.
const OWN_REPORTS: usize = 16;
/// Incidents that last and are looked through for what is anomalous.
const MOST_LASTING: usize = 5_000;

/// Why a node does not follow any more.
pub(in crate::dispatch) enum FollowEnd {
    /// Stop was said.
    Stopped,
    /// It leads, or goes on alone as nobody answers.
    Leads(TakenLead),
}

/// How a node begins to lead.
pub(in crate::dispatch) struct TakenLead {
    /// The epoch since which it does; `None` where nobody answers.
    pub(in crate::dispatch) since: Option<u64>,
    /// Up to where its history has the log of all nodes; `None` if it has something else.
    pub(in crate::dispatch) position: Option<String>,
    /// Whether other nodes may have what its history holds.
    pub(in crate::dispatch) was_shared: bool,
}

/// A node that follows.
pub(in crate::dispatch) struct FollowingNode<'o> {
    member: Arc<DispatchMember>,
    options: &'o mut DispatchOptions,
    replica: HistoryReplica,
    exchange: MessageExchange,
    relays: Relays,
    questions: Questions,
    /// The session that leads.
    leader: Option<String>,
    /// Since when nobody does.
    free_since: Instant,
    self_monitor: SelfMonitor,
    own: Option<(InletClient, Receiver<FromFinder>)>,
    /// What this node had told before its history gave way to that of the leading one, until that has taken it.
    left_over: AdoptedState,
    /// Where it is said that it was taken, and when it was handed over last.
    handed_over: Option<(Receiver<Reply>, Instant)>,
    /// Whether the leading node was told how it is with this one, and with what result.
    told_ill: Option<bool>,
    messages_at: Instant,
    log_at: Instant,
    checked_at: Instant,
    pruner: HistoryPruner,
}

impl<'o> FollowingNode<'o> {
    /// Begins to follow, with the history of the options.
    pub(in crate::dispatch) fn new(member: &Arc<DispatchMember>, options: &'o mut DispatchOptions) -> Self {
        let now = unix_now();
        let exchange = MessageExchange::new(member);
        let start = Instant::now();
        let own = own_finder();
        Self {
            replica: HistoryReplica::open(&options.history, member.log(), now),
            self_monitor: SelfMonitor::new(options.self_monitor.clone(), None, now),
            relays: Relays::new(exchange.clone()),
            questions: Questions::new(exchange.clone()),
            member: Arc::clone(member),
            options,
            exchange,
            leader: None,
            free_since: start,
            own,
            left_over: AdoptedState::default(),
            handed_over: None,
            told_ill: None,
            messages_at: start,
            log_at: start,
            // At once, so that others can read who leads.
            checked_at: start.checked_sub(CHECK_EACH).unwrap_or(start),
            pruner: HistoryPruner::new(now),
        }
    }

    /// Follows until stop is said or this node leads.
    pub(in crate::dispatch) fn run(
        mut self,
        finders: &Receiver<FromFinder>,
        messages: &Receiver<DispatchMessage>,
        stop: &Stop,
    ) -> FollowEnd {
        let nobody = crossbeam_channel::never();
        if self.member.leadership.refresh().answers {
            self.read_log(None);
        }
        while !stop.is_said() {
            if let Some(lead) = self.stand() {
                return FollowEnd::Leads(lead);
            }
            let own = self.own.as_ref().map_or(&nobody, |(_, own)| own);
            select! {
                recv(finders) -> message => match message {
                    Ok(message) => self.relays.take(message),
                    // Nobody finds anything any more; the rest goes on.
                    Err(_) => { stop.sleep(TURN_EACH); }
                },
                recv(own) -> message => if let Ok(message) = message { self.relays.take(message) },
                recv(messages) -> message => if let Ok(message) = message { self.message(message) },
                recv(stop.channel()) -> _ => {}
                default(TURN_EACH) => {}
            }
            self.look();
        }
        FollowEnd::Stopped
    }

    /// Takes the lead if it is free and this node may have it. Whoever has all that the last one had is first; one that has not
    /// waits for such a one for two leases, unless it is alone.
    fn stand(&mut self) -> Option<TakenLead> {
        let mut view = self.member.leadership.view();
        if view.leader.is_some() {
            self.free_since = Instant::now();
        }
        if view.standing == LeadStanding::Follows && view.answers {
            let is_first = self.replica.is_whole()
                || !self.member.has_others(&view)
                || self.free_since.elapsed() >= 2 * self.member.ttl();
            self.member.leadership.stand(is_first);
            if is_first && view.leader.is_none() {
                view = self.member.leadership.refresh();
            }
        }
        let since = match view.standing {
            LeadStanding::Leads { began, .. } => Some(began),
            LeadStanding::Apart { began: None } => None,
            LeadStanding::Apart { began: Some(_) } | LeadStanding::Follows => return None,
        };
        if since.is_some() && !self.read_log(None) {
            self.member.leadership.resign();
            return None;
        }
        match since {
            Some(epoch) => tracing::info!("this node leads the dispatch of all nodes :: epoch {epoch}"),
            None => tracing::info!("nobody says who leads :: this node goes on alone"),
        }
        let position = self.replica.position().filter(|_| self.replica.is_whole());
        Some(TakenLead {
            since,
            position: position.map(str::to_owned),
            was_shared: self.replica.is_of_log(),
        })
    }

    /// Reads the log; where somebody leads, this history gives way to it. False if it cannot be read.
    fn read_log(&mut self, leader: Option<&str>) -> bool {
        match self.replica.catch_up(leader.is_some(), unix_now()) {
            Ok(()) => true,
            Err(error) => {
                self.member.failed("the log of all nodes is not read", &error);
                false
            }
        }
    }

    /// What is done from time to time.
    fn look(&mut self) {
        let view = self.member.leadership.view();
        let leader = self.member.leader(&view).map(str::to_owned);
        if leader != self.leader {
            self.led_by(leader);
        }
        let may_have_messages =
            view.unread.messages > 0 || self.exchange.is_lively() || self.questions.are_waiting();
        if self.leader.is_some()
            && view.answers
            && may_have_messages
            && self.messages_at.elapsed() >= TURN_EACH
        {
            self.messages_at = Instant::now();
            for message in self.exchange.take() {
                if Some(&message.from) == self.leader.as_ref() && !self.relays.heard(&message) {
                    self.questions.answered(&message);
                }
            }
        }
        if view.answers && self.log_at.elapsed() >= LOG_EACH {
            self.log_at = Instant::now();
            if self.replica.is_behind(view.unread.log_end.as_deref()) {
                let leader = self.leader.clone();
                self.read_log(leader.as_deref());
            }
            self.member
                .announce(self.replica.is_whole(), self.relays.pass_at());
        }
        self.questions.give_up(self.leader.as_deref());
        self.hand_over();
        if self.checked_at.elapsed() >= CHECK_EACH {
            self.checked_at = Instant::now();
            self.check_ourselves();
            self.write_status(&view);
            // As every node does for itself.
            let keep = self.options.keep_history;
            self.pruner.work(self.replica.history(), keep, unix_now());
        }
    }

    /// Hands over what this node had told people on its own, until it is taken.
    fn hand_over(&mut self) {
        let left = self.replica.left_over();
        self.left_over.incidents.extend(left.incidents);
        self.left_over.silences.extend(left.silences);
        if let Some((answer, since)) = &self.handed_over {
            match answer.try_recv() {
                Ok(Reply::Done { .. }) => {
                    (self.left_over, self.handed_over) = (AdoptedState::default(), None);
                }
                _ if since.elapsed() < CHECK_EACH => return,
                _ => self.handed_over = None,
            }
        }
        if let (false, Some(leader)) = (self.left_over.is_empty(), self.leader.as_deref()) {
            let (reply, answer) = bounded(1);
            self.questions.adopt(leader, &self.left_over, reply);
            self.handed_over = Some((answer, Instant::now()));
        }
    }

    fn led_by(&mut self, leader: Option<String>) {
        match &leader {
            Some(leader) => tracing::info!(
                "node `{}` leads the dispatch of all nodes",
                Session::node_of(leader)
            ),
            None => {
                tracing::warn!("no node leads the dispatch at present :: findings are kept for the next one")
            }
        }
        self.relays.led_by(leader.clone());
        self.questions.led_by(leader.as_deref());
        self.told_ill = None;
        self.leader = leader;
        self.write_status(&self.member.leadership.view());
    }

    fn message(&mut self, message: DispatchMessage) {
        match message {
            DispatchMessage::Ask(request, reply) => self.ask(&request, reply),
            DispatchMessage::Examine(metric, at, reply) => {
                self.questions.examine(self.leader.as_deref(), &metric, at, reply);
            }
            DispatchMessage::Change(change, _) => {
                self.self_monitor.change(change.self_monitor.clone());
                self.options.change(*change);
            }
            // Of a time when this node led: the one that does knows what it marked.
            DispatchMessage::Delivered(_) | DispatchMessage::CausesFound(_) | DispatchMessage::Adopt(..) => {}
        }
    }

    /// Answers from this node's history what that knows; the rest is for the node that leads.
    fn ask(&mut self, request: &Request, reply: Sender<Reply>) {
        let now = unix_now();
        let known = self
            .replica
            .reader()
            .and_then(|history| read_request(history, request, || lasting(history, now), now));
        match known {
            Some(known) => {
                let refused = |error: crate::history::HistoryError| Reply::Refused {
                    why: error.to_string(),
                };
                // Whoever asked may have gone.
                let _ = reply.send(known.unwrap_or_else(refused));
            }
            None => self.questions.ask(self.leader.as_deref(), request, reply),
        }
    }

    /// Tells the leading node what is wrong with this one, and once that nothing is.
    fn check_ourselves(&mut self) {
        let now = unix_now();
        let mut seen: Vec<Observation> = self.self_monitor.ingest(now).into_iter().collect();
        if let Some((state_dir, began)) = self.self_monitor.events() {
            seen.extend(event_sinks::check(state_dir, began, now));
        }
        let trouble = self.replica.trouble().map(str::to_owned);
        seen.push(observation("skywatch.history", trouble, now));
        let is_ill = seen
            .iter()
            .any(|seen| matches!(seen.outcome, ObservedOutcome::Anomalous(_)));
        if self.leader.is_none() || (!is_ill && self.told_ill == Some(false)) {
            return;
        }
        self.told_ill = Some(is_ill);
        if let Some((client, _)) = &self.own {
            client.inlet().report(FinderReport::Seen(Box::new(Observations {
                seen,
                ..Observations::default()
            })));
        }
    }

    fn write_status(&self, view: &LeadView) {
        if let Some(status) = &self.options.status {
            status.write(&DispatchStatus {
                at: unix_now(),
                counters: self.member.counters(),
                node: self.member.node().to_owned(),
                nodes: self.member.nodes(view),
            });
        }
    }
}

/// Metrics that are anomalous at `now`, as far as the history says.
fn lasting(history: &HistoryReader, now: f64) -> Vec<String> {
    let filter = Filter {
        phases: vec![Phase::Open, Phase::Acknowledged],
        ..Filter::default()
    };
    let lasting: Vec<Incident> = history.incidents(&filter, MOST_LASTING).unwrap_or_default();
    anomalous(lasting.iter(), now)
}

/// A finder of what is wrong with this node: it hands over as all others do.
fn own_finder() -> Option<(InletClient, Receiver<FromFinder>)> {
    let (send, receive) = bounded(OWN_REPORTS);
    let client = InletClient::start(InletAddress::Thread(send), Finder::new("dispatch", None), None);
    client
        .inspect_err(|error| {
            tracing::error!("what is wrong with this node is not told :: no thread for it: {error}")
        })
        .ok()
        .map(|client| (client, receive))
}
