"""strongSwan's pki --scepca and --scep (5.9.8 in Debian 12). It wants SHA-384 advertised before it uses AES and rsaEncryption as the
CertRep's signature algorithm, posts always, and breaks its base64 every 64 characters when it uses GET."""

import pytest


def fetch_cas(client, alias):
    client.run("pki", "--scepca", "--url", client.gateway.url(alias), "--caout", "ca.pem", "--raout", "ra.pem", "--outform", "pem")


def enrol(client, alias, challenge, *options, check=True):
    client.run("openssl", "genrsa", "-traditional", "-out", "key.pem", "2048")
    extra = [option for path in sorted(client.folder.glob("ca-*.pem")) for option in ("--cacert", path)]
    return client.run("pki", "--scep", "--url", client.gateway.url(alias), "--in", "key.pem", "--dn", "C=CH, O=maker, CN=moon",
                      "--san", "moon.example", "--password", challenge, "--cacert-enc", "ra.pem", "--cacert-sig", "ra.pem",
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


def test_learns_of_a_refusal(client):
    fetch_cas(client, "demo")
    done = enrol(client, "demo", "not the challenge", check=False)
    assert done.returncode != 0 and b"BEGIN CERTIFICATE" not in done.stdout
