"""Sections D, E and P again, for an RA with one certificate that decrypts and one that signs, below a CA below a root; and what a
reply may bring along."""

import json

import authority
import der
import identities
import pytest
import scepmsg
from catalogue import quirk, requirement
from conftest import OPEN
from gateway import Gateway
from scepmsg import BAD_REQUEST, FAILURE


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    """Name -> Authority, and the gateway that was given them."""
    folder = tmp_path_factory.mktemp("pki")
    root = authority.root()
    issuing = authority.below(root)
    made = {"root": root, "issuing": issuing,
            "encrypts": authority.Authority("RA that decrypts", ("key_encipherment",), issuing),
            "signs": authority.Authority("RA that signs", ("digital_signature",), issuing)}
    paths = {name: one.write(folder, name) for name, one in made.items()}
    ra = {"from": "files", "certificate": paths["encrypts"][0], "key": paths["encrypts"][1],
          "signing_certificate": paths["signs"][0], "signing_key": paths["signs"][1]}
    apart = OPEN | {"ra": ra}
    aliases = {"apart": apart, "short": apart | {"compat": {"root_in_get_ca_cert": False}}, "open": OPEN}
    aliases["automatic"] = OPEN | {"ra": {"separate_signing": True}}
    aliases |= {f"send_{what}": OPEN | {"reply": {"certificates": what}} for what in ("issued", "issuer", "intermediates", "all")}
    backend = {"type": "local_ca", "certificate": paths["issuing"][0], "key": paths["issuing"][1], "chain": paths["root"][0],
               "create": False}
    gateway = Gateway(folder, aliases, backends={"ca": backend})
    gateway.start()
    yield made, gateway
    gateway.close()


def bag_names(gateway, alias, operation="GetCACert"):
    bag = scepmsg.degenerate_certificates(gateway.get(alias, operation).body)
    return [identities.load(one).subject.rfc4514_string()[3:] for one in bag]


@requirement("D-05", "D-09")
def test_D_05_09_the_one_that_decrypts_comes_first(pki):
    _, gateway = pki
    assert bag_names(gateway, "apart") == ["RA that decrypts", "RA that signs", "Issuing CA", "Root"]
    assert bag_names(gateway, "short") == ["RA that decrypts", "RA that signs", "Issuing CA"]


@requirement("D-08")
def test_D_08_only_one_can_be_encrypted_to(pki):
    """jscep, macOS and scepclient choose by keyUsage, others take the first: all of them find the same one."""
    made, gateway = pki
    able = [one for one in gateway.bag("apart")
            if identities.load(one).extensions.get_extension_for_class(identities.x509.KeyUsage).value.key_encipherment]
    assert able == [made["encrypts"].der] == gateway.bag("apart")[:1]


@requirement("E-04", "E-05")
def test_E_04_05_one_opens_and_the_other_signs(pki):
    made, gateway = pki
    _, reply, _ = gateway.enrol("apart", recipients=[made["encrypts"].der])
    assert reply.certificates == [made["signs"].der] and reply.ra == made["signs"].der
    request = gateway.request("apart", recipients=[made["signs"].der])
    line = gateway.refused(request, BAD_REQUEST, "apart")
    assert line["details"]["error"] == "RECIPIENT_UNKNOWN"
    assert gateway.reply(request, "apart").ra == made["signs"].der


@requirement("E-04")
def test_E_04_client_that_encrypts_to_everybody(pki):
    """As scepclient does."""
    _, gateway = pki
    gateway.enrol("apart", recipients=gateway.bag("apart"))


@requirement("E-04")
def test_E_04_failures_are_signed_by_the_same(pki):
    made, gateway = pki
    reply = gateway.reply(gateway.request("apart", break_signature=True), "apart")
    assert reply.status == FAILURE and reply.ra == made["signs"].der


@requirement("E-05")
def test_E_05_our_own_client(pki, tmp_path):
    _, gateway = pki
    gateway.tool("enroll", gateway.url("apart"), "--subject", "CN=device", "--insecure-trust-first-use", "--out", str(tmp_path / "out"))
    assert (tmp_path / "out" / "cert.pem").exists()


@requirement("E-04", "E-05")
def test_E_04_05_made_by_the_gateway(pki):
    """The same without files: each certificate has one bit of keyUsage."""
    _, gateway = pki
    opens, signs, *_ = gateway.bag("automatic")
    usages = [identities.load(one).extensions.get_extension_for_class(identities.x509.KeyUsage).value for one in (opens, signs)]
    assert [(usage.key_encipherment, usage.digital_signature) for usage in usages] == [(True, False), (False, True)]
    _, reply, _ = gateway.enrol("automatic")
    assert reply.ra == signs and bag_names(gateway, "automatic")[2:] == ["Issuing CA", "Root"]


@requirement("E-05")
@pytest.mark.parametrize("bend,sentence", [
    ({"signing_key": None}, "belong together"), ({"signing_certificate": None}, "belong together")])
def test_E_05_half_a_pair_is_refused_at_load(pki, bend, sentence):
    _, gateway = pki
    ra = {name: value for name, value in (gateway.aliases["apart"]["ra"] | bend).items() if value}
    (gateway.folder / "half.yaml").write_text(json.dumps(gateway.settings() | {"aliases": {"half": OPEN | {"ra": ra}}}))
    done = gateway.tool("check", "half.yaml", check=False)
    assert done.returncode != 0 and sentence in done.stdout + done.stderr


@requirement("Y-04")
def test_Y_04_get_ca_cert_chain(pki):
    """The type of the old drafts; the root is always in it, and it is a bag even of one."""
    _, gateway = pki
    for alias in ("apart", "short"):
        answer = gateway.get(alias, "GetCACertChain")
        assert answer.status == 200 and answer.headers["content-type"] == "application/x-x509-ca-ra-cert-chain"
        assert bag_names(gateway, alias, "GetCACertChain") == ["RA that decrypts", "RA that signs", "Issuing CA", "Root"]
    assert gateway.get("open", "GetCACertChain", "any").status == 200
    assert gateway.http("POST", "/scep/open?operation=GetCACertChain", b"x").status == 405


@quirk("58")
@requirement("P-01", "P-02")
@pytest.mark.parametrize("what,names", [("issued", []), ("issuer", ["Issuing CA"]), ("intermediates", ["Issuing CA"]),
                                        ("all", ["Issuing CA", "Root"])])
def test_P_01_02_what_a_reply_brings_along(pki, what, names):
    """The issued one first, the others from issuer to root; clients that take the first are content."""
    _, gateway = pki
    request, reply, certificate = gateway.enrol(f"send_{what}")
    bag = reply.issued(request)
    assert bag[0] == certificate and scepmsg.public_key_of(bag[0]) == request.identity.spki
    assert [identities.load(one).subject.rfc4514_string()[3:] for one in bag[1:]] == names
    assert gateway.reply(request, f"send_{what}").issued(request) == bag, "the repeated reply has others"


@requirement("P-02")
def test_P_02_der_keeps_our_order(pki):
    """DER would sort a SET OF; clients take the first."""
    _, gateway = pki
    for _ in range(4):
        request, reply, certificate = gateway.enrol("send_all")
        inner = der.read_one(der.read_one(reply.open(request))[1].content)
        assert inner[3][0].raw == certificate
