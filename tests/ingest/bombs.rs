//! A few bytes that stand for many.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use skywatch::ingest::client::Protocol;

use super::node::Node;
use crate::common::redis::{RedisServer, peak_memory};
use crate::common::series::now;
use crate::common::skywatch::signal;
use crate::common::wait_for;

/// Most memory the ingest may have had: 160,000 points of four names are 4 MB, written out they are 160.
const MOST: u64 = 120 << 20;
const SAMPLES: usize = 40_000;

fn varint(mut number: u64, into: &mut Vec<u8>) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn field(number: u8, bytes: &[u8], into: &mut Vec<u8>) {
    into.push(number << 3 | 2);
    varint(bytes.len() as u64, into);
    into.extend_from_slice(bytes);
}

/// A remote write of four series with forty thousand samples and a name of a thousand letters each, snappy-compressed.
fn request() -> Vec<u8> {
    let begin = (now() as u64 - 3_000) * 1_000;
    let mut message = Vec::new();
    for number in 0..4 {
        let name = format!("{}{number}", "n".repeat(1_000));
        let mut series = Vec::new();
        let mut label = Vec::new();
        field(1, b"__name__", &mut label);
        field(2, name.as_bytes(), &mut label);
        field(1, &label, &mut series);
        for sample in 0..SAMPLES {
            let mut bytes = vec![0x10];
            varint(begin + sample as u64 * 20, &mut bytes);
            field(2, &bytes, &mut series);
        }
        field(1, &series, &mut message);
    }
    snap::raw::Encoder::new().compress_vec(&message).unwrap()
}

fn post(to: SocketAddr, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: {to}\r\nContent-Encoding: snappy\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// A pickle of one long name that stands in a memo, and twenty thousand points that point to it and to nineteen others.
fn pickle() -> Vec<u8> {
    let mut pickle = vec![0, 0, 0, 0, 0x80, 2, b']', b'('];
    for n in 0..200_000_u32 {
        let name = (n % 20) as u8;
        if n < 20 {
            let text = format!("{}{n}", "p".repeat(1_000));
            pickle.push(b'X');
            pickle.extend((text.len() as u32).to_le_bytes());
            pickle.extend(text.as_bytes());
            pickle.extend([b'q', name]);
        } else {
            pickle.extend([b'h', name]);
        }
        pickle.push(b'J');
        pickle.extend((now() as i32 - 10).to_le_bytes());
        pickle.extend([b'K', 1, 0x86, 0x86]);
    }
    pickle.extend(b"e.");
    let length = (pickle.len() - 4) as u32;
    pickle[..4].copy_from_slice(&length.to_be_bytes());
    pickle
}

#[test]
fn long_names_that_repeat_are_kept_once() {
    let redis = RedisServer::start();
    let node = Node::start(
        &redis,
        &[("max_name_bytes", "2000"), ("max_frame_bytes", "4194304")],
    );
    let pid = node.ingest_pid();
    node.client(Protocol::Carbon)
        .send(&[("warm", now(), 1.0)])
        .unwrap();
    node.wait_for_counter("written", 1);
    // The store hangs, so that all of it waits.
    signal(redis.pid(), "STOP");
    let to = node.address(Protocol::RemoteWrite);
    let body = request();
    let posts: Vec<_> = (0..6)
        .map(|_| {
            let body = body.clone();
            std::thread::spawn(move || post(to, &body))
        })
        .collect();
    let mut frames = TcpStream::connect(node.address(Protocol::Pickle)).unwrap();
    frames.write_all(&pickle()).unwrap();
    wait_for("the points to be taken in", || {
        (node.counter("received") >= 160_000).then_some(())
    });
    for answered in posts {
        let answer = answered.join().unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 204") || answer.starts_with("HTTP/1.1 503"),
            "{answer}"
        );
    }
    let most = peak_memory(pid);
    signal(redis.pid(), "CONT");
    assert!(most < MOST, "{} MB", most >> 20);
    wait_for("all of it to be written", || {
        (node.counter("waiting") == 0).then_some(())
    });
    assert_eq!(node.counter("listener.remote_write.dropped.frame_too_long"), 0);
}
