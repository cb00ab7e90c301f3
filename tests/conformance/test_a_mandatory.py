"""Section A: the mandatory-to-implement set (RFC 8894 section 2.9)."""

import pytest
import scepmsg
from catalogue import requirement
from scepmsg import BAD_ALG


@requirement("A-01")
def test_A_01_get_ca_caps(shared):
    for alias in shared.aliases:
        answer = shared.get(alias, "GetCACaps")
        assert answer.status == 200 and answer.body.split()


@requirement("A-02")
def test_A_02_get_ca_cert(shared):
    for alias in shared.aliases:
        assert shared.bag(alias)


@requirement("A-03")
def test_A_03_pkcs_req(shared):
    request, reply, certificate = shared.enrol("demo")
    assert reply.status == scepmsg.SUCCESS
    assert scepmsg.public_key_of(certificate) == request.identity.spki


@requirement("A-04")
def test_A_04_binary_post(shared):
    answer = shared.post("open", shared.request("open").build())
    assert answer.status == 200 and answer.body[0] == 0x30


@requirement("A-05")
def test_A_05_aes128_both_ways(shared):
    _, reply, _ = shared.enrol("open", envelope={"cipher": "aes128"})
    assert reply.envelope()[0] == "aes128"


@requirement("A-06")
def test_A_06_sha256_both_ways(shared):
    _, reply, _ = shared.enrol("open", digest="sha256")
    assert reply.digest == "sha256"


@requirement("A-07")
def test_A_07_pki_operation_by_get(shared):
    request = shared.request("open")
    assert shared.reply(request, "open", by="GET").issued(request)
    assert shared.get("postonly", "PKIOperation", "MAA=").status != 200


@requirement("A-08")
@pytest.mark.parametrize("bend", [{"envelope": {"cipher": "3des"}}, {"digest": "sha1"}], ids=["3des", "sha1"])
def test_A_08_3des_and_sha1_can_be_switched_off(shared, bend):
    shared.enrol("open", **bend)
    shared.refused(shared.request("modern", **bend), BAD_ALG, "modern")


@requirement("A-09")
@pytest.mark.parametrize("bend", [{"envelope": {"cipher": "des"}}, {"digest": "md5"}], ids=["des", "md5"])
def test_A_09_des_and_md5_are_refused_unless_opted_in(shared, bend):
    before = len(shared.certificates())
    shared.refused(shared.request("open", **bend), BAD_ALG, "open")
    assert len(shared.certificates()) == before
    request, reply, _ = shared.enrol("legacy", **bend)
    assert reply.digest == request.digest and reply.envelope()[0] == request.envelope.get("cipher", "aes128")


@requirement("A-11")
def test_A_11_nothing_revokes(shared):
    assert shared.get("open", "Revoke").status == 400
    assert b"evo" not in shared.get("open", "GetCACaps").body


@requirement("A-12")
def test_A_12_standard_is_claimed_only_when_it_holds(shared):
    assert b"SCEPStandard" in shared.get("open", "GetCACaps").body.split()
    assert b"SCEPStandard" in shared.get("modern", "GetCACaps").body.split()
    assert b"SCEPStandard" not in shared.get("legacy", "GetCACaps").body.split()
