//! Clients nobody here wrote: carbon's own relay with its pickles, `graphyte`, a Prometheus, Python's `msgpack`.
//!
//! Programs come from Debian's packages `graphite-carbon` and `prometheus`, libraries from PyPI into a virtual environment
//! in the target folder. One that is missing is an error, never a skip; `scripts/test` installs them.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

use skywatch::ingest::client::Protocol;

use super::node::{Node, stored};
use crate::common::program::Program;
use crate::common::redis::{RedisServer, free_port};
use crate::common::series::now;
use crate::common::skywatch::Setup;
use crate::common::{prometheus, wait_for};

/// A Python with the libraries; made once and kept.
fn python() -> PathBuf {
    static MAKING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = MAKING.lock();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-clients");
    let python = folder.join("bin/python");
    let has = |python: &Path| {
        let check = Command::new(python)
            .args(["-c", "import graphyte, msgpack"])
            .stderr(Stdio::null())
            .status();
        check.is_ok_and(|status| status.success())
    };
    if !has(&python) {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder));
        run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "graphyte", "msgpack"]));
        assert!(has(&python));
    }
    python
}

fn run(command: &mut Command) -> String {
    let ended = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&ended.stdout).into_owned()
}

#[test]
fn the_relay_of_carbon_delivers_its_pickles() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[]);
    let folder = tempfile::tempdir().unwrap();
    let (lines, pickles) = (free_port(), free_port());
    let configuration = format!(
        "[relay]\nLINE_RECEIVER_INTERFACE = 127.0.0.1\nLINE_RECEIVER_PORT = {lines}\n\
         PICKLE_RECEIVER_INTERFACE = 127.0.0.1\nPICKLE_RECEIVER_PORT = {pickles}\nRELAY_METHOD = rules\n\
         DESTINATIONS = {}\nMAX_DATAPOINTS_PER_MESSAGE = 500\nMAX_QUEUE_SIZE = 100000\n",
        node.address(Protocol::Pickle)
    );
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("carbon.conf"), configuration).unwrap();
    std::fs::write(
        path("relay-rules.conf"),
        format!(
            "[all]\ndefault = true\ndestinations = {}\n",
            node.address(Protocol::Pickle)
        ),
    )
    .unwrap();
    // Asked for, though nothing is stored.
    std::fs::write(
        path("storage-schemas.conf"),
        "[all]\npattern = .*\nretentions = 60s:1d\n",
    )
    .unwrap();
    let mut command = Command::new("carbon-relay");
    command
        .arg("--nodaemon")
        .arg(format!("--config={}", path("carbon.conf").display()))
        .arg(format!("--rules={}", path("relay-rules.conf").display()))
        .arg(format!("--logdir={}", folder.path().display()))
        .arg(format!("--pidfile={}", path("pid").display()))
        .arg("start")
        .env("GRAPHITE_STORAGE_DIR", folder.path());
    let relay = Program::start(&mut command, folder.path(), "graphite-carbon");
    let log = || std::fs::read_to_string(path("program.log")).unwrap_or_default();
    let mut stream = wait_for(&format!("the relay: {}", log()), || {
        TcpStream::connect(("127.0.0.1", lines)).ok()
    });
    let time = now();
    for n in 0..5_000 {
        writeln!(
            stream,
            "relay.m{};b=2;a=1 {n}.25 {}",
            n % 100,
            time - f64::from(n / 100)
        )
        .unwrap();
    }
    drop(stream);
    wait_for("all points", || (node.counter("written") >= 5_000).then_some(()));
    drop(relay);
    node.stop();
    // The relay reports on itself as well.
    let found = stored(&redis);
    let ours: Vec<_> = found
        .iter()
        .filter(|(name, _)| name.starts_with("relay.m"))
        .collect();
    assert_eq!(ours.len(), 100, "{:?}\n{}", found.keys(), log());
    for (name, series) in ours {
        let metric: f64 = name["relay.m".len()..name.find(';').unwrap()].parse().unwrap();
        assert!(name.ends_with(";a=1;b=2"), "{name}");
        let expected: Vec<_> = (0..50)
            .rev()
            .map(|n| (time - f64::from(n), metric + 100.0 * f64::from(n) + 0.25))
            .collect();
        assert_eq!(*series, expected);
    }
    let mut drops = node.drops();
    drops.remove("unfinished");
    assert_eq!(drops.len(), 0, "{drops:?}");
}

#[test]
fn python_clients_deliver() {
    let redis = RedisServer::start();
    let node = Node::start(&redis, &[]);
    let time = now();
    let port = |protocol| node.address(protocol).port();
    let script = format!(
        "import graphyte, msgpack, pickle, socket, struct\n\
         sender = graphyte.Sender('127.0.0.1', port={}, prefix='graphyte')\n\
         sender.send('a.b', 42.5, timestamp={time}, tags={{'z': '1', 'c': '2'}})\n\
         sender.stop()\n\
         sender = graphyte.Sender('127.0.0.1', port={}, protocol='udp')\n\
         sender.send('graphyte.udp', 43, timestamp={time})\n\
         sender.stop()\n\
         udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         for raw in (False, True):\n\
         \u{20}   name = 'msgpack.bytes' if raw else 'msgpack.text'\n\
         \u{20}   packed = msgpack.packb([name.encode() if raw else name, [{time}, 7]])\n\
         \u{20}   udp.sendto(packed, ('127.0.0.1', {}))\n\
         for protocol in range(pickle.HIGHEST_PROTOCOL + 1):\n\
         \u{20}   tcp = socket.create_connection(('127.0.0.1', {}))\n\
         \u{20}   data = pickle.dumps([('pickle.%d' % protocol, ({time}, protocol + 0.5)), ('pickle.int', (int({time}), 2**40))], protocol)\n\
         \u{20}   tcp.sendall(struct.pack('!L', len(data)) + data)\n\
         \u{20}   tcp.close()\n",
        port(Protocol::Carbon),
        port(Protocol::CarbonUdp),
        port(Protocol::Msgpack),
        port(Protocol::Pickle),
    );
    run(Command::new(python()).args(["-c", &script]));
    node.wait_for_counter("written", 4 + 2 * 6);
    let found = stored(&redis);
    assert_eq!(found["graphyte.a.b;c=2;z=1"], [(time, 42.5)]);
    assert_eq!(found["graphyte.udp"], [(time, 43.0)]);
    assert_eq!(found["msgpack.text"], [(time, 7.0)]);
    assert_eq!(found["msgpack.bytes"], [(time, 7.0)]);
    for protocol in 0..=5 {
        assert_eq!(
            found[&format!("pickle.{protocol}")],
            [(time, f64::from(protocol) + 0.5)]
        );
    }
    assert_eq!(found["pickle.int"], [(time, 1_099_511_627_776.0)]);

    // The other way: a window of ours through the unpacker of the original's analyzer.
    let read = format!(
        "import msgpack, socket\n\
         s = socket.socket(socket.AF_UNIX); s.connect('{}')\n\
         s.sendall(b'GET metrics.graphyte.a.b;c=2;z=1\\r\\n'); f = s.makefile('rb')\n\
         data = f.read(int(f.readline()[1:]))\n\
         unpacker = msgpack.Unpacker(use_list=False); unpacker.feed(data); print(list(unpacker))",
        redis.socket().display()
    );
    let said = run(Command::new(python()).args(["-c", &read]));
    assert_eq!(said.trim(), format!("[({time:.0}, 42.5)]"));
}

#[test]
fn a_prometheus_delivers_by_remote_write() {
    let redis = RedisServer::start();
    let node = Node::start(&redis, &[]);
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = format!(
        "scrape_configs: [ {{ job_name: it self, static_configs: [ {{ targets: ['127.0.0.1:{port}'] }} ] }} ]\n\
         remote_write: [ {{ url: 'http://{}/api/v1/write', queue_config: {{ batch_send_deadline: 200ms }} }} ]\n",
        node.address(Protocol::RemoteWrite)
    );
    let prometheus = prometheus::start(folder.path(), port, &configuration);
    let up = format!("up;instance=127.0.0.1:{port};job=it%20self");
    wait_for("ten points of `up`", || {
        (stored(&redis).get(&up).is_some_and(|series| series.len() >= 10)).then_some(())
    });
    // The other way: fetched from it, the series has the same name, and the values it had.
    let other = RedisServer::start();
    let url = format!("http://127.0.0.1:{port}");
    let ended = Setup::new().on(&other).run(
        &[
            &["backfill", "--prometheus", &url, "--match", "up"][..],
            &["--query", "sum by (job) (up)", "--metric", "jobs"],
            &["--step", "1s", "--from", "-30s"],
        ]
        .concat(),
    );
    assert_eq!(ended.code(), 0, "{}", ended.log);
    drop(prometheus);
    let fetched = stored(&other);
    for name in [&up, "jobs;job=it%20self"] {
        let points = &fetched[name];
        assert!(
            points.len() >= 2 && points.last().unwrap().1 == 1.0,
            "{name}: {points:?} {}",
            ended.log
        );
    }
    let found = stored(&redis);
    assert!(
        found[&up].iter().filter(|point| point.1 == 1.0).count() >= 9,
        "{:?}",
        found[&up]
    );
    assert!(
        found[&up]
            .windows(2)
            .all(|pair| (0.1..1.5).contains(&(pair[1].0 - pair[0].0))),
        "{:?}",
        found[&up]
    );
    assert!(found.len() > 100, "{} series", found.len());
    for drop in ["malformed", "bad_frame", "bad_name", "frame_too_long"] {
        assert_eq!(node.counter(&format!("dropped.{drop}")), 0, "{drop}");
    }
}

#[test]
fn a_prometheus_proves_who_it_is_and_delivers_over_tls() {
    let redis = RedisServer::start();
    let tls = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/store/tls");
    let (certificate, key) = (format!("{tls}/server.pem"), format!("{tls}/server.key"));
    let node = Node::start(
        &redis,
        &[
            ("remote_write_token", "correct-horse-battery"),
            ("remote_write_tls_cert_file", &certificate),
            ("remote_write_tls_key_file", &key),
        ],
    );
    let url = format!("https://{}/api/v1/write", node.address(Protocol::RemoteWrite));
    let authority = std::fs::read(format!("{tls}/ca.pem")).unwrap();
    let authority = ureq::tls::Certificate::from_pem(&authority).unwrap();
    let trusted = ureq::tls::TlsConfig::builder()
        .root_certs(ureq::tls::RootCerts::new_with_certs(&[authority]))
        .build();
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .tls_config(trusted)
        .http_status_as_error(false)
        .build()
        .into();
    for token in ["", "Bearer wrong", "correct-horse-battery"] {
        let refused = agent
            .post(&url)
            .header("authorization", token)
            .send(&[][..])
            .unwrap();
        assert_eq!(refused.status(), 401, "{token}");
    }
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let configuration = format!(
        "scrape_configs: [ {{ job_name: it, static_configs: [ {{ targets: ['127.0.0.1:{port}'] }} ] }} ]\n\
         remote_write: [ {{ url: '{url}', authorization: {{ credentials: correct-horse-battery }}, \
         tls_config: {{ ca_file: '{tls}/ca.pem' }}, queue_config: {{ batch_send_deadline: 200ms }} }} ]\n"
    );
    let _prometheus = prometheus::start(folder.path(), port, &configuration);
    let up = format!("up;instance=127.0.0.1:{port};job=it");
    wait_for("a point of `up`", || {
        stored(&redis).contains_key(&up).then_some(())
    });
}
