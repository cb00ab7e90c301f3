"""Clients that we did not write, run as their users run them, with all they keep in a folder of the test's."""

import os
import subprocess

import approvals
import identities
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from gateway import PATIENCE, Gateway, eventually

ONE_TIME = {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 0}}
ALIASES = {"demo": ONE_TIME, "legacy": ONE_TIME | {"compat": {"obsolete_algorithms": ["des", "md5"]}},
           "desk": ONE_TIME | {"backend": "desk"},
           "compatible": ONE_TIME | {"algorithms": {"ciphers": ["3des"], "digests": ["sha1", "sha256"]}}}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    gateway = Gateway(tmp_path_factory.mktemp("site"), ALIASES, backends=approvals.gates()).start()
    yield gateway
    gateway.close()


class Client:
    """Runs the tools of one client in its own folder."""

    def __init__(self, folder, gateway):
        self.folder, self.gateway = folder, gateway

    def run(self, *command, environment=None, data=b"", check=True):
        done = subprocess.run([str(part) for part in command], cwd=self.folder, input=data, capture_output=True,
                              env=dict(os.environ) | {"HOME": str(self.folder)} | (environment or {}), timeout=PATIENCE * 2,
                              check=False)
        assert not check or done.returncode == 0, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr.decode()}"
        return done

    def assert_enrolled(self, alias, certificate, key, subject):
        """The certificate is for this key and name, from this alias' CA, and the only one recorded for it."""
        found = x509.load_pem_x509_certificate(certificate)
        private = serialization.load_pem_private_key(key, None)
        assert found.subject.rfc4514_string() == subject
        assert identities.spki(private) == found.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        issuer = self.gateway.folder / f"{alias}-ca.pem"
        issuer.write_bytes(b"".join(identities.load(one).public_bytes(serialization.Encoding.PEM)
                                    for one in self.gateway.bag(alias)[1:]))
        (self.folder / "issued.pem").write_bytes(found.public_bytes(serialization.Encoding.PEM))
        self.run("openssl", "verify", "-CAfile", issuer, "issued.pem")
        assert [int(serial, 16) for serial in self.gateway.certificates()].count(found.serial_number) == 1
        issued = [line for line in self.gateway.audit("certificate.issued")
                  if int(line["details"]["serial"], 16) == found.serial_number]
        assert len(issued) == 1 and issued[0]["alias"] == alias


    def waiting(self, alias="desk"):
        """The record of the only request that waits for people, once it is there."""
        found = eventually(lambda: self.gateway.ask("transaction", "list", "--alias", alias, "--state", "waiting")["transactions"],
                           "a request waits")
        assert len(found) == 1
        return found[0]


@pytest.fixture
def client(tmp_path, site):
    return Client(tmp_path, site)
