"""What several nodes may have as their store, of real servers on the loopback address: one redis-server, one with a replica and three
sentinels that watch both, or a Redis Cluster of six.

A node reaches all of them at an address of its own, 127.0.0.2 and so on, where `links` stand between. So no server may name another
one by its address: a cluster leaves it out of what it says, and what sentinels say is changed on its way.
"""

import time

from local_redis import LocalRedis, RedisRefusal

# Time after which a server that is silent is taken for dead: by the sentinels, and by the nodes of a cluster.
DOWN_AFTER_MS = 2000
NODE_TIMEOUT_MS = 3000
# Until servers that were started, or have changed hands, are what they are to be.
PATIENCE = 60.0
# What sentinels call the primary.
PRIMARY = "points"
PRIMARIES = 3
SLOTS = 16384


def wait_for(what, is_so):
    begun = time.time()
    while time.time() - begun < PATIENCE:
        try:
            if is_so():
                return
        except (OSError, RedisRefusal):
            pass
        time.sleep(0.1)
    raise SystemExit(f"{what}: not after {PATIENCE:.0f} s")


class SingleRedis:
    """One server, which nothing befalls."""

    fails_over = False

    def __init__(self, folder):
        self.servers, self.sentinels = [LocalRedis(folder)], []

    def settings(self, host):
        """What a node has to know that reaches all servers at that address."""
        return {"store.url": f"redis://{host}:{self.servers[0].port}"}

    def ask(self, *words):
        """Asks the primary that has the key of the command."""
        return self.ask_all([words])[0]

    def ask_all(self, commands):
        """The same for commands with keys that lie together. A server that is paused is not waited for."""
        failure = OSError("there is no primary")
        for server in self.servers:
            try:
                (role, *_), *replies = server.ask_all([("ROLE",), *commands], patience=0.5)
            except (OSError, RedisRefusal) as error:
                failure = error
                continue
            if role == b"master":
                # Asked first the next time.
                self.servers = sorted(self.servers, key=lambda other: other is not server)
                return replies
        raise failure

    def settle(self):
        """Waits until all is in order."""

    def end(self):
        for server in self.sentinels + self.servers:
            server.end()


class WatchedRedis(SingleRedis):
    """A primary and its replica, and three sentinels."""

    fails_over = True

    def __init__(self, folder):
        self.servers, self.sentinels = [], []
        for name in ("one", "other"):
            (folder / name).mkdir()
            follows = ["--replicaof", "127.0.0.1", str(self.servers[0].port)] if self.servers else []
            self.servers.append(LocalRedis(folder / name, "--repl-diskless-sync-delay", "0", *follows))
        for number in range(3):
            config = folder / f"sentinel{number}.conf"
            config.write_text(f"sentinel monitor {PRIMARY} 127.0.0.1 {self.servers[0].port} 2\n"
                              f"sentinel down-after-milliseconds {PRIMARY} {DOWN_AFTER_MS}\n"
                              f"sentinel failover-timeout {PRIMARY} {2 * DOWN_AFTER_MS}\n")
            self.sentinels.append(LocalRedis(folder, config, "--sentinel"))
        self.settle()

    def settings(self, host):
        addresses = ", ".join(f'"{host}:{sentinel.port}"' for sentinel in self.sentinels)
        return {"store.url": "redis://primary.invalid", "store.sentinels": f"[{addresses}]", "store.sentinel_primary": PRIMARY}

    def primary_port(self, sentinel):
        return int(sentinel.ask("SENTINEL", "get-master-addr-by-name", PRIMARY)[1])

    def choose_primary(self, _dice):
        """One that something is to befall, and how it is called in a table."""
        port = self.primary_port(self.sentinels[0])
        return next(server for server in self.servers if server.port == port), "the primary"

    def wait_for_successor(self, server):
        wait_for("a successor of the primary", lambda: all(self.primary_port(sentinel) != server.port for sentinel in self.sentinels))

    def bring_back(self, server):
        """Starts one that was killed as a replica of the one that has taken over."""
        server.start("--replicaof", "127.0.0.1", str(self.primary_port(self.sentinels[0])))

    def settle(self):
        def is_settled():
            masters = [sentinel.ask("SENTINEL", "master", PRIMARY) for sentinel in self.sentinels]
            known = [dict(zip(fields[::2], fields[1::2])) for fields in masters]
            return all(fields[b"num-slaves"] == b"1" and fields[b"num-other-sentinels"] == b"2" and fields[b"flags"] == b"master"
                       for fields in known) and len({fields[b"port"] for fields in known}) == 1 and are_in_step(self.servers)
        wait_for("a primary with a replica, known to all sentinels", is_settled)


class RedisCluster(SingleRedis):
    """Three primaries with a replica each."""

    fails_over = True

    def __init__(self, folder):
        self.servers, self.sentinels, buses = [], [], []
        for number in range(2 * PRIMARIES):
            (folder / f"server{number}").mkdir()
            probe = LocalRedis(folder)
            probe.end()
            buses.append(probe.port)
            self.servers.append(LocalRedis(
                folder / f"server{number}", "--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--cluster-port",
                str(probe.port), "--cluster-preferred-endpoint-type", "unknown-endpoint", "--repl-diskless-sync-delay", "0",
                "--repl-ping-replica-period", "1"))
        first = self.servers[0]
        for number, server in enumerate(self.servers):
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < PRIMARIES:
                server.ask("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // PRIMARIES, (number + 1) * SLOTS // PRIMARIES - 1)
            first.ask("CLUSTER", "MEET", "127.0.0.1", server.port, buses[number])
        wait_for("nodes of a cluster that know each other", lambda: all(
            b"cluster_known_nodes:6" in server.ask("CLUSTER", "INFO") for server in self.servers))
        for number in range(PRIMARIES):
            identity = self.servers[number].ask("CLUSTER", "MYID")
            wait_for("a replica", lambda: self.servers[PRIMARIES + number].ask("CLUSTER", "REPLICATE", identity))
        self.settle()

    def settings(self, host):
        addresses = ", ".join(f'"{host}:{server.port}"' for server in self.servers[:3])
        return {"store.url": "redis://cluster.invalid", "store.cluster": f"[{addresses}]"}

    def choose_primary(self, dice, key="skywatch.cluster.{metrics.}.shards"):
        """One that something is to befall, in half of all cases the one that has the leases, and how it is called in a table."""
        self.ask("EXISTS", key)
        leases, *others = [server for server in self.servers if server.ask("ROLE")[0] == b"master"]
        server = leases if dice.random() < 0.5 else dice.choice(others)
        return server, "the primary with the leases" if server is leases else "another primary"

    def wait_for_successor(self, server):
        others = [other for other in self.servers if other is not server]
        wait_for("a successor of the primary", lambda: all(b"cluster_state:ok" in other.ask("CLUSTER", "INFO") and server.port not in {
            node[1] for _, _, node, *_ in slots(other)} for other in others))

    def bring_back(self, server):
        """Starts one that was killed: others tell it whom it is to follow."""
        server.start()

    def settle(self):
        def is_settled():
            return all(b"cluster_state:ok" in server.ask("CLUSTER", "INFO") and all(len(nodes) == 2 for _, _, *nodes in slots(server))
                       for server in self.servers) and are_in_step(self.servers)
        wait_for("a cluster that serves, each slot with a replica", is_settled)


def slots(server):
    """Ranges of slots, as a server of a cluster knows them, with the nodes that have each, the primary first."""
    return [(int(first), int(last), *[(node[0], int(node[1])) for node in nodes])
            for first, last, *nodes in server.ask("CLUSTER", "SLOTS")]


def are_in_step(servers):
    """Whether each that follows another one has what that has."""
    roles = [server.ask("ROLE") for server in servers]
    return all(role[0] == b"master" or role[3] == b"connected" for role in roles) and \
        sum(len(role[2]) for role in roles if role[0] == b"master") == sum(role[0] != b"master" for role in roles)


SETUPS = {"single": SingleRedis, "sentinel": WatchedRedis, "cluster": RedisCluster}
