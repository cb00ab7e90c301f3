"""`scepgate enroll` against a SCEP server that shares no code with it."""

import json
import os
import pathlib
import re
import stat
import subprocess
import sys

import der
import identities
import pytest
import scepmsg
from catalogue import quirk, requirement
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID
from gateway import BINARY
from scep_server import DER, Answer, ScepServer, certify, degenerate

CHALLENGE = "a challenge that must not be printed"
REFUSED, PENDING, BROKEN, USAGE = 3, 4, 1, 2


@pytest.fixture
def server():
    made = ScepServer()
    yield made
    made.close()


def spki(thing):
    """The public key of a certificate, request or private key as bytes."""
    return thing.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


class Tool:
    def __init__(self, server, folder):
        self.server, self.out = server, folder / "device"

    def command(self, *options, pin=True):
        trust = ["--ca-sha256", self.server.fingerprint] if pin else []
        return [BINARY, "enroll", self.server.url, *trust, "--out", str(self.out), "--poll-interval", "0", "--timeout", "20", *options]

    def run(self, *options, expect=0, pin=True, subject=True):
        named = ["--subject", "CN=device-1,O=Maker\\, Inc."] if subject else []
        done = subprocess.run(self.command(*named, *options, pin=pin), capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == expect, done.stdout + done.stderr
        assert CHALLENGE not in done.stdout + done.stderr
        return done.stdout + done.stderr

    def certificate(self):
        return x509.load_pem_x509_certificate((self.out / "cert.pem").read_bytes())

    def key(self):
        return serialization.load_pem_private_key((self.out / "key.pem").read_bytes(), None)

    def files(self):
        return sorted(path.name for path in self.out.iterdir())


@pytest.fixture
def tool(server, tmp_path):
    return Tool(server, tmp_path)


@requirement("Z-08")
def test_enrols(tool, server):
    text = tool.run("--challenge", CHALLENGE, "--san", "DNS:a.example", "--san", "IP:10.0.0.1")
    assert "issued" in text and server.fingerprint.upper() in text
    seen = server.seen[0]
    assert (seen.method, seen.message_type, seen.cipher, seen.digest) == ("POST", 19, "aes128", "sha256")
    assert len(seen.sender_nonce) == 16
    request = x509.load_der_x509_csr(seen.payload)
    assert request.subject.rfc4514_string() == "O=Maker\\, Inc.,CN=device-1"
    assert request.attributes.get_attribute_for_oid(x509.ObjectIdentifier("1.2.840.113549.1.9.7")).value == CHALLENGE.encode()
    names = request.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example"] and len(names) == 2
    signer = identities.load(seen.signer)
    assert signer.subject == request.subject == signer.issuer and spki(signer) == spki(request)
    assert spki(tool.certificate()) == spki(tool.key()) == spki(request)
    assert tool.files() == ["ca.pem", "cert.pem", "key.pem"]
    assert stat.S_IMODE((tool.out / "key.pem").stat().st_mode) == 0o600
    assert (tool.out / "ca.pem").read_text().count("BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize("options, expected", [
    (["--get"], ("GET", "aes128", "sha256")),
    (["--cipher", "3des", "--digest", "sha1"], ("POST", "3des", "sha1")),
    (["--cipher", "aes192", "--digest", "sha384"], ("POST", "aes192", "sha384")),
    (["--cipher", "aes256", "--digest", "sha512", "--key-type", "rsa:3072"], ("POST", "aes256", "sha512")),
])
def test_does_what_the_options_say(tool, server, options, expected):
    tool.run(*options)
    assert (server.seen[0].method, server.seen[0].cipher, server.seen[0].digest) == expected
    assert tool.key().key_size == (3072 if "rsa:3072" in options else 2048)


@requirement("C-13", "U-04", "Z-01")
@pytest.mark.parametrize("capabilities, expected", [
    ("AES\r\nsha-512\r\nSomething\r\n", ("GET", "aes128", "sha512")),
    ("DES3\nSHA-1\nPOSTPKIOperation", ("POST", "3des", "sha1")),
    ("", ("GET", "3des", "sha1")),
    (None, ("GET", "3des", "sha1")),
])
def test_follows_the_capabilities_and_never_goes_below(tool, server, capabilities, expected):
    server.capabilities = capabilities
    tool.run()
    assert (server.seen[0].method, server.seen[0].cipher, server.seen[0].digest) == expected


def test_json(tool, server):
    command = tool.command("--json", "--subject", "CN=device", "--transaction-id", "my own id+/=")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert found["status"] == "issued" and found["transaction_id"] == "my own id+/="
    assert int(found["serial"], 16) == tool.certificate().serial_number
    assert found["certificate"] == str(tool.out / "cert.pem") and found["ca_sha256"].lower() == server.fingerprint
    assert server.seen[0].transaction_id == b"my own id+/="


@requirement("Z-07", "I-01", "R-01", "R-03")
def test_polls_with_the_same_transaction_and_signer(tool, server):
    server.decide = lambda seen: Answer(scepmsg.PENDING if len(server.seen) < 4 else scepmsg.SUCCESS)
    tool.run("--poll-count", "5")
    assert [seen.message_type for seen in server.seen] == [19, 20, 20, 20]
    assert len({seen.transaction_id for seen in server.seen}) == len({seen.signer for seen in server.seen}) == 1
    assert len({seen.sender_nonce for seen in server.seen}) == 4
    issuer, subject = der.read_one(server.seen[1].payload).children()
    assert issuer.raw == server.ca.subject.public_bytes()
    assert subject.raw == x509.load_der_x509_csr(server.seen[0].payload).subject.public_bytes()
    assert tool.files() == ["ca.pem", "cert.pem", "key.pem"]


@requirement("Z-07")
def test_gives_up_and_goes_on_later(tool, server):
    server.decide = lambda seen: Answer(scepmsg.PENDING)
    tool.run("--poll-count", "1", "--challenge", CHALLENGE, expect=PENDING)
    assert "enroll.json" in tool.files() and "cert.pem" not in tool.files()
    for name in ("enroll.json", "request.pem", "key.pem"):
        assert stat.S_IMODE((tool.out / name).stat().st_mode) == 0o600
    server.decide = lambda seen: Answer()
    tool.run(subject=False)
    assert [seen.message_type for seen in server.seen] == [19, 20, 20]
    assert len({seen.transaction_id for seen in server.seen}) == len({seen.signer for seen in server.seen}) == 1
    assert spki(tool.certificate()) == spki(tool.key())
    assert tool.files() == ["ca.pem", "cert.pem", "key.pem"]


@requirement("Z-07")
def test_sends_the_same_request_again_after_an_answer_was_lost(tool, server):
    server.decide = lambda seen: Answer(http_status=502)
    assert "run the same command again" in tool.run(expect=BROKEN)
    server.decide = lambda seen: Answer()
    tool.run(subject=False)
    first, second = server.seen
    assert (first.message_type, second.message_type) == (19, 19)
    assert (first.payload, first.transaction_id, first.signer) == (second.payload, second.transaction_id, second.signer)
    assert first.sender_nonce != second.sender_nonce


def test_a_refusal_is_told_and_can_be_tried_again(tool, server):
    server.decide = lambda seen: Answer(scepmsg.FAILURE, scepmsg.BAD_REQUEST, "no\x1b[31m such\ndevice")
    text = tool.run("--challenge", CHALLENGE, expect=REFUSED)
    assert "badRequest" in text and "such" in text and "\x1b" not in text
    assert tool.files() == ["key.pem"]
    server.decide = lambda seen: Answer()
    tool.run()
    assert server.seen[0].transaction_id != server.seen[1].transaction_id
    assert spki(tool.certificate()) == spki(tool.key())
    assert "are there already" in tool.run(expect=BROKEN)


def test_an_ec_key_that_the_server_does_not_take(tool, server):
    server.decide = lambda seen: Answer(scepmsg.FAILURE, scepmsg.BAD_ALG)
    text = tool.run("--key-type", "ec:p256", expect=REFUSED)
    assert "badAlg" in text and "does not take messages signed with EC keys" in text
    assert "not rsa:2048" in tool.run("--key-type", "rsa:2048", expect=BROKEN)


@requirement("O-01")
def test_renews(tool, server, tmp_path):
    tool.run("--san", "DNS:a.example")
    old = tool.certificate()
    new = Tool(server, tmp_path / "new")
    new.out = tmp_path / "new"
    renewal = ["--renew", "--with-cert", str(tool.out / "cert.pem"), "--with-key", str(tool.out / "key.pem")]
    new.run(*renewal, subject=False)
    seen = server.seen[1]
    assert seen.message_type == 17 and seen.signer == old.public_bytes(serialization.Encoding.DER)
    assert new.certificate().subject == old.subject and spki(new.certificate()) != spki(old)

    server.capabilities = "AES\nSHA-256\nPOSTPKIOperation"
    new.out = tmp_path / "newer"
    assert "does not offer Renewal" in new.run(*renewal, subject=False)
    assert server.seen[2].message_type == 19 and server.seen[2].signer == seen.signer


@requirement("Z-08", "D-06")
def test_trust_needs_a_fingerprint_or_a_word(tool, server):
    assert "--ca-sha256" in tool.run(expect=USAGE, pin=False)
    assert "fingerprint" in tool.run("--ca-sha256", "00" * 32, expect=BROKEN, pin=False)
    assert not server.seen
    text = tool.run("--insecure-trust-first-use", pin=False)
    assert "TRUSTED WITHOUT A CHECK" in text and server.fingerprint.upper() in text


def test_colons_in_the_fingerprint(tool, server):
    upper = server.fingerprint.upper()
    tool.run("--ca-sha256", ":".join(upper[at:at + 2] for at in range(0, 64, 2)), pin=False)


@requirement("Z-08")
def test_an_ra_that_does_not_lead_to_the_pinned_ca_gets_nothing(tool, server):
    stranger = identities.Identity(subject="CN=Strange RA")
    server.extra = [stranger.certificate]  # first in the bag, and fit by its usage
    assert "ignored: 1" in tool.run()
    server.extra = []
    server.ra, server.ra_key = identities.load(stranger.certificate), stranger.key
    tool.out = tool.out.with_name("second")
    assert "HTTP 400" in tool.run(expect=BROKEN), "the message went to the CA that was pinned"
    assert len(server.seen) == 1, "so the stranger could not read it"


KEY = ["--key", str(pathlib.Path(__file__).resolve().parents[1] / "data" / "keys" / "client-rsa.pem")]
LIES = {
    "transaction": dict(bend={scepmsg.TRANSACTION_ID: der.set_of(der.text("another"))}),
    "nonce": dict(bend={scepmsg.RECIPIENT_NONCE: der.set_of(der.octets(b"0123456789abcdef"))}),
    "no nonce": dict(bend={scepmsg.RECIPIENT_NONCE: None}),
    "type": dict(bend={scepmsg.MESSAGE_TYPE: der.set_of(der.text("19"))}),
    "status 1": dict(bend={scepmsg.PKI_STATUS: der.set_of(der.text("1"))}),
    "two statuses": dict(bend={scepmsg.PKI_STATUS: der.set_of(der.text("0"), der.text("2"))}),
    "digest": dict(bend={scepmsg.MESSAGE_DIGEST: der.set_of(der.octets(b"x" * 32))}),
    "content in clear": dict(content=b"\x30\x00"),
    "no content": dict(status=scepmsg.PENDING, bend={scepmsg.PKI_STATUS: der.set_of(der.text("0"))}),
    "nothing of ours": dict(certificates=[identities.Identity().certificate]),
    "empty bag": dict(certificates=[]),
}


@requirement("K-05", "L-02", "Z-04")
@pytest.mark.parametrize("lie", LIES)
def test_believes_no_lie(tool, server, lie):
    server.decide = lambda seen: Answer(**LIES[lie])
    tool.run(*KEY, expect=BROKEN)
    assert "cert.pem" not in tool.files()


@requirement("Z-04")
def test_believes_no_stranger(tool, server):
    stranger = identities.Identity(subject="CN=Test RA")
    server.decide = lambda seen: Answer(signer=(stranger.key, stranger.certificate))
    assert "not signed by" in tool.run(expect=BROKEN)


@requirement("Z-08")
def test_follows_an_ra_that_was_renewed_meanwhile(tool, server):
    old_ra, old_key = server.ra, server.ra_key

    def decide(seen):
        server.ra_key = identities.key(number="ra2")
        server.ra = certify("Test RA", server.ra_key.public_key(), "Test CA", server.ca_key,
                            usage=["digital_signature", "key_encipherment"])
        return Answer()

    server.decide = decide
    assert "asking for the certificates again" in tool.run()
    assert old_ra.public_bytes(DER) != server.ra.public_bytes(DER) and old_key is not server.ra_key


@requirement("Z-05", "Y-11")
@quirk("77", "78")
def test_junk_beside_a_failure_is_ignored(tool, server):
    server.decide = lambda seen: Answer(scepmsg.FAILURE, scepmsg.BAD_CERT_ID, content=b"\0",
                                        bend={"1.3.6.1.4.1.311.21.33": der.set_of(der.text("-2147024809"))})
    assert "badCertId" in tool.run(expect=REFUSED)


@requirement("Z-09")
def test_finds_its_certificate_in_a_shuffled_bag(tool, server):
    def decide(seen):
        other = identities.Identity().certificate
        return Answer(certificates=[server.ca.public_bytes(serialization.Encoding.DER), other, server.issue(seen.payload)])

    server.decide = decide
    tool.run()
    assert spki(tool.certificate()) == spki(tool.key())


@requirement("Z-02")
def test_get_is_base64_and_fully_escaped(tool, server):
    tool.run("--get")
    query = next(target for target in server.targets if "PKIOperation" in target).partition("?")[2]
    message = dict(part.split("=") for part in query.split("&"))["message"]
    assert re.fullmatch(r"(?:[A-Za-z0-9]|%2B|%2F|%3D)+", message), "a character that RFC 3986 reserves, or base64url"


@requirement("E-04", "Z-03")
@pytest.mark.parametrize("signer_first", [True, False])
def test_signing_and_encryption_certificates_as_ndes_has_them(tool, server, signer_first):
    """Of two RA certificates the one with keyEncipherment is encrypted to, and the other one's signature is believed."""
    key = identities.key(number="ra that signs")
    signing = certify("Test RA (signing)", key.public_key(), "Test CA", server.ca_key, usage=["digital_signature"])
    server.ra = certify("Test RA (encryption)", server.ra_key.public_key(), "Test CA", server.ca_key, usage=["key_encipherment"])
    server.extra = [signing.public_bytes(DER)]
    if not signer_first:
        server.bag = lambda: degenerate(b"".join(one.public_bytes(DER) for one in (server.ra, signing, server.ca)))
    server.decide = lambda seen: Answer(signer=(key, signing.public_bytes(DER)))
    tool.run()


@requirement("Z-04", "Y-11")
@quirk("78", "86")
@pytest.mark.parametrize("status", [scepmsg.SUCCESS, scepmsg.FAILURE])
def test_a_reply_without_certificates_is_verified_by_the_known_ra(tool, server, status):
    server.decide = lambda seen: Answer(status, None if status == scepmsg.SUCCESS else scepmsg.BAD_REQUEST, embed=False)
    tool.run(expect=0 if status == scepmsg.SUCCESS else REFUSED)


@requirement("Z-01", "Y-11")
def test_capabilities_without_a_type_count(tool, server):
    server.capabilities_type, server.capabilities = None, "SCEPStandard\nAES\nSHA-256\nPOSTPKIOperation\nAnd more\n"
    tool.run()
    assert (server.seen[0].method, server.seen[0].cipher) == ("POST", "aes128")


@requirement("Y-05")
@pytest.mark.parametrize("kind", ["application/x-x509-ra-ca-certs", "application/octet-stream", None])
def test_types_of_the_bag_that_other_servers_say(tool, server, kind):
    server.ca_type = kind
    tool.run()


@requirement("Z-05")
def test_junk_beside_pending_is_ignored(tool, server):
    server.decide = lambda seen: Answer(scepmsg.PENDING, content=b"\0") if len(server.seen) == 1 else Answer()
    tool.run("--poll-count", "2")


@pytest.mark.parametrize("options", [
    ["--cipher", "des"], ["--digest", "md5"], ["--key-type", "rsa:1024"], ["--renew"], ["--poll-count", "-1"],
    ["--nonsense"], ["another", "word"],
])
def test_wrong_usage(tool, server, options):
    tool.run(*options, expect=USAGE)
    assert not server.seen and not tool.out.exists()


def test_the_challenge_leaves_the_command_line(tool, server, tmp_path):
    """It is wiped from argv before the first byte goes to the server."""
    found = []

    def decide(seen):
        for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if str(tool.out).encode() in words and os.path.basename(BINARY).encode() in words.split(b"\0")[0]:
                found.append(CHALLENGE.encode() in words)
        return Answer()

    server.decide = decide
    tool.run("--challenge", CHALLENGE, *KEY)
    assert found == [False]


def test_a_dead_server_is_an_error(tool, server):
    server.close()
    text = tool.run(expect=BROKEN)
    assert "refused" in text.lower() or "connect" in text.lower()
    assert not tool.out.exists()
    server.__init__()  # so that the fixture has something to close


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
