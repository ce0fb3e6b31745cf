//! Each protocol alone: what is sent is what is stored, whoever sends it.

use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;

use skywatch::ingest::client::Protocol;

use crate::node::{Node, PROTOCOLS, now, stored};
use crate::redis_server::RedisServer;

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
    let (named, nab) = (node.path("named.csv"), node.path("nab.csv"));
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
            let mut command = Command::new(env!("CARGO_BIN_EXE_skywatch"));
            command.args([
                "send",
                file.to_str().unwrap(),
                "--to",
                &to,
                "--protocol",
                word,
                "--restamp",
                "--rate",
                "1000",
            ]);
            command.args(metric.iter().flat_map(|metric| ["--metric", metric]));
            let ended = command.output().unwrap();
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(
                ended.status.success() && said.contains(&format!("{points} points sent to {to}")),
                "{said}"
            );
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
