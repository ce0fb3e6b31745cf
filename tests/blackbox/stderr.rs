//! A standard error that cannot be written ends nobody, neither parent nor child.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Stdio;

use crate::common::redis::RedisServer;
use crate::common::skywatch::{Setup, Skywatch, is_running};
use crate::common::{carbon, http, wait_for};

/// An address that was free a moment ago: without a log nobody says which one the system chose.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// The process ids of the children.
fn children(of: u32) -> Vec<u32> {
    let path = format!("/proc/{of}/task/{of}/children");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let mut all: Vec<u32> = text.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
    all.sort_unstable();
    all
}

/// Runs parent and children on this standard error, through all that makes them speak, and sees them go on.
fn goes_on(stderr: Stdio) {
    let redis = RedisServer::start();
    let (carbon, pages) = (free(), free());
    let setup = Setup::new()
        .on(&redis)
        .with("ingest.carbon_listen", &carbon.to_string())
        .with("web.listen", &pages.to_string())
        .with("log.level", "debug");
    let mut command = setup.command(&["run"]);
    command.stderr(stderr);
    let running = Skywatch::spawn(&mut command);
    let passes = || {
        let answer = http::try_get(pages, "/api/v1/status").ok()?;
        answer.json()["analyzer"]["pass"]["pass"].as_u64()
    };
    wait_for("a first pass", passes);
    let before = children(running.pid());
    assert_eq!(before.len(), 4, "dispatch, ingest, analyzer and web");
    // Each of these lines is dropped with a warning, until there are only counts of them.
    carbon::send(carbon, "no point at all\n".repeat(30_000).as_bytes());
    wait_for("the lines to be counted", || {
        (running.ingest_at(pages, "dropped.malformed") == 30_000).then_some(())
    });
    let seen = passes().expect("a status");
    wait_for("two passes more", || passes().filter(|&pass| pass >= seen + 2));
    assert_eq!(children(running.pid()), before, "nobody was started again");
    // An end by hand, and not by the log.
    assert_eq!(running.stop().code(), 0);
    assert!(before.iter().all(|&pid| !is_running(pid)));
}

#[test]
fn a_full_disk_below_the_log_ends_nobody() {
    let full = OpenOptions::new().write(true).open(Path::new("/dev/full"));
    goes_on(full.expect("/dev/full").into());
}

#[test]
fn a_closed_pipe_below_the_log_ends_nobody() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    goes_on(writer.into());
}

#[test]
fn a_pipe_that_nobody_reads_holds_up_nobody() {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    // As much as a pipe holds unless somebody has asked for more.
    writer.write_all(&vec![b'\n'; 65_536]).expect("room in the pipe");
    goes_on(writer.into());
    drop(reader);
}

#[test]
fn a_refused_command_line_is_refused_also_when_it_cannot_be_said() {
    for arguments in [
        &["settings", "--set", "nothing=1"][..],
        &["settings", "--set", "nothing"],
        &["settings", "--config", "/nowhere/at/all.toml"],
    ] {
        let full = OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("/dev/full");
        let setup = Setup::new();
        let mut command = setup.command(arguments);
        let status = command.stderr(full).status().expect("the binary can be run");
        assert_eq!(status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_same_warning_over_and_over_becomes_a_count() {
    let setup = Setup::new();
    let folder = setup.path("series");
    std::fs::create_dir(&folder).expect("a folder");
    for number in 0..300 {
        let link = folder.join(format!("{number}.csv"));
        std::os::unix::fs::symlink("/nowhere", link).expect("a link");
    }
    let folder = folder.display().to_string();
    let log = setup.run(&["backtest", "--input", &folder]).log;
    assert_eq!(log.matches("` leads nowhere").count(), 21, "{log}");
    assert!(log.contains("and 280 more like this in "), "{log}");
}
