"""Slow, silent and too many connections. Deadlines are settings, short ones here; what is asserted is that the end comes, and who
ends it, never how fast the machine is."""

import socket
import threading
import time

import pytest
from gateway import PATIENCE, eventually

LIMITS = {"connections": 40, "connections_per_address": 30, "request_deadline": "2s", "reply_deadline": "2s", "idle_deadline": "2s"}


@pytest.fixture
def limited(gateways):
    return gateways({"demo": {"backend": "ca", "challenge": {"type": "none"}}}, limits=LIMITS).start()


def connect(gateway):
    return socket.create_connection(("127.0.0.1", gateway.port), PATIENCE)


def received(connection):
    """All that comes until the gateway ends the connection."""
    data = b""
    try:
        while piece := connection.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def test_silent_connection_is_cut(limited):
    with connect(limited) as connection:
        received(connection)  # returns because the gateway ended it: this side says nothing
    assert limited.get("demo", "GetCACaps").status == 200


def trickle(connection, data, pause=0.05):
    """One byte at a time until the other side has had enough; how many went out."""
    for sent, octet in enumerate(data):
        try:
            connection.sendall(bytes([octet]))
        except OSError:
            return sent
        time.sleep(pause)
    return len(data)


@pytest.mark.parametrize("what", ["request line", "headers", "body"])
def test_bytes_that_trickle_do_not_extend_the_deadline(limited, what):
    start = {"request line": b"", "headers": b"GET /scep/demo?operation=GetCACaps HTTP/1.1\r\nHost: x\r\nX-Slow: ",
             "body": b"POST /scep/demo?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"}[what]
    with connect(limited) as connection:
        connection.sendall(start)
        sent = trickle(connection, b"G" * 4000)
        assert sent < 4000, "the gateway listened to the end"
        received(connection)
    assert limited.get("demo", "GetCACaps").status == 200


def test_kept_connection_that_falls_silent_is_cut(limited):
    with connect(limited) as connection:
        connection.sendall(b"GET /scep/demo?operation=GetCACaps HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in received(connection)


def test_connections_are_capped(limited):
    held = [connect(limited) for _ in range(30)]
    try:
        with connect(limited) as one_more:
            one_more.settimeout(PATIENCE)
            try:
                one_more.sendall(b"GET /scep/demo?operation=GetCACaps HTTP/1.1\r\nHost: x\r\n\r\n")
            except OSError:
                pass
            assert b"200 OK" not in received(one_more)
    finally:
        for connection in held:
            connection.close()
    eventually(lambda: served(limited), "room for new connections")


def served(gateway):
    try:
        return gateway.get("demo", "GetCACaps").status == 200
    except OSError:
        return False


def test_headers_are_capped(limited):
    answer = limited.http("GET", "/scep/demo?operation=GetCACaps", headers={"X-Big": "x" * 40000})
    assert answer.status in (400, 431)


def test_chunked_body_is_capped(limited):
    with connect(limited) as connection:
        connection.sendall(b"POST /scep/demo?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(1000):
                connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        except OSError:
            pass
        answer = received(connection)
    assert b"200 OK" not in answer and (b" 413 " in answer or answer == b"")


def test_many_slow_clients_do_not_stop_the_others(limited):
    stop = threading.Event()

    def slow():
        while not stop.is_set():
            try:
                with connect(limited) as connection:
                    connection.sendall(b"POST /scep/demo HTTP/1.1\r\n")
                    received(connection)
            except OSError:
                time.sleep(0.05)

    threads = [threading.Thread(target=slow) for _ in range(15)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            limited.enrol("demo")
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE)


def test_client_that_leaves_cancels_nothing(limited):
    request = limited.request("demo")
    message = request.build()
    with connect(limited) as connection:
        connection.sendall(b"POST /scep/demo?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(message))
        connection.sendall(message)
    eventually(lambda: len(limited.certificates()) == 1, "the certificate is recorded")
    assert limited.reply(request).status == 0
    assert len(limited.certificates()) == 1
