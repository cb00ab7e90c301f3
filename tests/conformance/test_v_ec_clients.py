"""Section V: clients whose keys only sign. Their replies are encrypted with the challenge, or nothing is issued at all."""

import os
import subprocess

import der
import identities
import pytest
import scepmsg
from catalogue import requirement
from conftest import ONE_TIME, OPEN
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from gateway import Gateway
from scepmsg import BAD_ALG, BAD_REQUEST, FAILURE, SUCCESS

ALIASES = {
    "demo": ONE_TIME,
    "open": OPEN,
    "slow": ONE_TIME | {"reply": {"password_iterations": 54321}},
    "agreed": OPEN | {"reply": {"to_ec_signers": ["key_agreement"]}},
    "either": ONE_TIME | {"reply": {"to_ec_signers": ["password", "key_agreement"]}},
    "rsaonly": ONE_TIME | {"reply": {"to_ec_signers": []}},
    "elliptic": ONE_TIME | {"backend": "elliptic", "ra": {"from": "elliptic"}},
}
BACKENDS = {"ca": {"type": "local_ca", "key_type": "rsa-2048"}, "elliptic": {"type": "local_ca", "key_type": "ec-p256"}}


@pytest.fixture(scope="module")
def signers(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("ec"), ALIASES, backends=BACKENDS)
    gateway.start()
    yield gateway
    gateway.close()


def ask(gateway, alias="demo", *, challenge=None, identity=None, **bend):
    """(request, reply) of an EC client."""
    identity = identity or identities.Identity("ec")
    request = gateway.request(alias, identity=identity, challenge=challenge, **bend)
    return request, gateway.reply(request, alias)


def issued(gateway, alias="demo", **bend):
    """(request, reply, certificate) of an EC client with a challenge."""
    challenge = gateway.challenge(alias)
    request, reply = ask(gateway, alias, challenge=challenge, **bend)
    assert reply.status == SUCCESS, (reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT))
    bag = reply.issued_by_password(challenge)
    assert scepmsg.public_key_of(bag[0]) == request.identity.spki
    return request, reply, bag[0]


@requirement("V-01", "G-10", "M-04")
@pytest.mark.parametrize("size", [256, 384, 521])
def test_V_01_reply_to_an_ec_client_is_encrypted_with_its_challenge(signers, size):
    _, reply, _ = issued(signers, identity=identities.Identity("ec", size))
    assert reply.enveloped()[1].tag == 0xA3


@requirement("V-02", "V-03")
@pytest.mark.parametrize("cipher", ["aes128", "aes192", "aes256", "3des"])
def test_V_02_03_form_of_the_password_recipient(signers, cipher):
    """password_recipient asserts versions, PBKDF2 and id-alg-PWRI-KEK; the key is wrapped with the request's cipher."""
    _, reply, _ = issued(signers, envelope={"cipher": cipher})
    salt, _, wrapping, _, secret = reply.password_recipient()
    assert wrapping == cipher == reply.enveloped()[2]
    assert len(salt) >= 8 and len(secret) >= 2 * scepmsg.CIPHERS[cipher][2]
    another = issued(signers, envelope={"cipher": cipher})[1].password_recipient()
    assert another[0] != salt and another[4] != secret


@requirement("V-03")
def test_V_03_openssl_reads_it(signers, tmp_path):
    challenge = signers.challenge()
    _, reply = ask(signers, challenge=challenge)
    done = subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-pwri_password", challenge], input=reply.content,
                          cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(scepmsg.degenerate_certificates(done.stdout)) == 1


def private_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def open_agreement(folder, request, reply):
    assert reply.enveloped()[1].tag == 0xA1, "no KeyAgreeRecipientInfo"
    (folder / "key.pem").write_bytes(private_pem(request.identity.key))
    (folder / "signer.pem").write_bytes(identities.load(request.identity.certificate).public_bytes(serialization.Encoding.PEM))
    done = subprocess.run(["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-recip", "signer.pem", "-inkey", "key.pem"],
                          input=reply.content, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return scepmsg.degenerate_certificates(done.stdout)


@requirement("V-04")
def test_V_04_key_agreement_only_where_the_alias_says_so(signers, tmp_path):
    request, reply = ask(signers, "agreed")
    assert scepmsg.public_key_of(open_agreement(tmp_path, request, reply)[0]) == request.identity.spki
    before = len(signers.certificates())
    signers.refused(signers.request("open", identity=identities.Identity("ec")), BAD_ALG, "open")
    assert len(signers.certificates()) == before


@requirement("V-04")
def test_V_04_challenge_goes_before_key_agreement(signers):
    issued(signers, "either")


@requirement("V-05")
@pytest.mark.parametrize("alias,challenge", [("open", None), ("open", ""), ("demo", None)])
def test_V_05_undeliverable_requests_are_refused_before_anything_is_issued(signers, alias, challenge):
    before = len(signers.certificates())
    line = signers.refused(signers.request(alias, identity=identities.Identity("ec"), challenge=challenge), BAD_ALG, alias)
    assert line["details"]["error"] == "REPLY_IMPOSSIBLE" and "challenge" in line["details"]["cause"]
    assert len(signers.certificates()) == before


@requirement("V-05")
def test_V_05_alias_without_ec_clients_leaves_the_challenge_alone(signers):
    challenge = signers.challenge("rsaonly")
    signers.refused(signers.request("rsaonly", identity=identities.Identity("ec"), challenge=challenge), BAD_ALG, "rsaonly")
    request = signers.request("rsaonly", challenge=challenge)
    assert signers.reply(request, "rsaonly").issued(request)


@requirement("V-05")
def test_V_05_other_kinds_of_key_are_refused(signers):
    for kind in ("ed25519", "dsa"):
        identity = identities.Identity(kind)
        reply = signers.reply(signers.request("demo", identity=identity, challenge=signers.challenge()), "demo")
        assert reply.status == FAILURE and reply.fail_info in (BAD_ALG, BAD_REQUEST)


@requirement("V-06")
def test_V_06_wrong_challenge_is_answered_without_it(signers):
    _, reply = ask(signers, challenge="not the one that was made")
    assert (reply.status, reply.fail_info, reply.content) == (FAILURE, BAD_REQUEST, None)


@requirement("V-06")
@pytest.mark.parametrize("tag", [der.UTF8, der.BMP, der.T61])
def test_V_06_any_string_type_of_the_challenge(signers, tag):
    identity, challenge = identities.Identity("ec"), signers.challenge()
    request = signers.request("demo", identity=identity, csr=identities.csr(identity.key, challenge=challenge, challenge_tag=tag))
    assert signers.reply(request).issued_by_password(challenge)


def password_envelope(iterations, recipients=()):
    """EnvelopedData for a password that nobody knows, with more recipients in front."""
    kdf = der.tlv(0xA0, der.read_one(der.seq(der.oid(scepmsg.PBKDF2),
                                             der.seq(der.octets(os.urandom(8)), der.integer(iterations)))).content)
    aes = der.seq(der.oid(scepmsg.CIPHERS["aes128"][0]), der.octets(os.urandom(16)))
    wrap = der.seq(der.oid(scepmsg.PWRI_KEK), aes)
    info = der.tlv(0xA3, der.integer(0) + kdf + wrap + der.octets(os.urandom(32)))
    encrypted = der.seq(der.oid(scepmsg.ID_DATA), aes, der.tlv(0x80, os.urandom(64)))
    data = der.seq(der.integer(3), der.tlv(der.SET, b"".join(recipients) + info), encrypted)
    return der.seq(der.oid(scepmsg.ENVELOPED_DATA), der.tlv(0xA0, data))


@requirement("V-07", "V-08")
@pytest.mark.parametrize("iterations", [1, 2048, 5_000_000, 2**31 - 1, 2**62], ids=str)
def test_V_07_08_requests_for_a_password_are_refused_whatever_they_would_cost(signers, iterations):
    """Refused by its form: nothing is derived."""
    for kind in ("rsa", "ec"):
        request = signers.request("demo", identity=identities.Identity(kind), content=password_envelope(iterations))
        line = signers.refused(request, BAD_ALG)
        assert "key transport" in line["details"]["cause"]


@requirement("V-08")
def test_V_08_password_recipient_beside_ours_is_left_alone(signers):
    """Only the recipient that names the RA is worked on."""
    identity, challenge = identities.Identity(), signers.challenge()
    envelope = scepmsg.Envelope([signers.ra("demo")])
    made = der.read_one(envelope.build(identities.csr(identity.key, challenge=challenge)))
    version, recipients, encrypted = der.read_one(made[1].content).children()
    stranger = der.read_one(der.read_one(password_envelope(2**31 - 1))[1].content)[1].children()[0].raw
    data = der.seq(version.raw, der.tlv(der.SET, recipients.content + stranger), encrypted.raw)
    request = signers.request("demo", identity=identity, content=der.seq(der.oid(scepmsg.ENVELOPED_DATA), der.tlv(0xA0, data)))
    assert signers.reply(request).issued(request)


@requirement("V-09")
def test_V_09_cost_of_the_derivation_is_a_setting(signers):
    assert issued(signers)[1].password_recipient()[1] == 10000
    assert issued(signers, "slow")[1].password_recipient()[1] == 54321


@requirement("V-10")
@pytest.mark.parametrize("kind", ["ec:p256", "ec:p384"])
def test_V_10_our_own_client(signers, tmp_path, kind):
    row = signers.challenge_row()
    done = signers.tool("enroll", signers.url(), "--subject", "CN=device", "--challenge", row["challenge"], "--key-type", kind,
                        "--insecure-trust-first-use", "--out", str(tmp_path / "out"))
    assert done.returncode == 0
    made = (tmp_path / "out" / "cert.pem").read_bytes()
    assert isinstance(identities.x509.load_pem_x509_certificate(made).public_key(), ec.EllipticCurvePublicKey)


@requirement("V-11")
def test_V_11_guessable_passwords_are_warned_of(signers):
    (signers.folder / "weak.yaml").write_text(
        '{"backends": {"ca": {"type": "local_ca", "subject": "CN=CA"}}, "aliases": {"weak": {"backend": "ca", "challenge": '
        '{"type": "static", "secret": {"value": "correct horses"}}}}}')
    said = signers.tool("check", "weak.yaml", check=False)
    assert "replies to EC clients are encrypted with the shared password" in said.stdout + said.stderr


@requirement("W-02", "W-03")
def test_W_02_03_ec_request_sent_again(signers):
    challenge = signers.challenge()
    request, first = ask(signers, challenge=challenge)
    again = signers.reply(request)
    assert again.issued_by_password(challenge) == first.issued_by_password(challenge)
    assert again.content != first.content


@requirement("R-12")
def test_R_12_poll_after_the_end_finds_the_challenge(signers):
    challenge, identity = signers.challenge(), identities.Identity("ec")
    request, reply = ask(signers, challenge=challenge, identity=identity)
    names = der.seq(identities.name("CN=ca"), identities.name("CN=device"))
    for _ in range(2):
        poll = signers.request("demo", identity=identity, payload=names, message_type="20", transaction_id=request.transaction_id)
        assert signers.reply(poll).issued_by_password(challenge) == reply.issued_by_password(challenge)
    signers.restart()
    poll = signers.request("demo", identity=identity, payload=names, message_type="20", transaction_id=request.transaction_id)
    assert signers.reply(poll).issued_by_password(challenge) == reply.issued_by_password(challenge)


@requirement("X-01")
def test_X_01_ec_envelope_signed_again_by_another_key(signers):
    """The challenge in a captured envelope must not become the password of a reply to somebody else."""
    challenge, victim = signers.challenge(), identities.Identity("ec")
    csr = identities.csr(victim.key, challenge=challenge)
    signers.refused(signers.request("demo", identity=identities.Identity("ec"), csr=csr), BAD_REQUEST)
    request = signers.request("demo", identity=victim, csr=csr)
    assert signers.reply(request).issued_by_password(challenge)


@requirement("E-02")
def test_E_02_issuing_ca_with_an_ec_key(signers, tmp_path):
    """The RA stays with RSA; everything verifies."""
    ra, ca = signers.bag("elliptic")
    assert isinstance(identities.load(ca).public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(identities.load(ra).public_key(), identities.rsa.RSAPublicKey)
    _, _, elliptic = issued(signers, "elliptic")
    _, _, rsa = signers.enrol("elliptic")
    (tmp_path / "ca.pem").write_bytes(identities.load(ca).public_bytes(serialization.Encoding.PEM))
    for certificate in (ra, elliptic, rsa):
        (tmp_path / "one.pem").write_bytes(identities.load(certificate).public_bytes(serialization.Encoding.PEM))
        subprocess.run(["openssl", "verify", "-CAfile", "ca.pem", "one.pem"], cwd=tmp_path, check=True, capture_output=True)


@requirement("V-05", "O-01")
def test_V_05_a_renewal_that_could_not_be_answered_issues_nothing(signers):
    """An EC client with a certificate of its alias renews it without a challenge: there is nothing to encrypt the reply with."""
    request, _, certificate = issued(signers)
    before = len(signers.certificates())
    old = identities.Identity(private=request.identity.key, certificate=certificate)
    new = identities.key("ec", 256, number="renewed")
    bare = signers.request(identity=old, csr=identities.csr(new, "CN=device"), message_type="17")
    assert signers.refused(bare, BAD_ALG)["details"]["error"] == "REPLY_IMPOSSIBLE"
    assert len(signers.certificates()) == before
    with_password = signers.request(identity=old, csr=identities.csr(new, "CN=device", "any password"), message_type="17")
    reply = signers.reply(with_password)
    assert reply.status == SUCCESS, reply.text(scepmsg.FAIL_INFO_TEXT)
    assert scepmsg.public_key_of(reply.issued_by_password("any password")[0]) == identities.spki(new)
