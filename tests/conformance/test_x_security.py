"""Section X: a recorded envelope in the hands of a stranger. What he makes of it is signed by himself, so only the answers could help
him; they must all be the same."""

import os
import secrets

import der
import identities
import pytest
import scepmsg
from catalogue import requirement
from scepmsg import BAD_REQUEST

BLOCK = 16
# An IssuerAndSubject and an IssuerAndSerialNumber that swallow all but the last octet of three blocks. That one is padding when it is
# 1, so that whoever could tell a readable message from an unreadable one would have an octet after at most 256 questions.
WITH_SUBJECT, WITH_SERIAL = bytes.fromhex("302d300030290427"), bytes.fromhex("302d30000229")
HEADS = {"17": WITH_SUBJECT, "18": WITH_SUBJECT, "19": WITH_SUBJECT, "20": WITH_SUBJECT, "21": WITH_SERIAL, "22": WITH_SERIAL}


def xor(left, right):
    return bytes(a ^ b for a, b in zip(left, right))


@pytest.fixture(scope="module")
def recorded(shared):
    """Somebody's request: its content key as it went over the wire, IV and ciphertext; and the request, for the test alone."""
    csr = identities.csr(identities.Identity().key, challenge=shared.challenge("demo"))
    content_key, iv = os.urandom(BLOCK), os.urandom(BLOCK)
    recipient = scepmsg.Envelope([]).recipient(shared.ra("demo"), content_key)
    return recipient, iv, scepmsg.encrypt("aes128", content_key, iv, csr), csr


def envelope(recipient, iv, ciphertext):
    algorithm = der.seq(der.oid(scepmsg.CIPHERS["aes128"][0]), der.octets(iv))
    encrypted = der.seq(der.oid(scepmsg.ID_DATA), algorithm, der.tlv(0x80, ciphertext))
    return der.seq(der.oid(scepmsg.ENVELOPED_DATA), der.tlv(0xA0, der.seq(der.integer(0), der.tlv(der.SET, recipient), encrypted)))


@requirement("X-02")
@pytest.mark.parametrize("message_type", HEADS)
def test_X_02_no_answer_tells_the_padding(shared, recorded, message_type):
    """How a request begins is known, so its first block can be made to say anything. The guess that is right is known here, too."""
    recipient, iv, ciphertext, csr = recorded
    head = HEADS[message_type].ljust(BLOCK, b"x")
    first, target = ciphertext[:BLOCK], ciphertext[4 * BLOCK:5 * BLOCK]
    right = csr[5 * BLOCK - 1] ^ ciphertext[4 * BLOCK - 1] ^ 1
    stranger, before = identities.Identity(), os.urandom(BLOCK - 1)
    answers = set()
    for guess in (right, right ^ 0x55, right ^ 0xAA):
        forged = envelope(recipient, xor(xor(iv, csr[:BLOCK]), head), first + before + bytes([guess]) + target)
        request = scepmsg.Request(stranger, [], message_type=message_type, transaction_id=secrets.token_hex(20), content=forged)
        reply = shared.reply(request, "demo")
        answers.add((reply.status, reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT)))
    assert len(answers) == 1, answers


@requirement("X-09")
def test_X_09_refused_challenges_are_limited(gateways):
    """Per alias and source, and not for the neighbour. That no challenge reaches log, store or trail is asserted of every gateway."""
    one_time = {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 3}}
    gateway = gateways({"demo": one_time, "other": one_time}).start()
    gateway.secrets.add("a guess that must not be found")
    for _ in range(3):
        gateway.refused(gateway.request("demo", challenge="a guess that must not be found"), BAD_REQUEST)
    line = gateway.refused(gateway.request("demo", challenge=gateway.challenge()), BAD_REQUEST)
    assert line["details"]["error"] == "CHALLENGE_LIMITED"
    gateway.enrol("other")


@requirement("X-11")
def test_X_11_refusals_sign_nothing_that_the_sender_chose(shared):
    """Of what came in, transactionID and nonce alone are echoed, both bounded; Reply knows every attribute that may be there."""
    note = "please sign this"
    request = shared.request("open", more=(("1.2.3.4", der.text(note)),), envelope={"cipher": "rc2"})
    answer = shared.post("open", request.build())
    assert scepmsg.Reply(answer.body).check(request).status == scepmsg.FAILURE and note.encode() not in answer.body
    for bend in ({"transaction_id": "x" * 256}, {"sender_nonce": bytes(65)}):
        assert shared.post("open", shared.request("open", envelope={"cipher": "rc2"}, **bend).build()).status == 400
