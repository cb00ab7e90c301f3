"""Section O: renewal: RenewalReq, and PKCSReq signed with an issued certificate. Foreign certificates come from CAs of the test's."""

import datetime
import http.server
import os
import threading
import time

import approvals
import authority as authority_files
import identities
import pytest
import scepmsg
from catalogue import quirk, requirement
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from gateway import PATIENCE, eventually
from scepmsg import BAD_MESSAGE_CHECK, BAD_REQUEST, FAILURE, PENDING, SUCCESS

DAY = datetime.timedelta(days=1)
RENEWAL = {"message_type": "17"}
ONE_TIME = {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 0}}


class Authority:
    """A CA of the test's own."""

    def __init__(self, name="CN=Another CA"):
        self.key = identities.fresh_key()
        self.name = x509.Name.from_rfc4514_string(name)
        self.certificate = self.certify(self.key, self.name, ca=True)
        self.number = 0

    def certify(self, key, subject, *, ca=False, begin=-DAY, end=30 * DAY, usage=None, clients_only=False):
        now = datetime.datetime.utcnow()
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(now + begin).not_valid_after(now + end)
                   .add_extension(x509.BasicConstraints(ca, None), True))
        if usage is not None:
            bits = {bit: bit in usage for bit in ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                                                  "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")}
            builder = builder.add_extension(x509.KeyUsage(**bits), True)
        if clients_only:
            builder = builder.add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), False)
        return builder.sign(self.key, hashes.SHA256())

    def identity(self, subject="CN=device", **bend):
        key = identities.fresh_key()
        made = self.certify(key, x509.Name.from_rfc4514_string(subject), **bend)
        return identities.Identity(private=key, certificate=made.public_bytes(serialization.Encoding.DER))

    def write(self, path):
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)

    def crl(self, revoked=(), *, end=DAY):
        now = datetime.datetime.utcnow() - datetime.timedelta(hours=1)
        self.number += 1
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.name).last_update(now).next_update(now + end)
                   .add_extension(x509.CRLNumber(self.number), False))
        for identity in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(identities.load(identity.certificate).serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


@pytest.fixture(scope="module")
def authority():
    return Authority()


def with_certificate(request, certificate):
    """The client after its enrolment: the key it signed with, and what it got for it."""
    return identities.Identity(private=request.identity.key, certificate=certificate)


def enrolled(gateway, alias="demo", **bend):
    request, _, certificate = gateway.enrol(alias, **bend)
    return with_certificate(request, certificate)


def renewal(gateway, old, alias="demo", *, subject="CN=device", sans=(), key=None, challenge=None, bad=False, **bend):
    new = key or identities.key(number="renewed")
    csr = identities.csr(new, subject, challenge, sans=sans, bad_signature=bad)
    return gateway.request(alias, identity=old, csr=csr, **RENEWAL | bend), new


def renewed(gateway, old, alias="demo", **bend):
    """(request, new certificate), asserted to be for the new key."""
    request, new = renewal(gateway, old, alias, **bend)
    reply = gateway.reply(request, alias)
    assert reply.status == SUCCESS, (reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT), gateway.audit()[-1])
    certificate = reply.issued(request)[0]
    assert scepmsg.public_key_of(certificate) == identities.spki(new)
    return request, certificate


def refused(gateway, old, error, alias="demo", **bend):
    before = len(gateway.certificates())
    request, _ = renewal(gateway, old, alias, **bend)
    line = gateway.refused(request, BAD_REQUEST, alias)
    assert line["details"]["error"] == error, line
    assert len(gateway.certificates()) == before
    return line


@pytest.fixture(scope="module")
def site(tmp_path_factory, authority):
    """An alias for every rule."""
    from gateway import Gateway

    folder = tmp_path_factory.mktemp("renewal")
    issuers = [authority.write(folder / "another.pem")]
    allow = {"crl": {"when_unknown": "allow"}}
    aliases = {name: ONE_TIME | {"renewal": rules} for name, rules in {
        "demo": {}, "other": {}, "off": {"enabled": False}, "strictly17": {"legacy": False},
        "foreign": allow | {"issuers": issuers}, "graceful": allow | {"issuers": issuers, "grace": "5d"},
        "unrecorded": allow | {"unrecorded": True}, "late": {"last_percent": 50}, "latest": {"last": "30d"},
        "newkeys": {"same_key": False}, "subject": {"names": "subject"}, "anything": {"names": "policy"},
        "check": {"challenge": "check"}, "require": {"challenge": "require"}}.items()}
    aliases["short"] = aliases["demo"] | {"policy": {"max_validity": "3s"}}
    aliases["proxied"] = ONE_TIME | {"proxy_signers": {"issuers": issuers},
                                     "renewal": allow | {"issuers": issuers}}
    gateway = Gateway(folder, aliases).start()
    yield gateway
    gateway.close()


# ---- what is renewed -------------------------------------------------------------------------------------


@requirement("O-01")
def test_O_01_renewal(site):
    old = enrolled(site)
    _, certificate = renewed(site, old)
    line = site.audit("certificate.issued")[-1]
    assert int(line["details"]["serial"], 16) == identities.load(certificate).serial_number
    assert int(line["details"]["renews"], 16) == identities.load(old.certificate).serial_number
    accepted = site.audit("request.accepted")[-1]
    assert accepted["details"]["renews"] == line["details"]["renews"] and accepted["transaction"] == line["transaction"]
    assert renewed(site, old)[1] != certificate  # one after the other there may be several


@requirement("O-01")
def test_O_01_a_renewed_certificate_is_renewed(site):
    old = enrolled(site)
    for _ in range(3):
        key = identities.fresh_key()
        _, certificate = renewed(site, old, key=key)
        old = identities.Identity(private=key, certificate=certificate)


@requirement("O-02")
def test_O_02_an_alternate_ca(site, authority):
    stranger = authority.identity()
    refused(site, stranger, "RENEWAL_SIGNER")
    renewed(site, stranger, "foreign")
    refused(site, Authority().identity(), "RENEWAL_SIGNER", "foreign")  # the same name, another key


@requirement("O-02")
def test_O_02_an_intermediate_is_named_itself(gateways, tmp_path):
    """Chains are not built: what counts is the CA that certified the signer, and no root above it."""
    root = authority_files.root()
    issuing = authority_files.below(root)
    device = authority_files.Authority("device", ("digital_signature", "key_encipherment"), issuing)
    old = identities.Identity(private=device.key, certificate=device.der)
    rules = {"crl": {"when_unknown": "allow"}}
    gateway = gateways({"root": ONE_TIME | {"renewal": rules | {"issuers": [root.write(tmp_path, "root")[0]]}},
                        "issuing": ONE_TIME | {"renewal": rules | {"issuers": [issuing.write(tmp_path, "issuing")[0]]}}}).start()
    refused(gateway, old, "RENEWAL_SIGNER", "root")
    refused(gateway, old, "RENEWAL_SIGNER", "root", certificates=[old.certificate, issuing.der])
    renewed(gateway, old, "issuing")


@requirement("O-03")
def test_O_03_long_before_the_end(site):
    _, certificate = renewed(site, enrolled(site))
    assert identities.load(certificate).not_valid_before <= datetime.datetime.utcnow()


@requirement("O-03")
def test_O_03_only_in_the_last_half_when_the_alias_says_so(site):
    refused(site, enrolled(site, "late"), "RENEWAL_EARLY", "late")
    refused(site, enrolled(site, "latest"), "RENEWAL_EARLY", "latest")


@requirement("O-04")
def test_O_04_same_key_or_new_one(site):
    old = enrolled(site)
    renewed(site, old, key=old.key)
    old = enrolled(site, "newkeys")
    refused(site, old, "RENEWAL_CHANGED", "newkeys", key=old.key)
    renewed(site, old, "newkeys")


@requirement("O-04")
def test_O_04_the_very_same_request_once_more_is_no_retransmission(site):
    """A client with a fixed transactionID that keeps its key sends the request of its enrolment again, signed with the certificate."""
    challenge = site.challenge()
    request, _, first = site.enrol(challenge=challenge, transaction_id="fixed")
    old = with_certificate(request, first)
    again = site.request(identity=old, csr=request.payload, transaction_id="fixed", **RENEWAL)
    second = site.reply(again).issued(again)[0]
    assert second != first
    copy = site.request(identity=old, csr=request.payload, transaction_id="fixed", **RENEWAL)
    assert site.reply(copy).issued(copy)[0] == second
    third = site.request(identity=with_certificate(request, second), csr=request.payload, transaction_id="fixed", **RENEWAL)
    assert site.reply(third).issued(third)[0] not in (first, second)


@requirement("O-05")
@pytest.mark.parametrize("alias", ["demo", "check"])
def test_O_05_a_used_challenge_does_no_harm(site, alias):
    challenge = site.challenge(alias)
    old = enrolled(site, alias, challenge=challenge)
    for _ in range(3):
        renewed(site, old, alias, challenge=challenge)
        renewed(site, old, alias)


@requirement("O-05")
def test_O_05_the_challenge_as_the_alias_wants_it(site):
    renewed(site, enrolled(site), challenge="wrong")
    old = enrolled(site, "check")
    refused(site, old, "CHALLENGE_REFUSED", "check", challenge="wrong")
    challenge = site.challenge("check")
    renewed(site, old, "check", challenge=challenge)
    site.refused(site.request("check", challenge=challenge), BAD_REQUEST, "check")  # it was used up
    challenge = site.challenge("require")
    old = enrolled(site, "require", challenge=challenge)
    refused(site, old, "CHALLENGE_MISSING", "require")
    refused(site, old, "CHALLENGE_REUSED", "require", challenge=challenge)
    renewed(site, old, "require", challenge=site.challenge("require"))


@requirement("O-01", "O-11")
@pytest.mark.parametrize("alias,message_type", [("demo", "RenewalReq"), ("demo", "PKCSReq")])
def test_O_01_11_by_the_projects_own_client(site, tmp_path, alias, message_type):
    """`scepgate enroll --renew`, and the same for a server that does not say Renewal."""
    anchor = identities.load(site.bag(alias)[1]).fingerprint(hashes.SHA256()).hex()
    command = ["enroll", site.url(alias), "--ca-sha256", anchor]
    old, new = tmp_path / "old", tmp_path / "new"
    site.tool(*command, "--out", str(old), "--subject", "CN=device", "--san", "DNS:a.example", "--challenge", site.challenge(alias))
    renew = ["--renew"] if message_type == "RenewalReq" else []
    counter = f'scepgate_replies_total{{alias="{alias}",message_type="{message_type}",status="success",fail_info=""}}'
    before = site.metrics().get(counter, 0)
    site.tool(*command, "--out", str(new), *renew, "--with-cert", str(old / "cert.pem"), "--with-key", str(old / "key.pem"))
    assert site.metrics()[counter] == before + 1
    certificates = [x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes()) for folder in (old, new)]
    assert certificates[0].subject == certificates[1].subject
    assert int(site.audit("certificate.issued")[-1]["details"]["renews"], 16) == certificates[0].serial_number


# ---- who may not -----------------------------------------------------------------------------------------


@requirement("O-06")
def test_O_06_self_signed(site):
    line = refused(site, identities.Identity(), "RENEWAL_SIGNER")
    assert line["event"] == "renewal.refused" and "self-signed" in line["details"]["cause"]


@requirement("O-06")
def test_O_06_foreign(site, authority):
    refused(site, authority.identity(), "RENEWAL_SIGNER")


@requirement("O-06")
def test_O_06_expired_and_in_grace(site, authority):
    refused(site, authority.identity(end=-DAY / 2), "RENEWAL_EXPIRED", "foreign")
    renewed(site, authority.identity(end=-DAY / 2, begin=-3 * DAY), "graceful")
    refused(site, authority.identity(begin=-20 * DAY, end=-6 * DAY), "RENEWAL_EXPIRED", "graceful")
    refused(site, authority.identity(begin=DAY), "RENEWAL_SIGNER", "foreign")


@requirement("O-06")
def test_O_06_one_of_ours_that_expired(site):
    old = enrolled(site, "short")
    end = identities.load(old.certificate).not_valid_after
    eventually(lambda: datetime.datetime.utcnow() > end + datetime.timedelta(seconds=1), "the certificate has expired")
    refused(site, old, "RENEWAL_EXPIRED", "short")


@requirement("O-06")
@pytest.mark.parametrize("usage,allowed", [
    (["digital_signature"], True), (["content_commitment"], True), (["key_encipherment"], False)])
def test_O_06_key_usage(site, authority, usage, allowed):
    old = authority.identity(usage=usage)
    if allowed:
        renewed(site, old, "foreign")
    else:
        refused(site, old, "RENEWAL_SIGNER", "foreign")


@requirement("O-06")
def test_O_06_a_ca_certificate(site, authority):
    refused(site, authority.identity(ca=True), "RENEWAL_SIGNER", "foreign")


@requirement("G-11")
def test_G_11_a_certificate_for_clients_only(site, authority):
    renewed(site, authority.identity(clients_only=True), "foreign")


@requirement("M-10")
def test_M_10_signer_without_key_encipherment(site, authority):
    renewed(site, authority.identity(usage=["digital_signature"], clients_only=True), "foreign")


@requirement("O-07")
@pytest.mark.parametrize("bend,alias,allowed", [
    ({"subject": "CN=another"}, "demo", False), ({"subject": "CN=device,O=maker"}, "demo", False), ({"subject": ""}, "demo", False),
    ({"sans": [("dns", "b.example")]}, "demo", False), ({"sans": []}, "demo", False),
    ({"sans": [("dns", "a.example"), ("dns", "b.example"), ("dns", "c.example")]}, "demo", False),
    ({"sans": [("dns", "b.example"), ("dns", "a.example")]}, "demo", True),
    ({"sans": []}, "subject", True), ({"subject": "CN=another"}, "subject", False), ({"subject": "CN=another"}, "anything", True),
])
def test_O_07_names(site, bend, alias, allowed):
    sans = [("dns", "a.example"), ("dns", "b.example")]
    key = identities.fresh_key()
    csr = identities.csr(key, "CN=device", site.challenge(alias), sans=sans)
    old = enrolled(site, alias, identity=identities.Identity(private=key), csr=csr, challenge=None)
    wish = {"sans": sans} | bend
    if allowed:
        renewed(site, old, alias, **wish)
    else:
        refused(site, old, "RENEWAL_CHANGED", alias, **wish)


@requirement("O-08")
def test_O_08_M_09_the_reply_is_for_the_old_key(site):
    old = enrolled(site)
    request, _ = renewed(site, old)  # Reply.open asserts the recipient and decrypts with the key that signed
    assert request.identity is old


@requirement("O-09", "X-06")
def test_O_09_the_new_key_must_have_signed(site):
    request, _ = renewal(site, enrolled(site), bad=True)
    site.refused(request, BAD_MESSAGE_CHECK)


@requirement("O-10")
def test_O_10_switched_off(site):
    assert "Renewal" in site.get("demo", "GetCACaps").body.decode().split()
    assert "Renewal" not in site.get("off", "GetCACaps").body.decode().split()
    old = enrolled(site, "off")
    line = refused(site, old, "MESSAGE_TYPE", "off")
    assert line["event"] == "message.refused"
    refused(site, old, "SIGNER_NOT_CSR_KEY", "off", message_type="19")


@quirk("57")
@requirement("O-11", "Y-07")
def test_O_11_legacy_form(site):
    renewed(site, enrolled(site), message_type="19")
    old = enrolled(site, "strictly17")
    refused(site, old, "SIGNER_NOT_CSR_KEY", "strictly17", message_type="19")
    renewed(site, old, "strictly17")


@requirement("O-11")
def test_O_11_a_stranger_is_no_renewal(site, authority):
    refused(site, authority.identity(), "SIGNER_NOT_CSR_KEY", message_type="19")
    refused(site, identities.Identity(), "SIGNER_NOT_CSR_KEY", message_type="19")


@requirement("O-11")
def test_O_11_with_its_own_key_a_stranger_may_enrol(site, authority):
    """Devices with a certificate of their maker sign their first request with that; then the challenge counts."""
    old = authority.identity()
    refused(site, old, "CHALLENGE_MISSING", message_type="19", key=old.key)
    renewed(site, old, message_type="19", key=old.key, challenge=site.challenge())


@requirement("AA-02")
def test_AA_02_certificates_of_another_alias(site):
    """Both aliases have the same CA."""
    old = enrolled(site, "other")
    refused(site, old, "RENEWAL_SIGNER")
    refused(site, old, "SIGNER_NOT_CSR_KEY", message_type="19", alias="off")
    eventually(lambda: _works(site, old, "unrecorded"), "the alias knows its CA")


def _works(gateway, old, alias):
    request, _ = renewal(gateway, old, alias)
    return gateway.reply(request, alias).status == SUCCESS


@requirement("X-01")
@pytest.mark.parametrize("message_type", ["17", "19"])
def test_X_01_a_proxy_signer_proves_nothing(site, authority, message_type):
    proxy = authority.identity("CN=proxy")
    error = "RENEWAL_SIGNER" if message_type == "17" else "CHALLENGE_MISSING"
    refused(site, proxy, error, "proxied", subject="CN=proxy", message_type=message_type)
    if message_type == "19":
        renewed(site, proxy, "proxied", message_type="19", challenge=site.challenge("proxied"))


# ---- revocation lists ------------------------------------------------------------------------------------


def lists(gateways, authority, tmp_path, backend="ca", backends=None, **rules):
    """A gateway whose alias renews the authority's certificates and reads its list from a file every second."""
    path = tmp_path / "list.crl"
    crl = {"files": [str(path)], "refresh": "1s"} | rules
    aliases = {"demo": ONE_TIME | {"backend": backend, "renewal": {"issuers": [authority.write(tmp_path / "ca.pem")], "crl": crl}}}
    return gateways(aliases, **({"backends": backends} if backends else {})), path


def put(path, data):
    """In one step, as a publisher would."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(data)
    os.replace(fresh, path)


def outcome(gateway, old):
    request, _ = renewal(gateway, old)
    reply = gateway.reply(request)
    if reply.status != FAILURE:
        return reply.status
    return gateway.audit("renewal.refused")[-1]["details"]["error"]


@requirement("O-06")
def test_O_06_revoked_in_a_list(gateways, authority, tmp_path):
    gateway, path = lists(gateways, authority, tmp_path)
    good, bad = authority.identity(), authority.identity()
    put(path, authority.crl([bad]))
    gateway.start()
    eventually(lambda: outcome(gateway, good) == SUCCESS, "the list was read")
    assert outcome(gateway, bad) == "RENEWAL_REVOKED"
    assert outcome(gateway, good) == SUCCESS
    put(path, authority.crl([bad, good]))
    eventually(lambda: outcome(gateway, good) == "RENEWAL_REVOKED", "the new list was read")
    put(path, Authority().crl())  # a forger's: the one before stays
    eventually(lambda: "is signed by no CA" in gateway.log(), "the forged list was looked at")
    assert outcome(gateway, bad) == "RENEWAL_REVOKED"


@requirement("O-06")
def test_O_06_revoked_and_on_hold_in_the_record(gateways):
    gateway = gateways({"demo": ONE_TIME}).start()
    old = enrolled(gateway)
    (serial,) = gateway.certificates()
    gateway.ask("certificate", "hold", "--alias", "demo", serial)
    refused(gateway, old, "RENEWAL_REVOKED")
    gateway.ask("certificate", "release", "--alias", "demo", serial)
    assert outcome(gateway, old) == SUCCESS
    gateway.ask("certificate", "revoke", "--alias", "demo", "--reason", "superseded", serial)
    assert outcome(gateway, old) == "RENEWAL_REVOKED"


@requirement("O-06")
def test_O_06_revoked_also_with_its_own_key(gateways, authority, tmp_path):
    gateway, path = lists(gateways, authority, tmp_path)
    bad = authority.identity()
    put(path, authority.crl([bad]))
    gateway.start()
    eventually(lambda: outcome(gateway, bad) == "RENEWAL_REVOKED", "the list was read")
    refused(gateway, bad, "RENEWAL_REVOKED", message_type="19", key=bad.key, challenge=gateway.challenge())


@requirement("O-06")
@pytest.mark.parametrize("stale", [False, True])
def test_O_06_unknown_is_refused(gateways, authority, tmp_path, stale):
    gateway, path = lists(gateways, authority, tmp_path)
    if stale:
        put(path, authority.crl(end=DAY / 48))
    gateway.start()
    old = authority.identity()
    assert outcome(gateway, old) == "RENEWAL_UNKNOWN"
    put(path, authority.crl())
    eventually(lambda: outcome(gateway, old) == SUCCESS, "the list was read")


@requirement("O-06")
def test_O_06_unknown_is_allowed_for_a_time(gateways, authority, tmp_path):
    gateway, path = lists(gateways, authority, tmp_path, when_unknown="allow", allow_for="2h")
    put(path, authority.crl(end=DAY / 48))  # past its end for half an hour
    gateway.start()
    assert outcome(gateway, authority.identity()) == SUCCESS


@requirement("O-06")
def test_O_06_not_beyond_it(gateways, authority, tmp_path):
    gateway, path = lists(gateways, authority, tmp_path, when_unknown="allow", allow_for="10m")
    put(path, authority.crl(end=DAY / 48))
    gateway.start()
    old = authority.identity()
    eventually(lambda: outcome(gateway, old) == "RENEWAL_UNKNOWN", "the list was read and found stale")


def poll(gateway, request):
    return scepmsg.Request(request.identity, [gateway.ra()], payload=identities.der.seq(request.identity.issuer, request.identity.issuer),
                           message_type="20", transaction_id=request.transaction_id)


@requirement("O-06")
@pytest.mark.parametrize("revoked", [False, True])
def test_O_06_an_approval_does_not_stand_for_the_list(gateways, authority, tmp_path, revoked):
    """Two reasons to wait: people, and a revocation state that nobody knows."""
    gateway, path = lists(gateways, authority, tmp_path, "desk", approvals.gates(when=["renewal"]), when_unknown="pending")
    gateway.start()
    old = authority.identity()
    request, _ = renewal(gateway, old)
    assert gateway.reply(request).status == PENDING
    approvals.approve(gateway, approvals.record(gateway, request))
    for _ in range(3):
        assert gateway.reply(poll(gateway, request)).status == PENDING
        time.sleep(1)
    assert not gateway.certificates() and len(gateway.audit("request.pending")) <= 3
    put(path, authority.crl([old] if revoked else []))
    eventually(lambda: gateway.reply(poll(gateway, request)).status != PENDING, "the list was read")
    assert gateway.reply(poll(gateway, request)).status == (FAILURE if revoked else SUCCESS)
    assert len(gateway.certificates()) == (0 if revoked else 1)


@requirement("O-06")
@pytest.mark.parametrize("revoked", [False, True])
@pytest.mark.parametrize("restart", [False, True])
def test_O_06_unknown_is_pending(gateways, authority, tmp_path, revoked, restart):
    gateway, path = lists(gateways, authority, tmp_path, when_unknown="pending")
    gateway.start()
    old = authority.identity()
    request, new = renewal(gateway, old)
    assert gateway.reply(request).status == PENDING
    assert gateway.reply(poll(gateway, request)).status == PENDING
    assert gateway.audit("request.pending")[-1]["details"]["reason"]
    other, _ = renewal(gateway, old)
    gateway.refused(other, BAD_REQUEST)  # one at a time
    assert gateway.audit("renewal.refused")[-1]["details"]["error"] == "RENEWAL_UNDER_WAY"
    if restart:
        gateway.restart()
    put(path, authority.crl([old] if revoked else []))
    reply = eventually(lambda: over(gateway, request), "the renewal is over")
    if revoked:
        assert (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST)
        assert gateway.audit("renewal.refused")[-1]["details"]["error"] == "RENEWAL_REVOKED"
        assert not gateway.certificates()
    else:
        certificate = reply.issued(poll(gateway, request))[0]
        assert scepmsg.public_key_of(certificate) == identities.spki(new) and len(gateway.certificates()) == 1


def over(gateway, request):
    reply = gateway.reply(poll(gateway, request))
    time.sleep(0.2)
    return reply if reply.status != PENDING else None


class Publisher(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        self.send_response(200 if self.server.list else 404)
        self.end_headers()
        self.wfile.write(self.server.list)

    def log_message(self, *arguments):
        del arguments


@pytest.fixture
def publisher():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.asked, server.list = 0, b""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join(PATIENCE)
    server.server_close()


@requirement("O-06")
def test_O_06_a_list_from_a_url(gateways, authority, tmp_path, publisher):
    crl = {"urls": [f"http://127.0.0.1:{publisher.server_address[1]}/ca.crl"], "refresh": "1s"}
    gateway = gateways({"demo": ONE_TIME | {"renewal": {"issuers": [authority.write(tmp_path / "ca.pem")], "crl": crl}}}).start()
    good, bad = authority.identity(), authority.identity()
    eventually(lambda: publisher.asked > 1, "the URL was asked twice")
    assert outcome(gateway, good) == "RENEWAL_UNKNOWN" and "status 404" in gateway.log()
    publisher.list = authority.crl([bad])
    eventually(lambda: outcome(gateway, good) == SUCCESS, "the list was read")
    assert outcome(gateway, bad) == "RENEWAL_REVOKED"
    publisher.list = b"nonsense"
    asked = publisher.asked
    eventually(lambda: publisher.asked > asked + 1, "the URL was asked twice more")
    assert outcome(gateway, good) == SUCCESS and outcome(gateway, bad) == "RENEWAL_REVOKED"
    gateway.reload()
    eventually(lambda: gateway.audit("settings.reloaded"), "the settings were read again")
    assert outcome(gateway, bad) == "RENEWAL_REVOKED"


# ---- once ------------------------------------------------------------------------------------------------


def test_W_a_copy_gets_the_same_certificate(site):
    old = enrolled(site)
    request, certificate = renewed(site, old)
    before = len(site.certificates())
    assert site.reply(request).issued(request)[0] == certificate
    copy = site.request(identity=old, csr=request.payload, transaction_id=request.transaction_id, **RENEWAL)
    assert site.reply(copy).issued(copy)[0] == certificate
    assert len(site.certificates()) == before
