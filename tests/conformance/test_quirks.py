"""Clients of the field as they stand on the wire (quirks.txt), each as near to its captures as a test can be; and the rows of `compat:` and
the families of clients that some of them need."""

import base64
import socket
import urllib.parse

import der
import identities
import pytest
import scepmsg
from catalogue import quirk
from cryptography import x509
from gateway import Gateway
from scepmsg import BAD_ALG, BAD_REQUEST, FAILURE, SUCCESS

OPEN = {"backend": "sub", "challenge": {"type": "none"}}
ONE_TIME = {"backend": "sub", "challenge": {"type": "one_time", "failure_limit": 0}}
OBSOLETE = {"obsolete_algorithms": ["des", "md5"]}
ALIASES = {
    "plain": OPEN, "secret": ONE_TIME,
    "apple": OPEN | {"compat": {"clients": ["apple"]}},
    "windows": OPEN | {"compat": {"clients": ["windows"]}},
    "ios": OPEN | {"compat": {"clients": ["cisco_ios", "cisco_pix"]} | OBSOLETE, "paths": ["/scep:8081"]},
    "routeros": OPEN | {"compat": {"clients": ["routeros"]}},
    "obsolete": OPEN | {"compat": OBSOLETE},
    "unauthorized": ONE_TIME | {"compat": {"refused_challenge_as_401": True}},
}
# An alias for every family gets GET back, which the site as a whole has turned off.
NO_GET = {"compat": {"get_pki_operation": False}}


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A gateway whose CA is below a root, because with a CA that is one the root is never left out."""
    gateway = Gateway(tmp_path_factory.mktemp("field"), ALIASES, defaults=NO_GET, backends={
        "sub": {"type": "local_ca", "certificate": "sub.pem", "key": "sub-key.pem", "chain": "root.pem"}})
    gateway.tool("ca", "init", "--key", "root-key.pem", "--cert", "root.pem", "--subject", "CN=Root", "--key-type", "rsa-2048")
    gateway.tool("ca", "init", "--key", "sub-key.pem", "--cert", "sub.pem", "--subject", "CN=Sub", "--key-type", "rsa-2048",
                 "--issuer-cert", "root.pem", "--issuer-key", "root-key.pem")
    gateway.start()
    yield gateway
    gateway.close()


def encoded(message):
    return base64.b64encode(message).decode()


def folded(text, size=64):
    """Lines as sscep and IOS break them, also behind the last."""
    return "%0A".join(urllib.parse.quote(text[at:at + size], safe="") for at in range(0, len(text), size)) + "%0A"


def raw(gateway, data):
    """(head, body) of the answer to these bytes, read until the gateway closes, as HTTP/1.0 clients do."""
    with socket.create_connection(("127.0.0.1", gateway.port), 60) as connection:
        connection.sendall(data)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    return head, body


def read(request, answer):
    status, body = (answer.status, answer.body) if hasattr(answer, "status") else answer
    assert status == 200, (status, body)
    reply = scepmsg.Reply(body).check(request)
    assert reply.status == SUCCESS, reply.text(scepmsg.FAIL_INFO_TEXT)
    reply.issued(request)
    return reply


ESCAPES = {
    "macOS: '=' alone": lambda text: text.replace("=", "%3D"),
    "jscep: none": lambda text: text,
    "iOS 11: all": lambda text: urllib.parse.quote(text, safe=""),
    "certmonger: '+' and '/'": lambda text: text.replace("+", "%2B").replace("/", "%2F"),
    "a proxy that decoded": lambda text: text.replace("+", "%20"),
    "scepclient: base64url": lambda text: text.replace("+", "-").replace("/", "_").replace("=", "%3D"),
}


@quirk("1", "2", "3", "4", "50", "84", "89a", "89i")
@pytest.mark.parametrize("escape", ESCAPES)
def test_quirk_escapes_of_a_get(shared, escape):
    while True:  # another serial number may be of another length, and '=' depends on it
        identity = identities.Identity(private=identities.key(number="escapes"))
        request = shared.request("open", identity=identity, envelope={"cipher": "3des"})
        text = encoded(request.build())
        if {"+", "/", "="} <= set(text):
            break
    read(request, shared.http("GET", f"/scep/open/pkiclient.exe?operation=PKIOperation&message={ESCAPES[escape](text)}"))


@quirk("5", "44", "70")
def test_quirk_capabilities_name_a_digest_and_a_cipher(shared):
    """In the RFC's letter case: iOS refuses the CA otherwise, jscep and RouterOS fall back to DES and MD5."""
    for alias in shared.aliases:
        words = set(shared.get(alias, "GetCACaps").body.decode().split("\n"))
        assert words & {"SHA-1", "SHA-256", "SHA-512"} and words & {"AES", "DES3"}, alias


@quirk("8", "27")
@pytest.mark.parametrize("alias,root", [("plain", True), ("apple", False), ("windows", False), ("ios", True)])
def test_quirk_bag_without_the_root(field, alias, root):
    """Apple and Windows go wrong with a root in the bag; theirs has RA and issuing CA, and the RA alone can be encrypted to."""
    bag = field.bag(alias)
    names = [identities.load(one).subject.rfc4514_string() for one in bag]
    assert names[1:] == (["CN=Sub", "CN=Root"] if root else ["CN=Sub"])
    usages = [identities.load(one).extensions.get_extension_for_class(x509.KeyUsage).value for one in bag]
    assert [usage.key_encipherment for usage in usages] == [True] + [False] * (len(bag) - 1)


@quirk("28")
def test_quirk_fingerprint_shown_is_the_issuing_cas(field):
    shown = str(field.ask("status")).replace(":", "").lower()
    assert scepmsg.fingerprint(field.bag("windows")[1]) in shown


@quirk("11", "20")
@pytest.mark.parametrize("cipher", ["3des", "aes128"])
def test_quirk_macos_constructed_content_and_short_nonce(shared, cipher):
    """DER without, indefinite lengths within; eight bytes of nonce."""
    request = shared.request("open", sender_nonce=b"\x01\x02\x03\x04\x05\x06\x07\x08", envelope={"ber": True, "cipher": cipher})
    reply = read(request, shared.post("open", request.build()))
    assert reply.attributes[scepmsg.RECIPIENT_NONCE] == b"\x01\x02\x03\x04\x05\x06\x07\x08"


@quirk("18")
@pytest.mark.parametrize("subject,sans,issued", [
    ("", (), False), ("", (("dns", "a.example"),), True), ([("CN", "a/b\\c\"d'e <f>"), ("OU", "..")], (), True),
    ([("CN", "\u00fc\u4e2d\u6587")], (), True), ([("1.2.3.4.5", "odd")], (), True), ([("OU", str(n)) for n in range(20)], (), True)],
    ids=["none", "san alone", "punctuation", "unicode", "unknown field", "many"])
def test_quirk_odd_subjects(shared, subject, sans, issued):
    identity = identities.Identity()
    request = shared.request("open", identity=identity, csr=identities.csr(identity.key, subject, sans=sans))
    if issued:
        assert shared.reply(request, "open").issued(request)
    else:
        shared.refused(request, BAD_REQUEST, "open")


@quirk("19")
def test_quirk_challenge_in_clear(shared):
    """macOS repeats it as a signed attribute: ignored, and neither logged nor kept, which is asserted of every gateway."""
    challenge = shared.challenge("demo")
    shared.enrol("demo", challenge=challenge, more=((identities.CHALLENGE_PASSWORD, der.text(challenge)),))
    shared.refused(shared.request("demo", more=((identities.CHALLENGE_PASSWORD, der.text(shared.challenge("demo"))),)), BAD_REQUEST)


@quirk("29")
def test_quirk_generated_challenges_are_printable_strings(shared):
    """Windows refuses '_', '@', '*', '#', '!' and '~' in one."""
    for challenge in shared.challenges(30):
        assert all(character.isascii() and (character.isalnum() or character in "-.") for character in challenge), challenge


class WindowsSigner(identities.Identity):
    """SHA-1, and a critical authorityKeyIdentifier."""

    def self_signed(self, subject, digest, key_usage, serial):
        plain = der.read_one(super().self_signed("CN=SCEP Protocol Certificate", "sha1", False, serial))
        aki = identities.extension("2.5.29.35", der.seq(der.tlv(0x80, identities.hashlib.sha1(identities.spki(self.key)).digest())), True)
        usage = identities.extension("2.5.29.15", der.tlv(der.BITS, b"\x05\xa0"), True)
        tbs = der.tlv(der.SEQUENCE, plain[0].content + der.tlv(0xA3, der.seq(aki, usage)))
        return der.seq(tbs, plain[1].raw, der.bits(identities.sign(self.key, tbs, "sha1")))


@quirk("22", "23", "32")
@pytest.mark.parametrize("alias", ["open", "modern"])
def test_quirk_windows(shared, alias):
    """Its signer, and key transport by OAEP with SHA-1, which the reply must have as well."""
    envelope = {"cipher": "aes128", "transport": "oaep", "oaep_digest": "sha1", "mgf1_digest": "sha1"}
    identity = WindowsSigner()
    _, reply, _ = shared.enrol(alias, identity=identity, csr=identities.csr(identity.key, "CN=pc"), envelope=envelope)
    assert reply.transport() == "oaep"


@quirk("40", "52")
@pytest.mark.parametrize("target", ["/certsrv/mscep/mscep.dll/pkiclient.exe", "/certsrv/mscep/mscep.dll"])
def test_quirk_ndes_paths(shared, target):
    request = shared.request("extra")
    read(request, shared.http("POST", f"{target}?operation=PKIOperation", request.build()))


@quirk("52")
def test_quirk_ios_puts_a_port_into_the_path(field):
    head, body = raw(field, b"GET /scep:8081/pkiclient.exe?operation=GetCACert&message=Test-Router HTTP/1.0\r\n"
                            b"User-Agent: Mozilla/4.0 (compatible; MSIE 5.0; Cisco PKI)\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0] and scepmsg.degenerate_certificates(body)[0] == field.ra("ios")


@quirk("51", "53", "54", "73", "89b")
@pytest.mark.parametrize("bend", [{"digest": "md5", "envelope": {"cipher": "des"}}, {"digest": "sha1", "envelope": {"cipher": "des"}},
                                  {"digest": "sha1", "envelope": {"cipher": "3des"}}], ids=["des-md5", "des-sha1", "3des-sha1"])
def test_quirk_ios_by_http_1_0(field, bend):
    """Broken lines, and a reply in no stronger algorithms than the request's."""
    request = field.request("ios", **bend)
    head, body = raw(field, f"GET /scep/ios/pkiclient.exe?operation=PKIOperation&message={folded(encoded(request.build()))} HTTP/1.0\r\n"
                            "\r\n".encode())
    reply = read(request, (int(head.split()[1]), body))
    assert (reply.digest, reply.envelope()[0]) == (bend["digest"], bend["envelope"]["cipher"])


@quirk("56", "58")
@pytest.mark.parametrize("subject", [[("unstructuredName", "r1.example.com"), ("CN", "r1")],
                                     [("unstructuredName", "r1.example.com"), ("serialNumber", "FTX123")]], ids=["cn", "no cn"])
def test_quirk_cisco_names(shared, subject):
    identity = identities.Identity(subject="CN=r1.example.com")
    _, _, certificate = shared.enrol("open", identity=identity, csr=identities.csr(identity.key, subject))
    assert b"r1.example.com" in scepmsg.certificate_fields(certificate)[2]


@quirk("64")
@pytest.mark.parametrize("write", [encoded, lambda message: base64.encodebytes(message).decode(),
                                   lambda message: "\r\n" + encoded(message) + "\r\n\r\n"], ids=["one line", "lines", "blanks around"])
@pytest.mark.parametrize("content_type", ["application/x-pki-message", "application/x-www-form-urlencoded"])
def test_quirk_base64_bodies(shared, write, content_type):
    request = shared.request("open")
    body = write(request.build()).encode()
    read(request, shared.post("open", body, {"Content-Type": content_type}))


@quirk("67", "75")
def test_quirk_replies_fit_the_buffers_of_sscep(shared):
    """16 KiB with headers, for FortiOS too; and a transactionID that is an MD5."""
    identity = identities.Identity(size=4096)
    csr = identities.csr(identity.key, sans=[("dns", f"name{n}.{'x' * 50}.example") for n in range(20)])
    request = shared.request("open", identity=identity, csr=csr, transaction_id=identities.hashlib.md5(identity.spki).hexdigest().upper())
    head, body = raw(shared, b"POST /scep/open?operation=PKIOperation HTTP/1.0\r\n"
                             + f"Content-Length: {len(request.build())}\r\n\r\n".encode() + request.build())
    assert b"\nContent-Type: application/x-pki-message\r" in head and len(head) + len(body) < 16384
    read(request, (int(head.split()[1]), body))


@quirk("70")
def test_quirk_routeros(field):
    """GET, a CA-IDENT of its own, and a question for the next CA, to which "none" is an answer."""
    assert field.get("routeros", "GetCACert", "DummyCAIdentity").body == field.get("routeros", "GetCACert").body
    assert field.get("routeros", "GetNextCACert", "DummyCAIdentity").status in (400, 404)
    request = field.request("routeros", digest="sha1", envelope={"cipher": "3des"})
    read(request, field.get("routeros", "PKIOperation", urllib.parse.quote(encoded(request.build()), safe="")))


@quirk("71")
def test_quirk_printers_know_small_keys_and_plain_http(shared):
    assert identities.load(shared.ra("open")).public_key().key_size == 2048
    shared.enrol("open")


@quirk("74", "89a")
def test_quirk_ca_idents(shared):
    """sscep's, and certmonger's, which counts up until an answer repeats."""
    wanted = shared.get("open", "GetCACert").body
    for ident in ("CAIdentifier", "0", "1", "2"):
        assert shared.get("open", "GetCACert", ident).body == wanted
        assert shared.get("open", "GetCACaps", ident).body == shared.get("open", "GetCACaps").body


@quirk("83", "89a", "89f")
@pytest.mark.parametrize("transaction_id", ["n4Yf2Uc8y2Fk2ATMGy8LI9Xb+/o=", "7" * 77, "SSCEP transactionId", "1"])
def test_quirk_transaction_ids(shared, transaction_id):
    """Of any form, and the same from several devices."""
    certificates = {shared.enrol("open", transaction_id=transaction_id)[2] for _ in range(2)}
    assert len(certificates) == 2


@quirk("85")
def test_quirk_envelope_that_says_encrypted_data(shared):
    shared.enrol("open", envelope={"content_type": "1.2.840.113549.1.7.6"})


@quirk("87")
def test_quirk_key_identifier_in_an_octet_string(shared):
    shared.enrol("open", envelope={"recipient_id": "wrapped"})


@quirk("88")
def test_quirk_strongswan_without_headers(shared):
    head, body = raw(shared, b"GET /scep/open?operation=GetCACaps HTTP/1.0\r\n\r\n")
    assert b" 200 " in head.split(b"\r\n")[0] and b"SHA-384" in body
    request = shared.request("open")
    message = request.build()
    head, body = raw(shared, b"POST /scep/open?operation=PKIOperation HTTP/1.1\r\nHost: x\r\nContent-Type:\r\nConnection: close\r\n"
                             + f"Content-Length: {len(message)}\r\n\r\n".encode() + message)
    read(request, (int(head.split()[1]), body))


@quirk("89h")
@pytest.mark.parametrize("alias,status", [("plain", FAILURE), ("obsolete", SUCCESS)])
def test_quirk_scepclient(field, alias, status):
    """DES and SHA-1 whatever is advertised, base64url, and the message before the operation; here by an alias that has GET."""
    assert field.get(alias, "PKIOperation", "MAA=").status == 405, "GET is off for the site, and no family was named"
    request = field.request(alias, digest="sha1", envelope={"cipher": "des"}, transaction_id="n4Yf2Uc8y2Fk2ATMGy8LI9Xb+/o=")
    reply = field.reply(request, alias)
    assert reply.status == status and (status == SUCCESS or reply.fail_info == BAD_ALG)
    text = base64.urlsafe_b64encode(field.request("ios", digest="sha1", envelope={"cipher": "des"}).build()).decode().replace("=", "%3D")
    assert field.http("GET", f"/scep/ios?message={text}&operation=PKIOperation").status == 200


# ---- rows of compat ----------------------------------------------------------------------------------------

@pytest.mark.parametrize("alias,served", [("plain", False), ("windows", False), ("apple", True), ("ios", True), ("routeros", True)])
def test_families_get_their_get_back(field, alias, served):
    request = field.request(alias)
    answer = field.get(alias, "PKIOperation", urllib.parse.quote(encoded(request.build()), safe=""))
    assert answer.status == (200 if served else 405)
    if served:
        read(request, answer)


@pytest.mark.parametrize("alias,text", [("plain", True), ("apple", True), ("ios", False)])
def test_families_that_know_no_fail_info_text(field, alias, text):
    reply = field.reply(field.request(alias, envelope={"cipher": "rc2"}), alias)
    assert reply.fail_info == BAD_ALG and (scepmsg.FAIL_INFO_TEXT in reply.attributes) == text


@pytest.mark.parametrize("alias", ["plain", "apple", "windows", "routeros"])
def test_no_family_brings_an_algorithm(field, alias):
    """And none weakens its neighbour."""
    for bend in ({"digest": "md5"}, {"envelope": {"cipher": "des"}}):
        reply = field.reply(field.request(alias, **bend), alias)
        assert (reply.status, reply.fail_info) == (FAILURE, BAD_ALG)


def test_refused_challenges_as_401(field):
    used = field.challenge("unauthorized")
    field.enrol("unauthorized", challenge=used)
    for challenge in ("wrong", None, used, field.challenge("secret")):
        before = len(field.audit())
        answer = field.post("unauthorized", field.request("unauthorized", challenge=challenge).build())
        assert (answer.status, answer.headers["content-type"]) == (401, "text/plain; charset=utf-8")
        assert answer.headers["www-authenticate"] and field.new_audit(before)["event"].startswith("challenge.")
    for name, value in field.metrics().items():
        if name.startswith("scepgate_http_requests") and 'status="401"' in name:
            assert value == 4
            break
    else:
        raise AssertionError("the status is not counted")
    reply = field.reply(field.request("secret", challenge="wrong"), "secret")
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST), "the neighbour's clients get their CertRep"
    assert field.reply(field.request("unauthorized", envelope={"cipher": "rc2"}), "unauthorized").fail_info == BAD_ALG
    field.enrol("unauthorized", challenge=field.challenge("unauthorized"))
