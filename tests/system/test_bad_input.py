"""Bad input: every row gets its documented answer and a line in the audit trail, and the gateway goes on serving."""

import os

import der
import identities
import pytest
import scepmsg
from gateway import eventually
from scepmsg import BAD_ALG, BAD_MESSAGE_CHECK, BAD_REQUEST

DEMO_SIGNER = identities.Identity()


@pytest.fixture(autouse=True)
def still_serving(shared):
    yield
    assert shared.process.poll() is None
    shared.enrol("open")


def nested(depth):
    value = b""
    for _ in range(depth):
        value = der.tlv(der.SEQUENCE, value)
    return value


def cut(data, share):
    return data[:int(len(data) * share)]


# ---- what cannot even be answered in SCEP ------------------------------------------------------------------

NOT_CMS = {
    "text": lambda request: b"hello, this is no message",
    "random": lambda request: os.urandom(2000),
    "zeros": lambda request: bytes(1000),
    "bare_csr": lambda request: request.payload,
    "bare_envelope": lambda request: scepmsg.Envelope(request.recipients).build(request.payload),
    "truncated_half": lambda request: cut(request.build(), 0.5),
    "truncated_early": lambda request: request.build()[:40],
    "truncated_late": lambda request: request.build()[:-1],
    "nested_deep": lambda request: nested(2000),
    "nested_indefinite": lambda request: b"\x30\x80" * 20000,
    "huge_length": lambda request: b"\x30\x84\xff\xff\xff\xff" + bytes(100),
    "wrong_oid": lambda request: request.build().replace(der.oid(scepmsg.SIGNED_DATA), der.oid("1.2.840.113549.1.7.4"), 1),
    "certificate": lambda request: request.identity.certificate,
}


@pytest.mark.parametrize("kind", NOT_CMS)
def test_not_cms(shared, kind):
    before = len(shared.audit())
    answer = shared.post("open", NOT_CMS[kind](shared.request("open", identity=DEMO_SIGNER)))
    assert answer.status == 400 and answer.headers["content-type"].startswith("text/plain")
    line = shared.new_audit(before)
    assert line["event"] == "message.refused" and line["details"]["error"] in ("NOT_CMS", "NOT_SCEP", "MESSAGE_ENCODING", "MESSAGE_MALFORMED"), line


NO_REPLY_POSSIBLE = {
    "no_transaction_id": {"omit": (scepmsg.TRANSACTION_ID,)},
    "no_sender_nonce": {"omit": (scepmsg.SENDER_NONCE,)},
    "no_attributes": {"omit": (scepmsg.TRANSACTION_ID, scepmsg.SENDER_NONCE, scepmsg.MESSAGE_TYPE, scepmsg.CONTENT_TYPE,
                               scepmsg.MESSAGE_DIGEST)},
    "transaction_id_of_10_kB": {"transaction_id": "x" * 10240},
    "transaction_id_empty": {"transaction_id": ""},
    "nonce_empty": {"sender_nonce": b""},
    "nonce_of_1_kB": {"sender_nonce": bytes(1024)},
}


@pytest.mark.parametrize("kind", NO_REPLY_POSSIBLE)
def test_reply_cannot_be_built(shared, kind):
    before = len(shared.audit())
    answer = shared.post("open", shared.request("open", **NO_REPLY_POSSIBLE[kind]).build())
    assert answer.status == 400, answer.body
    assert shared.new_audit(before)["event"] == "message.refused"


def test_empty_message(shared):
    for send in (lambda: shared.post("open", b""), lambda: shared.get("open", "PKIOperation"),
                 lambda: shared.get("open", "PKIOperation", "")):
        before = len(shared.audit())
        answer = send()
        assert answer.status == 400
        assert shared.new_audit(before)["details"]["error"] == "MESSAGE_EMPTY"


def test_unknown_alias(shared):
    for path in ("/scep/nobody?operation=GetCACaps", "/scep/nobody?operation=GetCACert", "/scep?operation=GetCACaps",
                 "/?operation=GetCACaps", "/scep/?operation=GetCACert"):
        before = len(shared.audit())
        answer = shared.http("GET", path)
        assert answer.status == 404 and b"demo" not in answer.body and b"nobody" not in answer.body, path
        assert shared.new_audit(before)["details"]["error"] == "ALIAS_UNKNOWN"


def test_unknown_operation(shared):
    for operation in ("GetLost", "pkioperation2", "../..", "%00"):
        before = len(shared.audit())
        assert shared.get("open", operation).status == 400
        assert shared.new_audit(before)["details"]["error"] == "OPERATION_UNKNOWN"


def test_message_that_is_not_base64(shared):
    before = len(shared.audit())
    assert shared.get("open", "PKIOperation", "!!!not*base64!!!").status == 400
    assert shared.new_audit(before)["event"] == "message.refused"


@pytest.mark.parametrize("more", [b"\0", b"\0\0", b"\x30\x00", b"junk"])
def test_trailing_bytes(shared, more):
    before = len(shared.audit())
    answer = shared.post("open", shared.request("open").build() + more)
    assert answer.status == 400 or scepmsg.Reply(answer.body).fail_info == BAD_REQUEST
    assert shared.new_audit(before)["event"] == "message.refused"


def test_oversized_body(shared):
    before = len(shared.audit())
    assert shared.post("open", b"\x30" * (300 * 1024)).status == 413
    assert shared.new_audit(before)["details"]["error"] == "MESSAGE_TOO_LARGE"


def test_oversized_request_line(shared):
    assert shared.http("GET", "/scep/open?operation=PKIOperation&message=" + "A" * (80 * 1024)).status == 414


def test_method_that_is_not_allowed(shared):
    for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"):
        answer = shared.http(method, "/scep/open?operation=GetCACaps")
        assert answer.status == 405 and "GET" in answer.headers["allow"] and "POST" in answer.headers["allow"], method


# ---- stage one: what anybody can see has an answer of its own ------------------------------------------------

STAGE_ONE = {
    "wrong_content_type": ({"content_type": "1.2.840.113549.1.7.2"}, BAD_REQUEST),
    "no_content": ({"content": False}, BAD_REQUEST),
    "content_is_a_csr": ({"content": b""}, BAD_REQUEST),  # filled in below
    "duplicate_message_type": ({"duplicate": (scepmsg.MESSAGE_TYPE,)}, BAD_REQUEST),
    "duplicate_message_digest": ({"duplicate": (scepmsg.MESSAGE_DIGEST,)}, BAD_REQUEST),
    "two_values": ({"replace": {scepmsg.MESSAGE_TYPE: der.set_of(der.text("19"), der.text("20"))}}, BAD_REQUEST),
    "message_type_as_number": ({"replace": {scepmsg.MESSAGE_TYPE: der.set_of(der.integer(19))}}, BAD_REQUEST),
    "no_message_type": ({"omit": (scepmsg.MESSAGE_TYPE,)}, BAD_REQUEST),
    "no_content_type_attribute": ({"omit": (scepmsg.CONTENT_TYPE,)}, BAD_REQUEST),
    "no_message_digest": ({"omit": (scepmsg.MESSAGE_DIGEST,)}, BAD_REQUEST),
    "two_signers": ({"signers": 2}, BAD_REQUEST),
    "no_certificate": ({"certificates": []}, BAD_REQUEST),
    "signature_broken": ({"break_signature": True}, BAD_MESSAGE_CHECK),
    "content_changed": ({"break_content": True}, BAD_MESSAGE_CHECK),
    "cipher_des": ({"envelope": {"cipher": "des"}}, BAD_ALG),
    "cipher_rc2": ({"envelope": {"cipher": "rc2"}}, BAD_ALG),
    "cipher_blowfish": ({"envelope": {"cipher": "blowfish"}}, BAD_ALG),
    "digest_md5": ({"digest": "md5"}, BAD_ALG),
    "envelope_content_type": ({"envelope": {"content_type": "1.2.840.113549.1.7.2"}}, BAD_REQUEST),
    "iv_short": ({"envelope": {"corrupt": "iv"}}, None),
}


@pytest.mark.parametrize("kind", STAGE_ONE)
def test_stage_one(shared, kind):
    bend, fail_info = STAGE_ONE[kind]
    request = shared.request("open", **bend)
    if kind == "content_is_a_csr":
        request.content = request.payload
    if kind == "two_signers" or kind.startswith(("duplicate", "no_certificate")):
        # Which signer's transactionID is meant is not certain: a bare 400 is as good an answer as a FAILURE.
        before = len(shared.audit())
        answer = shared.post("open", request.build())
        if answer.status == 400:
            assert shared.new_audit(before)["event"] == "message.refused"
            return
        assert scepmsg.Reply(answer.body).check(request).fail_info == fail_info
        shared.new_audit(before)
        return
    if fail_info is None:
        reply = shared.reply(request, "open")
        assert reply.status == scepmsg.FAILURE and reply.fail_info in (BAD_REQUEST, BAD_MESSAGE_CHECK, BAD_ALG)
        return
    assert shared.refused(request, fail_info, "open")["event"] == "message.refused"


@pytest.mark.parametrize("identity,where", [("duplicate transactionID", scepmsg.TRANSACTION_ID), ("duplicate nonce", scepmsg.SENDER_NONCE)])
def test_duplicates_of_what_a_reply_needs(shared, identity, where):
    del identity
    before = len(shared.audit())
    answer = shared.post("open", shared.request("open", duplicate=(where,)).build())
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert scepmsg.Reply(answer.body).fail_info == BAD_REQUEST
    assert shared.new_audit(before)["event"] == "message.refused"


@pytest.mark.parametrize("size", [512, 1024, 16384])
def test_signer_keys_of_impossible_sizes(shared, size):
    identity = identities.Identity(size=size, digest="sha256")
    line = shared.refused(shared.request("open", identity=identity), BAD_ALG, "open")
    assert line["details"]["error"] == "SIGNER_KEY_SIZE", line


@pytest.mark.parametrize("kind", ["ec", "ed25519", "dsa"])
def test_signers_that_cannot_be_answered(shared, kind):
    identity = identities.Identity(kind)
    bend = {} if kind != "ed25519" else {"digest": "sha512"}
    line = shared.refused(shared.request("open", identity=identity, **bend), BAD_ALG, "open")
    assert line["event"] == "message.refused"
    assert not [row for row in shared.audit("certificate.issued") if row["sequence"] > line["sequence"]]


def test_wrong_recipient(shared):
    stranger = identities.Identity(subject="CN=stranger")
    line = shared.refused(shared.request("open", recipients=[stranger.certificate]), BAD_REQUEST, "open")
    assert line["details"]["error"] == "RECIPIENT_UNKNOWN"


def test_recipient_of_another_tenant(shared):
    challenge = shared.challenge("other")
    request = shared.request("demo", challenge=challenge, recipients=[shared.ra("other")])
    line = shared.refused(request, BAD_REQUEST, "demo")
    assert line["details"]["error"] == "RECIPIENT_UNKNOWN" and line["alias"] == "demo"
    # and a message for the other tenant, sent there, still has its challenge
    assert shared.enrol("other", challenge=challenge)


# ---- stage two: one answer, whatever the cause ---------------------------------------------------------------

STAGE_TWO = {
    "ciphertext": {"envelope": {"corrupt": "ciphertext"}},
    "padding": {"envelope": {"corrupt": "padding"}},
    "key": {"envelope": {"corrupt": "key"}},
    "not_a_csr": {"payload": b"hello"},
    "empty_payload": {"payload": b""},
    "issuer_and_subject": {"payload": der.seq(identities.name("CN=ca"), identities.name("CN=device"))},
    "csr_signature": {"payload": "bad signature"},
    "csr_truncated": {"payload": "truncated"},
    "csr_trailing": {"payload": "trailing"},
    "csr_nested": {"payload": nested(1000)},
    "csr_with_nul": {"payload": "nul"},
    "csr_512": {"payload": 512},
    "csr_16384": {"payload": 16384},
}


def stage_two(shared, kind):
    bend = dict(STAGE_TWO[kind])
    good = identities.csr(DEMO_SIGNER.key)
    made = {"bad signature": lambda: identities.csr(DEMO_SIGNER.key, bad_signature=True), "truncated": lambda: good[:-10],
            "trailing": lambda: good + b"\0", "nul": lambda: identities.csr(DEMO_SIGNER.key, "CN=evil\0device"),
            512: lambda: identities.csr(identities.key(size=512)), 16384: lambda: identities.csr(identities.key(size=16384))}
    if bend.get("payload") in made:
        bend["payload"] = made[bend["payload"]]()
    return shared.request("open", identity=DEMO_SIGNER, **bend)


@pytest.mark.parametrize("kind", STAGE_TWO)
def test_stage_two(shared, kind):
    request = stage_two(shared, kind)
    before = len(shared.audit())
    reply = shared.reply(request, "open")
    line = shared.new_audit(before)
    assert reply.status == scepmsg.FAILURE
    if kind in ("csr_512", "csr_16384"):  # a size is a matter of policy, and the signer is another key
        assert reply.fail_info in (BAD_REQUEST, BAD_MESSAGE_CHECK, BAD_ALG)
        return
    assert reply.fail_info == BAD_MESSAGE_CHECK
    assert line["details"]["error"] == "ENVELOPE_UNREADABLE" and line["details"]["cause"], line


def shape(reply):
    """Everything of a CertRep that may not depend on why it was refused."""
    changing = (scepmsg.SENDER_NONCE, scepmsg.RECIPIENT_NONCE, scepmsg.TRANSACTION_ID, scepmsg.SIGNING_TIME)
    return {name: value for name, value in reply.attributes.items() if name not in changing}


def test_stage_two_answers_are_alike(shared):
    """No oracle: key transport, decryption, padding and parsing failures cannot be told apart."""
    replies = {kind: shared.reply(stage_two(shared, kind), "open") for kind in STAGE_TWO if kind not in ("csr_512", "csr_16384")}
    shapes = {kind: shape(reply) for kind, reply in replies.items()}
    assert all(found == shapes["ciphertext"] for found in shapes.values()), shapes
    assert len({len(reply.signed_attributes) for reply in replies.values()}) == 1
    eventually(lambda: shared.audit()[-1]["details"].get("cause"), "the cause in the audit trail")
