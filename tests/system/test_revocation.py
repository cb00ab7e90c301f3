"""Certificates are revoked, held and released through the tool, and what becomes of their renewals: on one gateway, and on another
replica than the one that was told."""

import os

import identities
import pytest
import redis_servers
from gateway import eventually
from replicas import Replicas
from scepmsg import BAD_REQUEST, FAILURE, SUCCESS

ALIASES = {"demo": {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 0}, "renewal": {"one_at_a_time": True}}}


@pytest.fixture(params=["sqlite", "redis"])
def pair(request, tmp_path, gateways):
    """Two ways into one gateway, or to two replicas: who is told, and who is asked then."""
    if request.param == "sqlite":
        gateway = gateways(ALIASES).start()
        yield gateway, gateway
        return
    with redis_servers.start("single") as servers:
        fleet = Replicas(tmp_path / "r", servers, ALIASES, count=2).start()
        yield fleet.gateways[0], fleet.gateways[1]
        fleet.close()


class Holder:
    """A device with a certificate."""

    def __init__(self, gateway, name):
        self.key = identities.key(number=f"holder-{name}")
        _, _, self.certificate = gateway.enrol(identity=identities.Identity(private=self.key))
        self.serial = f"{identities.load(self.certificate).serial_number:x}"
        self.serial = self.serial.rjust(len(self.serial) + len(self.serial) % 2, "0")
        self.renewals = 0

    def renew(self, gateway):
        self.renewals += 1
        fresh = identities.csr(identities.key(number=f"renewed-{self.renewals}"), "CN=device")
        old = identities.Identity(private=self.key, certificate=self.certificate)
        return gateway.reply(gateway.request(identity=old, csr=fresh, message_type="17"))


def order(gateway, verb, serial, *more, check=True):
    return gateway.tool("certificate", verb, "--socket", str(gateway.socket), "--alias", "demo", serial, *more, check=check)


def refused(gateway, verb, serial, sentence, *more, status=1):
    done = order(gateway, verb, serial, *more, check=False)
    assert done.returncode == status and sentence in done.stderr, done.stderr


def is_refused(reply):
    return (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST)


def test_a_hold_keeps_from_renewal_until_it_is_released(pair):
    told, asked = pair
    holder = Holder(told, "one")
    assert "on hold since" in order(told, "hold", holder.serial).stdout
    assert is_refused(holder.renew(asked))
    refused(asked, "hold", holder.serial, "is on hold since")
    row = asked.ask("certificate", "show", "--alias", "demo", holder.serial)
    assert (row["reason"], row["revocation_reason"]) == ("certificateHold", 6) and row["revoked"]
    assert "good again" in order(asked, "release", holder.serial).stdout
    refused(told, "release", holder.serial, "not on hold")
    assert holder.renew(told).status == SUCCESS
    assert [row["event"] for row in told.audit() if row["event"].startswith(("certificate.held", "certificate.rel", "renewal."))] == [
        "certificate.held", "renewal.refused", "certificate.released"]


def test_revoking_is_for_good(pair):
    told, asked = pair
    holder = Holder(told, "two")
    colons = ":".join(holder.serial[at:at + 2] for at in range(0, len(holder.serial), 2)).upper()
    assert "(keyCompromise)" in order(told, "revoke", colons, "--reason", "keyCompromise").stdout
    assert is_refused(holder.renew(asked))
    refused(asked, "revoke", holder.serial, "cannot be changed")
    refused(asked, "release", holder.serial, "(keyCompromise): that is for good")
    (row,) = told.audit("certificate.revoked")
    assert row["details"]["by"] == f"uid:{os.geteuid()}" and row["details"]["serial"] == holder.serial
    assert row["details"]["reason"] == "keyCompromise" and row["transaction"]
    listed = asked.pages("certificate", "list", "--state", "revoked", member="certificates")
    assert [(row["serial"], row["reason"]) for row in listed] == [(holder.serial, "keyCompromise")]


def test_wrong_orders_say_what_to_do(pair):
    told, _ = pair
    holder = Holder(told, "three")
    refused(told, "revoke", "00ff", "there is no such certificate")
    refused(told, "revoke", "mine", "must be hexadecimal", status=2)
    refused(told, "revoke", holder.serial, "there is no such reason", "--reason", "because")
    refused(told, "revoke", holder.serial, "bring the alias another CA", "--reason", "cACompromise")
    refused(told, "hold", holder.serial, "takes no --reason", "--reason", "superseded", status=2)
    assert holder.renew(told).status == SUCCESS, "nothing of this revoked it"


def test_a_certificate_of_the_gateway_is_revoked_with_a_warning(pair):
    told, _ = pair
    serial = next(row["serial"] for row in told.pages("certificate", "list", member="certificates") if not row["transaction"])
    done = order(told, "revoke", serial, "--reason", "superseded")
    assert "(superseded)" in done.stdout and "the gateway itself signs" in done.stderr


def test_it_survives_a_restart_and_a_move(tmp_path, gateways):
    gateway = gateways(ALIASES).start()
    holder = Holder(gateway, "four")
    order(gateway, "revoke", holder.serial)
    gateway.restart()
    assert is_refused(holder.renew(gateway))
    assert gateway.terminate() == 0
    target = tmp_path / "moved.db"
    done = gateway.tool("store", "migrate", "--from", str(gateway.settings_file), "--to", f"sqlite:{target}")
    assert eventually(target.exists, "the copy") and "CRLs" in done.stdout + done.stderr
