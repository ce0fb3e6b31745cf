//! A real Redis Cluster: three primaries, and a replica of each where a test takes one away; with TLS and passwords where asked for.

use std::time::Duration;

use redis::{Connection, FromRedisValue, Value, cmd};
use skywatch::store::redis::{RedisConnect, RedisOptions};
use skywatch_settings::HostPort;

use super::redis::{RedisServer, ServerOptions, free_port};
use super::wait_for;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;
/// Slots of each primary but the last, which has two less.
const SLOTS_EACH: usize = 5_462;
/// After which a silent node is taken for dead: short, as tests wait for it.
const NODE_TIMEOUT: Duration = Duration::from_millis(800);

/// The servers, primaries first; ended with the value.
pub(crate) struct ServerCluster {
    pub(crate) servers: Vec<RedisServer>,
    base: ServerOptions,
}

impl ServerCluster {
    /// Three primaries that share all slots.
    pub(crate) fn start() -> Self {
        Self::of(PRIMARIES, ServerOptions::default())
    }

    /// The same with a replica of each, behind them in the same order.
    pub(crate) fn start_with_replicas() -> Self {
        Self::start_with_replicas_and(ServerOptions::default())
    }

    /// The same, each server with these options. With TLS nothing else is spoken, between the nodes neither.
    pub(crate) fn start_with_replicas_and(base: ServerOptions) -> Self {
        let cluster = Self::of(2 * PRIMARIES, base);
        for place in 0..PRIMARIES {
            let id: String = cluster.ask(place, cmd("CLUSTER").arg("MYID"));
            let replica = PRIMARIES + place;
            let () = cluster.ask(replica, cmd("CLUSTER").arg("REPLICATE").arg(id));
        }
        wait_for("replicas that all nodes know and that follow", || {
            cluster.are_complete(2).then_some(())
        });
        cluster
    }

    fn of(nodes: usize, base: ServerOptions) -> Self {
        let servers = (0..nodes).map(|_| {
            let timeout = NODE_TIMEOUT.as_millis().to_string();
            let bus = free_port().to_string();
            let arguments = [
                ["--cluster-enabled", "yes"],
                ["--cluster-node-timeout", &timeout],
                ["--cluster-port", &bus],
                ["--repl-diskless-sync-delay", "0"],
                // A replica that nothing was ever sent to is not named to anybody.
                ["--repl-ping-replica-period", "1"],
            ];
            let mut arguments = arguments.concat();
            if base.tls {
                arguments.extend(["--port", "0", "--tls-cluster", "yes", "--tls-replication", "yes"]);
            }
            if let Some(password) = &base.password {
                arguments.extend(["--masterauth", password]);
            }
            let more = base.arguments.iter().cloned();
            let arguments = arguments.into_iter().map(str::to_owned).chain(more).collect();
            (
                bus,
                RedisServer::start_with(ServerOptions {
                    arguments,
                    ..base.clone()
                }),
            )
        });
        let (buses, servers): (Vec<String>, Vec<RedisServer>) = servers.unzip();
        let cluster = Self { servers, base };
        for (place, bus) in buses.iter().enumerate() {
            let () = cluster.ask(place, cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(place + 1));
            if place < PRIMARIES {
                let (first, last) = (place * SLOTS_EACH, (place + 1) * SLOTS_EACH - 1);
                let mut range = cmd("CLUSTER");
                range.arg("ADDSLOTSRANGE").arg(first).arg(last.min(SLOTS - 1));
                let () = cluster.ask(place, &range);
            }
            let mut meet = cmd("CLUSTER");
            meet.arg("MEET").arg("127.0.0.1").arg(cluster.port(place));
            let () = cluster.ask(0, meet.arg(bus));
        }
        cluster.wait_until_it_serves();
        cluster
    }

    /// Waits until each node says that all is well.
    pub(crate) fn wait_until_it_serves(&self) {
        wait_for("a cluster that serves", || self.are_complete(1).then_some(()));
    }

    /// Whether every node knows all slots, each with so many nodes, and replicas are in step with their primaries.
    fn are_complete(&self, nodes_of_a_slot: usize) -> bool {
        (0..self.servers.len()).all(|place| {
            let info: String = self.ask(place, cmd("CLUSTER").arg("INFO"));
            let replication: String = self.ask(place, cmd("INFO").arg("replication"));
            let Value::Array(ranges) = self.ask(place, cmd("CLUSTER").arg("SLOTS")) else {
                return false;
            };
            let nodes =
                |range: &Value| matches!(range, Value::Array(parts) if parts.len() >= 2 + nodes_of_a_slot);
            let known = format!("cluster_known_nodes:{}\r", self.servers.len());
            info.contains("cluster_state:ok")
                && info.contains(&known)
                && !replication.contains("master_link_status:down")
                && ranges.iter().all(nodes)
        })
    }

    /// Asks one server.
    pub(crate) fn ask<T: FromRedisValue>(&self, place: usize, question: &redis::Cmd) -> T {
        question.query(&mut self.servers[place].connection()).unwrap()
    }

    /// The port that a server speaks at.
    pub(crate) fn port(&self, place: usize) -> u16 {
        let server = &self.servers[place];
        if self.base.tls {
            server.tls_port()
        } else {
            server.port()
        }
    }

    /// Addresses of some nodes, as settings have them.
    pub(crate) fn addresses(&self) -> String {
        let addresses = (0..2).map(|place| format!("\"127.0.0.1:{}\"", self.port(place)));
        format!("[{}]", addresses.collect::<Vec<_>>().join(", "))
    }

    /// The way to it as a store: by one of its nodes.
    pub(crate) fn connect(&self) -> RedisConnect {
        let seed = HostPort {
            host: "127.0.0.1".to_owned(),
            port: self.port(1),
        };
        let scheme = if self.base.tls { "rediss" } else { "redis" };
        RedisConnect::new(RedisOptions {
            url: format!("{scheme}://cluster.invalid"),
            cluster: vec![seed],
            response_timeout: Duration::from_secs(5),
            tls_ca_file: self.base.tls.then(|| self.servers[0].ca_file()),
            ..RedisOptions::default()
        })
        .expect("a good address")
    }

    /// The slot of a key.
    pub(crate) fn slot(&self, key: &str) -> u16 {
        self.ask(0, cmd("CLUSTER").arg("KEYSLOT").arg(key))
    }

    /// The place of the server that has a slot, before anything has moved.
    pub(crate) fn first_owner(slot: u16) -> usize {
        usize::from(slot) / SLOTS_EACH
    }

    /// A connection to whoever has a key, before anything has moved.
    pub(crate) fn connection_for(&self, key: &str) -> Connection {
        self.servers[Self::first_owner(self.slot(key))].connection()
    }

    /// Moves a slot, key by key, calling `between` before each.
    pub(crate) fn migrate(&self, slot: u16, from: usize, to: usize, mut between: impl FnMut()) {
        let id = |place| -> String { self.ask(place, cmd("CLUSTER").arg("MYID")) };
        let set = |place, state: &str, node: usize| {
            let mut set = cmd("CLUSTER");
            let () = self.ask(place, set.arg("SETSLOT").arg(slot).arg(state).arg(id(node)));
        };
        set(to, "IMPORTING", from);
        set(from, "MIGRATING", to);
        loop {
            between();
            let keys: Vec<String> = self.ask(from, cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(1));
            let Some(key) = keys.first() else { break };
            let mut migrate = cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(self.port(to));
            migrate.arg(key).arg(0).arg(5_000);
            if let Some(password) = &self.base.password {
                migrate.arg("AUTH").arg(password);
            }
            let _: Value = self.ask(from, &migrate);
        }
        set(to, "NODE", to);
        set(from, "NODE", to);
        between();
    }

    /// Waits until each replica has all that its primary has.
    pub(crate) fn wait_for_replicas(&self) {
        for place in 0..PRIMARIES {
            let offset = |server: usize, field: &str| -> Option<u64> {
                let info: String = self.ask(server, cmd("INFO").arg("replication"));
                let line = info.lines().find_map(|line| line.strip_prefix(field))?;
                line.strip_prefix(':')?.trim().parse().ok()
            };
            wait_for("the replica to have everything", || {
                let sent = offset(place, "master_repl_offset")?;
                (offset(PRIMARIES + place, "slave_repl_offset")? >= sent).then_some(())
            });
        }
    }

    /// Removes everything that is stored.
    pub(crate) fn flush(&self) {
        for place in 0..PRIMARIES {
            let () = self.ask(place, &cmd("FLUSHALL"));
        }
    }
}
