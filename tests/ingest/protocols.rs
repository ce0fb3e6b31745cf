//! Each protocol alone: what is sent is what is stored, whoever sends it.

use std::io::Write as _;
use std::net::TcpStream;

use skywatch::ingest::client::Protocol;

use super::node::{Node, PROTOCOLS, stored};
use crate::common::redis::RedisServer;
use crate::common::series::now;

#[test]
fn the_same_points_over_every_protocol_become_the_same_series() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[]);
    let time = now();
    let values = [1.5, -2e-300, 1e300, 0.1 + 0.2, 4e15, 0.0];
    for (protocol, _) in PROTOCOLS {
        let name = format!("{protocol:?};host=b;dc=a");
        let mut points: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(n, value)| (name.as_str(), time - n as f64 - 0.25, *value))
            .collect();
        let wide = format!("größe.{protocol:?}");
        points.push((&wide, time, 7.0));
        let mut client = node.client(protocol);
        client.send(&points).unwrap();
        client.finish().unwrap();
    }
    node.wait_for_counter("written", 5 * 7);
    let found = stored(&redis);
    assert_eq!(found.len(), 10, "{:?}", found.keys());
    let mut expected: Vec<_> = values
        .iter()
        .enumerate()
        .map(|(n, value)| (time - n as f64 - 0.25, *value))
        .collect();
    expected.reverse();
    for (protocol, _) in PROTOCOLS {
        assert_eq!(found[&format!("{protocol:?};dc=a;host=b")], expected);
        assert_eq!(found[&format!("größe.{protocol:?}")], [(time, 7.0)]);
    }
    node.stop();
    assert_eq!(node.drops().len(), 0, "{:?}", node.drops());
    for service in ["carbon", "carbon_udp", "pickle", "msgpack", "remote_write"] {
        for what in ["received", "accepted", "written"] {
            assert_eq!(
                node.total(&format!("listener.{service}.{what}")),
                7,
                "{service} {what}"
            );
        }
    }
}

#[test]
fn a_file_is_replayed_over_every_protocol() {
    let redis = RedisServer::start();
    let node = Node::start(&redis, &[]);
    let (named, nab) = (node.setup().path("named.csv"), node.setup().path("nab.csv"));
    std::fs::write(
        &named,
        "name,time,value\na.b,60,1.5\na.b,120,2.5\n\"c,d\",120,3\n",
    )
    .unwrap();
    std::fs::write(
        &nab,
        "timestamp,value\n2014-02-14 14:30:00,1\n2014-02-14 14:35:00,2\n",
    )
    .unwrap();
    for (number, (protocol, _)) in PROTOCOLS.into_iter().enumerate() {
        let word = ["carbon", "carbon-udp", "pickle", "msgpack", "remote-write"][number];
        let to = node.address(protocol).to_string();
        for (file, metric, points) in [(&named, None, 3), (&nab, Some(format!("nab.{word}")), 2)] {
            let mut arguments = vec![
                "send",
                file.to_str().unwrap(),
                "--to",
                &to,
                "--protocol",
                word,
                "--restamp",
                "--rate",
                "1000",
            ];
            arguments.extend(metric.iter().flat_map(|metric| ["--metric", metric]));
            let ended = node.setup().run(&arguments);
            assert_eq!(ended.code(), 0, "{}", ended.log);
            ended.line(&format!("{points} points sent to {to}"));
        }
        node.wait_for_counter("written", 5 * (number as u64 + 1));
    }
    let found = stored(&redis);
    for series in [&found["nab.pickle"], &found["nab.remote-write"]] {
        assert_eq!(
            (series[1].0 - series[0].0, series[0].1, series[1].1),
            (300.0, 1.0, 2.0)
        );
        assert!((series[1].0 - now()).abs() < 30.0);
    }
    assert_eq!(found["c,d"][0].1, 3.0);
}

#[test]
fn foreign_bytes_on_every_port_are_counted_and_hurt_nobody() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[]);
    let time = now();
    let http = |body: &str| {
        format!(
            "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    for garbage in [
        &b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 100_000],
        b"\0\0\0\x05cos\n.",
    ] {
        for (protocol, _) in PROTOCOLS {
            match protocol {
                Protocol::CarbonUdp | Protocol::Msgpack => {
                    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
                    socket
                        .send_to(&garbage[..garbage.len().min(60_000)], node.address(protocol))
                        .unwrap();
                }
                _ => {
                    let mut stream = TcpStream::connect(node.address(protocol)).unwrap();
                    let _ = stream.write_all(garbage);
                }
            }
        }
    }
    let mut stream = TcpStream::connect(node.address(Protocol::RemoteWrite)).unwrap();
    stream.write_all(http("no snappy").as_bytes()).unwrap();
    for (protocol, _) in PROTOCOLS {
        let mut client = node.client(protocol);
        client
            .send(&[(&format!("good.{protocol:?}"), time, 1.0)])
            .unwrap();
        client.finish().unwrap();
    }
    node.wait_for_counter("written", 5);
    node.stop();
    let drops = node.drops();
    for reason in [
        "malformed",
        "not_utf8",
        "line_too_long",
        "bad_frame",
        "frame_too_long",
    ] {
        assert!(drops.get(reason).is_some_and(|n| *n > 0), "{reason}: {drops:?}");
    }
    assert_eq!(stored(&redis).len(), 5);
}

/// One element that is none costs only itself, in every protocol that has elements.
#[test]
fn one_bad_element_keeps_its_neighbours() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[]);
    let time = now();
    let bad = ["1e9999", "nan", "-inf", "x", "1_000", "", "null"];
    let mut lines = String::new();
    for (number, value) in bad.iter().enumerate() {
        lines.push_str(&format!(
            "before.{number} 1 {time}\nbad {value} {time}\nafter.{number} 1 {time}\n"
        ));
    }
    let mut stream = TcpStream::connect(node.address(Protocol::Carbon)).unwrap();
    stream.write_all(lines.as_bytes()).unwrap();
    drop(stream);
    let udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let lines = lines
        .replace("before", "udp.before")
        .replace("after", "udp.after");
    udp.send_to(lines.as_bytes(), node.address(Protocol::CarbonUdp))
        .unwrap();
    // A dictionary, None, a number with hundreds of digits, and points in between.
    let point = |name: &str| {
        let mut bytes = b"U".to_vec();
        bytes.push(name.len() as u8);
        bytes.extend(name.as_bytes());
        bytes.extend(format!("F{time}\nF1.5\n").as_bytes());
        bytes.extend(b"\x86\x86");
        bytes
    };
    let mut pickle = b"](".to_vec();
    for bad in [&b"}"[..], b"N", b"U\x03badK\x01L", b"(K\x01K\x02d"] {
        pickle.extend(point("pickled"));
        pickle.extend(bad);
        if bad.ends_with(b"L") {
            pickle.extend([b'9'; 500]);
            pickle.extend(b"L\n\x86\x86");
        }
    }
    pickle.extend(point("pickled.last"));
    pickle.extend(b"e.");
    let mut stream = TcpStream::connect(node.address(Protocol::Pickle)).unwrap();
    stream.write_all(&(pickle.len() as u32).to_be_bytes()).unwrap();
    stream.write_all(&pickle).unwrap();
    drop(stream);
    node.wait_for_counter("written", 2 * 14 + 5);
    node.stop();
    let found = stored(&redis);
    for number in 0..bad.len() {
        for name in ["before", "after", "udp.before", "udp.after"] {
            assert_eq!(found[&format!("{name}.{number}")], [(time, 1.0)]);
        }
    }
    assert_eq!(found["pickled.last"], [(time, 1.5)]);
    let drops = node.drops();
    assert_eq!(drops["not_finite"], 6 + 1, "{drops:?}");
    assert_eq!(drops["malformed"], 2 * 4 + 3, "{drops:?}");
    assert!(!drops.contains_key("bad_frame"), "{drops:?}");
    // Who has sent it is in the log.
    let log = node.log();
    let told = log
        .lines()
        .find(|line| line.contains("carbon :: point dropped, not_finite"));
    assert!(
        told.is_some_and(|line| line.contains(", from 127.0.0.1:")),
        "{log}"
    );
}

/// A Prometheus that scrapes us sends our own figures back, and a pod has many labels.
#[test]
fn our_own_figures_are_not_watched_and_long_names_are() {
    let redis = RedisServer::start();
    let mut node = Node::start(&redis, &[]);
    let time = now();
    let labels: String = (0..20)
        .map(|number| format!(";label_of_a_pod_number_{number:02}=value_of_quite_some_length_{number:02}"))
        .collect();
    let long = format!("container_cpu_usage_seconds_total{labels}");
    assert!(long.len() > 1_024, "{}", long.len());
    let mut client = node.client(Protocol::RemoteWrite);
    client
        .send(&[
            (&long, time, 1.0),
            (
                "skywatch_analyzer_run_time;instance=a:1500;job=skywatch",
                time,
                1.0,
            ),
            (
                "skywatch_ingest_received_total;instance=a:1500;job=skywatch",
                time,
                1.0,
            ),
            ("skywatch.host.ingest.received", time, 1.0),
            ("app.skywatch_errors", time, 1.0),
        ])
        .unwrap();
    client.finish().unwrap();
    node.wait_for_counter("written", 3);
    node.stop();
    let names: Vec<String> = stored(&redis).into_keys().collect();
    assert_eq!(
        names,
        ["app.skywatch_errors", &long, "skywatch.host.ingest.received"]
    );
    assert_eq!(node.drops()["skipped"], 2);
}

#[test]
fn what_a_prometheus_says_instead_of_a_number_is_kept_for_the_analyzer() {
    let redis = RedisServer::start();
    let node = Node::start(&redis, &[]);
    let time = now();
    let mut client = node.client(Protocol::RemoteWrite);
    client
        .send(&[("ends", time - 60.0, 1.0), ("pauses", time - 60.0, 1.0)])
        .unwrap();
    client.finish().unwrap();
    node.wait_for_counter("written", 2);
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let mut client = node.client(Protocol::RemoteWrite);
    client
        .send(&[
            ("ends", time, stale),
            ("pauses", time, f64::NAN),
            ("unheard", time, stale),
        ])
        .unwrap();
    client.finish().unwrap();
    let said = |metric: &str| -> Option<String> {
        redis::Commands::get(&mut redis.connection(), format!("skywatch.said.{metric}")).unwrap()
    };
    let words = crate::common::wait_for("both", || Some((said("ends")?, said("pauses")?)));
    assert_eq!(words, (format!("ended {time}"), format!("no_number {time}")));
    assert_eq!(said("unheard"), None);
    let lives: i64 = redis::cmd("PTTL")
        .arg("skywatch.said.ends")
        .query(&mut redis.connection())
        .unwrap();
    assert!(lives > 0, "{lives}");
    node.wait_for_counter("dropped.stale_marker", 2);
    node.wait_for_counter("dropped.not_finite", 1);
}
