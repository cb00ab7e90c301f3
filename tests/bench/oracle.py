"""./dev bench --oracle: can anybody tell by bytes or by time what was wrong with a message behind its signature?

Somebody who recorded an envelope signs changed copies of it himself and watches the answers. Thousands of such messages of one
length, each with one fault, come in random order over one kept connection to the real binary. Their CertReps must be equal but for nonces,
transactionID and signature; their times are compared with the Kolmogorov-Smirnov statistic, each kind against the forgery whose
padding is right. A second lot of that same forgery is the control: what it shows is the noise. All of it once as PKCSReq, and once as GetCert, where
a forgery whose padding is right reads as a question for a certificate that there is not.
"""

import datetime
import gc
import math
import os
import pathlib
import random
import secrets
import socket
import statistics
import sys
import time

import servers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import der  # noqa: E402
import identities  # noqa: E402
import scepmsg  # noqa: E402

BLOCK = 16
COUNTS = {"quick": 500, "default": 3000, "full": 10000}
RIGHT, CONTROL, WRONG = "padding right", "padding right, once more: the noise", "padding wrong"
INTACT, TRANSPORT, BLOCK_CHANGED, NO_CSR, SIGNATURE = (
    "padding wrong behind an intact CSR", "content key not encrypted to the RA", "block in the middle changed", "no CSR inside",
    "signature of the CSR wrong")
KINDS = (RIGHT, CONTROL, WRONG, INTACT, TRANSPORT, BLOCK_CHANGED, NO_CSR, SIGNATURE)
PKCS_REQ, GET_CERT = "19", "21"
REFUSED = {PKCS_REQ: scepmsg.BAD_MESSAGE_CHECK, GET_CERT: scepmsg.BAD_CERT_ID}
CHANGING = (scepmsg.SENDER_NONCE, scepmsg.RECIPIENT_NONCE, scepmsg.TRANSACTION_ID, scepmsg.SIGNING_TIME, scepmsg.MESSAGE_DIGEST)


def xor(left, right):
    return bytes(a ^ b for a, b in zip(left, right))


def long(tag, size):
    return bytes([tag, 0x82]) + size.to_bytes(2, "big")


def head(total, message_type):
    """The first block of what swallows all but the last octet of `total`, padding when that one is 1: an IssuerAndSubject, or an
    IssuerAndSerialNumber with a huge number."""
    length = total - 1 - 4
    rest = long(0x02, length - 6) if message_type == GET_CERT else long(0x30, length - 6) + long(0x04, length - 10)
    return (long(0x30, length) + b"\x30\x00" + rest).ljust(BLOCK, b"x")


class Forger:
    """Makes messages of one size out of one recorded request."""

    def __init__(self, ra, message_type):
        self.message_type = message_type
        self.ra, self.stranger = ra, identities.Identity()
        self.csr = identities.csr(identities.key(number="victim"), challenge="x" * 26)
        self.key, self.iv = os.urandom(BLOCK), os.urandom(BLOCK)
        self.recorded = scepmsg.encrypt("aes128", self.key, self.iv, self.csr)
        self.recipient = scepmsg.Envelope([]).recipient(ra, self.key)

    def forged(self, right):
        """The recorded blocks under a new head, the last two a guess and its target."""
        target = self.recorded[4 * BLOCK:5 * BLOCK]
        guess = self.csr[5 * BLOCK - 1] ^ self.recorded[4 * BLOCK - 1] ^ (1 if right else 0x55)
        return self.recorded[:-2 * BLOCK] + os.urandom(BLOCK - 1) + bytes([guess]) + target

    def content(self, kind):
        """(recipient, IV, ciphertext); each kind as long as the other."""
        whole, recipient, iv = self.recorded, self.recipient, self.iv
        if kind in (RIGHT, CONTROL, WRONG):
            return recipient, xor(xor(iv, self.csr[:BLOCK]), head(len(whole), self.message_type)), self.forged(kind != WRONG)
        if kind == TRANSPORT:
            recipient = scepmsg.Envelope([], corrupt="key").recipient(self.ra, self.key)
        elif kind == BLOCK_CHANGED:
            middle = len(whole) // 2
            whole = whole[:middle] + bytes([whole[middle] ^ 0x80]) + whole[middle + 1:]
        elif kind == INTACT:
            padded = self.csr + bytes(len(whole) - len(self.csr))
            whole = scepmsg.encrypt("aes128", self.key, iv, padded, pad=False)
        else:
            inside = os.urandom(len(self.csr)) if kind == NO_CSR else self.csr[:-1] + bytes([self.csr[-1] ^ 1])
            whole = scepmsg.encrypt("aes128", self.key, iv, inside)
        return recipient, iv, whole

    def message(self, kind):
        recipient, iv, ciphertext = self.content(kind)
        algorithm = der.seq(der.oid(scepmsg.CIPHERS["aes128"][0]), der.octets(iv))
        encrypted = der.seq(der.oid(scepmsg.ID_DATA), algorithm, der.tlv(0x80, ciphertext))
        data = der.seq(der.integer(0), der.tlv(der.SET, recipient), encrypted)
        request = scepmsg.Request(self.stranger, [], message_type=self.message_type, transaction_id=secrets.token_hex(20),
                                  content=der.seq(der.oid(scepmsg.ENVELOPED_DATA), der.tlv(0xA0, data)))
        return request.build()


class Connection:
    """One kept connection; an exchange is one write and the reading of one answer."""

    def __init__(self, port, path):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.head = f"POST {path}?operation=PKIOperation HTTP/1.1\r\nHost: bench\r\nContent-Length: "

    def ask(self, message):
        """(nanoseconds, body)"""
        data = f"{self.head}{len(message)}\r\n\r\n".encode() + message
        started = time.perf_counter_ns()
        self.socket.sendall(data)
        answer = self.socket.recv(65536)
        while b"\r\n\r\n" not in answer:
            answer += self.socket.recv(65536)
        top, _, body = answer.partition(b"\r\n\r\n")
        length = int(top.lower().partition(b"content-length:")[2].split()[0])
        while len(body) < length:
            body += self.socket.recv(65536)
        took = time.perf_counter_ns() - started
        assert top.startswith(b"HTTP/1.1 200"), top
        return took, body


def shape(body, message_type):
    """All of a CertRep that may not depend on what was wrong."""
    reply = scepmsg.Reply(body)
    assert (reply.status, reply.fail_info) == (scepmsg.FAILURE, REFUSED[message_type]), (reply.status, reply.fail_info)
    kept = tuple(sorted((name, value) for name, value in reply.attributes.items() if name not in CHANGING))
    return len(body), reply.content, tuple(reply.certificates), reply.digest, kept


def measure(connection, forger, count):
    """kind -> times in nanoseconds; and the shapes of all replies."""
    times, shapes = {kind: [] for kind in KINDS}, set()
    gc.disable()
    for done in range(0, count, 100):
        batch = [(kind, forger.message(kind)) for kind in KINDS for _ in range(min(100, count - done))]
        random.shuffle(batch)
        connection.ask(batch[0][1])  # after the pause in which the batch was made
        for kind, message in batch:
            took, body = connection.ask(message)
            times[kind].append(took)
            shapes.add(shape(body, forger.message_type))
        print(f"{done + 100} of {count} of each kind", file=sys.stderr, flush=True)
    return times, shapes


def kolmogorov_smirnov(left, right):
    """(D, p): the greatest distance of the two distributions, and how often equal ones are as far apart."""
    left, right = sorted(left), sorted(right)
    i = j = 0
    distance = 0.0
    while i < len(left) and j < len(right):
        at = min(left[i], right[j])
        while i < len(left) and left[i] == at:
            i += 1
        while j < len(right) and right[j] == at:
            j += 1
        distance = max(distance, abs(i / len(left) - j / len(right)))
    root = math.sqrt(len(left) * len(right) / (len(left) + len(right)))
    scaled = (root + 0.12 + 0.11 / root) * distance
    chance = 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101)) if scaled > 0.2 else 1.0
    return distance, min(max(chance, 0.0), 1.0)


def table(times, size, count, message_type):
    base = statistics.median(times[RIGHT])
    lines = []
    for kind in KINDS:
        quarters = statistics.quantiles(times[kind], n=4)
        median = f"| {kind} | {quarters[1] / 1000:.0f} ({quarters[0] / 1000:.0f}–{quarters[2] / 1000:.0f})"
        if kind == RIGHT:
            lines.append(f"{median} | | | |")
            continue
        distance, chance = kolmogorov_smirnov(times[RIGHT], times[kind])
        lines.append(f"{median} | {(quarters[1] - base) / 1000:+.1f} | {distance:.3f} | {chance:.2f} |")
    when = datetime.date.today().isoformat()
    name = "PKCSReq" if message_type == PKCS_REQ else "GetCert"
    return f"""{name}: measured {when} with `./dev bench --oracle --size {size}` on {os.cpu_count()} cores: {count} messages of each kind in random order, one at a time; all replies equal
in bytes and length but for nonces, transactionID and signature.

| fault behind the signature | µs, median (quartiles) | median against "padding right" | D | p |
|---|---|---|---|---|
""" + "\n".join(lines) + f"""

D is the Kolmogorov-Smirnov distance to "padding right", p how often two samples of one distribution are as far apart; with {count} of each, D above
{1.63 * math.sqrt(2 / count):.3f} happens by chance once in a hundred comparisons.
"""


def run(build, folder, size):
    count = COUNTS[size]
    server = servers.Scepgate(folder / "scepgate", build / "scepgate")
    server.start()
    try:
        bag = scepmsg.degenerate_certificates(server.ca())
        for message_type in (PKCS_REQ, GET_CERT):
            times, shapes = measure(Connection(server.port, server.path), Forger(bag[0], message_type), count)
            if len(shapes) != 1:
                raise SystemExit(f"bench: the replies differ in {len(shapes)} ways: {shapes}")
            print(table(times, size, count, message_type), flush=True)
    finally:
        server.stop()
