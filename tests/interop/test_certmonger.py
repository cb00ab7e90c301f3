"""certmonger, the daemon itself, on a message bus of the test's. It uses GET although POST is advertised, and asks GetCACert for
CA-IDENT 0, 1, … until an answer repeats."""

import os
import subprocess

import pytest
from gateway import eventually

FOLDERS = {"CERTMONGER_CONFIG_DIR": "conf", "CERTMONGER_REQUESTS_DIR": "requests", "CERTMONGER_CAS_DIR": "cas",
           "CERTMONGER_LOCAL_CA_DIR": "local", "CERTMONGER_TMPDIR": "tmp", "TMPDIR": "tmp", "HOME": "home"}


@pytest.fixture
def getcert(client):
    """getcert against a running certmonger of the test's own."""
    environment = {"CERTMONGER_SYSTEM_LOCK_FILE": str(client.folder / "lock")}
    for variable, name in FOLDERS.items():
        (client.folder / name).mkdir(exist_ok=True)
        environment[variable] = str(client.folder / name)
    with (client.folder / "log").open("wb") as log:
        bus = subprocess.Popen(["dbus-daemon", "--session", "--nofork", "--print-address"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=log)
        environment["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().decode().strip()
        daemon = subprocess.Popen(["certmonger", "-s", "-n", "-d", "3"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  env=dict(os.environ) | environment)
    def run(command, *options, check=True):
        return client.run("getcert", command, "-s", *options, environment=environment, check=check).stdout.decode()

    eventually(lambda: "SelfSign" in client.run("getcert", "list-cas", "-s", environment=environment, check=False).stdout.decode(),
               "certmonger is there")
    yield run
    for process in (daemon, bus):
        process.terminate()
        process.wait(30)


def status(getcert, request):
    listing = getcert("list", "-i", request)
    return next(line.split(":", 1)[1].strip() for line in listing.splitlines() if line.strip().startswith("status:"))


def add(getcert, client, alias):
    getcert("add-scep-ca", "-c", alias, "-u", client.gateway.url(alias))
    eventually(lambda: "SCEP CA certificate thumbprint" in getcert("list-cas", "-c", alias), "certmonger knows the CA")


@pytest.mark.parametrize("alias", ["demo", "compatible"])
def test_enrols(client, getcert, alias):
    add(getcert, client, alias)
    key, certificate = client.folder / "key.pem", client.folder / "certificate.pem"
    getcert("request", "-c", alias, "-I", "device", "-k", key, "-f", certificate, "-N", "CN=sun", "-L",
            client.gateway.challenge(alias))
    eventually(lambda: status(getcert, "device") == "MONITORING", "certmonger has its certificate")
    client.assert_enrolled(alias, certificate.read_bytes(), key.read_bytes(), "CN=sun")


def test_learns_of_a_refusal(client, getcert):
    add(getcert, client, "demo")
    certificate = client.folder / "certificate.pem"
    getcert("request", "-c", "demo", "-I", "device", "-k", client.folder / "key.pem", "-f", certificate, "-N", "CN=sun", "-L",
            "not the challenge")
    eventually(lambda: status(getcert, "device") == "CA_REJECTED", "certmonger was refused")
    assert not certificate.exists()
