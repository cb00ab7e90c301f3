"""Section F: GetNextCACert, and two CAs at one endpoint while one of them follows the other."""

import hashlib
import subprocess

import der
import identities
import pytest
import rollover
import scepmsg
from catalogue import requirement
from conftest import OPEN
from cryptography import x509
from gateway import Gateway, eventually
from scepmsg import SUCCESS
from scep_server import DER, ScepServer, certify, degenerate

BACKENDS = {"ca": {"type": "local_ca", "key_type": "rsa-2048"},
            "direct": {"type": "local_ca", "key_type": "rsa-2048", "answers_scep": True},
            "small": {"type": "local_ca", "key_type": "ec-p256"}}
ALIASES = {"demo": OPEN, "direct": OPEN | {"ra": {"from": "ca"}, "backend": "direct"},
           "ec": OPEN | {"backend": "small", "ra": {"separate_signing": True}}}


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """A gateway whose three CAs all have a successor, far away."""
    gateway = Gateway(tmp_path_factory.mktemp("staged"), ALIASES, backends=BACKENDS)
    gateway.state.mkdir()
    rollover.stage(gateway, rollover.Successor(gateway), rollover.FAR)
    rollover.stage(gateway, rollover.Successor(gateway, name="second", options=["--answers-scep"]), rollover.FAR, "direct")
    rollover.stage(gateway, rollover.Successor(gateway, name="third", key_type="ec-p256"), rollover.FAR, "small")
    gateway.start()
    for alias in ALIASES:
        eventually(lambda alias=alias: rollover.is_staged(gateway, alias), f"{alias} tells the next CA")
    yield gateway
    gateway.close()


@requirement("F-01")
def test_F_01_by_get_and_without_data(staged):
    wanted = staged.get("demo", "GetNextCACert").body
    assert staged.get("demo", "GetNextCACert", "anything").body == wanted
    assert staged.http("POST", "/scep/demo?operation=GetNextCACert", b"").status == 405


@requirement("F-02", "F-05")
@pytest.mark.parametrize("alias", ALIASES)
def test_F_02_05_signed_by_what_get_ca_cert_showed(staged, alias):
    told = rollover.announced(staged, alias)
    assert told.signed.ra == staged.replier(alias)
    assert told.ca not in staged.bag(alias) and told.ra not in staged.bag(alias)
    assert identities.is_ca(told.ca)
    assert told.ra == told.ca or all(rollover.verified_under(one, told.ca) for one in told.inner if one != told.ca)


@requirement("F-02")
def test_F_02_openssl_reads_it(staged, tmp_path):
    ca, answer, inner = tmp_path / "ca.pem", tmp_path / "answer.der", tmp_path / "inner.der"
    ca.write_bytes(identities.load(staged.bag("demo")[1]).public_bytes(scepmsg.serialization.Encoding.PEM))
    answer.write_bytes(staged.get("demo", "GetNextCACert").body)
    subprocess.run(["openssl", "cms", "-verify", "-inform", "DER", "-in", answer, "-CAfile", ca, "-purpose", "any", "-binary",
                    "-out", inner], check=True, capture_output=True)
    printed = subprocess.run(["openssl", "pkcs7", "-inform", "DER", "-in", inner, "-print_certs", "-noout"], check=True,
                             capture_output=True, text=True).stdout
    assert "CN = The next CA" in printed


@requirement("F-04")
@pytest.mark.parametrize("alias", ALIASES)
def test_F_04_new_certificates_in_both_bags(staged, alias):
    """sscep looks into the inner one, jscep into the outer one."""
    told = rollover.announced(staged, alias)
    assert set(told.inner) <= set(told.outer)
    assert set(told.outer) == set(told.inner) | {told.signed.ra}


@requirement("F-06")
def test_F_06_only_while_there_is_one(gateways):
    gateway = gateways({"demo": OPEN}, backends={"ca": BACKENDS["ca"]}).start()
    assert "GetNextCACert" not in rollover.capabilities(gateway)
    assert gateway.get("demo", "GetNextCACert").status == 404
    rollover.stage(gateway, rollover.Successor(gateway), rollover.FAR)
    gateway.reload()
    eventually(lambda: rollover.is_staged(gateway), "the next CA is told")
    assert "GetNextCACert" in rollover.capabilities(gateway)
    rollover.stage(gateway, None, 0)
    gateway.reload()
    eventually(lambda: gateway.get("demo", "GetNextCACert").status == 404, "the next CA is told no more")
    assert "GetNextCACert" not in rollover.capabilities(gateway)
    _, _, certificate = gateway.enrol("demo")
    assert rollover.verified_under(certificate, gateway.bag("demo")[1])


@requirement("F-07")
@pytest.mark.parametrize("alias", ALIASES)
def test_F_07_recipient_chooses_the_issuer(staged, alias):
    told = rollover.announced(staged, alias)
    present = next(one for one in staged.bag(alias) if identities.is_ca(one))
    for recipient, issuer in ((staged.ra(alias), present), (told.ra, told.ca), (staged.ra(alias), present)):
        request = staged.request(alias, recipients=[recipient])
        reply = scepmsg.Reply(staged.post(alias, request.build()).body).check(request)
        assert reply.status == SUCCESS
        assert rollover.verified_under(reply.issued(request)[0], issuer)
        assert reply.ra in (told.inner if recipient == told.ra else staged.bag(alias))
        again = scepmsg.Reply(staged.post(alias, request.build()).body)
        assert again.issued(request)[0] == reply.issued(request)[0], "a repeat is another certificate"


# ---- our own client ------------------------------------------------------------------------------------


class NextServer(ScepServer):
    """With a successor of its CA, whose announcement can be bent."""

    def __init__(self):
        super().__init__(capabilities="AES\nGetNextCACert\nPOSTPKIOperation\nSHA-256\n")
        self.next_key = identities.key(number="next-ca")
        self.next_ca = certify("Next CA", self.next_key.public_key(), "Next CA", self.next_key, ca=True, usage=["key_cert_sign"])
        self.announcer = (self.ra_key, self.ra.public_bytes(DER))
        self.inside = degenerate(self.next_ca.public_bytes(DER))
        self.bend = lambda body: body

    def next_body(self):
        attributes = {scepmsg.CONTENT_TYPE: der.oid(scepmsg.ID_DATA),
                      scepmsg.MESSAGE_DIGEST: der.octets(hashlib.sha256(self.inside).digest())}
        encoded = b"".join(sorted(der.seq(der.oid(name), der.set_of(value)) for name, value in attributes.items()))
        return self.bend(self.sign(encoded, self.inside, "sha256", self.announcer, True))


@pytest.fixture
def server():
    made = NextServer()
    yield made
    made.close()


@pytest.fixture
def client(gateways):
    """The program alone: nothing is started."""
    return gateways()


def ask_next(client, server, out, *more, check=True):
    return client.tool("enroll", server.url, "--ca-sha256", server.fingerprint, "--next-ca", str(out), *more, check=check)


@requirement("F-03", "Z-08")
def test_F_03_client_takes_what_is_signed(client, server, tmp_path):
    said = ask_next(client, server, tmp_path / "next.pem").stdout
    assert x509.load_pem_x509_certificate((tmp_path / "next.pem").read_bytes()) == server.next_ca
    assert scepmsg.fingerprint(server.next_ca.public_bytes(DER)).upper() in said


def stranger():
    key = identities.key(number="stranger")
    return key, certify("Test RA", key.public_key(), "Test CA", key).public_bytes(DER)


BENT = {
    "signature": lambda server: setattr(server, "bend", lambda body: body[:-1] + bytes([body[-1] ^ 1])),
    "content": lambda server: setattr(server, "bend", lambda body: body.replace(b"Next CA", b"Text CA", 1)),
    "stranger": lambda server: setattr(server, "announcer", stranger()),
    "by itself": lambda server: setattr(server, "announcer", (server.next_key, server.next_ca.public_bytes(DER))),
    "unsigned": lambda server: setattr(server, "bend", rollover.without_signer_info),
    "bare bag": lambda server: setattr(server, "bend", lambda body: server.inside),
    "no CA": lambda server: setattr(server, "inside", degenerate(server.ra.public_bytes(DER))),
    "empty": lambda server: setattr(server, "bend", lambda body: b""),
    "cut": lambda server: setattr(server, "bend", lambda body: body[:len(body) // 2]),
    "more": lambda server: setattr(server, "bend", lambda body: body + b"\0"),
}


@requirement("F-03", "Z-08")
@pytest.mark.parametrize("how", BENT)
def test_F_03_client_refuses_what_is_bent(client, server, tmp_path, how):
    BENT[how](server)
    done = ask_next(client, server, tmp_path / "next.pem", check=False)
    assert done.returncode == 1 and "scepgate enroll: " in done.stderr
    assert not (tmp_path / "next.pem").exists()


@requirement("F-03")
def test_F_03_client_follows_the_gateway(staged, tmp_path):
    """Fetched, validated, and enrolled with before it takes over (figure 9 of RFC 8894)."""
    pin = scepmsg.fingerprint(staged.bag("demo")[1])
    told = rollover.announced(staged)
    staged.tool("enroll", staged.url("demo"), "--ca-sha256", pin, "--next-ca", str(tmp_path / "next.pem"), "--to-next",
                "--subject", "CN=early", "--out", str(tmp_path / "device"))
    certificate = x509.load_pem_x509_certificate((tmp_path / "device" / "cert.pem").read_bytes()).public_bytes(DER)
    assert rollover.verified_under(certificate, told.ca)
    kept = (tmp_path / "next.pem").read_bytes().split(b"-----END CERTIFICATE-----\n")[:-1]
    assert [x509.load_pem_x509_certificate(one + b"-----END CERTIFICATE-----\n").public_bytes(DER) for one in kept] == told.inner


def test_client_says_that_there_is_none(gateway, tmp_path):
    done = gateway.tool("enroll", gateway.url("demo"), "--ca-sha256", scepmsg.fingerprint(gateway.bag("demo")[1]), "--next-ca",
                        str(tmp_path / "next.pem"), check=False)
    assert done.returncode == 1 and "no CA that will follow" in done.stderr


def test_successor_below_a_root(gateways, tmp_path):
    """A subordinate, its key encrypted, and its root in a file of its own: clients are told all of it."""
    gateway = gateways({"demo": OPEN})
    root = rollover.Successor(gateway, name="root")
    (tmp_path / "passphrase").write_text("a secret of the successor")
    made = rollover.Successor(gateway, name="sub", options=["--issuer-cert", root.certificate, "--issuer-key", root.key,
                                                            "--passphrase-file", str(tmp_path / "passphrase")])
    gateway.state.mkdir()
    rollover.stage(gateway, made, rollover.FAR)
    alone = tmp_path / "alone.pem"
    alone.write_bytes(identities.load(made.der).public_bytes(scepmsg.serialization.Encoding.PEM))
    gateway.overrides["backends"]["ca"]["successor"] |= {"certificate": str(alone), "chain": root.certificate,
                                                         "key_passphrase": {"file": str(tmp_path / "passphrase")}}
    gateway.start()
    eventually(lambda: rollover.is_staged(gateway), "the next CA is told")
    assert rollover.announced(gateway).inner[1:] == [made.der, root.der]


# ---- settings ------------------------------------------------------------------------------------------


def test_check_says_what_is_staged(gateways):
    gateway = gateways({"demo": OPEN})
    successor = rollover.Successor(gateway)
    rollover.stage(gateway, successor, rollover.FAR)
    said = gateway.tool("check", str(gateway.settings_file)).stdout
    assert "CN=The next CA" in said and "is staged and takes over at 20" in said
    rollover.stage(gateway, successor, -5)
    gateway.write_settings()
    bad = gateway.tool("check", str(gateway.settings_file), check=False)
    assert bad.returncode == 1 and "is not valid yet at successor.from" in bad.stderr
    successor.key = rollover.Successor(gateway, name="other").key
    rollover.stage(gateway, successor, rollover.FAR)
    bad = gateway.tool("check", str(gateway.settings_file), check=False)
    assert bad.returncode == 1 and "do not belong together" in bad.stderr and "backend `ca`" in bad.stderr
    gateway.launch()
    assert gateway.process.wait(60) == 1 and "do not belong together" in gateway.log()


@pytest.mark.parametrize("rows,sentence", [
    ({"successor_certificate": "next.pem"}, "`ra.successor_certificate` and `ra.successor_key` belong together"),
    ({"successor_signing_certificate": "s.pem", "successor_signing_key": "s-key.pem"}, "needs `ra.successor_certificate`")])
def test_half_a_successor_is_refused_at_load(gateways, rows, sentence):
    ra = {"from": "files", "certificate": "ra.pem", "key": "ra-key.pem"} | rows
    gateway = gateways({"demo": OPEN | {"ra": ra}})
    gateway.write_settings()
    refused = gateway.tool("check", str(gateway.settings_file), check=False)
    assert refused.returncode == 1 and sentence in refused.stderr
