"""Section C: GetCACaps."""

import pytest
from catalogue import quirk, requirement

ALL = {"AES", "DES3", "POSTPKIOperation", "Renewal", "SHA-1", "SHA-256", "SHA-384", "SHA-512", "SCEPStandard"}


def caps(shared, alias="open"):
    return shared.get(alias, "GetCACaps").body.decode().split("\n")


@requirement("C-01")
def test_C_01_with_and_without_ca_ident(shared):
    assert shared.get("open", "GetCACaps").body == shared.get("open", "GetCACaps", "any+CA%20name").body


@requirement("C-02")
def test_C_02_one_keyword_per_line(shared):
    text = shared.get("open", "GetCACaps").body
    assert b"\r" not in text and text.endswith(b"\n") and b" " not in text


@requirement("C-03", "C-04")
@pytest.mark.parametrize("alias,expected", [
    ("open", ALL), ("modern", ALL - {"DES3", "SHA-1"}), ("legacy", ALL - {"SCEPStandard"}), ("postonly", ALL)])
def test_C_03_04_keywords(shared, alias, expected):
    words = caps(shared, alias)[:-1]
    assert len(words) == len(set(words)) and set(words) == expected


@requirement("C-05")
def test_C_05_only_known_words(shared):
    assert set(caps(shared)[:-1]) <= ALL


@requirement("C-06")
def test_C_06_standard_does_not_claim_rollover(shared):
    assert "GetNextCACert" not in caps(shared)


@requirement("C-06")
def test_C_06_standard_does_not_claim_renewal(gateways):
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "one_time"}, "renewal": {"enabled": False}}}).start()
    assert "Renewal" not in caps(gateway, "demo") and "SCEPStandard" in caps(gateway, "demo")


@requirement("C-07")
def test_C_07_what_the_standard_implies_is_listed(shared):
    for alias in ("open", "modern"):
        assert {"AES", "SHA-256", "POSTPKIOperation"} <= set(caps(shared, alias))


@requirement("C-08")
def test_C_08_unknown_alias(shared):
    assert shared.get("nobody", "GetCACaps").status == 404


@requirement("C-09")
def test_C_09_content_type(shared):
    assert shared.get("open", "GetCACaps").headers["content-type"] == "text/plain"


@requirement("C-10")
@pytest.mark.parametrize("bend", [{"digest": "sha1"}, {"digest": "sha256"}, {"digest": "sha384"}, {"digest": "sha512"},
                                  {"envelope": {"cipher": "aes128"}}, {"envelope": {"cipher": "3des"}}], ids=str)
def test_C_10_what_is_advertised_works(shared, bend):
    _, reply, _ = shared.enrol("open", **bend)
    assert reply.digest == bend.get("digest", "sha256")


@requirement("C-11")
@quirk("89d")
def test_C_11_sha384_is_advertised(shared):
    assert "SHA-384" in caps(shared)


@requirement("C-12")
def test_C_12_downgrades_are_refused(shared):
    shared.refused(shared.request("modern", digest="sha1", envelope={"cipher": "3des"}), 0, "modern")
