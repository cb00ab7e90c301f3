"""The transaction table against a model of a few lines: random orders of request, resend, another request, poll, approve, deny, expire,
restart, death and change of the gateway, each answer compared with what the model says, and all counted at the end.

Every failure names its seed and the steps that led there; SCEPGATE_MODEL_SEED repeats a run.
"""

import os
import random
import sqlite3

import approvals
import identities
import pytest
import redis_servers
import scepmsg
from approvals import poll_of
from gateway import FULL, Gateway, eventually
from replicas import CA, Replicas
from scepmsg import BAD_CERT_ID, BAD_REQUEST, FAILURE, PENDING, SUCCESS

SEED = int(os.environ.get("SCEPGATE_MODEL_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
STEPS = 1500 if FULL else 120
DEVICES = 5
GATE = {"desk": {"type": "manual", "then": "ca", "when": ["no_challenge"]}}
ALIASES = {"demo": {"backend": "desk", "challenge": {"type": "one_time", "failure_limit": 0}}}
ANSWERS = {"waiting": (PENDING, None), "issued": (SUCCESS, None), "denied": (FAILURE, BAD_REQUEST), "expired": (FAILURE, BAD_REQUEST)}


class Transaction:
    """One generation, as the model knows it."""

    def __init__(self, csr, state):
        self.csr, self.state = csr, state
        self.record = None  # its id
        self.certificate = None


class Device:
    """A key, a transactionID, and the generations that came of it, newest last."""

    def __init__(self, number):
        self.number = number
        self.identity = identities.Identity(private=identities.key(number=f"model-{number}"))
        self.transaction_id = f"model-{number}-{os.urandom(8).hex()}"
        self.generations = []
        self.csrs = 0

    def newest(self):
        return self.generations[-1] if self.generations else None


class Single:
    """One gateway with an embedded store."""

    def __init__(self, folder):
        self.gateway = Gateway(folder, ALIASES, backends=approvals.GATED | GATE).start()
        self.all = [self.gateway]

    def expire(self, record):
        assert self.gateway.terminate() == 0
        with sqlite3.connect(self.gateway.state / "scepgate.db") as database:
            database.execute("UPDATE obligation SET due = 1, wanted = 1 WHERE kind = 'transaction.expire' AND reference = ?", (record,))
            database.execute("UPDATE transactions SET expires = 1 WHERE id = ?", (record,))
        self.gateway.start()

    def close(self):
        self.gateway.close()


class Shared:
    """Two gateways, one Redis; expiry is left to the other one, whose store the test can reach into."""

    expire = None

    def __init__(self, folder, redis):
        shared = folder / "shared"
        ca = CA | {"certificate": str(shared / "ca.pem"), "key": str(shared / "ca-key.pem")}
        self.fleet = Replicas(folder, redis, ALIASES, count=2, backends={"ca": ca} | GATE).start()
        self.all = self.fleet.gateways
        self.gateway = self.all[0]

    def close(self):
        self.fleet.close()


class Model:
    def __init__(self, site, seed):
        self.site, self.seed, self.dice = site, seed, random.Random(seed)
        self.devices = [Device(number) for number in range(DEVICES)]
        self.steps = []
        self.challenges = {}  # csr -> whether it has one
        self.wraps = {}

    def say(self, text):
        self.steps.append(text)

    def check(self, holds, what):
        assert holds, f"{what}\nSCEPGATE_MODEL_SEED={self.seed}, after:\n" + "\n".join(self.steps[-30:])

    # ---- what devices do -------------------------------------------------------------------------------

    def fresh_csr(self, device):
        challenge = self.site.gateway.challenge() if self.dice.random() < 0.25 else None
        device.csrs += 1
        csr = identities.csr(device.identity.key, f"CN=device-{device.number}-{device.csrs}", challenge=challenge)
        self.challenges[csr] = challenge is not None
        return csr

    def send(self, device, csr):
        gateway = self.site.gateway
        request = scepmsg.Request(device.identity, [gateway.ra()], csr, transaction_id=device.transaction_id)
        return request, gateway.reply(request)

    def expect(self, device, request, reply, transaction):
        """The answer that the model gives for a transaction."""
        status, fail = ANSWERS[transaction.state]
        self.check((reply.status, reply.fail_info if status == FAILURE else None) == (status, fail),
                   f"device {device.number} got {reply.status} {reply.fail_info} while the model says {transaction.state}")
        if status == SUCCESS:
            certificate = reply.issued(request)[0]
            self.check(transaction.certificate in (None, certificate), f"device {device.number} got a second certificate")
            transaction.certificate = certificate

    def request(self, device, csr=None):
        """A new CSR, or one that was sent before."""
        newest = device.newest()
        csr = csr or self.fresh_csr(device)
        request, reply = self.send(device, csr)
        if newest and newest.csr == csr:
            self.expect(device, request, reply, newest)
        elif newest and newest.state == "waiting":
            self.check((reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST), f"device {device.number}: two requests at once")
        elif self.challenges[csr] and any(t.csr == csr for t in device.generations):
            self.check((reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST), f"device {device.number}: a challenge twice")
        else:
            device.generations.append(Transaction(csr, "issued" if self.challenges[csr] else "waiting"))
            self.expect(device, request, reply, device.newest())
            rows = self.site.gateway.ask("transaction", "list", "--text", device.transaction_id)["transactions"]
            device.newest().record = rows[0]["id"]

    def resend(self, device):
        if device.generations:
            self.request(device, self.dice.choice(device.generations).csr)

    def poll(self, device):
        newest, gateway = device.newest(), self.site.gateway
        asked = scepmsg.Request(device.identity, [gateway.ra()], newest.csr if newest else b"", transaction_id=device.transaction_id)
        request = poll_of(gateway, asked)
        reply = gateway.reply(request)
        if newest:
            self.expect(device, request, reply, newest)
        else:
            self.check((reply.status, reply.fail_info) == (FAILURE, BAD_CERT_ID), f"device {device.number} polls for nothing")

    # ---- what people do --------------------------------------------------------------------------------

    def decide(self, device, verb, state):
        newest = device.newest()
        if not newest:
            return
        done = approvals.decide(self.site.gateway, verb, {"alias": "demo", "id": newest.record}, check=False)
        self.check((done.returncode == 0) == (newest.state == "waiting"), f"{verb} of {newest.state}: {done.stderr}")
        if newest.state != "waiting":
            return
        newest.state = state
        if state == "issued":
            self.becomes(newest, "issued")

    def becomes(self, transaction, state):
        row = {"alias": "demo", "id": transaction.record}
        eventually(lambda: self.site.gateway.ask("transaction", "show", "--alias", row["alias"], row["id"])["state"] == state,
                   f"seed {self.seed}: the request is {state}; {self.steps[-5:]}")

    def approve(self, device):
        self.decide(device, "approve", "issued")

    def deny(self, device):
        self.decide(device, "deny", "denied")

    def approve_and_kill(self, device):
        """Death between approval and issue: it is issued all the same."""
        newest = device.newest()
        if not newest or newest.state != "waiting":
            return
        approvals.decide(self.site.gateway, "approve", {"alias": "demo", "id": newest.record})
        self.site.gateway.kill()
        self.site.gateway.start()
        newest.state = "issued"
        self.becomes(newest, "issued")

    def expire(self, device):
        newest = device.newest()
        if self.site.expire and newest and newest.state == "waiting":
            self.site.expire(newest.record)
            newest.state = "expired"
            self.becomes(newest, "expired")

    # ---- what happens to gateways ----------------------------------------------------------------------

    def restart(self, _):
        if self.dice.random() < 0.5:
            self.site.gateway.kill()
        self.site.gateway.restart()

    def switch(self, _):
        self.site.gateway = self.dice.choice(self.site.all)

    ACTS = {"request": 4, "resend": 5, "poll": 6, "approve": 3, "deny": 2, "approve_and_kill": 0.5, "expire": 0.7, "restart": 0.5, "switch": 2}

    def step(self):
        act = self.dice.choices(list(self.ACTS), list(self.ACTS.values()))[0]
        device = self.dice.choice(self.devices)
        self.say(f"{len(self.steps)}: {act} by device {device.number}, whose newest is {device.newest() and device.newest().state}")
        getattr(self, act)(device)

    def judge(self):
        """Store and audit trail hold what the model holds, and nothing else."""
        gateway = self.site.gateway
        have = {row["id"]: row for row in gateway.pages("transaction", "list", member="transactions")}
        states = {"waiting": "pending", "issued": "issued", "denied": "rejected", "expired": "expired"}
        want = {t.record: states[t.state] for device in self.devices for t in device.generations}
        self.check({record: row["state"] for record, row in have.items()} == want, "the store holds something else")
        issued = [record for record, state in want.items() if state == "issued"]
        self.check(len(gateway.certificates()) == len(issued), "not one certificate per issued transaction")
        for event, state in (("certificate.issued", "issued"), ("request.denied", "rejected"), ("request.expired", "expired")):
            audited = sorted(row["transaction"] for row in gateway.audit(event))
            self.check(audited == sorted(record for record, s in want.items() if s == state), f"the audit trail's {event}")
        held = sorted(row["transaction"] for row in gateway.audit("request.held"))
        self.check(held == sorted(t.record for d in self.devices for t in d.generations if not self.challenges[t.csr]), "request.held")


def play(site, seed):
    print(f"SCEPGATE_MODEL_SEED={seed}")
    model = Model(site, seed)
    for _ in range(STEPS):
        model.step()
    model.judge()


def test_one_gateway(tmp_path):
    site = Single(tmp_path)
    try:
        play(site, SEED)
    finally:
        site.close()


@pytest.fixture(scope="module")
def redis():
    with redis_servers.start("single") as servers:
        yield servers


def test_gateways_that_share_a_store(tmp_path, redis):
    site = Shared(tmp_path, redis)
    try:
        play(site, SEED)
    finally:
        site.close()
