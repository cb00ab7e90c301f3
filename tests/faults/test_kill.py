"""kill -9 at random moments of an enrolment, a restart, the client's retry: exactly one certificate for the transaction, counted by
serial in the store, in the audit trail and in what the client got.

The moments come from a seed, which every failure names; SCEPGATE_FAULT_SEED repeats a run's moments.
"""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from device import Device
from gateway import FULL

SEED = int(os.environ.get("SCEPGATE_FAULT_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
ROUNDS = 150 if FULL else 6  # of each kind; each round is a start, some enrolments, a kill, and the retries
CLIENTS = 6
ALIASES = {"demo": {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 0}}}


def judge(gateway, devices, seed):
    """Store, audit trail and clients count the same serials, one per transaction."""
    stored = [int(row, 16) for row in gateway.certificates()]
    audited = [int(row["details"]["serial"], 16) for row in gateway.audit("certificate.issued")]
    received = [device.serials for device in devices]
    assert not any(device.refusals for device in devices), f"seed {seed}: a client was refused"
    assert all(len(serials) == 1 for serials in received), f"seed {seed}: a client got two certificates: {received}"
    mine = [serials.pop() for serials in received]
    assert len(set(mine)) == len(mine), f"seed {seed}: two transactions share a certificate"
    assert sorted(stored) == sorted(mine), f"seed {seed}: the store has {len(stored)} certificates for {len(mine)} transactions"
    assert sorted(audited) == sorted(mine), f"seed {seed}: the audit trail has {len(audited)} for {len(mine)} transactions"
    states = {row["state"] for row in gateway.ask("transaction", "list", "--limit", "1000")["transactions"]}
    assert states == {"issued"}, f"seed {seed}: {states}"
    assert gateway.tool("audit", "verify", "--socket", str(gateway.socket)).returncode == 0


@pytest.fixture
def dice(request):
    print(f"seed {SEED}")
    return random.Random(f"{SEED} {request.node.name}")


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_kill_at_a_random_moment(gateways, dice, round_number):
    gateway = gateways(ALIASES).start()
    devices = [Device(gateway, challenge, polls=False) for challenge in gateway.challenges(CLIENTS)]
    for _ in range(dice.randrange(1, 4)):
        with ThreadPoolExecutor(CLIENTS) as pool:
            tries = [pool.submit(device.ask) for device in devices if not device.got]
            time.sleep(dice.uniform(0, 0.25))
            gateway.kill()
        for one in tries:
            one.result()
        gateway.start()
    for device in devices:
        device.insist()
        assert device.ask(), "a second retry"
    judge(gateway, devices, SEED)


@pytest.mark.parametrize("round_number", range(max(1, ROUNDS // 3)))
def test_kill_while_starting(gateways, dice, round_number):
    """Also a first start may be cut short: CA, master key, database and RA identity are complete or not there."""
    gateway = gateways(ALIASES)
    gateway.write_settings()
    for _ in range(dice.randrange(2, 5)):
        gateway.launch()
        time.sleep(dice.uniform(0, 0.6))
        gateway.kill()
    gateway.start()
    device = Device(gateway, gateway.challenge(), polls=False)
    device.insist()
    judge(gateway, [device], SEED)


@pytest.mark.parametrize("round_number", range(max(1, ROUNDS // 3)))
def test_kill_between_retransmissions(gateways, dice, round_number):
    """The same bytes again and again while the gateway dies and comes back."""
    gateway = gateways(ALIASES).start()
    device = Device(gateway, gateway.challenge(), polls=False)
    stop = threading.Event()

    def insist():
        while not stop.is_set():
            device.ask()

    with ThreadPoolExecutor(1) as pool:
        client = pool.submit(insist)
        try:
            for _ in range(3):
                time.sleep(dice.uniform(0, 0.3))
                gateway.kill()
                gateway.start()
        finally:
            stop.set()
        client.result()
    device.insist()
    judge(gateway, [device], SEED)
