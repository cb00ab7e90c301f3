"""Challenges as operators and devices meet them, and that the gateway keeps them to itself."""

import hashlib
import time

import identities
import pytest
import scepmsg
from gateway import eventually
from scepmsg import BAD_REQUEST, FAILURE


def refused(gateway, **request):
    reply = gateway.reply(gateway.request("demo", **request))
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST)
    return reply


def test_one_challenge_one_certificate(shared):
    challenge = shared.challenge()
    request, _, certificate = shared.enrol("demo", challenge=challenge)
    assert shared.reply(request).issued(request)[0] == certificate, "a retransmission"
    before = len(shared.audit("challenge.reused"))
    refused(shared, challenge=challenge)
    eventually(lambda: len(shared.audit("challenge.reused")) == before + 1, "reuse is audited")
    assert shared.audit("challenge.reused")[-1]["details"]["bound_to"]


def test_wrong_missing_and_foreign_challenges_look_alike(shared):
    texts = {refused(shared, challenge=challenge).text(scepmsg.FAIL_INFO_TEXT)
             for challenge in ("wrong", "x" * 255, shared.challenge("other"))}
    assert len(texts) == 1
    refused(shared)
    refused(shared, challenge="")


def test_uses(shared):
    challenge = shared.challenge("demo", "--uses", "2")
    shared.enrol("demo", challenge=challenge)
    shared.enrol("demo", challenge=challenge)
    refused(shared, challenge=challenge)


def test_expiry(shared):
    challenge = shared.challenge("demo", "--ttl", "1s")
    time.sleep(1.2)
    refused(shared, challenge=challenge)


def test_revocation(shared):
    row = shared.challenge_row("demo")
    shared.tool("challenge", "revoke", "--alias", "demo", row["id"], "--socket", str(shared.socket))
    refused(shared, challenge=row["challenge"])
    assert shared.audit("challenge.revoked")[-1]["details"]["challenge"] == row["id"]


@pytest.mark.parametrize("option,value,good,bad", [
    ("--cn", "pump7", {"subject": "CN=pump7"}, {"subject": "CN=pump8"}),
    ("--san", "pump7.example", {"sans": [("dns", "pump7.example")]}, {"sans": [("dns", "pump8.example")]}),
    ("--device", "SN-1", {"subject": [("CN", "x"), ("serialNumber", "SN-1")]}, {"subject": [("CN", "x"), ("serialNumber", "SN-2")]}),
])
def test_bindings(shared, option, value, good, bad):
    challenge = shared.challenge("demo", option, value)
    identity = identities.Identity()
    for fields in (bad, {}):
        refused(shared, identity=identity, csr=identities.csr(identity.key, challenge=challenge, **({"subject": "CN=y"} | fields)))
    shared.enrol("demo", identity=identity, challenge=None, csr=identities.csr(identity.key, challenge=challenge, **good))


def test_binding_to_a_key(shared):
    identity, other = identities.Identity(), identities.Identity()
    challenge = shared.challenge("demo", "--spki-sha256", hashlib.sha256(identity.spki).hexdigest())
    refused(shared, challenge=challenge, identity=other)
    shared.enrol("demo", challenge=challenge, identity=identity)


def test_labels_and_listing(shared):
    row = shared.challenge_row("demo", "--label", "ticket=4711")
    listed = [found for found in shared.pages("challenge", "list", "--alias", "demo", member="challenges") if found["id"] == row["id"]]
    assert listed[0]["labels"] == {"ticket": "4711"} and listed[0]["state"] == "unused"
    assert row["challenge"] not in str(listed)


def test_a_challenge_is_strong_and_unlike_another(shared):
    made = shared.challenges(50)
    assert len(set(made)) == 50 and all(len(text) >= 26 for text in made)


def test_static_challenge(shared):
    shared.enrol("static", challenge="the shared canary of one alias")
    reply = shared.reply(shared.request("static", challenge="the shared canary of another"), "static")
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST)


def test_failures_are_limited(gateways):
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 3}}}).start()
    good = gateway.challenge()
    for _ in range(3):
        refused(gateway, challenge="wrong")
    refused(gateway, challenge=good)
    eventually(lambda: gateway.audit()[-1]["details"].get("error") == "CHALLENGE_LIMITED", "the limit is audited")


def test_canary_is_found_nowhere(gateways):
    """Used, unused, refused and mistyped challenges: not in the store, the log, the metrics, the audit trail, or any answer."""
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "one_time"}},
                        "static": {"backend": "ca", "challenge": {"type": "static", "secret": {"value": "static-canary-0815"}}}}).start()
    gateway.secrets.update({"static-canary-0815", "mistyped-canary-4711"})
    used = gateway.challenge()
    gateway.challenge()
    bodies = [gateway.enrol("demo", challenge=used)[1].content]
    gateway.enrol("static", challenge="static-canary-0815")
    for alias, challenge in (("demo", used), ("demo", "mistyped-canary-4711"), ("static", "mistyped-canary-4711")):
        bodies.append(repr(gateway.reply(gateway.request(alias, challenge=challenge), alias).attributes).encode())
    bodies += [gateway.admin("/metrics").body, repr(gateway.audit()).encode(),
               gateway.tool("challenge", "list", "--socket", str(gateway.socket), "--json").stdout.encode(),
               gateway.tool("transaction", "list", "--socket", str(gateway.socket), "--json").stdout.encode()]
    for body in bodies:
        for secret in gateway.secrets:
            assert secret.encode() not in body
    gateway.kill()  # and not in a write-ahead log that nobody tidied up
    gateway.assert_secrets_kept()
