//! What every lease of the lead does, and what nodes make of it: in memory, in a real Redis, and in a real Redis Cluster.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use skywatch::cluster::{
    FencingToken, LeadReply, LeadRequest, LeadStanding, LeadStore, Leadership, LeaseTerms, LogAppend,
    RedisLead, RedisLog, RedisMessages, RedisSent, SendMark, Session, UnreadState,
};
use skywatch::store::redis::RedisConnect;

use super::memory_lead::{LeadTable, MemoryLead};
use crate::common::redis::RedisServer;
use crate::common::redis_cluster::ServerCluster;
use crate::common::wait_for;
use crate::store::backends::redis_at;

const TTL: Duration = Duration::from_millis(400);
const LIMIT: Duration = Duration::from_secs(5);

/// Opens one more handle of the same lease.
type Open<'a> = &'a dyn Fn() -> Box<dyn LeadStore>;

/// What holds of a lease that nobody has had.
type Law = fn(Open<'_>);

/// Laws by name.
const LAWS: [(&str, Law); 5] = [
    ("one leads", one_leads_and_each_who_does_has_an_epoch_of_its_own),
    (
        "silence",
        a_silent_leader_loses_the_lead_and_takes_it_under_another_epoch,
    ),
    ("runs", a_run_ends_the_one_before),
    ("ends", a_session_that_is_ended_leads_no_more),
    ("nodes", nodes_lead_one_after_the_other),
];

fn hold(law: impl Fn(&str, Law)) {
    for (name, holds) in LAWS {
        law(name, holds);
    }
}

fn hold_in(connect: &RedisConnect) {
    hold(|name, law| law(&|| Box::new(RedisLead::new(connect, name, LIMIT))));
}

#[test]
fn the_lead_in_memory_is_led_as_the_laws_say() {
    hold(|_, law| {
        let (table, begun) = (Arc::new(Mutex::new(LeadTable::default())), Instant::now());
        law(&|| {
            Box::new(MemoryLead {
                table: Arc::clone(&table),
                begun,
            })
        });
    });
}

#[test]
fn the_lead_in_a_redis_is_led_as_the_laws_say() {
    let server = RedisServer::start();
    hold_in(&redis_at(&server.socket_url()));
}

#[test]
fn the_lead_in_a_redis_cluster_is_led_as_the_laws_say() {
    let cluster = ServerCluster::start();
    hold_in(&cluster.connect());
    what_an_earlier_leader_writes_is_refused(&cluster.connect());
    a_heartbeat_says_what_is_unread(&cluster.connect());
}

#[test]
fn what_an_earlier_leader_writes_to_a_redis_is_refused() {
    let server = RedisServer::start();
    what_an_earlier_leader_writes_is_refused(&redis_at(&server.socket_url()));
}

#[test]
fn a_heartbeat_to_a_redis_says_what_is_unread() {
    let server = RedisServer::start();
    a_heartbeat_says_what_is_unread(&redis_at(&server.socket_url()));
}

/// A heartbeat that takes the lead if it is free.
fn beat(session: &Session) -> LeadRequest {
    LeadRequest {
        session: session.clone(),
        ttl: TTL,
        joins: false,
        gives_back: None,
        takes: true,
        above: 0,
        about: format!("{{\"of\": \"{} and a space\"}}", session.node()),
    }
}

/// Who leads, under which epoch, and which nodes live.
fn seen(reply: &LeadReply) -> (u64, &str, Vec<&str>) {
    let (epoch, leader) = match &reply.leader {
        Some(leader) => (leader.epoch, leader.session.as_str()),
        None => (0, ""),
    };
    let nodes = reply.nodes.iter().map(|node| node.session.as_str());
    (epoch, leader, nodes.collect())
}

fn one_leads_and_each_who_does_has_an_epoch_of_its_own(open: Open<'_>) {
    let (mut lead, a, b) = (open(), Session::new("a", "1"), Session::new("b", "1"));
    let mut ask = |request: &LeadRequest| lead.exchange(request).expect("an answer");
    let follows = |session: &Session| LeadRequest {
        takes: false,
        ttl: 100 * TTL,
        ..beat(session)
    };
    let takes = |session: &Session, above| LeadRequest {
        above,
        ttl: 100 * TTL,
        ..beat(session)
    };
    let gives = |session: &Session, epoch| LeadRequest {
        gives_back: Some(epoch),
        ..follows(session)
    };
    assert_eq!(
        seen(&ask(&follows(&a))),
        (0, "", vec!["a/1"]),
        "nobody has to lead"
    );
    assert_eq!(seen(&ask(&takes(&a, 0))), (1, "a/1", vec!["a/1"]));
    assert_eq!(
        seen(&ask(&takes(&a, 0))).0,
        1,
        "an answer that was lost costs nothing"
    );
    let both = ask(&takes(&b, 0));
    assert_eq!(seen(&both), (1, "a/1", vec!["a/1", "b/1"]), "it is held");
    assert_eq!(
        both.nodes[0].about,
        beat(&a).about,
        "what it says of itself, as it was said"
    );
    assert_eq!(
        seen(&ask(&follows(&a))).1,
        "a/1",
        "who leads and does not want to goes on"
    );
    assert_eq!(seen(&ask(&gives(&b, 1))).1, "a/1", "given back by somebody else");
    assert_eq!(seen(&ask(&gives(&a, 2))).1, "a/1", "under another epoch");
    assert_eq!(seen(&ask(&gives(&a, 1))), (0, "", vec!["a/1", "b/1"]));
    assert_eq!(seen(&ask(&takes(&b, 40))).0, 41, "above all it has seen");
    assert_eq!(seen(&ask(&gives(&a, 1))).1, "b/1", "once more, too late");
    assert_eq!(seen(&ask(&gives(&b, 41))).1, "");
    assert_eq!(seen(&ask(&takes(&a, 0))).0, 42, "and above all that were given");
}

fn a_silent_leader_loses_the_lead_and_takes_it_under_another_epoch(open: Open<'_>) {
    let (mut lead, a, b) = (open(), Session::new("a", "1"), Session::new("b", "1"));
    let mut ask = |request: &LeadRequest| lead.exchange(request).expect("an answer");
    let looks = |session: &Session| LeadRequest {
        takes: false,
        ..beat(session)
    };
    ask(&beat(&a));
    let silent = Instant::now();
    wait_for("the lease runs out", || {
        (seen(&ask(&looks(&b))) == (0, "", vec!["b/1"])).then_some(())
    });
    assert!(
        silent.elapsed() >= TTL - Duration::from_millis(20),
        "not before its time"
    );
    assert_eq!(
        seen(&ask(&beat(&a))),
        (2, "a/1", vec!["a/1", "b/1"]),
        "one more: nobody had it between"
    );
    let long = LeadRequest {
        ttl: 100 * TTL,
        ..beat(&b)
    };
    wait_for("it runs out again", || {
        (seen(&ask(&long)).1 == "b/1").then_some(())
    });
    assert_eq!(seen(&ask(&beat(&a))).0, 3, "too late");
}

fn a_run_ends_the_one_before(open: Open<'_>) {
    let (mut lead, first, second) = (open(), Session::new("a", "1"), Session::new("a", "2"));
    let mut ask = |request: &LeadRequest| lead.exchange(request).expect("an answer");
    let joins = |session: &Session| LeadRequest {
        joins: true,
        ttl: 100 * TTL,
        ..beat(session)
    };
    assert_eq!(seen(&ask(&joins(&first))), (1, "a/1", vec!["a/1"]));
    assert_eq!(
        seen(&ask(&joins(&first))).0,
        1,
        "an answer that was lost costs nothing"
    );
    assert_eq!(
        seen(&ask(&joins(&second))),
        (2, "a/2", vec!["a/2"]),
        "it is not waited for"
    );
    assert_eq!(seen(&ask(&beat(&first))).1, "a/2", "it takes nothing back");
    assert_eq!(
        seen(&ask(&joins(&Session::new("ab", "1")))).1,
        "a/2",
        "a name that only begins like it is another one"
    );
}

fn a_session_that_is_ended_leads_no_more(open: Open<'_>) {
    let (mut lead, a, b) = (open(), Session::new("a", "1"), Session::new("b", "1"));
    let long = |session: &Session| LeadRequest {
        ttl: 100 * TTL,
        ..beat(session)
    };
    lead.exchange(&long(&a)).expect("an answer");
    lead.exchange(&long(&b)).expect("an answer");
    lead.end("b/1").expect("an answer");
    let left = lead.exchange(&long(&a)).expect("an answer");
    assert_eq!(
        seen(&left),
        (1, "a/1", vec!["a/1"]),
        "one that follows leads nothing"
    );
    lead.end("a/1").expect("an answer");
    lead.end("c/7").expect("of one that there never was");
    let taken = lead.exchange(&long(&b)).expect("an answer");
    assert_eq!(seen(&taken), (2, "b/1", vec!["b/1"]), "at once");
}

/// The epoch since which a node leads.
fn leads_since(node: &Leadership) -> Option<u64> {
    match node.view().standing {
        LeadStanding::Leads { began, .. } => Some(began),
        _ => None,
    }
}

fn nodes_lead_one_after_the_other(open: Open<'_>) {
    let terms = LeaseTerms {
        ttl: Duration::from_secs(3),
    };
    let start = |name| Leadership::start(open(), name, terms).expect("a thread");
    let (a, b) = (start("a"), start("b"));
    assert_eq!(
        a.refresh().standing,
        LeadStanding::Follows,
        "who does not stand takes nothing"
    );
    a.stand(true);
    a.announce("first".to_owned());
    assert!(a.refresh().answers);
    assert_eq!(leads_since(&a), Some(1));
    b.stand(true);
    let view = b.refresh();
    assert_eq!((view.standing, view.answers), (LeadStanding::Follows, true));
    assert_eq!(
        view.leader.map(|leader| leader.session),
        Some(a.session().to_string())
    );
    assert_eq!(view.nodes[0].about, "first");

    a.resign();
    assert_eq!(a.view().standing, LeadStanding::Follows);
    wait_for("the other to take what was given up, by its heartbeat", || {
        (leads_since(&b) == Some(2)).then_some(())
    });
    a.stand(true);
    assert_eq!(a.refresh().standing, LeadStanding::Follows);
    b.leave();
    assert_ne!(leads_since(&b), Some(2));
    wait_for("the lead of one that left", || {
        (leads_since(&a) == Some(3)).then_some(())
    });
    drop(a);
    let (c, begun) = (start("c"), Instant::now());
    c.stand(true);
    wait_for("the lease of a node that died runs out", || {
        (leads_since(&c) == Some(4)).then_some(())
    });
    assert!(begun.elapsed() > terms.ttl / 2, "not before");
}

fn what_an_earlier_leader_writes_is_refused(connect: &RedisConnect) {
    let mut lead = RedisLead::new(connect, "fence", LIMIT);
    let (mut log, mut sent) = (
        RedisLog::new(connect, "fence", LIMIT),
        RedisSent::new(connect, "fence", LIMIT),
    );
    let mut takes = |node: &str, gives_back: Option<&FencingToken>| {
        if let Some(before) = gives_back {
            lead.end(&before.session).expect("an answer");
        }
        let request = LeadRequest {
            ttl: 100 * TTL,
            ..beat(&Session::new(node, "1"))
        };
        let reply = lead.exchange(&request).expect("an answer");
        reply.leader.expect("it was free")
    };
    let first = takes("a", None);
    let LogAppend::At(begin) = log.begin(&first, b"one", 100).expect("an answer") else {
        panic!("it leads")
    };
    let marked = |sent: &mut RedisSent, token, notice| sent.mark(token, notice).expect("an answer");
    assert_eq!(marked(&mut sent, &first, "n1"), SendMark::New);
    assert_eq!(
        marked(&mut sent, &first, "n1"),
        SendMark::New,
        "its own mark says nothing against it"
    );

    let second = takes("b", Some(&first));
    assert!(second.epoch > first.epoch);
    let refused = log.append(&first, &begin, b"late", 100).expect("an answer");
    assert_eq!(refused, LogAppend::Refused);
    assert_eq!(
        log.begin(&first, b"anew", 100).expect("an answer"),
        LogAppend::Refused
    );
    assert_eq!(marked(&mut sent, &first, "n2"), SendMark::Refused);
    assert_eq!(marked(&mut sent, &second, "n1"), SendMark::Again);
    let gap = log.append(&second, "1-1", b"two", 100).expect("an answer");
    assert_eq!(gap, LogAppend::Gap);
    let LogAppend::At(_) = log.append(&second, &begin, b"two", 100).expect("an answer") else {
        panic!("it leads, and follows the last entry")
    };
    let entries = log.read(None, 10).expect("an answer");
    let texts: Vec<&[u8]> = entries.iter().map(|(_, text)| text.as_slice()).collect();
    assert_eq!(texts, [b"one", b"two"]);
}

/// Where the log ends and how many messages wait is known without a question for either, for each session its own.
fn a_heartbeat_says_what_is_unread(connect: &RedisConnect) {
    let name = "unread";
    let mut lead = RedisLead::new(connect, name, LIMIT);
    let mut log = RedisLog::new(connect, name, LIMIT);
    let mut messages = RedisMessages::new(connect, name, LIMIT);
    let (leads, follows) = (Session::new("a", "1"), Session::new("b", "1"));
    let mut unread = |session: &Session| {
        let request = LeadRequest {
            ttl: 100 * TTL,
            ..beat(session)
        };
        let reply = lead.exchange(&request).expect("an answer");
        (reply.leader.expect("somebody leads"), reply.unread)
    };
    let (token, nothing) = unread(&leads);
    assert_eq!(nothing, UnreadState::default());
    let Ok(LogAppend::At(first)) = log.begin(&token, b"first", 10) else {
        panic!("the log begins");
    };
    assert_eq!(unread(&follows).1.log_end.as_deref(), Some(first.as_str()));
    let Ok(LogAppend::At(second)) = log.append(&token, &first, b"second", 10) else {
        panic!("the log goes on");
    };
    for message in [b"one", b"two"] {
        assert!(messages.send(&follows.to_string(), message).expect("an answer"));
    }
    let log_end = Some(second);
    let of = |messages| UnreadState {
        log_end: log_end.clone(),
        messages,
    };
    assert_eq!((unread(&follows).1, unread(&leads).1), (of(2), of(0)));
    assert_eq!(messages.take(&follows.to_string()).expect("an answer").len(), 2);
    assert_eq!(unread(&follows).1, of(0));
}
