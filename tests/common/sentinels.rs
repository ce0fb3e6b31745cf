//! A real primary with a replica, and three real sentinels that watch them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::redis::{RedisServer, ServerOptions, free_port};
use super::wait_for;

/// What the sentinels call the primary.
pub(crate) const PRIMARY: &str = "points";

/// Two servers and who watches them; ended with the value.
pub(crate) struct WatchedPair {
    /// The primary at first, and its replica.
    pub(crate) servers: [RedisServer; 2],
    /// Ports of the sentinels.
    pub(crate) ports: [u16; 3],
    sentinels: Vec<Child>,
    _folder: TempDir,
}

impl WatchedPair {
    /// Starts all; returns when the sentinels know of the replica and of each other.
    pub(crate) fn start() -> Self {
        let primary = RedisServer::start();
        let port = primary.port().to_string();
        let replica = RedisServer::start_with(ServerOptions {
            arguments: ["--replicaof", "127.0.0.1", &port].map(str::to_owned).to_vec(),
            ..ServerOptions::default()
        });
        let folder = tempfile::tempdir().unwrap();
        let ports = [(); 3].map(|()| free_port());
        let sentinels = ports.iter().map(|own| {
            let config: PathBuf = folder.path().join(format!("{own}.conf"));
            let text = format!(
                "port {own}\nbind 127.0.0.1\nsentinel monitor {PRIMARY} 127.0.0.1 {port} 2\n\
                 sentinel down-after-milliseconds {PRIMARY} 500\nsentinel failover-timeout {PRIMARY} 3000\n"
            );
            std::fs::write(&config, text).unwrap();
            let sentinel = Command::new("redis-server")
                .arg(&config)
                .arg("--sentinel")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn();
            sentinel.expect("`redis-server` can be a sentinel")
        });
        let pair = Self {
            servers: [primary, replica],
            ports,
            sentinels: sentinels.collect(),
            _folder: folder,
        };
        wait_for("sentinels that know each other and the replica", || {
            let known = |port: &u16| {
                let fields = ask(*port, "master")?;
                let is = |name: &str, wanted: &str| fields.get(name).is_some_and(|found| found == wanted);
                (is("num-slaves", "1") && is("num-other-sentinels", "2")).then_some(())
            };
            pair.ports.iter().all(|port| known(port).is_some()).then_some(())
        });
        pair
    }

    /// Waits until the other server has all that this one has.
    pub(crate) fn wait_for_replica(&self) {
        let offset = |server: &RedisServer, field: &str| -> Option<u64> {
            let info: String = ::redis::cmd("INFO")
                .arg("replication")
                .query(&mut server.connection())
                .ok()?;
            let line = info.lines().find_map(|line| line.strip_prefix(field))?;
            line.strip_prefix(':')?.trim().parse().ok()
        };
        wait_for("the replica to have everything", || {
            let sent = offset(&self.servers[0], "master_repl_offset")?;
            (offset(&self.servers[1], "slave_repl_offset")? >= sent).then_some(())
        });
    }

    /// Waits until all sentinels name the replica as the primary.
    pub(crate) fn wait_for_successor(&self) {
        let port = self.servers[1].port().to_string();
        wait_for("the replica to be the primary", || {
            let names_it = |sentinel: &u16| {
                ask(*sentinel, "master").is_some_and(|fields| fields.get("port") == Some(&port))
            };
            self.ports.iter().all(names_it).then_some(())
        });
    }

    /// Addresses of the sentinels, as settings have them.
    pub(crate) fn addresses(&self) -> String {
        let addresses = self.ports.map(|port| format!("\"127.0.0.1:{port}\""));
        format!("[{}]", addresses.join(", "))
    }
}

fn ask(port: u16, what: &str) -> Option<std::collections::HashMap<String, String>> {
    let client = ::redis::Client::open(format!("redis://127.0.0.1:{port}")).ok()?;
    let mut connection = client.get_connection().ok()?;
    let mut asked = ::redis::cmd("SENTINEL");
    asked.arg(what).arg(PRIMARY).query(&mut connection).ok()
}

impl Drop for WatchedPair {
    fn drop(&mut self) {
        for sentinel in &mut self.sentinels {
            let _ = sentinel.kill();
            let _ = sentinel.wait();
        }
    }
}
