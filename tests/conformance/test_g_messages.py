"""Sections G to M: the outer SignedData, its attributes, the envelope."""

import datetime
import os

import der
import identities
import pytest
import scepmsg
from catalogue import quirk, requirement
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from scep_server import certify
from scepmsg import BAD_ALG, BAD_MESSAGE_CHECK, BAD_REQUEST, FAILURE


def outcome(shared, **bend):
    """(status, failInfo) of a CertRep, or the HTTP status where there can be none."""
    request = shared.request("open", **bend)
    answer = shared.post("open", request.build())
    if answer.status != 200:
        return answer.status
    reply = scepmsg.Reply(answer.body)
    return reply.status, reply.fail_info


@requirement("G-01")
def test_G_01_content_type(shared):
    assert outcome(shared, content_type="1.2.840.113549.1.7.2") in (400, (FAILURE, BAD_REQUEST))


@requirement("G-02")
def test_G_02_content_must_be_an_envelope(shared):
    identity = identities.Identity()
    csr = identities.csr(identity.key)
    assert outcome(shared, identity=identity, content=csr) in (400, (FAILURE, BAD_REQUEST))


@requirement("G-03")
def test_G_03_signed_attributes_are_needed(shared):
    everything = (scepmsg.CONTENT_TYPE, scepmsg.MESSAGE_DIGEST, scepmsg.TRANSACTION_ID, scepmsg.MESSAGE_TYPE, scepmsg.SENDER_NONCE)
    assert outcome(shared, omit=everything) == 400


@requirement("G-04")
def test_G_04_signer_certificate(shared):
    assert outcome(shared, certificates=[]) in (400, (FAILURE, BAD_REQUEST))
    _, reply, _ = shared.enrol("open")
    assert reply.ra == shared.ra("open")


@requirement("G-05")
def test_G_05_content_is_a_complete_content_info(shared):
    request, reply, _ = shared.enrol("open")
    assert der.dotted(der.read_one(reply.content)[0]) == scepmsg.ENVELOPED_DATA


@requirement("G-06")
@quirk("41", "42", "89c")
@pytest.mark.parametrize("cipher", ["aes128", "3des"])
def test_G_06_ber_is_read_and_der_is_written(shared, cipher):
    request = shared.request("open", ber=True, envelope={"cipher": cipher})
    reply = shared.reply(request, "open")  # reading it insists on DER
    assert reply.issued(request)


@requirement("G-07")
def test_G_07_two_signers(shared):
    assert outcome(shared, signers=2) in (400, (FAILURE, BAD_REQUEST))


@requirement("G-08")
@pytest.mark.parametrize("bend", [{"signer_id": "ski"}, {"envelope": {"recipient_id": "ski"}}], ids=["signer", "recipient"])
def test_G_08_subject_key_identifiers_are_read(shared, bend):
    """Written are issuer and serial number alone, which Reply asserts."""
    identity = identities.Identity()
    if "signer_id" in bend:
        identity = with_key_identifier()
    shared.enrol("open", identity=identity, **bend)


def with_key_identifier():
    """A self-signed certificate with the subjectKeyIdentifier that the signer is named by."""
    class Named(identities.Identity):
        def self_signed(self, subject, digest, key_usage, serial):
            spki = der.read_one(identities.spki(self.key))
            value = identities.hashlib.sha1(spki[1].content[1:]).digest()
            plain = der.read_one(super().self_signed(subject, digest, False, serial))
            extension = der.tlv(0xA3, der.seq(identities.extension("2.5.29.14", der.octets(value))))
            tbs = der.tlv(der.SEQUENCE, plain[0].content + extension)
            return der.seq(tbs, plain[1].raw, der.bits(identities.sign(self.key, tbs, digest)))
    return Named()


@requirement("G-09")
def test_G_09_message_digest_and_content_type_are_checked(shared):
    assert outcome(shared, break_content=True) == (FAILURE, BAD_MESSAGE_CHECK)
    assert outcome(shared, replace={scepmsg.MESSAGE_DIGEST: der.set_of(der.octets(bytes(32)))}) == (FAILURE, BAD_MESSAGE_CHECK)
    wrong = der.set_of(der.oid("1.2.840.113549.1.7.2"))
    assert outcome(shared, replace={scepmsg.CONTENT_TYPE: wrong})[0] == FAILURE


@requirement("G-10")
@pytest.mark.parametrize("signature", ["digest", "rsa", "pss"])
@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_G_10_signature_algorithms(shared, signature, digest):
    shared.enrol("open", signature=signature, digest=digest)


@requirement("H-01")
@pytest.mark.parametrize("omitted", [scepmsg.TRANSACTION_ID, scepmsg.MESSAGE_TYPE, scepmsg.SENDER_NONCE, scepmsg.CONTENT_TYPE,
                                     scepmsg.MESSAGE_DIGEST])
def test_H_01_every_attribute_is_needed(shared, omitted):
    found = outcome(shared, omit=(omitted,))
    assert found == 400 or found[0] == FAILURE


@requirement("H-02", "H-03", "H-04")
@quirk("24", "43")
def test_H_02_03_04_reply_attributes(shared):
    """Their types are asserted by Reply; here, which there are."""
    common = {scepmsg.CONTENT_TYPE, scepmsg.MESSAGE_DIGEST, scepmsg.TRANSACTION_ID, scepmsg.MESSAGE_TYPE, scepmsg.PKI_STATUS,
              scepmsg.SENDER_NONCE, scepmsg.RECIPIENT_NONCE}
    _, success, _ = shared.enrol("open")
    assert set(success.attributes) - {scepmsg.SIGNING_TIME} == common
    failure = shared.reply(shared.request("demo", challenge="wrong"), "demo")
    assert set(failure.attributes) - {scepmsg.SIGNING_TIME} == common | {scepmsg.FAIL_INFO, scepmsg.FAIL_INFO_TEXT}


@requirement("H-05")
@pytest.mark.parametrize("name", [scepmsg.TRANSACTION_ID, scepmsg.MESSAGE_TYPE, scepmsg.SENDER_NONCE, scepmsg.MESSAGE_DIGEST])
def test_H_05_attributes_come_once(shared, name):
    found = outcome(shared, duplicate=(name,))
    assert found == 400 or found == (FAILURE, BAD_REQUEST)


@requirement("H-06")
@pytest.mark.parametrize("tag", [der.UTF8, der.IA5])
def test_H_06_string_types_are_read_and_printable_is_written(shared, tag):
    shared.enrol("open", text_tag=tag)


@requirement("H-07")
@quirk("46")
def test_H_07_unknown_attributes_are_ignored(shared):
    shared.enrol("open", more=(("1.2.840.113549.1.9.25.3", der.octets(os.urandom(16))),
                               ("1.3.6.1.4.1.311.21.33", der.text("-2147024809")),
                               (scepmsg.SIGNING_TIME, der.text("250101000000Z", der.UTC))))


@requirement("I-02", "I-03", "I-05")
@pytest.mark.parametrize("transaction_id", ["1", "00:11:22:33:44:55", "SSCEP transactionId", "n4Yf2Uc8y2Fk2ATMGy8LI9XbCo0=",
                                            "7" * 77, "../../etc/passwd", "a'b\"c;--", "x" * 255])
def test_I_02_03_05_any_id_is_echoed(shared, transaction_id):
    shared.enrol("open", transaction_id=transaction_id)


@requirement("I-04")
def test_I_04_same_id_and_key_after_the_end(shared):
    identity = identities.Identity()
    first = shared.enrol("open", identity=identity, transaction_id="constant")[2]
    again = identities.csr(identity.key, "CN=another")
    second = shared.enrol("open", identity=identity, transaction_id="constant", csr=again)[2]
    assert first != second


@requirement("I-06")
def test_I_06_long_ids_are_refused(shared):
    assert outcome(shared, transaction_id="x" * 256) == 400
    assert outcome(shared, transaction_id="x" * 10240) == 400


@requirement("I-07")
def test_I_07_same_id_of_another_signer_or_tenant(shared):
    serials = {shared.enrol(alias, transaction_id="the same")[2] for alias in ("open", "open", "modern", "demo", "other")}
    assert len(serials) == 5


@requirement("J-01")
def test_J_01_message_type_is_needed(shared):
    found = outcome(shared, omit=(scepmsg.MESSAGE_TYPE,))
    assert found == 400 or found == (FAILURE, BAD_REQUEST)


@requirement("J-03", "J-06")
@pytest.mark.parametrize("value", ["0", "1", "18", "23", "99", "019", "19 ", " 19", "+19", "0x13", "", "nineteen", "4294967315"])
def test_J_03_other_types_are_errors(shared, value):
    assert outcome(shared, message_type=value) in (400, (FAILURE, BAD_REQUEST))


@requirement("J-04")
def test_J_04_our_own_reply_comes_back(shared):
    assert outcome(shared, message_type="3") == (FAILURE, BAD_REQUEST)
    answer = shared.post("open", shared.request("open").build())
    reflected = shared.post("open", answer.body)
    assert reflected.status == 400 or scepmsg.Reply(reflected.body).status == FAILURE


@requirement("J-05", "M-02")
def test_J_05_payload_must_fit_the_type(shared):
    payload = der.seq(identities.name("CN=ca"), identities.name("CN=device"))
    assert outcome(shared, payload=payload)[0] == FAILURE


@requirement("J-02")
@pytest.mark.parametrize("value", ["17", "20", "21", "22"])
def test_J_02_no_type_takes_what_belongs_to_another(shared, value):
    found = outcome(shared, message_type=value)
    assert found[0] == FAILURE


@requirement("K-01", "K-03")
@quirk("69")
def test_K_01_03_nonces_are_16_fresh_bytes(shared):
    nonces = {shared.enrol("open")[1].attributes[scepmsg.SENDER_NONCE] for _ in range(20)}
    assert len(nonces) == 20 and {len(nonce) for nonce in nonces} == {16}


@requirement("K-02")
def test_K_02_nonce_is_copied_whatever_the_outcome(shared):
    """Reply.check asserts it; here for SUCCESS and FAILURE."""
    shared.enrol("open")
    assert shared.reply(shared.request("demo", challenge="wrong"), "demo").status == FAILURE


@requirement("K-06")
@pytest.mark.parametrize("size", [1, 8, 20, 64])
def test_K_06_odd_nonces_are_echoed(shared, size):
    shared.enrol("open", sender_nonce=os.urandom(size))


@requirement("K-06")
@pytest.mark.parametrize("size", [0, 65, 1000])
def test_K_06_impossible_nonces_are_refused(shared, size):
    assert outcome(shared, sender_nonce=bytes(size)) == 400


@requirement("L-01", "L-03")
def test_L_01_03_status_and_fail_info(shared):
    _, success, _ = shared.enrol("open")
    assert success.text(scepmsg.PKI_STATUS) == "0" and success.fail_info is None
    failure = shared.reply(shared.request("demo", challenge="wrong"), "demo")
    assert failure.text(scepmsg.PKI_STATUS) == "2" and failure.text(scepmsg.FAIL_INFO) == "2"


@requirement("L-04", "L-05", "L-06")
@pytest.mark.parametrize("bend,fail_info", [
    ({"envelope": {"cipher": "rc2"}}, BAD_ALG), ({"break_signature": True}, BAD_MESSAGE_CHECK), ({"message_type": "99"}, BAD_REQUEST)],
    ids=["badAlg", "badMessageCheck", "badRequest"])
def test_L_04_05_06_fail_infos(shared, bend, fail_info):
    assert outcome(shared, **bend) == (FAILURE, fail_info)


@requirement("L-07")
def test_L_07_signing_time_does_not_matter(shared):
    shared.enrol("open", more=((scepmsg.SIGNING_TIME, der.text("700101000000Z", der.UTC)),))


@requirement("L-09")
def test_L_09_fail_info_text(shared):
    said = shared.reply(shared.request("demo", challenge="wrong"), "demo").text(scepmsg.FAIL_INFO_TEXT)
    assert said and len(said) <= 255
    quiet = shared.reply(shared.request("silent", envelope={"cipher": "rc2"}), "silent")
    assert quiet.status == FAILURE and scepmsg.FAIL_INFO_TEXT not in quiet.attributes


@requirement("M-01")
def test_M_01_envelope_content_type(shared):
    assert outcome(shared, envelope={"content_type": scepmsg.SIGNED_DATA})[0] == FAILURE


@requirement("M-03")
def test_M_03_rsa_clients_get_key_transport(shared):
    _, reply, _ = shared.enrol("open")
    assert reply.transport() == "v15"


@requirement("M-05")
def test_M_05_plain_requests_are_refused(shared):
    test_G_02_content_must_be_an_envelope(shared)


@requirement("M-07")
def test_M_07_recipient_must_be_ours(shared):
    assert outcome(shared, recipients=[shared.ra("other")]) == (FAILURE, BAD_REQUEST)
    ca = shared.bag("open")[1]
    assert outcome(shared, recipients=[ca]) == (FAILURE, BAD_REQUEST)


@requirement("M-08")
def test_M_08_several_recipients(shared):
    ra, ca = shared.bag("open")
    stranger = identities.Identity().certificate
    for recipients in ([ca, ra], [ra, ca], [stranger, ca, ra]):
        shared.enrol("open", recipients=recipients)


@requirement("M-09")
def test_M_09_reply_is_for_the_signer(shared):
    """Reply.open insists on it."""
    shared.enrol("open")


@requirement("M-10")
def test_M_10_signer_without_key_encipherment(shared):
    shared.enrol("open", identity=identities.Identity(key_usage=False))


@requirement("M-11", "M-12")
@quirk("89b", "89e")
@pytest.mark.parametrize("cipher", ["aes128", "aes192", "aes256", "3des"])
@pytest.mark.parametrize("digest", ["sha1", "sha224", "sha256", "sha384", "sha512"])
def test_M_11_12_algorithms_are_mirrored(shared, cipher, digest):
    _, reply, _ = shared.enrol("open", digest=digest, envelope={"cipher": cipher})
    assert (reply.digest, reply.envelope()[0]) == (digest, cipher)


@requirement("M-12")
def test_M_12_failure_mirrors_the_digest(shared):
    assert shared.reply(shared.request("demo", challenge="wrong", digest="sha512"), "demo").digest == "sha512"


@requirement("M-13")
@pytest.mark.parametrize("digest,mgf1", [("sha256", "sha256"), ("sha1", "sha1"), ("sha512", "sha512"), ("sha256", "sha1")])
def test_M_13_oaep_is_mirrored(shared, digest, mgf1):
    envelope = {"transport": "oaep", "oaep_digest": digest, "mgf1_digest": mgf1}
    request, reply, _ = shared.enrol("open", envelope=envelope)
    assert reply.transport() == "oaep"
    told = {0xA0: scepmsg.DIGESTS["sha1"], 0xA1: scepmsg.DIGESTS["sha1"]}  # RFC 8017: SHA-1 may be left out
    for node in reply.envelope()[1][1].children():
        algorithm = node[0] if node.tag == 0xA0 else node[0][1]
        told[node.tag] = der.dotted(algorithm[0])
    assert told == {0xA0: scepmsg.DIGESTS[digest], 0xA1: scepmsg.DIGESTS[mgf1]}
    assert reply.issued(request)


@requirement("G-11")
def test_G_11_purpose_of_the_signer_does_not_matter(gateways):
    """A certificate for clientAuth alone signs as well as any; here as that of a proxy, whose chain is checked."""
    key, ca = identities.key(number="proxy"), identities.key(number="issuer")
    client_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    issuer = certify("Issuer", ca.public_key(), "Issuer", ca, ca=True, usage=["key_cert_sign"])
    proxy = certify("Proxy", key.public_key(), "Issuer", ca, usage=["digital_signature"], more=[client_only])
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "none"}, "proxy_signers": {"issuers": ["issuer.pem"]}}})
    (gateway.folder / "issuer.pem").write_bytes(issuer.public_bytes(serialization.Encoding.PEM))
    gateway.start()
    identity = identities.Identity(private=key, certificate=proxy.public_bytes(serialization.Encoding.DER))
    gateway.enrol("demo", identity=identity, csr=identities.csr(identities.key(number="device")))


@requirement("G-12")
def test_G_12_crls_are_ignored(shared):
    ca = identities.key(number="crl")
    now = datetime.datetime.utcnow()
    crl = (x509.CertificateRevocationListBuilder().issuer_name(x509.Name([])).last_update(now)
           .next_update(now + datetime.timedelta(days=1)).sign(ca, hashes.SHA256()))
    shared.enrol("open", crls=(crl.public_bytes(serialization.Encoding.DER),))


@requirement("H-05")
@pytest.mark.parametrize("name,value", [(scepmsg.TRANSACTION_ID, der.text("unsigned")), (scepmsg.SENDER_NONCE, der.octets(bytes(16))),
                                        (scepmsg.MESSAGE_TYPE, der.text("17"))], ids=["transactionID", "senderNonce", "messageType"])
def test_H_05_unsigned_attributes_say_nothing(shared, name, value):
    """Alone they are no attributes, and beside the signed ones they change nothing."""
    found = outcome(shared, omit=(name,), unsigned=((name, value),))
    assert found == 400 or found == (FAILURE, BAD_REQUEST)
    request = shared.request("open", unsigned=((name, value),))
    answer = shared.post("open", request.build())
    if answer.status == 200:
        scepmsg.Reply(answer.body).check(request)


@requirement("L-04", "V-07")
def test_V_07_requests_by_password_are_refused(shared):
    """The RA has an RSA key: whoever asks to be looked up by a password gets badAlg, whatever the password."""
    assert outcome(shared, recipients=[identities.Identity().certificate], envelope={"password": "secret"}) == (FAILURE, BAD_REQUEST)
    request = shared.request("open", envelope={"password": "secret"})
    request.recipients = []
    assert shared.refused(request, BAD_ALG, "open")["details"]["error"] == "ALGORITHM_REFUSED"


@requirement("V-08")
def test_V_08_nobody_derives_a_key_for_ever(shared):
    """A count that would cost hours: refused alone, and never met beside a recipient that is ours."""
    request = shared.request("open", envelope={"password": "secret", "iterations": 1 << 40})
    request.recipients = []
    shared.refused(request, BAD_ALG, "open")
    shared.enrol("open", envelope={"password": "secret", "iterations": 1 << 40})


@requirement("X-10")
@pytest.mark.parametrize("bend,ok", [
    (lambda one: {"certificates": [one] * 16}, True), (lambda one: {"certificates": [one] * 17}, False),
    (lambda one: {"recipients": [one] * 31}, True), (lambda one: {"recipients": [one] * 32}, False),
    (lambda one: {"more": [(f"1.2.3.4.{n}", der.null()) for n in range(59)]}, True),
    (lambda one: {"more": [(f"1.2.3.4.{n}", der.null()) for n in range(60)]}, False),
    (lambda one: {"signers": 9}, False)],
    ids=["certificates", "certificates+1", "recipients", "recipients+1", "attributes", "attributes+1", "signers"])
def test_X_10_what_is_read_before_anybody_is_known_is_bounded(shared, bend, ok):
    identity = identities.Identity()
    bent = bend(identity.certificate)
    if "recipients" in bent:
        bent["recipients"] = [*bent["recipients"], shared.ra("open")]
    found = outcome(shared, identity=identity, **bent)
    assert found == (scepmsg.SUCCESS, None) if ok else found in (400, (FAILURE, BAD_REQUEST))


@requirement("S-04", "T-03")
@pytest.mark.parametrize("message_type", ["21", "22"])
def test_S_04_T_03_off_is_refused(shared, message_type):
    payload = der.seq(identities.name("CN=ca"), der.integer(1))
    assert outcome(shared, message_type=message_type, payload=payload) == (FAILURE, BAD_REQUEST)


@requirement("V-05")
@pytest.mark.parametrize("kind", ["ec", "dsa", "ed25519"])
def test_V_05_signers_without_an_answer_get_no_certificate(shared, kind):
    """A reply cannot be encrypted to such a key: badAlg, before anything is issued."""
    before = len(shared.certificates())
    request = shared.request("open", identity=identities.Identity(kind), digest="sha512" if kind == "ed25519" else "sha256")
    shared.refused(request, BAD_ALG, "open")
    assert len(shared.certificates()) == before
