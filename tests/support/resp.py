"""The least of a Redis client that tests need, sharing nothing with the gateway's own: one connection, one command at a time."""

import socket
import ssl


class RedisError(Exception):
    """An error reply."""


class Connection:
    """`address` is (host, port) or the path of a unix socket; `tls` an ssl.SSLContext."""

    def __init__(self, address, *, user=None, password=None, database=0, tls=None, patience=10):
        if isinstance(address, tuple):
            self.socket = socket.create_connection(address, timeout=patience)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(patience)
            self.socket.connect(str(address))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.stream = self.socket.makefile("rb")
        if password:
            self.call("AUTH", *([user] if user else []), password)
        if database:
            self.call("SELECT", database)

    def close(self):
        self.stream.close()
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, *words):
        """The reply: bytes, int, None or a list of these."""
        encoded = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
        self.socket.sendall(b"*%d\r\n%s" % (len(encoded), parts))
        reply = self.read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def read(self):
        line = self.stream.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("Redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.stream.read(int(rest) + 2)[:-2]
        return [self.read() for _ in range(int(rest))]

    def info(self, section):
        """INFO as a dict."""
        lines = self.call("INFO", section).decode().splitlines()
        return dict(line.split(":", 1) for line in lines if ":" in line)

    def keys(self, pattern="*"):
        """Every key of this database, bytes."""
        cursor, found = b"0", []
        while True:
            cursor, page = self.call("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)
            found += page
            if cursor == b"0":
                return found


def client_context(ca, certificate=None, key=None):
    """The client's side of TLS."""
    context = ssl.create_default_context(cafile=str(ca))
    if certificate:
        context.load_cert_chain(str(certificate), str(key))
    return context
