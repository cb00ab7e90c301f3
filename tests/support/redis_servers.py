"""Redis for tests: real servers on free loopback ports, each in a temporary folder, that end with whoever started them.

    with redis_servers.start("sentinel") as redis:      # single tls sentinel cluster
        redis.description   # what a client needs to connect, as a dict
        redis.pause(); redis.resume(); redis.kill(); redis.restart(); redis.failover(); redis.step(ms)

As a program, for tests in C: `redis_servers.py FORM [--clock-shim FILE] [--set NAME=VALUE]` prints the description as one line of
JSON, obeys the methods above by name, a line each ("kill", "step 1700000000000"), answers each with a line, and ends when its
standard input closes.

The program behind the names redis-server and redis-sentinel is redis-check-rdb of Debian's redis-tools; the packages called
redis-server and redis-sentinel only add services, which would listen on this machine from then on.

With `clock_shim`, the library built from clock_shim.c, the servers show the time that `step` sets, and the real time until then.
Whatever Redis itself measures by the wall clock is then set so that no step makes it give up a replica or a node.
"""

import argparse
import atexit
import itertools
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import redis_certificates  # noqa: E402
import resp  # noqa: E402
from ports import free_port  # noqa: E402
from redis_node import (ADMIN, ADMIN_PASSWORD, PASSWORD, PATIENCE, SENTINEL_PASSWORD, USER, Clock,  # noqa: E402
                        DidNotStart, Node, eventually, values)

PROGRAM = "/usr/bin/redis-check-rdb"
MASTER = "gateways"
DATABASE = 3
RIGHTS = "+@all -@dangerous +config|get +acl|dryrun +info +role +cluster|slots"  # as docs/operations.md has them
AGES = 10**9  # s or ms: longer than any test steps


class Servers:
    """What all forms share. `settings` are lines of redis.conf beyond the usual ones: {"appendfsync": "everysec"}."""

    form = None

    def __init__(self, clock_shim=None, settings=None):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="scepgate-redis-"))
        self.more = settings or {}
        self.environment = dict(os.environ)
        self.clock = None
        if clock_shim:
            self.clock = Clock(self.root / "clock")
            self.environment |= {"LD_PRELOAD": str(clock_shim), "CLOCK_SHIM": str(self.clock.path)}
        for name in ("redis-server", "redis-sentinel"):
            (self.root / name).symlink_to(PROGRAM)
        self.nodes, self.sentinels = [], []
        self.description = {"form": self.form, "user": USER, "password": PASSWORD, "admin": ADMIN,
                            "admin_password": ADMIN_PASSWORD}

    def data_node(self):
        """A server with what all have in common; the caller adds to its settings and launches it."""
        node = Node(self.root / f"redis-{len(self.nodes)}", self.environment)
        defaults = {"bind": "127.0.0.1", "port": node.port, "dir": node.folder, "save": "", "appendonly": "yes",
                    "appendfsync": "always", "repl-diskless-sync-delay": 0, "enable-debug-command": "local"}
        if self.clock:
            defaults |= {"repl-timeout": AGES, "repl-backlog-ttl": 0}
        for name, value in (defaults | self.more).items():
            node.add(name, value)
        # Nobody logs in as the default user, but Redis 7.0 reads its append-only file back with that user's rights: without
        # them it drops every transaction, and with it all that a script wrote.
        node.settings.append("user default off ~* &* +@all")
        node.settings.append(f'user {USER} on ">{PASSWORD}" ~* {RIGHTS}')
        node.settings.append(f'user {ADMIN} on ">{ADMIN_PASSWORD}" ~* &* +@all')
        self.nodes.append(node)
        return node

    def begin(self):
        """Launches everything, and says what a client needs."""
        self.bring_up()
        if self.clock:
            self.description["clock"] = str(self.clock.path)
        self.description["folder"] = str(self.root)
        (self.root / "description.json").write_text(json.dumps(self.description))

    def bring_up(self):
        raise NotImplementedError

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for node in self.sentinels + self.nodes:
            node.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    # ---- bad days --------------------------------------------------------------------------------------

    def primary(self):
        """The server that takes writes now; of a cluster, the first."""
        return self.nodes[0]

    def pause(self):
        self.primary().signal(signal.SIGSTOP)

    def resume(self):
        for node in self.nodes:
            if node.running():
                node.signal(signal.SIGCONT)

    def kill(self):
        self.primary().kill()

    def restart(self):
        """Starts, on the same ports and data, what does not run."""
        for node in self.nodes + self.sentinels:
            if not node.running():
                node.launch()

    def failover(self):
        raise NotImplementedError

    def step(self, milliseconds):
        self.clock.step(int(milliseconds))

    # ---- looking ---------------------------------------------------------------------------------------

    def everything(self):
        """All that is stored, to be searched, as pairs of place and bytes: keys and values of every database, and the files."""
        for node in self.nodes:
            if node.running():
                yield from values(node)
            for path in sorted(node.folder.rglob("*")):
                if path.is_file() and path.name != "redis.conf":
                    yield path, path.read_bytes()


class Single(Servers):
    """One server, over TCP and a unix socket."""

    form = "single"

    def bring_up(self):
        node = self.data_node()
        path = self.root / "redis.sock"
        node.add("unixsocket", path)
        node.add("unixsocketperm", 700)
        node.launch()
        self.description |= {"addresses": [f"127.0.0.1:{node.port}"], "socket": str(path), "database": DATABASE}


class Tls(Servers):
    """One server that speaks TLS alone, and only with clients that bring a certificate."""

    form = "tls"

    def bring_up(self):
        files = redis_certificates.make(self.root / "tls")
        node = self.data_node()
        node.settings = [line for line in node.settings if not line.startswith("port ")]
        for words in (("port", 0), ("tls-port", node.port), ("tls-cert-file", files["server_certificate"]),
                      ("tls-key-file", files["server_key"]), ("tls-ca-cert-file", files["ca"]), ("tls-auth-clients", "yes")):
            node.add(*words)
        node.tls = resp.client_context(files["ca"], files["certificate"], files["key"])
        node.launch()
        self.description |= {"addresses": [f"localhost:{node.port}"], "database": DATABASE,
                             "tls": {name: str(files[name]) for name in ("ca", "certificate", "key", "other_ca")}}


class Sentinel(Servers):
    """A master, replicas, and three sentinels that are quick to give a master up."""

    form = "sentinel"
    HASTE = {"info-period": 300, "ping-period": 150, "publish-period": 300, "min-link-reconnect-period": 300,
             "election-timeout": 1000}  # ms

    def __init__(self, clock_shim=None, settings=None, replicas=1, down_after=600):
        super().__init__(clock_shim, settings)
        self.replica_count, self.down_after = replicas, down_after

    def bring_up(self):
        master = self.data_node()
        for _ in range(self.replica_count):
            self.data_node().add("replicaof", "127.0.0.1", master.port)
        for node in self.nodes:
            node.add("masteruser", ADMIN)
            node.add("masterauth", ADMIN_PASSWORD)
            node.launch()
        eventually(lambda: self.linked(master) == self.replica_count, "the replicas are in step")
        for number in range(3):
            self.sentinels.append(self.sentinel(number, master))
        eventually(lambda: all(self.settled(sentinel) for sentinel in self.sentinels), "the sentinels know each other")
        self.description |= {"addresses": [f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels], "master": MASTER,
                             "sentinel_password": SENTINEL_PASSWORD, "database": DATABASE}

    def sentinel(self, number, master):
        environment = {name: value for name, value in self.environment.items() if name != "LD_PRELOAD"}
        node = Node(self.root / f"sentinel-{number}", environment, sentinel=True)
        for words in (("bind", "127.0.0.1"), ("port", node.port), ("dir", node.folder), ("requirepass", SENTINEL_PASSWORD),
                      ("sentinel", "sentinel-pass", SENTINEL_PASSWORD), ("sentinel", "monitor", MASTER, "127.0.0.1", master.port, 2),
                      ("sentinel", "auth-user", MASTER, ADMIN), ("sentinel", "auth-pass", MASTER, ADMIN_PASSWORD),
                      ("sentinel", "down-after-milliseconds", MASTER, self.down_after),
                      ("sentinel", "failover-timeout", MASTER, 2000), ("sentinel", "parallel-syncs", MASTER, 2)):
            node.add(*words)
        node.launch()
        node.call("SENTINEL", "DEBUG", *itertools.chain(*self.HASTE.items()))
        return node

    @staticmethod
    def linked(master):
        """How many replicas are in step with the master."""
        replication = master.call("INFO", "replication").decode().splitlines()
        return sum("state=online" in line for line in replication)

    def settled(self, sentinel):
        fields = sentinel.call("SENTINEL", "MASTER", MASTER)
        state = dict(zip(fields[::2], fields[1::2]))
        replicas = [dict(zip(fields[::2], fields[1::2])) for fields in sentinel.call("SENTINEL", "REPLICAS", MASTER)]
        healthy = [replica for replica in replicas if replica[b"master-link-status"] == b"ok"]
        return (state[b"flags"] == b"master" and state[b"num-other-sentinels"] == b"2" and
                len(healthy) == self.replica_count == int(state[b"num-slaves"]))

    def master_port(self):
        for sentinel in self.sentinels:
            if sentinel.running():
                return int(sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER)[1])
        raise AssertionError("no sentinel is left to ask")

    def primary(self):
        port = self.master_port()
        return next(node for node in self.nodes if node.port == port)

    def failover(self):
        """Kills the master and waits for the next; `restart` brings the old one back as a replica."""
        old = self.primary()
        old.kill()
        self.await_new_master(old)

    def await_new_master(self, old):
        """Until the sentinels name, and all have made, another master than `old`."""
        eventually(lambda: self.primary() is not old and self.is_master(self.primary()), "a new master")

    @staticmethod
    def is_master(node):
        try:
            return node.call("ROLE")[0] == b"master"
        except OSError:
            return False

    def settle(self):
        """Until everything is up and in step again, after `restart`."""
        def in_step():
            try:
                return all(self.settled(sentinel) for sentinel in self.sentinels) and \
                    self.linked(self.primary()) == self.replica_count
            except (OSError, resp.RedisError):
                return False
        eventually(in_step, "the replicas are in step again")


class Cluster(Servers):
    """Three masters that share the slots."""

    form = "cluster"
    SLOTS = 16384

    def bring_up(self):
        for _ in range(3):
            node = self.data_node()
            node.add("cluster-enabled", "yes")
            node.add("cluster-port", free_port())
            node.add("cluster-announce-ip", "127.0.0.1")
            node.add("cluster-node-timeout", AGES if self.clock else 2000)
            node.launch()
        bounds = [self.SLOTS * number // 3 for number in range(4)]
        for number, node in enumerate(self.nodes):
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            node.call("CLUSTER", "ADDSLOTSRANGE", bounds[number], bounds[number + 1] - 1)
            bus = next(line.split()[1] for line in node.settings if line.startswith("cluster-port "))
            for other in self.nodes[:number]:  # gossip alone would take seconds
                other.call("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        eventually(lambda: all(self.complete(node) for node in self.nodes), "the cluster is complete")
        self.description |= {"addresses": [f"127.0.0.1:{node.port}" for node in self.nodes], "database": 0}

    @staticmethod
    def complete(node):
        state = dict(line.split(":") for line in node.call("CLUSTER", "INFO").decode().split())
        return state["cluster_state"] == "ok" and state["cluster_known_nodes"] == "3"

    def restart(self):
        """A node that comes back keeps away from clients for some seconds, by the wall clock: one that stands has to be moved."""
        super().restart()
        while not all(self.complete(node) for node in self.nodes):
            if self.clock and self.clock.shown():
                self.clock.step(self.clock.shown() + 100)
            time.sleep(0.02)

    def owner(self, slot):
        for low, high, node, *_ in self.nodes[0].call("CLUSTER", "SLOTS"):
            if low <= slot <= high:
                return next(found for found in self.nodes if found.port == node[1])
        raise AssertionError(f"nobody has slot {slot}")

    def begin_move(self, slot, number):
        """From now on the slot's keys are asked for with ASK once they have gone; (owner, receiver, their ids)."""
        source, target = self.owner(slot), self.nodes[int(number)]
        ids = [node.call("CLUSTER", "MYID").decode() for node in (source, target)]
        target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
        source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
        return source, target, ids

    def move(self, slot, number):
        """Moves a slot with its keys to the node of that number."""
        slot = int(slot)
        source, target, ids = self.begin_move(slot, number)
        while keys := source.call("CLUSTER", "GETKEYSINSLOT", slot, 100):
            source.call("MIGRATE", "127.0.0.1", target.port, "", 0, PATIENCE * 1000, "AUTH2", ADMIN, ADMIN_PASSWORD, "KEYS", *keys)
        for node in [target, source, *self.nodes]:
            node.call("CLUSTER", "SETSLOT", slot, "NODE", ids[1])


FORMS = {form.form: form for form in (Single, Tls, Sentinel, Cluster)}


def start(form, **options):
    """Servers of that form, running; again on other ports when somebody took one."""
    for attempt in itertools.count(1):
        servers = FORMS[form](**options)
        try:
            servers.begin()
        except DidNotStart:
            servers.close()
            if attempt == 5:
                raise
            time.sleep(random.random())
            continue
        except BaseException:
            servers.close()
            raise
        atexit.register(servers.close)
        return servers


COMMANDS = ("pause", "resume", "kill", "restart", "failover", "step", "settle", "move")


def obey(servers, line):
    """One command of the program's standard input; what it answers."""
    name, *arguments = line.split()
    if name not in COMMANDS:
        return {"error": f"no command named {name}"}
    getattr(servers, name)(*arguments)
    return {"done": name}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("form", choices=FORMS)
    parser.add_argument("--clock-shim")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a line of redis.conf")
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's is for the test; the end of input follows
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with start(arguments.form, clock_shim=arguments.clock_shim,
               settings=dict(pair.split("=", 1) for pair in arguments.set)) as servers:
        print(json.dumps(servers.description), flush=True)
        for line in sys.stdin:
            print(json.dumps(obey(servers, line)), flush=True)


if __name__ == "__main__":
    main()
