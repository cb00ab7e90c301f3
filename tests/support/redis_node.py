"""One Redis server or sentinel of a test: a process, its folder and its port; and the clock that several can share."""

import mmap
import signal
import struct
import time

import children
import resp
from ports import free_port

USER, PASSWORD = "scepgate", "a password of gateways"
ADMIN, ADMIN_PASSWORD = "admin", "a password of tests"
SENTINEL_PASSWORD = "a password of sentinels"
PATIENCE = 60  # seconds; a bound on hanging, no measure of speed


class DidNotStart(Exception):
    """A server ended at once: somebody else took its port, as a rule."""


def eventually(question, what):
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"in vain: {what}")
        time.sleep(0.02)


class Clock:
    """The file that the shim maps."""

    def __init__(self, path):
        self.path = path
        path.write_bytes(bytes(8))
        with path.open("r+b") as file:
            self.map = mmap.mmap(file.fileno(), 8)

    def step(self, milliseconds):
        """0 is the real time."""
        self.map[:] = struct.pack("=q", milliseconds)

    def shown(self):
        return struct.unpack("=q", self.map[:])[0]


class Node:
    """One server process: its folder, its port, its settings."""

    def __init__(self, folder, environment, *, sentinel=False):
        self.folder, self.environment, self.sentinel = folder, environment, sentinel
        self.port = free_port()
        self.settings = []
        self.tls = None  # context of who connects
        self.process = None
        folder.mkdir()

    def add(self, *words):
        self.settings.append(" ".join(f'"{word}"' if " " in str(word) or word == "" else str(word) for word in words))

    def launch(self):
        """Starts the process and waits until it answers."""
        configuration = self.folder / "redis.conf"
        if not configuration.exists():  # sentinels write theirs themselves
            configuration.write_text("\n".join(self.settings) + "\n")
        name = self.folder.parent / ("redis-sentinel" if self.sentinel else "redis-server")
        command = [name, configuration, *(["--sentinel"] if self.sentinel else [])]
        with (self.folder / "output.txt").open("ab") as output:
            self.process = children.start(command, stdout=output, stderr=output, cwd=self.folder, env=self.environment)
        eventually(self.answers, f"{self.folder.name} answers")

    def answers(self):
        if self.process.poll() is not None:
            raise DidNotStart((self.folder / "output.txt").read_text(errors="replace")[-2000:])
        try:
            with self.connect() as connection:
                return connection.call("PING") == b"PONG"
        except (OSError, resp.RedisError):
            return False  # not yet, or loading

    def connect(self, patience=10):
        login = {"password": SENTINEL_PASSWORD} if self.sentinel else {"user": ADMIN, "password": ADMIN_PASSWORD}
        return resp.Connection(("127.0.0.1", self.port), tls=self.tls, patience=patience, **login)

    def call(self, *words):
        with self.connect() as connection:
            return connection.call(*words)

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """SIGKILL: what was not written is lost."""
        if self.running():
            self.signal(signal.SIGKILL)
            self.process.wait(PATIENCE)


READERS = {b"string": ("GET",), b"hash": ("HGETALL",), b"set": ("SMEMBERS",), b"list": ("LRANGE", 0, -1),
           b"zset": ("ZRANGE", 0, -1), b"stream": ("XRANGE", "-", "+")}  # DUMP would give long values compressed


def values(node):
    """Keys and values of a server."""
    with node.connect() as connection:
        cluster = connection.info("cluster").get("cluster_enabled") == "1"
        for database in [0] if cluster else range(16):
            if not cluster:
                connection.call("SELECT", database)
            for key in connection.keys():
                yield "a key of Redis", key
                reader = READERS.get(connection.call("TYPE", key))
                if reader:  # otherwise it has expired meanwhile
                    yield f"Redis' {key}", flattened(connection.call(reader[0], key, *reader[1:]))


def flattened(reply):
    if isinstance(reply, list):
        return b"\n".join(flattened(part) for part in reply)
    return reply if isinstance(reply, bytes) else str(reply).encode()
