"""Start, stop, reload and bad days of the daemon itself."""

import os
import resource
import signal
import sqlite3
import stat
import threading

import identities
import pytest
import scepmsg
from gateway import PATIENCE, eventually, free_port

OPEN = {"backend": "ca", "challenge": {"type": "none"}}


# ---- stop ------------------------------------------------------------------------------------------------

def test_sigterm_ends_with_success(gateway):
    assert gateway.terminate() == 0
    gateway.start()
    events = [row["event"] for row in gateway.audit()]
    assert events.count("gateway.started") == 2 and events.count("gateway.stopped") == 1


def test_sigterm_drains_and_loses_nothing(gateways):
    gateway = gateways({"demo": OPEN}).start()
    requests = [gateway.request("demo") for _ in range(12)]
    outcomes = {}

    def enrol(number):
        try:
            answer = gateway.post("demo", requests[number].build())
            outcomes[number] = (answer.status, answer.body)
        except OSError:
            outcomes[number] = (0, b"")

    threads = [threading.Thread(target=enrol, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    status = gateway.terminate()
    for thread in threads:
        thread.join(PATIENCE)
    assert status == 0
    promised = {number: scepmsg.Reply(body).issued(requests[number])[0] for number, (code, body) in outcomes.items() if code == 200}
    assert all(code in (0, 200, 503) for code, _ in outcomes.values()), outcomes
    gateway.start()
    serials = set(gateway.certificates())
    for certificate in promised.values():
        assert f"{identities.load(certificate).serial_number:x}".zfill(40) in {serial.zfill(40) for serial in serials}
    for number, request in enumerate(requests):  # the retry of each ends with one certificate, the promised one where there was one
        certificate = gateway.reply(request, "demo").issued(request)[0]
        assert promised.get(number, certificate) == certificate
    assert len(gateway.certificates()) == len(requests)


def test_sigint_ends_like_sigterm(gateway):
    gateway.process.send_signal(signal.SIGINT)
    assert gateway.process.wait(PATIENCE) == 0


# ---- reload ----------------------------------------------------------------------------------------------

def test_sighup_takes_new_aliases(gateway):
    gateway.aliases = gateway.aliases | {"fresh": OPEN}
    gateway.write_settings()
    assert gateway.get("fresh", "GetCACaps").status == 404
    gateway.reload()
    eventually(lambda: gateway.get("fresh", "GetCACert").status == 200, "the new alias")
    gateway.enrol("fresh")
    gateway.enrol("demo")
    assert gateway.audit("settings.reloaded")


def test_sighup_drops_aliases(gateways):
    gateway = gateways({"demo": OPEN, "old": OPEN}).start()
    del gateway.aliases["old"]
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: gateway.get("old", "GetCACaps").status == 404, "the alias is gone")
    gateway.enrol("demo")


def test_sighup_changes_an_alias(gateways):
    gateway = gateways({"demo": OPEN}).start()
    before = gateway.ra()
    gateway.aliases["demo"] = OPEN | {"algorithms": {"digests": ["sha512"]}}
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: b"SHA-256" not in gateway.get("demo", "GetCACaps").body, "the new capabilities")
    assert gateway.ra() == before, "a reload made a new RA identity"
    gateway.refused(gateway.request("demo", digest="sha256"), scepmsg.BAD_ALG)
    identity = identities.Identity()
    gateway.enrol("demo", identity=identity, csr=identities.csr(identity.key, digest="sha512"), digest="sha512")


@pytest.mark.parametrize("text", ["aliases: [", "", "state: /nowhere\nlisten: ['999.1.1.1:x']\n", "alaises: {}\n"])
def test_sighup_with_a_bad_file_keeps_the_old_settings(gateway, text):
    gateway.settings_file.write_text(text)
    gateway.reload()
    refused = eventually(lambda: gateway.audit("settings.refused"), "the refusal is audited")
    assert refused[0]["details"]["problem"]
    gateway.enrol("demo")
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: gateway.audit("settings.reloaded"), "the good file is taken")
    gateway.enrol("demo")


def test_sighup_during_enrolments_disturbs_none(gateways):
    gateway = gateways({"demo": OPEN}).start()
    stop = threading.Event()

    def reload_often():
        while not stop.wait(0.02):
            gateway.reload()

    thread = threading.Thread(target=reload_often)
    thread.start()
    try:
        for _ in range(10):
            gateway.enrol("demo")
    finally:
        stop.set()
        thread.join(PATIENCE)


# ---- start -----------------------------------------------------------------------------------------------

def refused_start(gateway):
    """Starts a gateway that must not come up; what it said."""
    gateway.write_settings()
    gateway.launch()
    assert gateway.process.wait(PATIENCE) != 0
    return gateway.log()


def test_second_daemon_on_one_database(gateway, gateways):
    second = gateways({"demo": OPEN})
    second.state = gateway.state
    said = refused_start(second)
    assert "scepgate.db" in said and str(gateway.process.pid) in said, said
    gateway.enrol("demo")
    gateway.kill()  # the lock ends with the process, however it ends
    second.start()


def test_address_in_use(gateway, gateways):
    second = gateways({"demo": OPEN})
    second.port = gateway.port
    assert f"127.0.0.1:{gateway.port}" in refused_start(second)


@pytest.mark.parametrize("change,expected", [
    ({"listn": ["127.0.0.1:1"]}, "did you mean"),
    ({"limits": {"body": "many"}}, "limits.body"),
    ({"backends": {"ca": {"type": "nonesuch"}}}, "nonesuch"),
    ({"aliases": {"demo": {"backend": "missing", "challenge": {"type": "none"}}}}, "missing"),
    ({"aliases": {"demo": {"backend": "ca"}}}, "challenge.type"),
    ({"admin": {"listen": ["0.0.0.0:1"]}}, "127.0.0.1:PORT"),
])
def test_bad_settings_are_named(gateways, change, expected):
    gateway = gateways(change.get("aliases", {"demo": OPEN}), **{name: value for name, value in change.items() if name != "aliases"})
    gateway.write_settings()
    checked = gateway.tool("check", "--config", str(gateway.settings_file), check=False)
    assert checked.returncode != 0
    said = checked.stdout + checked.stderr
    assert expected in said and "gateway.yaml:" in said, said
    assert expected in refused_start(gateway)


def test_state_is_kept_from_others(gateway):
    gateway.enrol("demo")
    for path in [gateway.socket, *gateway.state.rglob("*")]:
        mode = stat.S_IMODE(path.stat().st_mode)
        if path.is_file() and path.name.endswith(("ca.pem", ".crt")):
            continue
        assert not mode & (stat.S_IRWXO | stat.S_IWGRP), f"{path} has mode {mode:o}"


def test_another_master_key_is_refused(gateway, gateways):
    assert gateway.terminate() == 0
    (gateway.state / "master.key").unlink()
    other = gateways({"demo": OPEN})
    other.state = gateway.state
    assert "key" in refused_start(other)


# ---- restart ---------------------------------------------------------------------------------------------

def test_restart_keeps_everything(gateway):
    challenge = gateway.challenge()
    request, _, certificate = gateway.enrol("demo", challenge=challenge)
    bag, open_challenge = gateway.bag(), gateway.challenge()
    gateway.restart()
    assert gateway.bag() == bag
    again = gateway.reply(request)
    assert again.issued(request)[0] == certificate
    gateway.enrol("demo", challenge=open_challenge)
    reused = gateway.reply(gateway.request("demo", challenge=challenge))
    assert (reused.status, reused.fail_info) == (scepmsg.FAILURE, scepmsg.BAD_REQUEST)
    assert gateway.tool("audit", "verify", "--socket", str(gateway.socket)).returncode == 0


# ---- a store that fails ------------------------------------------------------------------------------------

def test_full_disk_is_503_and_passes(gateway):
    request = gateway.request("demo", challenge=gateway.challenge())
    limit = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (4096, limit[1]))
    try:
        answer = gateway.post("demo", request.build())
        assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
        eventually(lambda: gateway.admin("/readyz").status == 503, "not ready")
        assert gateway.admin("/healthz").status == 200
    finally:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, limit)
    eventually(lambda: gateway.admin("/readyz").status == 200, "ready again")
    answer = eventually(lambda: (found := gateway.post("demo", request.build())).status == 200 and found, "served again")
    assert scepmsg.Reply(answer.body).check(request).status == scepmsg.SUCCESS
    assert len(gateway.certificates()) == 1


def test_store_held_by_another_promises_nothing(gateway):
    request = gateway.request("demo", challenge=gateway.challenge())
    with sqlite3.connect(gateway.state / "scepgate.db", isolation_level=None) as intruder:
        intruder.execute("BEGIN IMMEDIATE")
        answers = []
        thread = threading.Thread(target=lambda: answers.append(gateway.post("demo", request.build())))
        thread.start()
        thread.join(3)
        intruder.execute("ROLLBACK")
        thread.join(PATIENCE)
    assert answers[0].status in (200, 503)
    if answers[0].status == 200:
        assert scepmsg.Reply(answers[0].body).check(request).status in (scepmsg.SUCCESS, scepmsg.PENDING)
    eventually(lambda: gateway.reply(request).status == scepmsg.SUCCESS, "served again")
    assert len(gateway.certificates()) == 1


# ---- admin listener ----------------------------------------------------------------------------------------

def test_health_and_metrics(gateway):
    gateway.enrol("demo")
    gateway.post("demo", b"nonsense")
    assert gateway.admin("/healthz").status == 200 and gateway.admin("/readyz").status == 200
    metrics = gateway.metrics()
    assert any(name.startswith("scepgate_") for name in metrics)
    for path in ("/v1/challenges", "/v1/audit", "/", "/scep/demo?operation=GetCACert", "/metrics/../v1/audit"):
        assert gateway.admin(path).status in (404, 405), path


def test_socket_is_for_the_owner_alone(gateway):
    assert stat.S_IMODE(os.stat(gateway.socket).st_mode) == 0o600


def test_management_is_not_on_the_scep_listener(gateway):
    for path in ("/v1/challenges", "/metrics", "/readyz"):
        assert gateway.http("GET", path).status == 404


# ---- the log ---------------------------------------------------------------------------------------------

def test_log_is_one_json_object_per_line(gateway):
    gateway.enrol("demo")
    gateway.post("demo", b"nonsense\n{\"injected\": true}")
    gateway.get("no\"body%0A", "GetCACaps")
    assert gateway.terminate() == 0
    lines = gateway.log().splitlines()
    assert lines and len(gateway.log_lines()) == len(lines)
