"""Section U: algorithms, in every place where a message names one; and the ways of old clients with them (section Y)."""

import identities
import pytest
import scepmsg
from catalogue import requirement
from scepmsg import BAD_ALG, BAD_MESSAGE_CHECK, FAILURE


@requirement("U-01", "U-02")
@pytest.mark.parametrize("cipher,digest,alias,allowed", [("aes128", "sha256", "modern", True), ("aes128", "sha256", "open", True),
                                                         ("3des", "sha1", "open", True), ("3des", "sha256", "modern", False),
                                                         ("aes128", "sha1", "modern", False)])
def test_U_01_02_mandatory_and_optional(shared, cipher, digest, alias, allowed):
    bend = {"digest": digest, "envelope": {"cipher": cipher}}
    if allowed:
        _, reply, _ = shared.enrol(alias, **bend)
        assert (reply.envelope()[0], reply.digest) == (cipher, digest)
    else:
        shared.refused(shared.request(alias, **bend), BAD_ALG, alias)


@requirement("U-03", "L-04", "Y-02", "Y-12")
@pytest.mark.parametrize("bend", [{"digest": "md5"}, {"digest": "md5", "signature": "rsa"}, {"envelope": {"cipher": "des"}},
                                  {"digest": "md5", "envelope": {"cipher": "des"}}, {"envelope": {"cipher": "rc2"}},
                                  {"envelope": {"cipher": "blowfish"}}], ids=str)
def test_U_03_broken_algorithms_are_refused(shared, bend):
    """With a line in the audit trail that says why; by POST and by GET."""
    before = len(shared.certificates())
    request = shared.request("open", **bend)
    assert shared.refused(request, BAD_ALG, "open")["details"]["error"] == "ALGORITHM_REFUSED"
    assert shared.reply(request, "open", by="GET").fail_info == BAD_ALG
    assert len(shared.certificates()) == before


@requirement("U-05", "M-11")
def test_U_05_what_has_no_keyword_works_unasked(shared):
    """AES-192 and AES-256 have none, SHA-512 has one."""
    words = shared.get("open", "GetCACaps").body.decode().split()
    assert "SHA-512" in words and not any(word.startswith("AES") and word != "AES" for word in words)
    for cipher in ("aes192", "aes256"):
        assert shared.enrol("open", digest="sha512", envelope={"cipher": cipher})[1].envelope()[0] == cipher


@requirement("U-06")
@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_U_06_signature_of_a_self_signed_certificate_is_no_input(shared, digest):
    shared.enrol("modern", identity=identities.Identity(digest=digest))


@requirement("U-06")
@pytest.mark.parametrize("digest,alias,allowed", [("sha1", "open", True), ("sha1", "modern", False), ("md5", "open", False),
                                                  ("sha512", "modern", True)])
def test_U_06_signature_of_the_csr_is_one(shared, digest, alias, allowed):
    identity = identities.Identity()
    request = shared.request(alias, identity=identity, csr=identities.csr(identity.key, digest=digest))
    if allowed:
        assert shared.reply(request, alias).issued(request)
    else:
        shared.refused(request, BAD_MESSAGE_CHECK, alias)


@requirement("U-07")
@pytest.mark.parametrize("size", [1024, 16384])
def test_U_07_sizes_out_of_bounds(shared, size):
    """Of the signer's key, and of the key of the request alone (which another must have signed for anyway)."""
    identity = identities.Identity(private=identities.key(size=size, number="bounds"))
    assert shared.refused(shared.request("open", identity=identity), BAD_ALG, "open")["details"]["error"] == "SIGNER_KEY_SIZE"
    csr = identities.csr(identity.key)
    assert shared.reply(shared.request("open", csr=csr), "open").status == FAILURE


@requirement("Y-01")
@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_Y_01_clients_of_the_drafts_find_their_words(shared, digest):
    """They know DES3 and the digests, but neither AES nor SCEPStandard."""
    words = shared.get("open", "GetCACaps", "CA-IDENT").body.decode().split("\n")
    assert {"DES3", "POSTPKIOperation", "SHA-1", "SHA-256", "SHA-512"} <= set(words)
    _, reply, _ = shared.enrol("open", digest=digest, envelope={"cipher": "3des"})
    assert (reply.envelope()[0], reply.digest) == ("3des", digest)


@requirement("Y-03", "C-12", "X-05")
def test_Y_03_what_is_not_advertised_is_not_taken(shared):
    """Unlike elsewhere: an alias without 3DES and SHA-1 refuses them, however the client came to choose them."""
    assert {"DES3", "SHA-1"}.isdisjoint(shared.get("modern", "GetCACaps").body.decode().split())
    for bend in ({"digest": "sha1"}, {"envelope": {"cipher": "3des"}}):
        reply = shared.reply(shared.request("modern", **bend), "modern")
        assert (reply.status, reply.fail_info) == (scepmsg.FAILURE, BAD_ALG)
