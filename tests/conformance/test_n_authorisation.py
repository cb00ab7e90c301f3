"""Section N: PKCSReq and who may have a certificate; and what it then says."""

import time

import der
import identities
import pytest
import scepmsg
from catalogue import requirement
from cryptography import x509
from scepmsg import BAD_ALG, BAD_MESSAGE_CHECK, BAD_REQUEST, FAILURE


def san(certificate):
    return identities.load(certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value


@requirement("N-01")
def test_N_01_subject_and_key(shared):
    request, _, certificate = shared.enrol("demo")
    assert identities.load(certificate).subject.rfc4514_string() == "CN=device"
    assert scepmsg.public_key_of(certificate) == request.identity.spki


@requirement("N-02")
def test_N_02_key_usage_of_the_signer_does_not_matter(shared):
    shared.enrol("open", identity=identities.Identity(key_usage=False))


@requirement("N-03", "Y-09")
def test_N_03_subject_of_the_signer_may_differ(shared):
    shared.enrol("open", identity=identities.Identity(subject="CN=somebody else"))


@requirement("N-04")
def test_N_04_signer_must_have_the_csr_key(shared):
    csr = identities.csr(identities.key(number="victim"))
    line = shared.refused(shared.request("open", csr=csr), BAD_REQUEST, "open")
    assert line["details"]["error"] == "SIGNER_NOT_CSR_KEY"


@requirement("N-05", "N-06", "N-07", "X-08")
def test_N_05_06_07_without_challenge_nothing_is_issued(shared):
    before = len(shared.certificates())
    shared.refused(shared.request("demo"), BAD_REQUEST)
    shared.refused(shared.request("static"), BAD_REQUEST, "static")
    assert len(shared.certificates()) == before


@requirement("N-08", "X-04")
def test_N_08_one_time(shared):
    challenge = shared.challenge()
    request, _, _ = shared.enrol("demo", challenge=challenge)
    assert shared.reply(request).issued(request)
    line = shared.refused(shared.request("demo", challenge=challenge), BAD_REQUEST)
    assert line["event"] == "challenge.reused"


@requirement("N-09", "X-04")
def test_N_09_stored_as_a_keyed_hash(shared):
    row = shared.challenge_row("demo")
    stored = shared.query("SELECT * FROM challenge WHERE id = ?", row["id"])[0]
    values = [bytes(value) if isinstance(value, bytes) else str(value).encode() for value in tuple(stored)]
    for digest in ("md5", "sha1", "sha256", "sha512"):
        plain = identities.hashlib.new(digest, row["challenge"].encode())
        assert plain.digest() not in values and plain.hexdigest().encode() not in values
    assert row["challenge"].encode() not in b"".join(values)


@requirement("N-10")
@pytest.mark.parametrize("subject,sans,allowed", [
    ("CN=pump7", (), True), ("CN=Pump7", (), False), ("CN=pump7,OU=x", (), False), ("CN=pump7,O=x", (), False), ("", (), False),
    ("CN=pump7", (("dns", "a.example"),), True), ("CN=pump7", (("dns", "a.evil"),), False),
    ("CN=pump7", (("dns", "a.example"), ("dns", "b.evil")), False), ("CN=pump7", (("ip", bytes([10, 0, 0, 1])),), False),
])
def test_N_10_policy(shared, subject, sans, allowed):
    identity = identities.Identity()
    request = shared.request("strict", identity=identity, csr=identities.csr(identity.key, subject, sans=sans))
    if allowed:
        assert shared.reply(request, "strict").issued(request)
    else:
        line = shared.refused(request, BAD_REQUEST, "strict")
        assert line["event"] == "request.refused" and line["details"]["reasons"]


@requirement("N-11")
def test_N_11_proof_of_possession(shared):
    identity = identities.Identity()
    csr = identities.csr(identity.key, bad_signature=True)
    shared.refused(shared.request("open", identity=identity, csr=csr), BAD_MESSAGE_CHECK, "open")


@requirement("N-12")
@pytest.mark.parametrize("tag", [der.PRINTABLE, der.UTF8, der.IA5, der.T61, der.BMP])
def test_N_12_string_types_of_the_challenge(shared, tag):
    identity, challenge = identities.Identity(), shared.challenge()
    shared.enrol("demo", challenge=None, identity=identity, csr=identities.csr(identity.key, challenge=challenge, challenge_tag=tag))


@requirement("N-13")
@pytest.mark.parametrize("oid", [identities.EXTENSION_REQUEST, "2.16.840.1.113733.1.9.8", "1.3.6.1.4.1.311.2.1.14"])
def test_N_13_extension_requests(shared, oid):
    identity = identities.Identity()
    csr = identities.csr(identity.key, sans=[("dns", "a.example"), ("email", "a@b.example"), ("ip", bytes([192, 0, 2, 1]))],
                         extension_oid=oid)
    _, _, certificate = shared.enrol("open", identity=identity, csr=csr)
    assert san(certificate).get_values_for_type(x509.DNSName) == ["a.example"]
    assert san(certificate).get_values_for_type(x509.RFC822Name) == ["a@b.example"]
    assert [str(one) for one in san(certificate).get_values_for_type(x509.IPAddress)] == ["192.0.2.1"]


def test_N_14_ec_key_in_the_csr_with_an_rsa_proxy(gateways):
    """An EC key is certified when somebody with an RSA key may sign for it."""
    proxy, device = identities.Identity(subject="CN=proxy"), identities.key("ec", number="device")
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "none"},
                                 "proxy_signers": {"fingerprints": [scepmsg.fingerprint(proxy.certificate)]}}}).start()
    _, _, certificate = gateway.enrol("demo", identity=proxy, csr=identities.csr(device))
    assert scepmsg.public_key_of(certificate) == identities.spki(device)
    gateway.refused(gateway.request("demo", csr=identities.csr(device)), BAD_REQUEST)


@requirement("V-05", "G-10")
def test_V_05_keys_for_pss_alone_are_refused_by_name(gateways):
    """Signatures by PSS of ordinary RSA keys are taken (G-10); a key that is for nothing else can neither be answered nor certified."""
    proxy, pss = identities.Identity(subject="CN=proxy"), identities.PssRsa()
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "none"},
                                 "proxy_signers": {"fingerprints": [scepmsg.fingerprint(proxy.certificate)]}}}).start()
    line = gateway.refused(gateway.request("demo", identity=identities.Identity(private=pss)), BAD_ALG)
    assert "kind rsa-pss" in line["details"]["cause"]
    line = gateway.refused(gateway.request("demo", identity=proxy, csr=identities.csr(pss)), BAD_REQUEST)
    assert "keys of type rsa-pss are not allowed" in line["details"]["reasons"]
    assert not gateway.certificates()


def test_N_15_certificate_profile(shared):
    _, _, certificate = shared.enrol("open")
    found = identities.load(certificate)
    ca = identities.load(shared.bag("open")[1])
    assert found.issuer == ca.subject and found.version is x509.Version.v3
    assert 0 < found.serial_number.bit_length() <= 159 and found.serial_number.bit_length() > 120
    assert not found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert found.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert found.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier == (
        ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest)
    ca.public_key().verify(found.signature, found.tbs_certificate_bytes, scepmsg.padding.PKCS1v15(), found.signature_hash_algorithm)


@requirement("U-07")
@pytest.mark.parametrize("size,allowed", [(1024, False), (2048, True), (3072, True), (4096, True)])
def test_U_07_key_sizes(shared, size, allowed):
    identity = identities.Identity(private=identities.key(size=size, number="size"))
    request = shared.request("open", identity=identity)
    reply = shared.reply(request, "open")
    assert (reply.status != FAILURE) == allowed


@requirement("N-09")
def test_N_09_challenges_expire(shared):
    challenge = shared.challenge("demo", "--ttl", "1s")
    time.sleep(1.1)
    line = shared.refused(shared.request("demo", challenge=challenge), BAD_REQUEST)
    assert line["details"]["error"] == "CHALLENGE_EXPIRED"
