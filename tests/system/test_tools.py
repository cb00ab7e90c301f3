"""The subcommands as people use them: demo, ca, enroll, check, config."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile

import identities
import programs
import pytest
import scepmsg
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from gateway import BINARY, PATIENCE, free_port

OPEN = {"backend": "ca", "challenge": {"type": "none"}}


def certificates(path):
    """Of a PEM file, DER each."""
    found = re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", path.read_bytes(), re.DOTALL)
    return [x509.load_pem_x509_certificate(text).public_bytes(serialization.Encoding.DER) for text in found]


# ---- demo ------------------------------------------------------------------------------------------------

def free_pair():
    """A port for the endpoint with the next one free for metrics and health."""
    while True:
        port = free_port()
        with socket.socket() as probe:
            if port < 65535 and probe.connect_ex(("127.0.0.1", port + 1)) != 0:
                return port


@pytest.fixture
def folder():
    """A folder with a short name: the admin socket lies in the state folder, and a socket's path has 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="demo-") as name:
        yield pathlib.Path(name)


@pytest.fixture
def demo(folder):
    """Runs `scepgate demo`; the process and its port."""
    running = []

    def run(*options):
        port = free_pair()
        command = programs.without_randomisation([BINARY, "demo", "--port", str(port), "--state", str(folder / "state"), *options])
        with (folder / "stderr").open("ab") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True,
                                       cwd=folder, env=programs.sanitizer_environment(folder))
        running.append(process)
        return process, port

    yield run
    for process in running:
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        process.stdout.close()
    assert not programs.found_reports(folder)


def test_demo_says_what_a_client_needs_in_one_line_of_json(demo, folder):
    process, port = demo("--json", "--challenges", "3")
    line = json.loads(process.stdout.readline())
    assert line["url"] == f"http://127.0.0.1:{port}/scep/demo" and len(set(line["challenges"])) == 3
    assert line["pid"] == process.pid
    command = [BINARY, "enroll", line["url"], "--ca-sha256", line["ca_sha256"], "--challenge", line["challenges"][0], "--subject",
               "CN=device-1", "--out", str(folder / "device")]
    subprocess.run(programs.without_randomisation(command), check=True, env=programs.sanitizer_environment(folder),
                   timeout=PATIENCE, stdout=subprocess.DEVNULL)
    assert list((folder / "device").rglob("*.pem"))


def test_demo_prints_commands_to_paste(demo):
    process, port = demo()
    said = ""
    while "Ctrl-C" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    for word in (f"http://127.0.0.1:{port}/scep/demo", "pki --scepca", "pki --scep ", "getcert add-scep-ca", "getcert request", "enroll"):
        assert word in said


def test_demo_can_be_started_again(demo, folder):
    first, _ = demo("--json")
    before = json.loads(first.stdout.readline())
    first.send_signal(signal.SIGINT)
    assert first.wait(PATIENCE) == 0
    again, _ = demo("--json")
    assert json.loads(again.stdout.readline())["ca_sha256"] == before["ca_sha256"]
    assert (folder / "state").is_dir()


# ---- ca --------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("key_type", ["rsa-2048", "ec-p256", "ec-p384"])
def test_ca_from_files(gateways, key_type):
    """A root and a subordinate made by `scepgate ca init`; the gateway issues from the subordinate."""
    gateway = gateways({"demo": OPEN}, backends={"ca": {"type": "local_ca", "certificate": "sub.pem", "key": "sub-key.pem",
                                                        "chain": "root.pem"}})
    gateway.tool("ca", "init", "--key", "root-key.pem", "--cert", "root.pem", "--subject", "CN=Root", "--key-type", key_type)
    gateway.tool("ca", "init", "--key", "sub-key.pem", "--cert", "sub.pem", "--subject", "CN=Sub", "--key-type", key_type,
                 "--issuer-cert", "root.pem", "--issuer-key", "root-key.pem")
    gateway.start()
    root, sub = certificates(gateway.folder / "root.pem")[0], certificates(gateway.folder / "sub.pem")[0]
    assert gateway.bag()[1:] == [sub, root]
    _, _, certificate = gateway.enrol("demo")
    (gateway.folder / "issued.pem").write_bytes(identities.load(certificate).public_bytes(serialization.Encoding.PEM))
    for name in ("issued.pem",):
        subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", "root.pem", "-untrusted", "sub.pem", name], cwd=gateway.folder,
                       check=True, capture_output=True)


def test_ca_overwrites_nothing(gateways):
    gateway = gateways()
    gateway.tool("ca", "init", "--key", "key.pem", "--cert", "ca.pem", "--key-type", "ec-p256")
    before = (gateway.folder / "key.pem").read_bytes()
    assert gateway.tool("ca", "init", "--key", "key.pem", "--cert", "ca.pem", "--key-type", "ec-p256", check=False).returncode != 0
    assert (gateway.folder / "key.pem").read_bytes() == before
    assert (gateway.folder / "key.pem").stat().st_mode & 0o777 == 0o600


# ---- enroll ----------------------------------------------------------------------------------------------

def enroll(gateway, *options, check=True, pin=None, alias="demo"):
    pin = pin or scepmsg.fingerprint(gateway.bag(alias)[-1])
    return gateway.tool("enroll", gateway.url(alias), "--ca-sha256", pin, "--subject", "CN=tool", "--out", "device", *options, check=check)


def test_enroll(gateway):
    challenge = gateway.challenge()
    said = enroll(gateway, "--challenge", challenge)
    assert challenge not in said.stdout + said.stderr
    assert len(gateway.certificates()) == 1
    found = [certificate for path in (gateway.folder / "device").glob("*.pem") if b"BEGIN CERT" in path.read_bytes()
             for certificate in certificates(path)]
    assert any(identities.load(one).subject.rfc4514_string() == "CN=tool" for one in found)
    gateway.secrets.discard(challenge)  # the client's own folder holds its request


def test_enroll_refuses_another_ca(gateway):
    refused = enroll(gateway, "--challenge", gateway.challenge(), pin="00" * 32, check=False)
    assert refused.returncode == 1 and not gateway.certificates()


def test_enroll_tells_of_a_refusal(gateway):
    refused = enroll(gateway, "--challenge", "wrong", check=False)
    assert refused.returncode == 3 and "badRequest" in refused.stdout + refused.stderr


# ---- check, config ---------------------------------------------------------------------------------------

def test_check_accepts_what_serve_accepts(gateway):
    assert gateway.tool("check", "--config", str(gateway.settings_file)).returncode == 0


def test_config_print_masks_secrets(gateways):
    gateway = gateways({"demo": {"backend": "ca", "challenge": {"type": "static", "secret": {"value": "the-masked-canary"}}}}).start()
    printed = gateway.tool("config", "print", "--config", str(gateway.settings_file), check=False)
    assert "the-masked-canary" not in printed.stdout + printed.stderr


def test_config_reference_and_schema(gateways):
    gateway = gateways()
    assert "challenge.type" in gateway.tool("config", "reference").stdout
    schema = json.loads(gateway.tool("config", "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")


def test_help_and_version(gateways):
    gateway = gateways()
    for word in ("help", "--help", "version", "--version"):
        assert "scepgate" in gateway.tool(word).stdout
    for command in ("challenge", "enroll", "demo", "ca", "check", "config"):
        assert gateway.tool(command, "--help", check=False).returncode == 0, command
    assert gateway.tool("nonsense", check=False).returncode == 2
    assert os.path.basename(BINARY) == "scepgate"
