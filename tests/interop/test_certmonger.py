"""certmonger, the daemon itself, on a message bus of the test's. It uses GET although POST is advertised, and asks GetCACert for
CA-IDENT 0, 1, … until an answer repeats. It signs with SHA-256 whatever is advertised."""

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


def wait_for(getcert, request, status):
    """Until the request has this status; fails with everything certmonger says of it."""
    said = []

    def reached():
        said[:] = [getcert("list", "-i", request)]
        return f"status: {status}" in said[0]

    try:
        eventually(reached, f"certmonger says {status}")
    except AssertionError:
        raise AssertionError(said[0]) from None


def add(getcert, client, alias):
    getcert("add-scep-ca", "-c", alias, "-u", client.gateway.url(alias))
    eventually(lambda: "SCEP CA certificate thumbprint" in getcert("list-cas", "-c", alias), "certmonger knows the CA")


@pytest.mark.parametrize("alias", ["demo", "compatible"])
def test_enrols(client, getcert, alias):
    add(getcert, client, alias)
    key, certificate = client.folder / "key.pem", client.folder / "certificate.pem"
    getcert("request", "-c", alias, "-I", "device", "-k", key, "-f", certificate, "-N", "CN=sun", "-L",
            client.gateway.challenge(alias))
    wait_for(getcert, "device", "MONITORING")
    client.assert_enrolled(alias, certificate.read_bytes(), key.read_bytes(), "CN=sun")


def test_gets_nothing_with_a_wrong_challenge(client, getcert):
    """A FAILURE has no content (section 3.3.2.2), and certmonger 0.79.17 cannot verify a message without: it reads neither FAILURE nor
    PENDING and will ask again."""
    add(getcert, client, "demo")
    certificate = client.folder / "certificate.pem"
    getcert("request", "-c", "demo", "-I", "device", "-k", client.folder / "key.pem", "-f", certificate, "-N", "CN=sun", "-L",
            "not the challenge")
    wait_for(getcert, "device", "CA_UNREACHABLE")
    assert "no content" in getcert("list", "-i", "device") and not certificate.exists()
