"""certmonger, the daemon itself, on a message bus of the test's. It uses GET although POST is advertised, and asks GetCACert for
CA-IDENT 0, 1, … until an answer repeats. It signs with SHA-256 whatever is advertised."""

import os
import subprocess

import approvals
import pytest
from cryptography import x509
from gateway import eventually

FOLDERS = {"CERTMONGER_CONFIG_DIR": "conf", "CERTMONGER_REQUESTS_DIR": "requests", "CERTMONGER_CAS_DIR": "cas",
           "CERTMONGER_LOCAL_CA_DIR": "local", "CERTMONGER_TMPDIR": "tmp", "TMPDIR": "tmp", "HOME": "home"}


class Certmonger:
    """A certmonger of the test's own; calling it is calling getcert."""

    def __init__(self, client):
        self.client = client
        self.environment = {"CERTMONGER_SYSTEM_LOCK_FILE": str(client.folder / "lock")}
        for variable, name in FOLDERS.items():
            (client.folder / name).mkdir(exist_ok=True)
            self.environment[variable] = str(client.folder / name)
        self.log = (client.folder / "log").open("wb")
        self.bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=self.log,
                                    env=dict(os.environ) | {"XDG_DATA_DIRS": str(client.folder)})  # starts no daemon by itself
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = self.bus.stdout.readline().decode().strip()
        self.start()

    def start(self):
        self.daemon = subprocess.Popen(["certmonger", "-s", "-n", "-d", "3"], stdin=subprocess.DEVNULL, stdout=self.log,
                                       stderr=self.log, env=dict(os.environ) | self.environment)
        eventually(lambda: "SelfSign" in self("list-cas", check=False), "certmonger is there")

    def __call__(self, command, *options, check=True):
        return self.client.run("getcert", command, "-s", *options, environment=self.environment, check=check).stdout.decode()

    def stop(self):
        self.daemon.terminate()
        self.daemon.wait(30)

    def close(self):
        self.stop()
        self.bus.terminate()
        self.bus.wait(30)
        self.log.close()


@pytest.fixture
def getcert(client):
    daemon = Certmonger(client)
    yield daemon
    daemon.close()


def wait_for(getcert, name, status):
    """Until the request has this status; fails with everything certmonger says of it."""
    said = []

    def reached():
        said[:] = [getcert("list", "-i", name, check=False)]
        return f"status: {status}" in said[0]

    try:
        eventually(reached, f"certmonger says {status}")
    except AssertionError:
        raise AssertionError(said[0]) from None


def add(getcert, client, alias):
    getcert("add-scep-ca", "-c", alias, "-u", client.gateway.url(alias), check=False)  # as below
    eventually(lambda: "SCEP CA certificate thumbprint" in getcert("list-cas", "-c", alias), "certmonger knows the CA")


def request(getcert, client, alias, challenge):
    """Asks for a certificate; (key, certificate). On a busy machine getcert repeats a call whose answer is late, and then fails
    because what it asked for is there already: what counts is what the daemon does."""
    key, certificate = client.folder / "key.pem", client.folder / "certificate.pem"
    getcert("request", "-c", alias, "-I", "device", "-k", key, "-f", certificate, "-N", "CN=sun", "-L", challenge, check=False)
    return key, certificate


@pytest.mark.parametrize("alias", ["demo", "compatible"])
def test_enrols(client, getcert, alias):
    add(getcert, client, alias)
    key, certificate = request(getcert, client, alias, client.gateway.challenge(alias))
    wait_for(getcert, "device", "MONITORING")
    client.assert_enrolled(alias, certificate.read_bytes(), key.read_bytes(), "CN=sun")


def test_comes_again_for_what_people_have_approved(client, getcert):
    """It cannot read PENDING, and sends its request again instead of polling; that is a poll, too (section R)."""
    add(getcert, client, "desk")
    key, certificate = request(getcert, client, "desk", client.gateway.challenge("desk"))
    wait_for(getcert, "device", "CA_UNREACHABLE")
    row = client.waiting()
    getcert("refresh", "-i", "device")
    wait_for(getcert, "device", "CA_UNREACHABLE")
    assert client.waiting()["id"] == row["id"]
    approvals.approve(client.gateway, row)
    eventually(lambda: client.gateway.ask("transaction", "show", "--alias", "desk", row["id"])["state"] == "issued", "issued")
    getcert("refresh", "-i", "device")
    wait_for(getcert, "device", "MONITORING")
    client.assert_enrolled("desk", certificate.read_bytes(), key.read_bytes(), "CN=sun")


def test_gets_nothing_with_a_wrong_challenge(client, getcert):
    """A FAILURE has no content (section 3.3.2.2), and certmonger 0.79.17 cannot verify a message without: it reads neither FAILURE nor
    PENDING and will ask again."""
    add(getcert, client, "demo")
    _, certificate = request(getcert, client, "demo", "not the challenge")
    wait_for(getcert, "device", "CA_UNREACHABLE")
    assert "no content" in getcert("list", "-i", "device") and not certificate.exists()


def renew(client, getcert, how):
    """(old certificate, old key, new certificate, new key) of a device that enrolled and was then told to renew."""
    add(getcert, client, "demo")
    key, certificate = client.folder / "key.pem", client.folder / "certificate.pem"
    getcert("request", "-c", "demo", "-I", "device", "-k", key, "-f", certificate, "-N", "CN=sun", "-L",
            client.gateway.challenge("demo"))
    wait_for(getcert, "device", "MONITORING")
    old = certificate.read_bytes(), key.read_bytes()
    getcert(how, "-i", "device")
    eventually(lambda: certificate.read_bytes() != old[0], "a new certificate came")
    wait_for(getcert, "device", "MONITORING")
    client.assert_enrolled("demo", certificate.read_bytes(), key.read_bytes(), "CN=sun")
    issued = client.gateway.audit("certificate.issued")[-1]["details"]
    assert int(issued["renews"], 16) == x509.load_pem_x509_certificate(old[0]).serial_number
    return *old, certificate.read_bytes(), key.read_bytes()


def test_renews_with_a_new_key(client, getcert):
    """`rekey`: a key of its own making, and a RenewalReq signed with the old one, because the alias says Renewal. The challenge of
    the first enrolment, which it sends along, does no harm."""
    _, old_key, _, new_key = renew(client, getcert, "rekey")
    assert new_key != old_key


def test_renews_with_the_same_key(client, getcert):
    """`resubmit`: the very request of the enrolment once more, under the same transactionID and with the used challenge, but signed
    with the certificate."""
    _, old_key, _, new_key = renew(client, getcert, "resubmit")
    assert new_key == old_key
