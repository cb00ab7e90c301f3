"""strongSwan's pki --scepca and --scep (5.9.8 in Debian 12). It wants SHA-384 advertised before it uses AES and rsaEncryption as the
CertRep's signature algorithm, posts always, and breaks its base64 every 64 characters when it uses GET."""

import threading

import approvals
import pytest
from cryptography import x509


def fetch_cas(client, alias):
    client.run("pki", "--scepca", "--url", client.gateway.url(alias), "--caout", "ca.pem", "--raout", "ra.pem", "--outform", "pem")


def enrol(client, alias, challenge, *options, check=True):
    client.run("openssl", "genrsa", "-traditional", "-out", "key.pem", "2048")
    extra = [option for path in sorted(client.folder.glob("ca-*.pem")) for option in ("--cacert", path)]
    return client.run("pki", "--scep", "--url", client.gateway.url(alias), "--in", "key.pem", "--dn", "C=CH, O=maker, CN=moon",
                      "--san", "moon.example", *(["--password", challenge] if challenge else []), "--cacert-enc", "ra.pem", "--cacert-sig", "ra.pem",
                      "--cacert", "ca.pem", *extra, "--outform", "pem", *options, check=check)


@pytest.mark.parametrize("alias,options", [
    ("demo", ()),
    ("demo", ("--cipher", "aes", "--digest", "sha512")),
    ("demo", ("--cipher", "aes", "--rsa-padding", "pss")),
    ("demo", ("--cipher", "des3", "--digest", "sha256")),
    ("demo", ("--cipher", "des3", "--digest", "sha1")),
])
def test_enrols(client, alias, options):
    fetch_cas(client, alias)
    done = enrol(client, alias, client.gateway.challenge(alias), *options)
    client.assert_enrolled(alias, done.stdout, (client.folder / "key.pem").read_bytes(), "CN=moon,O=maker,C=CH")


@pytest.mark.parametrize("verb", ["approve", "deny"])
def test_polls_until_people_have_decided(client, verb):
    """It names the RA, not the CA, as issuer in its polls, and asks once more before it says what came of them."""
    fetch_cas(client, "desk")
    done = []
    thread = threading.Thread(target=lambda: done.append(enrol(client, "desk", client.gateway.challenge("desk"), "--interval", "1",
                                                               "--maxpolltime", "100", check=False)))
    thread.start()
    row = client.waiting()
    polls = [line for line in client.gateway.log_lines() if line["event"] == "enrolment.answered" and "CertPoll" in line["message"]]
    getattr(approvals, verb)(client.gateway, row)
    thread.join(150)
    if verb == "deny":
        assert done[0].returncode != 0 and b"BEGIN CERTIFICATE" not in done[0].stdout
        return
    assert done[0].returncode == 0, done[0].stderr
    client.assert_enrolled("desk", done[0].stdout, (client.folder / "key.pem").read_bytes(), "CN=moon,O=maker,C=CH")
    after = [line for line in client.gateway.log_lines() if line["event"] == "enrolment.answered" and "CertPoll" in line["message"]]
    assert len(after) > len(polls)


def test_learns_of_a_refusal(client):
    fetch_cas(client, "demo")
    done = enrol(client, "demo", "not the challenge", check=False)
    assert done.returncode != 0 and b"BEGIN CERTIFICATE" not in done.stdout


@pytest.mark.parametrize("options", [(), ("--cipher", "des3", "--digest", "sha1")])
def test_renews(client, options):
    """With the old certificate and key it signs a RenewalReq, without challenge, for a new key."""
    fetch_cas(client, "demo")
    first = enrol(client, "demo", client.gateway.challenge("demo"), *options)
    (client.folder / "old.pem").write_bytes(first.stdout)
    (client.folder / "key.pem").rename(client.folder / "old-key.pem")
    counter = 'scepgate_replies_total{alias="demo",message_type="RenewalReq",status="success",fail_info=""}'
    before = client.gateway.metrics().get(counter, 0)
    done = enrol(client, "demo", None, "--cert", "old.pem", "--key", "old-key.pem", *options)
    client.assert_enrolled("demo", done.stdout, (client.folder / "key.pem").read_bytes(), "CN=moon,O=maker,C=CH")
    issued = client.gateway.audit("certificate.issued")[-1]["details"]
    assert int(issued["renews"], 16) == x509.load_pem_x509_certificate(first.stdout).serial_number
    assert client.gateway.metrics()[counter] == before + 1


def test_learns_that_a_renewal_is_refused(client):
    """The certificate is one of another alias."""
    fetch_cas(client, "legacy")
    first = enrol(client, "legacy", client.gateway.challenge("legacy"))
    (client.folder / "old.pem").write_bytes(first.stdout)
    (client.folder / "key.pem").rename(client.folder / "old-key.pem")
    for path in client.folder.glob("[cr]a*.pem"):
        path.unlink()
    fetch_cas(client, "demo")
    done = enrol(client, "demo", None, "--cert", "old.pem", "--key", "old-key.pem", check=False)
    assert done.returncode != 0 and b"BEGIN CERTIFICATE" not in done.stdout
    assert client.gateway.audit("renewal.refused")[-1]["details"]["error"] == "RENEWAL_SIGNER"
