"""Sections W, X and AA: loss and repetition, what an attacker may try, and tenants that share nothing."""

import http.client
import os
import threading

import identities
import pytest
import scepmsg
from catalogue import requirement
from gateway import PATIENCE, eventually
from scepmsg import BAD_REQUEST, FAILURE, SUCCESS


def issued(shared, alias="demo"):
    return len([row for row in shared.audit("certificate.issued") if row["alias"] == alias])


@requirement("W-02", "W-08")
def test_W_02_same_bytes_twice(shared):
    request, _, certificate = shared.enrol("demo")
    before = issued(shared)
    assert shared.reply(request).issued(request)[0] == certificate
    assert issued(shared) == before


@requirement("W-02")
def test_W_02_same_csr_wrapped_anew(shared):
    request, _, certificate = shared.enrol("demo")
    before = issued(shared)
    request.sender_nonce = os.urandom(16)
    request.envelope = {"cipher": "aes256"}
    reply = shared.reply(request)
    assert reply.issued(request)[0] == certificate and reply.envelope()[0] == "aes256"
    assert issued(shared) == before


@requirement("W-02")
def test_W_02_same_csr_signed_anew(shared):
    """Same CertificationRequestInfo, another signature value (EC signatures always differ; here by digest)."""
    identity, challenge = identities.Identity(), shared.challenge()
    first = identities.csr(identity.key, challenge=challenge, digest="sha256")
    second = identities.csr(identity.key, challenge=challenge, digest="sha512")
    _, _, certificate = shared.enrol("demo", identity=identity, challenge=None, csr=first, transaction_id="again" + identity.serial.hex())
    _, _, again = shared.enrol("demo", identity=identity, challenge=None, csr=second, transaction_id="again" + identity.serial.hex())
    assert again == certificate


@requirement("W-03")
def test_W_03_repeated_reply_is_signed_anew(shared):
    request, first, _ = shared.enrol("demo")
    request.sender_nonce = os.urandom(16)
    second = shared.reply(request)
    assert second.attributes[scepmsg.SENDER_NONCE] != first.attributes[scepmsg.SENDER_NONCE]
    assert second.signature != first.signature


@requirement("W-04")
def test_W_04_recovery_by_a_new_transaction(shared):
    """A lost reply, and a client that starts over: a new challenge gives a new certificate, the old one gives nothing."""
    identity = identities.Identity()
    challenge = shared.challenge()
    first = shared.enrol("demo", identity=identity, challenge=challenge)[2]
    shared.refused(shared.request("demo", identity=identity, challenge=challenge), BAD_REQUEST)
    assert shared.enrol("demo", identity=identity, challenge=shared.challenge())[2] != first


@requirement("W-06")
def test_W_06_another_csr_is_never_mixed_in(shared):
    identity = identities.Identity()
    request, _, _ = shared.enrol("open", identity=identity)
    other = shared.request("open", identity=identity, csr=identities.csr(identity.key, "CN=other"),
                           transaction_id=request.transaction_id)
    certificate = shared.reply(other, "open").issued(other)[0]
    assert identities.load(certificate).subject.rfc4514_string() == "CN=other"


@requirement("W-07", "W-09")
def test_W_07_09_disconnected_client(shared):
    request = shared.request("demo", challenge=shared.challenge())
    connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=PATIENCE)
    connection.request("POST", "/scep/demo?operation=PKIOperation", request.build())
    connection.sock.close()
    assert shared.reply(request).status == SUCCESS
    before = issued(shared)
    assert shared.reply(request).status == SUCCESS and issued(shared) == before


def test_W_10_the_same_request_at_once(shared):
    request = shared.request("demo", challenge=shared.challenge())
    message, before, replies = request.build(), issued(shared), []

    def ask():
        replies.append(scepmsg.Reply(shared.post("demo", message).body).check(request))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(replies) == 8
    assert {reply.issued(request)[0] for reply in replies if reply.status == SUCCESS} == {shared.reply(request).issued(request)[0]}
    assert issued(shared) == before + 1


def test_W_10_one_challenge_for_many_at_once(shared):
    challenge = shared.challenge()
    requests = [shared.request("demo", challenge=challenge) for _ in range(8)]
    statuses = []
    threads = [threading.Thread(target=lambda request=request: statuses.append(shared.reply(request).status)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(statuses) == [SUCCESS] + [FAILURE] * 7


@requirement("X-01")
def test_X_01_signed_again_by_a_stranger(shared):
    """A captured envelope under another signature: refused, and the challenge is still the device's."""
    challenge = shared.challenge()
    request = shared.request("demo", challenge=challenge)
    stolen = scepmsg.Envelope([shared.ra("demo")]).build(request.payload)
    shared.refused(shared.request("demo", content=stolen), BAD_REQUEST)
    shared.refused(shared.request("demo", content=stolen, transaction_id=request.transaction_id), BAD_REQUEST)
    assert shared.reply(request).status == SUCCESS


@requirement("X-02")
def test_X_02_corruptions_look_alike(shared):
    identity = identities.Identity()
    kinds = [{"envelope": {"corrupt": kind}} for kind in ("ciphertext", "padding", "key")]
    kinds += [{"payload": b"junk"}, {"payload": identities.csr(identity.key, bad_signature=True)}]
    shapes = set()
    for bend in kinds * 3:
        reply = shared.reply(shared.request("open", identity=identity, transaction_id="the same", sender_nonce=bytes(16), **bend), "open")
        assert (reply.status, reply.fail_info) == (FAILURE, scepmsg.BAD_MESSAGE_CHECK)
        shapes.add(tuple(sorted((name, value) for name, value in reply.attributes.items()
                                if name not in (scepmsg.SENDER_NONCE, scepmsg.SIGNING_TIME))))
    assert len(shapes) == 1


@requirement("X-12")
@pytest.mark.parametrize("first", [True, False])
def test_X_12_signer_is_found_by_its_identifier(shared, first):
    identity, stranger = identities.Identity(), identities.Identity(subject="CN=stranger")
    bag = [stranger.certificate, identity.certificate] if first else [identity.certificate, stranger.certificate]
    shared.enrol("open", identity=identity, certificates=bag)


@requirement("AA-01", "Y-13")
def test_AA_01_ca_ident_selects_nobody(shared):
    assert shared.get("demo", "GetCACert", "other").body == shared.get("demo", "GetCACert").body


@requirement("AA-02")
def test_AA_02_tenants_share_nothing(shared):
    assert scepmsg.public_key_of(shared.ra("demo")) != scepmsg.public_key_of(shared.ra("other"))
    challenge = shared.challenge("other")
    shared.refused(shared.request("demo", challenge=challenge), BAD_REQUEST)
    shared.refused(shared.request("demo", challenge=challenge, recipients=[shared.ra("other")]), BAD_REQUEST)
    request, _, certificate = shared.enrol("other", challenge=challenge)
    for recipients in ([shared.ra("other")], [shared.ra("demo")]):  # its finished transaction is nobody else's
        foreign = shared.request("demo", identity=request.identity, csr=request.payload, recipients=recipients,
                                 transaction_id=request.transaction_id)
        reply = shared.reply(foreign, "demo")
        assert reply.status == FAILURE
    assert shared.reply(request, "other").issued(request)[0] == certificate


@requirement("AA-04")
def test_AA_04_unknown_alias_is_a_missing_page(shared):
    answers = [shared.http("GET", path) for path in ("/scep/nobody?operation=GetCACaps", "/nothing/here", "/scep/nobody/else")]
    assert {answer.status for answer in answers} == {404} and len({answer.body for answer in answers}) == 1


@requirement("W-05")
def test_W_05_new_request_after_a_lost_reply(gateways):
    """Figures 10 and 12 without their polls: the client was told PENDING, lost its answer, and begins a new transaction."""
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "none"}}}, enroll={"wait": "0s"}).start()
    identity = identities.Identity()

    def asked():
        request = gateway.request("demo", identity=identity)
        return request, gateway.reply(request)

    first, _ = asked()
    again, reply = asked()
    assert again.transaction_id != first.transaction_id and reply.status in (SUCCESS, scepmsg.PENDING)
    for request in (first, again):
        eventually(lambda request=request: gateway.reply(request).status == SUCCESS, "each has its own end")
    assert gateway.reply(first).issued(first) != gateway.reply(again).issued(again)
