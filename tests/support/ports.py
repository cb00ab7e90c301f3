"""Ports for the servers of tests."""

import random
import socket


def free_port():
    """Free now, and below the ports that the system gives to clients, which would take it again before the server binds."""
    while True:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port := random.randrange(15000, 32000)))
                return port
            except OSError:
                continue
