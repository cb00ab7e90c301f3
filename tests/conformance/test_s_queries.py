"""Sections S and T: GetCert and GetCRL, and what other sections say of both (J-02, L-08, P-03, P-08, AA-02)."""

import approvals
import der
import identities
import pytest
import scepmsg
from catalogue import requirement
from conftest import ONE_TIME, OPEN
from cryptography import x509
from gateway import Gateway, eventually
from scepmsg import BAD_ALG, BAD_CERT_ID, BAD_REQUEST, FAILURE, SUCCESS
from test_v_ec_clients import open_agreement

GET_CERT, GET_CRL = "21", "22"
OWN, ANY = {"queries": {"certificates": "own"}}, {"queries": {"certificates": "alias"}}
ALIASES = {
    "own": ONE_TIME | OWN,
    "any": ONE_TIME | ANY,
    "neighbour": ONE_TIME | ANY | {"tenant": "other"},
    "off": ONE_TIME,
    "short": ONE_TIME | ANY | {"policy": {"max_validity": "2s"}},
    "held": approvals.OPEN | OWN,
    "agreed": OPEN | OWN | {"reply": {"to_ec_signers": ["key_agreement"]}},
    "crl": ONE_TIME | {"queries": {"crl": True}},
    "chained": ONE_TIME | OWN | {"reply": {"certificates": "all"}},
}


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("queries"), ALIASES, backends=approvals.gates()).start()
    yield gateway
    gateway.close()


def names_of(certificate):
    """IssuerAndSerialNumber."""
    serial, issuer, _ = scepmsg.certificate_fields(certificate)
    return der.seq(issuer, serial)


def enrolled(gateway, alias):
    """A client with a key of its own and the certificate it got."""
    request, _, certificate = gateway.enrol(alias, identity=identities.Identity(private=identities.fresh_key()))
    return identities.Identity(private=request.identity.key, certificate=certificate)


def question(gateway, alias, identity, names, **bend):
    """A GetCert, or what `bend` makes of it."""
    return scepmsg.Request(identity, [gateway.ra(alias)], names, **{"message_type": GET_CERT} | bend)


def fetched(gateway, alias, identity, certificate, **bend):
    request = question(gateway, alias, identity, names_of(certificate), **bend)
    reply = gateway.reply(request, alias)
    assert reply.status == SUCCESS, (reply.fail_info, gateway.audit()[-1])
    assert reply.issued(request) == [certificate]
    return reply


def missed(gateway, alias, identity, names, **bend):
    line = gateway.refused(question(gateway, alias, identity, names, **bend), BAD_CERT_ID, alias)
    assert (line["event"], line["details"]["error"]) == ("message.refused", "CERTIFICATE_UNKNOWN")
    return line["details"]["cause"]


# ---- GetCert ---------------------------------------------------------------------------------------------


@requirement("S-01", "S-02", "J-02")
def test_S_01_02_a_client_fetches_its_certificate(library):
    client = enrolled(library, "own")
    before = len(library.audit())
    fetched(library, "own", client, client.certificate)
    line = library.new_audit(before)
    serial = identities.load(client.certificate).serial_number
    assert line["event"] == "certificate.given" and int(line["details"]["serial"], 16) == serial == int(line["details"]["signer"], 16)
    assert line["transaction"] == library.audit("certificate.issued")[-1]["transaction"]
    assert library.metrics()['scepgate_replies_total{alias="own",message_type="GetCert",status="success",fail_info=""}'] >= 1


@requirement("S-02", "S-05")
def test_S_02_the_key_is_enough(library):
    """RFC 8894 section 2.6: for clients that do not keep their certificates."""
    client = enrolled(library, "own")
    forgetful = identities.Identity(private=client.key, subject="CN=whoever")
    fetched(library, "own", forgetful, client.certificate)
    assert "signer" not in library.audit("certificate.given")[-1]["details"]


@requirement("S-02")
@pytest.mark.parametrize("bend", [{"envelope": {"cipher": "3des"}, "digest": "sha1"}, {"envelope": {"transport": "oaep"}}, {"ber": True},
                                  {"envelope": {"recipient_id": "ski"}}], ids=["old", "oaep", "ber", "ski"])
def test_S_02_the_reply_mirrors_the_question(library, bend):
    client = enrolled(library, "own")
    reply = fetched(library, "own", client, client.certificate, **bend)
    assert reply.digest == bend.get("digest", "sha256")
    assert reply.envelope()[0] == bend.get("envelope", {}).get("cipher", "aes128")


@requirement("S-02")
def test_S_02_nothing_but_the_certificate(library):
    client = enrolled(library, "chained")
    fetched(library, "chained", client, client.certificate)


@requirement("S-03", "L-08", "P-08")
def test_S_03_what_there_is_not(library):
    client = enrolled(library, "own")
    serial, issuer, _ = scepmsg.certificate_fields(client.certificate)
    for names in (der.seq(issuer, der.integer(4711)), der.seq(identities.name("CN=Nobody"), serial),
                  der.seq(der.seq(), serial), names_of(library.bag("own")[-1])):
        missed(library, "own", client, names)


@requirement("S-03")
def test_S_03_ra_certificates_are_nobodys(library):
    missed(library, "any", enrolled(library, "any"), names_of(library.ra("any")))


def odd_serials(serial):
    plain = der.read_one(serial).content.lstrip(b"\0")
    return {"zero": b"\0", "none": b"", "negative": b"\xff" + plain, "signless": b"\x80" + plain[1:], "33 octets": b"\1" + 32 * b"\2",
            "longer": b"\1" + plain, "much": b"\x7f" * 4000}


@requirement("S-03")
def test_S_03_serial_numbers_that_nobody_has(library):
    client = enrolled(library, "own")
    serial, issuer, _ = scepmsg.certificate_fields(client.certificate)
    for name, content in odd_serials(serial).items():
        assert missed(library, "own", client, der.seq(issuer, der.tlv(der.INTEGER, content))), name


@requirement("S-01")
@pytest.mark.parametrize("zeros", [1, 2, 500])
def test_S_01_zeros_in_front_of_a_serial_number(library, zeros):
    client = enrolled(library, "own")
    serial, issuer, _ = scepmsg.certificate_fields(client.certificate)
    names = der.seq(issuer, der.tlv(der.INTEGER, zeros * b"\0" + der.read_one(serial).content.lstrip(b"\0")))
    request = question(library, "own", client, names)
    assert library.reply(request, "own").issued(request) == [client.certificate]


@requirement("S-03", "P-08", "X-02")
def test_S_03_every_miss_looks_the_same(library):
    """What was not there, what was not the client's, and what could not be read, to the byte: whoever asks with an envelope that was
    meant for other eyes learns nothing of it."""
    client, other = enrolled(library, "own"), enrolled(library, "own")
    names = names_of(client.certificate)
    _, issuer, _ = scepmsg.certificate_fields(client.certificate)
    csr = identities.csr(client.key)
    asked = [(der.seq(issuer, der.integer(4711)), {}), (names_of(other.certificate), {}), (csr, {}), (b"", {}), (b"\x30\x80", {}),
             (names + b"\0", {}), (der.seq(names), {}), (der.seq(issuer, der.octets(b"5")), {})]
    asked += [(names, {"corrupt": how}) for how in ("ciphertext", "padding", "key", "block", "empty")]
    answers = set()
    for payload, envelope in asked:
        reply = library.reply(question(library, "own", client, payload, envelope=envelope), "own")
        answers.add((reply.status, reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT), tuple(sorted(reply.attributes))))
    assert len(answers) == 1 and answers.pop()[:2] == (FAILURE, BAD_CERT_ID)


@requirement("S-04")
def test_S_04_on_and_off(library, gateways):
    client = enrolled(library, "off")
    for kind in (GET_CERT, GET_CRL):
        line = library.refused(question(library, "off", client, names_of(client.certificate), message_type=kind), BAD_REQUEST, "off")
        assert line["details"]["error"] == "MESSAGE_TYPE"
    gateway = gateways({"demo": ONE_TIME}).start()
    client = enrolled(gateway, "demo")
    gateway.refused(question(gateway, "demo", client, names_of(client.certificate)), BAD_REQUEST)
    gateway.aliases = {"demo": ONE_TIME | OWN}
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: gateway.audit("settings.reloaded"), "the new settings")
    fetched(gateway, "demo", client, client.certificate)


@requirement("S-05")
def test_S_05_own_is_own(library):
    client, other = enrolled(library, "own"), enrolled(library, "own")
    assert "own" in missed(library, "own", other, names_of(client.certificate))
    stranger = identities.Identity(private=identities.fresh_key())
    missed(library, "own", stranger, names_of(client.certificate))


@requirement("S-05")
def test_S_05_whoever_has_a_certificate_of_the_alias(library):
    client, other = enrolled(library, "any"), enrolled(library, "any")
    fetched(library, "any", other, client.certificate)
    for stranger in (enrolled(library, "neighbour"), identities.Identity(private=identities.fresh_key()), forged(client)):
        missed(library, "any", stranger, names_of(client.certificate))


def forged(client):
    """A certificate of the stranger's own, with issuer and serial number of a real one."""
    key = identities.fresh_key()
    serial, issuer, subject = scepmsg.certificate_fields(client.certificate)
    parts = der.read_one(identities.Identity(private=key).certificate)[0].children()
    parts = [part.raw for part in parts]
    at = 1 if parts[0][0] == 0xA0 else 0
    parts[at], parts[at + 2], parts[at + 4] = serial, issuer, subject
    tbs = der.seq(*parts)
    certificate = der.seq(tbs, identities.signature_algorithm(key), der.bits(identities.sign(key, tbs)))
    return identities.Identity(private=key, certificate=certificate)


@requirement("S-05")
def test_S_05_an_expired_certificate_vouches_for_nothing_but_its_key(library):
    client = enrolled(library, "short")
    other = enrolled(library, "short")
    eventually(lambda: library.reply(question(library, "short", other, names_of(client.certificate)), "short").fail_info == BAD_CERT_ID,
               "the certificate has expired")
    fetched(library, "short", other, other.certificate)


@requirement("S-05")
def test_S_05_a_revoked_certificate_vouches_for_nothing_but_its_key(library):
    client, revoked = enrolled(library, "any"), enrolled(library, "any")
    fetched(library, "any", revoked, client.certificate)
    serial = identities.load(revoked.certificate).serial_number
    library.tool("certificate", "revoke", "--alias", "any", f"{serial:x}", "--socket", str(library.socket))
    missed(library, "any", revoked, names_of(client.certificate))
    fetched(library, "any", revoked, revoked.certificate)


@requirement("S-05", "AA-02")
def test_AA_02_certificates_of_another_tenant_are_not_there(library):
    client = enrolled(library, "any")
    for alias in ("neighbour", "own"):
        missed(library, alias, client, names_of(client.certificate))
    fetched(library, "any", client, client.certificate)


@requirement("P-08")
def test_P_08_never_pending(library):
    """Where everything else waits for people."""
    request, row = approvals.held(library, "held")
    client = identities.Identity(private=request.identity.key)
    missed(library, "held", client, der.seq(identities.name("CN=ca"), der.integer(1)), transaction_id=request.transaction_id)
    approvals.approve(library, row)
    approvals.becomes(library, request, "issued")
    reply = approvals.poll(library, request, "held")
    fetched(library, "held", client, reply.issued(request)[0], transaction_id=request.transaction_id)
    assert approvals.record(library, request)["state"] == "issued"


@requirement("S-02", "V-05")
@pytest.mark.parametrize("alias", ["own", "agreed"])
def test_V_05_ec_clients_are_answered_where_a_reply_can_be_encrypted(library, tmp_path, alias):
    """There is no challenge to encrypt it with; it is refused before anything is looked at."""
    client = identities.Identity("ec")
    if alias == "agreed":
        enrolment = library.request("agreed", identity=client)
        certificate = open_agreement(tmp_path, enrolment, library.reply(enrolment, "agreed"))[0]
        request = question(library, "agreed", client, names_of(certificate))
        assert open_agreement(tmp_path, request, library.reply(request, "agreed")) == [certificate]
        missed(library, "agreed", identities.Identity("ec", private=identities.fresh_key("ec", 256)), names_of(certificate))
        return
    for payload in (der.seq(identities.name("CN=ca"), der.integer(1)), b"garbage"):
        assert library.refused(question(library, alias, client, payload), BAD_ALG, alias)["details"]["error"] == "REPLY_IMPOSSIBLE"


# ---- GetCRL ----------------------------------------------------------------------------------------------


def listed(gateway, alias, identity, names, **bend):
    """The one list of a GetCRL's answer."""
    request = question(gateway, alias, identity, names, message_type=GET_CRL, **bend)
    reply = gateway.reply(request, alias)
    assert reply.status == SUCCESS, (reply.fail_info, gateway.audit()[-1])
    lists = scepmsg.degenerate_crls(reply.open(request))
    assert len(lists) == 1
    return x509.load_der_x509_crl(lists[0])


@requirement("T-01", "T-02", "P-03", "J-02")
def test_T_01_02_the_list_of_the_ca(library):
    client, authority = enrolled(library, "crl"), identities.load(library.bag("crl")[-1])
    found = listed(library, "crl", client, names_of(client.certificate))
    assert found.issuer == authority.subject and found.is_signature_valid(authority.public_key())
    assert library.metrics()['scepgate_replies_total{alias="crl",message_type="GetCRL",status="success",fail_info=""}'] >= 1


@requirement("T-01", "T-02")
def test_T_01_the_serial_number_plays_no_part(library):
    """And neither does who asks: the list is public."""
    client = enrolled(library, "crl")
    _, issuer, _ = scepmsg.certificate_fields(client.certificate)
    stranger = identities.Identity(private=identities.fresh_key())
    for serial in (der.integer(4711), der.integer(0), der.tlv(der.INTEGER, b"\xff" * 40)):
        listed(library, "crl", stranger, der.seq(issuer, serial))
    listed(library, "crl", stranger, names_of(library.bag("crl")[-1]))


@requirement("T-03", "L-08", "P-08")
def test_T_03_lists_that_there_are_not(library):
    client = enrolled(library, "crl")
    serial, issuer, _ = scepmsg.certificate_fields(client.certificate)
    answers = set()
    asked = [(der.seq(identities.name("CN=Nobody"), serial), {}), (der.seq(der.seq(), serial), {}), (identities.csr(client.key), {}), (b"", {})]
    asked += [(der.seq(issuer, serial), {"corrupt": how}) for how in ("padding", "key")]
    for names, envelope in asked:
        reply = library.reply(question(library, "crl", client, names, envelope=envelope, message_type=GET_CRL), "crl")
        answers.add((reply.status, reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT), tuple(sorted(reply.attributes))))
    assert len(answers) == 1 and answers.pop()[:2] == (FAILURE, BAD_CERT_ID)
    assert library.refused(question(library, "crl", client, names_of(client.certificate)), BAD_REQUEST, "crl")  # GetCert is off


@requirement("T-02")
def test_T_02_the_most_recent_one(library):
    client = enrolled(library, "crl")
    before = listed(library, "crl", client, names_of(client.certificate))
    serial = identities.load(client.certificate).serial_number
    assert before.get_revoked_certificate_by_serial_number(serial) is None
    library.tool("certificate", "revoke", "--alias", "crl", f"{serial:x}", "--socket", str(library.socket))
    after = eventually(lambda: (now := listed(library, "crl", client, names_of(client.certificate))) and
                       now.get_revoked_certificate_by_serial_number(serial) and now, "a list that has the certificate")
    number = x509.CRLNumber.oid
    assert after.extensions.get_extension_for_oid(number).value.crl_number > before.extensions.get_extension_for_oid(number).value.crl_number
