"""Messages as old and odd clients send them: BER of every kind, old identifiers, unexpected string types, constant transaction ids.
What each client was seen to do stands beside its test."""

import os

import ber
import der
import identities
import pytest
import scepmsg
from catalogue import requirement
from scepmsg import BAD_ALG, BAD_CERT_ID, BAD_REQUEST, FAILURE

VISIBLE, GENERAL, NUMERIC = 0x1A, 0x1B, 0x12


def device(number=0, **bend):
    """A signer whose key was made before: making one is dearer than all of a test."""
    return identities.Identity(private=identities.key(number=f"odd {number}"), **bend)


def ask(shared, alias="open", **bend):
    return shared.request(alias, **({"identity": device()} | bend))


def enrol(shared, alias="open", **bend):
    return shared.enrol(alias, **({"identity": device()} | bend))


# ---- BER: jscep and Bouncy Castle, old macOS, mm#79, mm#155, fleet#38579, certs#908 -----------------------------------------


@requirement("G-06")
@pytest.mark.parametrize("shape", ber.SHAPES)
def test_G_06_outer_message_in_ber(shared, shape):
    request = ask(shared)
    message = ber.loosen(request.build(), shape)
    assert message != request.build()
    reply = scepmsg.Reply(shared.post("open", message).body)
    assert reply.check(request, shared.ra("open")).issued(request)


@requirement("G-06")
@pytest.mark.parametrize("shape", ber.SHAPES)
@pytest.mark.parametrize("cipher", ["aes128", "3des"])
def test_G_06_envelope_in_ber(shared, shape, cipher):
    """Encrypted key, encrypted content and IV too."""
    identity = device()
    envelope = scepmsg.Envelope([shared.ra("open")], cipher=cipher).build(identities.csr(identity.key))
    request = ask(shared, identity=identity, content=ber.loosen(envelope, shape, (der.OCTETS, 0x80)))
    assert shared.reply(request, "open").issued(request)


@requirement("G-06")
def test_G_06_our_ber_helper_leaves_what_is_signed_alone(shared):
    request = ask(shared)
    assert request.identity.certificate in ber.loosen(request.build(), "nested pieces")


@requirement("G-06")
def test_G_06_get_with_ber(shared):
    """mm#155: by GET, as macOS 10.12 sends it."""
    request = ask(shared, ber=True)
    assert shared.reply(request, "open", by="GET").issued(request)


@requirement("G-06")
@pytest.mark.parametrize("cut", [1, 2, 3, 50])
def test_G_06_ber_that_never_ends(shared, cut):
    message = ber.loosen(ask(shared).build(), "no lengths")
    assert shared.post("open", message[:-cut]).status == 400


# ---- outer SignedData -------------------------------------------------------------------------------------------------------


@requirement("G-10")
def test_G_10_old_identifier_of_the_signature(shared):
    """OIW's sha1WithRSASignature, as old Windows libraries write it."""
    enrol(shared, digest="sha1", signature="1.3.14.3.2.29")


@requirement("G-10")
@pytest.mark.parametrize("signature", ["1.2.840.113549.1.1.11", "1.2.840.113549.1.1.5"])
def test_G_10_identifier_of_another_digest(shared, signature):
    """What is told of the digest in the signature's identifier does not matter: digestAlgorithm says it."""
    enrol(shared, digest="sha512", signature=signature)


@requirement("U-06")
@pytest.mark.parametrize("signature", ["1.2.840.10045.4.3.2", "1.2.840.10040.4.3", "1.3.101.112", "1.2.3.4"])
def test_U_06_signature_algorithm_of_another_key_is_refused(shared, signature):
    reply = shared.reply(ask(shared, signature=signature), "open")
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_ALG)


@requirement("G-12")
def test_G_12_certificate_lists_are_ignored(shared):
    """crls [1] beside the certificates; Windows CA tools add them."""
    request = ask(shared)
    outer = der.read_one(request.build())
    parts = der.read_one(outer[1].content).children()
    crls = der.tlv(0xA1, der.seq(der.seq(der.integer(1)), der.seq(der.oid("1.2.840.113549.1.1.11")), der.bits(b"x")))
    data = der.seq(*(part.raw for part in parts[:4]), crls, parts[4].raw)
    answer = shared.post("open", der.seq(der.oid(scepmsg.SIGNED_DATA), der.tlv(0xA0, data)))
    assert answer.status in (200, 400)
    if answer.status == 200:
        assert scepmsg.Reply(answer.body).check(request, shared.ra("open")).issued(request)


# ---- attributes -------------------------------------------------------------------------------------------------------------


@requirement("H-06")
@pytest.mark.parametrize("tag", [der.PRINTABLE, der.UTF8, der.IA5, der.T61, VISIBLE, GENERAL])
def test_H_06_any_string_type_of_one_octet(shared, tag):
    """In the reply they are PrintableStrings, which jscep insists on."""
    enrol(shared, text_tag=tag, transaction_id="A1-b2/c3+d4=", identity=device(tag))


@requirement("H-06")
def test_H_06_numeric_string(shared):
    """certmonger's ids have digits alone."""
    enrol(shared, text_tag=NUMERIC, transaction_id="7" * 77)


@requirement("H-06")
@pytest.mark.parametrize("tag", [der.BMP, der.OCTETS, der.INTEGER, 0x1C])
def test_H_06_other_types_are_refused(shared, tag):
    answer = shared.post("open", ask(shared, text_tag=tag).build())
    assert answer.status == 400 or scepmsg.Reply(answer.body).status == FAILURE


@requirement("H-07")
def test_H_07_challenge_among_the_signed_attributes(shared):
    """macOS repeats challengePassword there, in clear: it authorises nothing."""
    outside = ((identities.CHALLENGE_PASSWORD, der.text(shared.challenge())),)
    shared.refused(ask(shared, "demo", more=outside), BAD_REQUEST)
    enrol(shared, "demo", more=((identities.CHALLENGE_PASSWORD, der.text("anything")),))


@requirement("H-07")
def test_H_07_attributes_of_mail_programs(shared):
    """sMIMECapabilities and signingTime, which OpenSSL's defaults add; jscep's randomNonce."""
    enrol(shared, more=(("1.2.840.113549.1.9.15", der.seq(der.seq(der.oid("2.16.840.1.101.3.4.1.42")))),
                        (scepmsg.SIGNING_TIME, der.text("240101000000Z", der.UTC)),
                        ("1.2.840.113549.1.9.25.3", der.octets(os.urandom(20)))))


@requirement("I-01", "I-04")
@pytest.mark.parametrize("identifier", ["SSCEP transactionId", "0", "1"])
def test_I_01_04_constant_ids_of_many_devices(shared, identifier):
    """sscep and jscep: one id for everybody. Signers keep their transactions apart."""
    serials = {enrol(shared, transaction_id=identifier, identity=device(number))[2] for number in range(3)}
    assert len(serials) == 3


@requirement("K-06")
def test_K_06_apple_nonces(shared):
    """Eight bytes, with forty hexadecimal digits as the id."""
    for _ in range(2):
        enrol(shared, sender_nonce=os.urandom(8), transaction_id=os.urandom(20).hex().upper())


@requirement("K-02")
@pytest.mark.parametrize("nonce", [bytes(16), b"\xff" * 8, b"0123456789abcdef"])
def test_K_02_nonces_that_are_not_random_are_copied(shared, nonce):
    for _ in range(2):
        enrol(shared, sender_nonce=nonce)


def poll(shared, request, **bend):
    names = der.seq(identities.name("CN=ca"), identities.name("CN=device"))
    return ask(shared, identity=request.identity, message_type="20", payload=names,
               **({"transaction_id": request.transaction_id} | bend))


@requirement("K-04")
def test_K_04_nonces_are_not_chained(shared):
    request, first, _ = enrol(shared)
    for more in ((), ((scepmsg.RECIPIENT_NONCE, der.octets(first.attributes[scepmsg.SENDER_NONCE])),)):
        again = poll(shared, request, more=more)
        assert shared.reply(again, "open").issued(again) == first.issued(request)


@requirement("L-08")
def test_L_08_poll_without_a_transaction(shared):
    request, _, _ = enrol(shared)
    for bend in ({"transaction_id": "another"}, {"identity": device("another")}):
        asked = poll(shared, request, **{key: value for key, value in bend.items() if key != "identity"})
        asked.identity = bend.get("identity", asked.identity)
        reply = shared.reply(asked, "open")
        assert (reply.status, reply.fail_info) == (FAILURE, BAD_CERT_ID)


@requirement("J-06", "Y-06")
def test_J_06_update_req_is_a_renewal_where_the_alias_says_so(gateways):
    """Both settings: an error, and whatever a RenewalReq gets."""
    open_alias = {"backend": "ca", "challenge": {"type": "none"}}
    gateway = gateways({"plain": open_alias, "drafts": open_alias | {"compat": {"update_req": True}}}).start()
    assert b"Update" not in gateway.get("plain", "GetCACaps").body.split(b"\n")
    assert b"Update" in gateway.get("drafts", "GetCACaps").body.split(b"\n")
    refused = gateway.reply(gateway.request("plain", message_type="18"), "plain")
    assert (refused.status, refused.fail_info) == (FAILURE, BAD_REQUEST)
    answers = [gateway.reply(gateway.request("drafts", message_type=kind), "drafts") for kind in ("17", "18")]
    assert len({(reply.status, reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT)) for reply in answers}) == 1
    assert '"RenewalReq"' in str(gateway.audit()).replace("'", '"')


# ---- envelope ---------------------------------------------------------------------------------------------------------------

NO_LABEL = der.tlv(0xA2, der.seq(der.oid("1.2.840.113549.1.1.9"), der.octets(b"")))
SHA1 = der.seq(der.oid(scepmsg.DIGESTS["sha1"]), der.null())
WINDOWS = {
    "defaults left out": der.seq(),
    "null": der.null(),
    "nothing": b"",
    "all said": der.seq(der.tlv(0xA0, SHA1), der.tlv(0xA1, der.seq(der.oid(scepmsg.MGF1), SHA1)), NO_LABEL),
}


@requirement("M-13")
@pytest.mark.parametrize("told", WINDOWS)
def test_M_13_oaep_as_windows_sends_it(shared, told):
    """ucm#228: SHA-1 throughout, and the reply has to come the same way."""
    envelope = {"transport": "oaep", "oaep_digest": "sha1", "mgf1_digest": "sha1", "oaep_parameters": WINDOWS[told]}
    request, reply, _ = enrol(shared, envelope=envelope)
    assert reply.transport() == "oaep"
    assert reply.issued(request)


@requirement("M-13")
@pytest.mark.parametrize("told", [
    der.seq(der.tlv(0xA2, der.seq(der.oid("1.2.840.113549.1.1.9"), der.octets(b"label")))),
    der.seq(der.tlv(0xA0, der.seq(der.oid(scepmsg.DIGESTS["md5"]), der.null()))),
    der.seq(der.tlv(0xA1, der.seq(der.oid("1.2.3.4"), SHA1))),
    der.integer(7)], ids=["label", "md5", "generator", "no sequence"])
def test_M_13_oaep_parameters_that_nobody_uses(shared, told):
    envelope = {"transport": "oaep", "oaep_digest": "sha1", "mgf1_digest": "sha1", "oaep_parameters": told}
    reply = shared.reply(ask(shared, envelope=envelope), "open")
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_ALG)


@requirement("M-08")
@pytest.mark.parametrize("identifier", ["ski", "wrapped"])
@pytest.mark.parametrize("transport", ["v15", "oaep"])
def test_M_08_recipient_by_subject_key_identifier(shared, identifier, transport):
    """ejbca#924: some wrap the identifier as the extension does. Others of the bag may stand beside it."""
    for recipients in ([shared.ra("open")], shared.bag("open")[::-1]):
        enrol(shared, recipients=recipients, envelope={"recipient_id": identifier, "transport": transport})


@requirement("M-01")
def test_M_01_content_type_encrypted_data(shared):
    """mm#224."""
    enrol(shared, envelope={"content_type": "1.2.840.113549.1.7.6"})


@requirement("M-02", "M-05", "M-06")
def test_M_02_05_06_payload_missing_or_plain(shared):
    identity = device()
    for content in (False, b"", identities.csr(identity.key)):
        answer = shared.post("open", ask(shared, identity=identity, content=content).build())
        assert answer.status == 400 or scepmsg.Reply(answer.body).status == FAILURE


@requirement("U-03")
@pytest.mark.parametrize("cipher", ["des", "rc2", "blowfish"])
@pytest.mark.parametrize("alias", ["open", "modern"])
def test_U_03_other_ciphers_are_refused(shared, alias, cipher):
    """sscep offers blowfish: badAlg, and nothing breaks."""
    before = len(shared.certificates())
    reply = shared.reply(ask(shared, alias, envelope={"cipher": cipher}), alias)
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_ALG)
    assert len(shared.certificates()) == before


@requirement("U-02", "U-03")
@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_U_02_03_digests_that_the_alias_does_not_take(shared, digest):
    reply = shared.reply(ask(shared, "modern", digest=digest), "modern")
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_ALG)
    assert reply.digest == "sha256"


@requirement("U-05")
def test_U_05_aes_without_a_keyword(shared):
    for cipher in ("aes192", "aes256"):
        _, reply, _ = enrol(shared, "modern", digest="sha512", envelope={"cipher": cipher})
        assert reply.envelope()[0] == cipher


@requirement("U-06")
@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_U_06_signature_of_the_signers_certificate_does_not_matter(shared, digest):
    """certs windows_test: "SCEP Protocol Certificate" signed with SHA-1; nobody relies on it (N-05)."""
    enrol(shared, "modern", identity=device(subject="CN=SCEP Protocol Certificate", digest=digest))


@requirement("U-06")
def test_U_06_signature_of_the_request_inside(shared):
    identity = device()
    request = ask(shared, "modern", identity=identity, csr=identities.csr(identity.key, digest="sha1"))
    assert shared.reply(request, "modern").status == FAILURE


# ---- limits before anything is decrypted ------------------------------------------------------------------------------------


@requirement("X-10")
def test_X_10_numbers_of_everything_are_bounded(shared):
    stranger = device("stranger").certificate
    for bend in ({"recipients": [shared.ra("open")] * 33}, {"certificates": [stranger] * 17}, {"signers": 9},
                 {"more": tuple((f"1.2.3.{n}", der.null()) for n in range(70))}):
        answer = shared.post("open", ask(shared, **bend).build())
        assert answer.status == 400 or scepmsg.Reply(answer.body).status == FAILURE


@requirement("X-11")
def test_X_11_only_our_own_attributes_are_signed(shared):
    """Reply asserts the set of attributes; what a stranger may have signed is his id and his nonce, both bounded."""
    strange = (("1.2.840.113549.1.9.16.2.47", der.octets(b"anything")), (scepmsg.FAIL_INFO_TEXT, der.text("mine", der.UTF8)))
    reply = shared.reply(ask(shared, break_signature=True, more=strange), "open")
    assert reply.status == FAILURE and reply.text(scepmsg.FAIL_INFO_TEXT) != "mine"
    assert shared.post("open", ask(shared, transaction_id="x" * 256).build()).status == 400
    assert shared.post("open", ask(shared, sender_nonce=bytes(65)).build()).status == 400


@requirement("X-12")
def test_X_12_signer_is_found_by_its_identifier(shared):
    """Not by its place."""
    strangers = [device(number + 1).certificate for number in range(3)]
    identity = device()
    enrol(shared, identity=identity, certificates=[*strangers, identity.certificate])
    enrol(shared, identity=identity, certificates=[strangers[0], identity.certificate, *strangers[1:]],
                 csr=identities.csr(identity.key, "CN=again"))
