"""The tests' own builder and reader of messages, held against the OpenSSL command line: a bent message proves nothing when the
straight one would be wrong too."""

import subprocess

import der
import identities
import pytest
import scepmsg
from cryptography.hazmat.primitives import serialization


def pem(folder, name, identity):
    key = identity.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(key)
    (folder / f"{name}.pem").write_bytes(identities.load(identity.certificate).public_bytes(serialization.Encoding.PEM))


def openssl(*arguments, folder, data):
    done = subprocess.run(["openssl", *arguments], cwd=folder, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("digest,signature", [("sha256", "digest"), ("sha512", "digest"), ("sha1", "rsa"), ("sha256", "pss"),
                                              ("sha384", "pss")])
@pytest.mark.parametrize("cipher,transport", [("aes128", "v15"), ("aes256", "oaep"), ("3des", "v15")])
@pytest.mark.parametrize("ber", [False, True])
def test_openssl_reads_our_requests(tmp_path, digest, signature, cipher, transport, ber):
    device, ra = identities.Identity(private=identities.key()), identities.Identity(private=identities.key(number=1), subject="CN=ra")
    pem(tmp_path, "ra", ra)
    csr = identities.csr(device.key, "CN=device,O=maker", "canary", sans=[("dns", "device.example")])
    request = scepmsg.Request(device, [ra.certificate], csr, digest=digest, signature=signature, ber=ber,
                              envelope={"cipher": cipher, "transport": transport})
    envelope = openssl("cms", "-verify", "-binary", "-inform", "DER", "-noverify", folder=tmp_path, data=request.build())
    plain = openssl("cms", "-decrypt", "-binary", "-inform", "DER", "-recip", "ra.pem", "-inkey", "ra.key", folder=tmp_path,
                    data=envelope)
    assert plain == csr
    shown = openssl("req", "-inform", "DER", "-noout", "-text", "-verify", folder=tmp_path, data=csr).decode()
    assert "challengePassword" in shown and "DNS:device.example" in shown


def test_huge_key_is_valid(tmp_path):
    csr = identities.csr(identities.HugeRsa(3072))
    openssl("req", "-inform", "DER", "-noout", "-verify", folder=tmp_path, data=csr)


def test_reader_refuses_what_is_not_der():
    for broken in (b"\x30\x81\x01\x00", b"\x30\x80\x00\x00", b"\x30\x05\x00"):
        with pytest.raises(AssertionError):
            der.read_one(broken)
