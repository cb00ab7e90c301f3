"""Sections D and E: GetCACert, and what the certificates in it must look like."""

import der
import identities
import pytest
import scepmsg
from catalogue import quirk, requirement
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding


def key_usage(certificate):
    return identities.load(certificate).extensions.get_extension_for_class(x509.KeyUsage).value


@requirement("D-01", "D-02")
def test_D_01_02_ca_ident_means_nothing(shared):
    wanted = shared.get("open", "GetCACert").body
    for message in ("", "0", "1", "Some%20CA", "Some CA".replace(" ", "+"), "MAA="):
        assert shared.get("open", "GetCACert", message).body == wanted


@requirement("D-03")
def test_D_03_ca_alone_is_a_single_certificate(shared):
    answer = shared.get("direct", "GetCACert")
    assert answer.headers["content-type"] == "application/x-x509-ca-cert"
    assert identities.load(answer.body).public_bytes(scepmsg.serialization.Encoding.DER) == answer.body


@requirement("D-04", "D-05")
def test_D_04_05_ra_issuer_and_root(shared):
    answer = shared.get("open", "GetCACert")
    assert answer.headers["content-type"] == "application/x-x509-ca-ra-cert"
    bag = scepmsg.degenerate_certificates(answer.body)
    assert len(bag) == 2
    _, issuer, subject = scepmsg.certificate_fields(bag[-1])
    assert issuer == subject, "no root at the end"


@requirement("D-06")
def test_D_06_fingerprint_is_shown(shared):
    ca = shared.bag("open")[1]
    shown = str(shared.ask("status")).replace(":", "").lower()
    assert scepmsg.fingerprint(ca) in shown


@requirement("D-07")
def test_D_07_ra_verifies_under_a_ca_of_the_bag(shared):
    ra, ca = (identities.load(one) for one in shared.bag("open"))
    ca.public_key().verify(ra.signature, ra.tbs_certificate_bytes, padding.PKCS1v15(), ra.signature_hash_algorithm)
    assert ra.issuer == ca.subject


@requirement("D-08")
def test_D_08_only_the_ra_can_be_encrypted_to(shared):
    ra, *cas = shared.bag("open")
    assert key_usage(ra).key_encipherment
    assert not any(key_usage(ca).key_encipherment for ca in cas)


@requirement("D-09")
def test_D_09_ra_comes_first(shared):
    first = identities.load(shared.bag("open")[0])
    assert not first.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


@requirement("D-10")
def test_D_10_binary(shared):
    assert shared.get("open", "GetCACert").body[0] == 0x30


def test_D_11_bag_is_byte_exact(shared):
    """Section 3.4 again: no signers, no digests, no content."""
    for alias in ("open", "demo", "modern"):
        assert der.read_one(shared.get(alias, "GetCACert").body)
        scepmsg.degenerate_certificates(shared.get(alias, "GetCACert").body)


@requirement("E-01", "E-02")
@quirk("13")
def test_E_01_02_ra_key_usage(shared):
    usage = key_usage(shared.ra("open"))
    assert usage.digital_signature and usage.key_encipherment and not usage.key_cert_sign
    usage = key_usage(shared.ra("direct"))
    assert usage.digital_signature and usage.key_encipherment and usage.key_cert_sign


@requirement("E-03", "X-03")
def test_E_03_ra_key_is_not_the_ca_key(shared):
    ra, ca = shared.bag("open")
    assert scepmsg.public_key_of(ra) != scepmsg.public_key_of(ca)


@requirement("E-06")
@pytest.mark.parametrize("alias", ["open", "direct"])
def test_E_06_signed_within_the_ra_certificates_validity(shared, alias):
    _, reply, _ = shared.enrol(alias)
    ra = identities.load(reply.ra)
    signing_time = reply.attributes.get(scepmsg.SIGNING_TIME)
    if signing_time is not None:
        assert ra.not_valid_before.strftime("%y%m%d%H%M%SZ").encode() <= signing_time
