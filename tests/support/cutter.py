"""A TCP proxy that cuts connections in mid-reply: after so many more bytes from the server, at whatever byte that is."""

import contextlib
import socket
import threading

from ports import free_port


class Cutter:
    def __init__(self, target_port):
        self.target, self.port = ("127.0.0.1", target_port), free_port()
        self.lock = threading.Lock()
        self.left = None  # bytes of replies until the cut; None: not armed
        self.cuts = 0
        self.open = set()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def arm(self, count):
        with self.lock:
            self.left = count

    def close(self):
        self.listener.close()
        self.cut()

    def cut(self):
        """All connections, at once."""
        with self.lock:
            ends, self.open = self.open, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept(self):
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self.listener.accept()
                try:
                    server = socket.create_connection(self.target)
                except OSError:
                    client.close()
                    continue
                with self.lock:
                    self.open |= {client, server}
                threading.Thread(target=self.carry, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self.carry, args=(server, client, True), daemon=True).start()

    def carry(self, source, sink, replies):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept, is_cut = self.before_cut(data) if replies else (data, False)
                sink.sendall(kept)
                if is_cut:
                    self.cut()
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        with self.lock:
            self.open -= {source, sink}

    def before_cut(self, data):
        """What of a reply goes through, and whether the cut is then."""
        with self.lock:
            if self.left is None or len(data) < self.left:
                self.left = None if self.left is None else self.left - len(data)
                return data, False
            kept, self.left = data[:self.left], None
            self.cuts += 1
            return kept, True
