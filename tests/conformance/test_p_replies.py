"""Sections P and Q: the forms of CertRep, byte by byte, and checked by the OpenSSL command line as well."""

import subprocess

import der
import identities
import scepmsg
from catalogue import requirement
from cryptography.hazmat.primitives import serialization
from gateway import eventually


def verify(folder, message, *options):
    (folder / "empty").write_bytes(b"")
    done = subprocess.run(["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-noverify", *options], cwd=folder, input=message,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def raw_reply(shared, alias="open", **bend):
    request = shared.request(alias, **bend)
    return request, shared.post(alias, request.build()).body


@requirement("P-01", "P-02")
def test_P_01_02_issued_certificate_alone(shared):
    request, reply, certificate = shared.enrol("open")
    bag = reply.issued(request)
    assert bag == [certificate] and scepmsg.public_key_of(certificate) == request.identity.spki


@requirement("M-06", "P-04", "P-06")
def test_P_04_06_failure_has_no_content(shared, tmp_path):
    request, message = raw_reply(shared, "demo", challenge="wrong")
    reply = scepmsg.Reply(message).check(request)
    assert reply.content is None
    assert reply.attributes[scepmsg.MESSAGE_DIGEST] == identities.hashlib.sha256(b"").digest()
    verify(tmp_path, message, "-content", "empty")


@requirement("P-05", "P-06", "P-07", "M-06")
def test_P_05_07_pending_has_no_content(gateways, tmp_path):
    """Whoever waits no time at all is told to come again, and the same request, sent again, gets the certificate."""
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "none"}}}, enroll={"wait": "0s"}).start()

    def pending():
        request = gateway.request("demo")
        message = gateway.post("demo", request.build()).body
        return scepmsg.Reply(message).check(request).status == scepmsg.PENDING and (request, message)

    request, message = eventually(pending, "an answer that does not wait for the backend")
    reply = scepmsg.Reply(message)
    assert reply.content is None and reply.attributes[scepmsg.MESSAGE_DIGEST] == identities.hashlib.sha256(b"").digest()
    verify(tmp_path, message, "-content", "empty")
    eventually(lambda: gateway.reply(request).status == scepmsg.SUCCESS, "the certificate")
    gateway.reply(request).issued(request)


@requirement("P-06")
def test_P_06_encapsulated_content_holds_the_oid_alone(shared):
    _, message = raw_reply(shared, "demo", challenge="wrong")
    signed_data = der.read_one(der.read_one(message)[1].content)
    assert signed_data[2].raw == der.seq(der.oid(scepmsg.ID_DATA))


def test_P_success_is_read_by_openssl(shared, tmp_path):
    request, message = raw_reply(shared)
    envelope = verify(tmp_path, message)
    key = request.identity.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                             serialization.NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "signer.pem").write_bytes(identities.load(request.identity.certificate).public_bytes(serialization.Encoding.PEM))
    plain = subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", "signer.pem", "-inkey", "key.pem"],
                           cwd=tmp_path, input=envelope, capture_output=True, check=True).stdout
    printed = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-print_certs"], input=plain, capture_output=True, check=True)
    assert printed.stdout.count(b"BEGIN CERTIFICATE") == 1


@requirement("Q-01", "Q-02", "Q-03")
def test_Q_01_02_03_degenerate_form(shared):
    """scepmsg.degenerate_certificates compares every byte beside the certificate."""
    request, reply, certificate = shared.enrol("open")
    inner = reply.open(request)
    expected = der.seq(der.oid(scepmsg.SIGNED_DATA), der.tlv(0xA0, der.seq(
        der.integer(1), der.tlv(der.SET), der.seq(der.oid(scepmsg.ID_DATA)), der.tlv(0xA0, certificate), der.tlv(der.SET))))
    assert inner == expected
