"""Section E, and D-12: the RA identity an administrator brings, and the one that is renewed; and that aliases share none (AA)."""

import sqlite3

import identities
import pytest
import scepmsg
from catalogue import requirement
from cryptography.hazmat.primitives import serialization
from gateway import eventually
from scep_server import certify

OPEN = {"backend": "ca", "challenge": {"type": "none"}}
FILES = {"from": "files", "certificate": "ra.pem", "key": "ra-key.pem"}


def write_identity(folder, usage, kind="rsa"):
    key = identities.key(kind, number="ra of files")
    certificate = certify("RA", key.public_key(), "RA", key, usage=usage)
    (folder / "ra.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "ra-key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                          serialization.NoEncryption()))


@requirement("E-01", "E-02")
@pytest.mark.parametrize("usage,kind,said", [(["digital_signature"], "rsa", "keyEncipherment"),
                                             (["key_encipherment"], "rsa", "digitalSignature"),
                                             (["digital_signature", "key_encipherment"], "ec", "needs an RSA key")],
                         ids=["signs", "decrypts", "ec"])
def test_E_01_02_unfit_identities_serve_nobody(gateways, usage, kind, said):
    """The alias says why in the log and answers nobody; the others go on."""
    gateway = gateways({"demo": OPEN | {"ra": FILES}, "open": OPEN})
    write_identity(gateway.folder, usage, kind)
    gateway.write_settings()
    gateway.launch()
    eventually(lambda: said in gateway.log(), "the log says what is wrong")
    eventually(lambda: answers(gateway, "open") == 200, "the other alias serves")
    assert answers(gateway, "demo") == 503
    gateway.enrol("open")


def answers(gateway, alias):
    try:
        return gateway.get(alias, "GetCACert").status
    except OSError:
        return None


@requirement("E-01")
def test_E_01_a_fit_identity_from_files(gateways):
    gateway = gateways({"demo": OPEN | {"ra": FILES}})
    write_identity(gateway.folder, ["digital_signature", "key_encipherment"])
    gateway.start().enrol("demo")


@requirement("D-12")
def test_D_12_renewed_ra_is_shown_at_once_and_the_old_key_opens(gateways):
    """The renewal is due in months; the test makes the certificate old where the gateway wrote down its age."""
    gateway = gateways({"demo": OPEN}).start()
    old = gateway.ra()
    assert gateway.terminate() == 0
    with sqlite3.connect(gateway.state / "scepgate.db") as database:
        assert database.execute("UPDATE ra SET not_before = 0").rowcount == 1
    gateway.start()
    eventually(lambda: gateway.ra() != old, "GetCACert shows the new RA certificate")
    assert scepmsg.public_key_of(gateway.ra()) != scepmsg.public_key_of(old)
    request = gateway.request("demo", recipients=[old])
    answer = gateway.post("demo", request.build())
    reply = scepmsg.Reply(answer.body).check(request)
    assert reply.issued(request) and reply.ra == old, "whoever knows the old certificate alone can verify the reply"
    gateway.enrol("demo")


@requirement("AA-03")
def test_AA_03_shared_identities_are_warned_of(gateways):
    gateway = gateways({"one": OPEN | {"ra": FILES}, "two": OPEN | {"ra": FILES}})
    gateway.write_settings()
    write_identity(gateway.folder, ["digital_signature", "key_encipherment"])
    said = gateway.tool("check", str(gateway.settings_file))
    assert "`one`" in said.stdout + said.stderr and "`two`" in said.stdout + said.stderr
