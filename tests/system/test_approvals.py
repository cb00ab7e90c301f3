"""The manual gate, whole: what is held, who decides, what becomes of it, across restarts, deaths and expiry."""

import http.server
import json
import os
import shutil
import threading
import time

import approvals
import identities
import pytest
import scepmsg
from cryptography import x509
from approvals import OPEN, becomes, gates, held, poll
from gateway import eventually
from scepmsg import BAD_REQUEST, FAILURE, PENDING, SUCCESS

ONE_TIME = {"backend": "desk", "challenge": {"type": "one_time", "failure_limit": 0}}
ROOT = os.geteuid() == 0


@pytest.fixture
def desk(gateways):
    """Makes a running gateway whose alias demo has the gate in front of it."""
    def make(alias=OPEN, settings=None, **gate):
        return gateways({"demo": alias}, backends=gates(**gate), **(settings or {})).start()

    return make


def events(gateway, *names):
    return [row["event"] for row in gateway.audit() if row["event"] in names]


# ---- approval and denial ---------------------------------------------------------------------------------

def test_an_approved_request_is_issued_without_its_client(desk):
    gateway = desk()
    request, row = held(gateway)
    assert (row["state"], row["decision"], row["reason"]) == ("pending", "awaited", "every request is held")
    assert not gateway.certificates()
    answer = approvals.approve(gateway, row, "--reason", "seen by Ann")
    assert answer["decision"] == "approved" and answer["approved_by"] == f"uid:{os.geteuid()}"
    assert becomes(gateway, request, "issued")["serial"]
    assert len(gateway.certificates()) == 1  # and nobody has asked since
    certificate = poll(gateway, request).issued(request)[0]
    assert identities.load(certificate).serial_number == int(gateway.certificates()[0], 16)
    assert poll(gateway, request).issued(request)[0] == certificate  # the first reply may have been lost
    assert gateway.reply(request).issued(request)[0] == certificate  # the request itself is a poll, too
    details = gateway.audit("request.approved")[0]["details"]
    assert details["by"] == f"uid:{os.geteuid()}" and details["reason"] == "seen by Ann"
    assert events(gateway, "request.accepted", "request.held", "request.approved", "certificate.issued") == [
        "request.accepted", "request.held", "request.approved", "certificate.issued"]


def test_validity_begins_with_the_approval(desk):
    """The plan is made when people have decided, not when they were asked."""
    gateway = desk()
    request, row = held(gateway)
    assert gateway.query("SELECT length(plan) AS size FROM transactions WHERE id = ?", row["id"])[0]["size"] == 0
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")
    assert gateway.query("SELECT length(plan) AS size FROM transactions WHERE id = ?", row["id"])[0]["size"] > 0


def test_a_denied_request_fails_with_the_words_of_who_denied_it(desk):
    gateway = desk()
    request, row = held(gateway)
    answer = approvals.deny(gateway, row, "--reason", "Kein Gerät von uns")
    assert (answer["state"], answer["decision"], answer["error"]) == ("rejected", "denied", "REQUEST_DENIED")
    for reply in (poll(gateway, request), gateway.reply(request)):
        assert (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST)
        assert reply.text(scepmsg.FAIL_INFO_TEXT) == "Kein Gerät von uns"
    assert gateway.audit("request.denied")[0]["details"]["reason"] == "Kein Gerät von uns"
    assert gateway.query("SELECT length(sealed_csr) AS size FROM transactions")[0]["size"] == 0
    assert not gateway.certificates()
    late = approvals.decide(gateway, "approve", row, check=False)
    assert late.returncode == 1 and "it is rejected" in late.stderr


def test_a_client_that_chokes_on_text_gets_none(desk):
    gateway = desk(OPEN | {"compat": {"fail_info_text": False}})
    request, row = held(gateway)
    approvals.deny(gateway, row, "--reason", "no")
    reply = poll(gateway, request)
    assert reply.status == FAILURE and scepmsg.FAIL_INFO_TEXT not in reply.attributes


def test_decisions_are_taken_once(desk):
    gateway = desk()
    request, row = held(gateway)
    approvals.approve(gateway, row)
    again = approvals.decide(gateway, "approve", row, check=False)
    assert again.returncode == 1
    assert approvals.decide(gateway, "deny", row, check=False).returncode == 1
    becomes(gateway, request, "issued")
    assert events(gateway, "request.approved", "request.denied") == ["request.approved"]


def test_commands_say_what_is_wrong(desk):
    gateway = desk()
    _, row = held(gateway)
    nobody = row | {"id": "0" * 32}
    assert "there is no such transaction" in approvals.decide(gateway, "approve", nobody, check=False).stderr
    assert approvals.decide(gateway, "deny", row | {"id": "x"}, check=False).returncode == 1
    assert approvals.decide(gateway, "deny", row, "--reason", "two\nlines", check=False).returncode == 1
    assert approvals.decide(gateway, "deny", row, "--reason", "x" * 256, check=False).returncode == 1
    assert gateway.tool("approve", row["id"], check=False).returncode == 2  # without its alias
    assert approvals.record(gateway, held(gateway)[0])["decision"] == "awaited"


def test_released_challenge_after_a_denial(gateways):
    alias = ONE_TIME | {"challenge": ONE_TIME["challenge"] | {"release_on_rejection": True}}
    gateway = gateways({"demo": alias}, backends=gates()).start()
    challenge = gateway.challenge()
    _, row = held(gateway, challenge=challenge)
    approvals.deny(gateway, row)
    held(gateway, challenge=challenge)


# ---- restarts and deaths ---------------------------------------------------------------------------------

def test_a_held_request_survives_restarts(gateways):
    gateway = gateways({"demo": ONE_TIME}, backends=gates()).start()
    request, row = held(gateway, challenge=gateway.challenge())
    gateway.restart()
    assert poll(gateway, request).status == PENDING
    gateway.kill()
    gateway.start()
    assert gateway.reply(request).status == PENDING
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")
    gateway.restart()
    assert poll(gateway, request).status == SUCCESS
    assert events(gateway, "request.held", "certificate.issued") == ["request.held", "certificate.issued"]


@pytest.mark.parametrize("pause", [0, 0.2, 0.6, 1.0])
def test_kill_between_approval_and_issue(desk, pause):
    """Whatever was not yet done is done after the restart, once, and nobody polls for it."""
    gateway = desk()
    request, row = held(gateway)
    approvals.approve(gateway, row)
    time.sleep(pause)  # the submission is taken up within a second
    gateway.kill()
    gateway.start()
    becomes(gateway, request, "issued")
    assert len(gateway.certificates()) == 1
    assert events(gateway, "request.approved", "certificate.issued") == ["request.approved", "certificate.issued"]
    assert poll(gateway, request).status == SUCCESS


def make_due(gateway, kind):
    """As if the time of an obligation had come; the gateway is stopped."""
    import sqlite3
    with sqlite3.connect(gateway.state / "scepgate.db") as database:
        database.execute("UPDATE obligation SET due = 1, wanted = 1 WHERE kind = ?", (kind,))
        database.execute("UPDATE transactions SET expires = 1")


def test_what_nobody_decides_expires(gateways):
    gateway = gateways({"demo": ONE_TIME}, backends=gates()).start()
    challenge = gateway.challenge()
    request, row = held(gateway, challenge=challenge)
    assert gateway.terminate() == 0
    make_due(gateway, "transaction.expire")
    gateway.start()
    becomes(gateway, request, "expired")
    reply = poll(gateway, request)
    assert (reply.status, reply.fail_info) == (FAILURE, BAD_REQUEST)
    assert approvals.decide(gateway, "approve", row, check=False).returncode == 1
    assert events(gateway, "request.expired", "request.approved") == ["request.expired"]
    held(gateway, challenge=challenge)  # it was given back: no certificate came of it


# ---- four eyes -------------------------------------------------------------------------------------------

@pytest.fixture
def four_eyes(gateways):
    gateway = gateways({"demo": OPEN}, backends=gates(approvals=2))
    folder = approvals.public_socket(gateway)
    gateway.overrides["admin"] = {"listen": [f"127.0.0.1:{gateway.admin_port}"], "socket": str(gateway.socket),
                                  "approvers": ["12001", "12002"]}
    yield gateway.start()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(not ROOT, reason="other users of the system can be played by root alone")
def test_four_eyes_are_of_two_people(four_eyes):
    request, row = held(four_eyes)
    status, answer = approvals.decide_as(12001, four_eyes, "approve", row)
    assert status == 200 and answer["decision"] == "awaited" and answer["approved_by"] == "uid:12001"
    status, answer = approvals.decide_as(12001, four_eyes, "approve", row)
    assert (status, answer["code"]) == (409, "ALREADY_APPROVED")
    four_eyes.restart()
    assert poll(four_eyes, request).status == PENDING and not four_eyes.certificates()
    status, answer = approvals.decide_as(12002, four_eyes, "approve", row)
    assert status == 200 and answer["decision"] == "approved"
    becomes(four_eyes, request, "issued")
    assert [line["details"]["by"] for line in four_eyes.audit("request.approved")] == ["uid:12001", "uid:12002"]


@pytest.mark.skipif(not ROOT, reason="other users of the system can be played by root alone")
def test_one_denial_of_several_is_enough(four_eyes):
    request, row = held(four_eyes)
    assert approvals.decide_as(12001, four_eyes, "approve", row)[0] == 200
    assert approvals.decide_as(12002, four_eyes, "deny", row)[0] == 200
    assert poll(four_eyes, request).status == FAILURE


@pytest.mark.skipif(not ROOT, reason="other users of the system can be played by root alone")
def test_approvers_may_decide_and_nothing_else(four_eyes):
    def ask(uid, method, target, body=None):
        return approvals.ask_as(uid, four_eyes.socket, method, target, body)

    held(four_eyes)
    status, answer = ask(12001, "GET", "/v1/transactions?state=waiting")
    assert status == 200 and len(answer["transactions"]) == 1
    assert ask(12001, "POST", "/v1/challenges", {"alias": "demo"})[0] == 403
    assert ask(12001, "GET", "/v1/audit")[0] == 403
    assert ask(12001, "GET", "/v1/nothing")[0] == 404
    assert ask(12003, "GET", "/v1/transactions") == (0, None)  # cut
    assert ask(0, "GET", "/v1/audit")[0] == 200


# ---- rules -----------------------------------------------------------------------------------------------

def test_requests_without_a_challenge_may_wait_instead_of_failing(desk):
    gateway = desk(ONE_TIME, when=["no_challenge"])
    request, row = held(gateway)
    assert row["reason"] == "it has no challenge"
    gateway.enrol(challenge=gateway.challenge())  # with one, at once
    gateway.refused(gateway.request(challenge="not a challenge"), BAD_REQUEST)
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")


def test_a_missing_challenge_fails_where_nobody_said_that_it_may_wait(desk):
    gateway = desk(ONE_TIME, when=["all"])
    assert gateway.refused(gateway.request(), BAD_REQUEST)["details"]["error"] == "CHALLENGE_MISSING"
    held(gateway, challenge=gateway.challenge())


def test_names_that_people_decide_about(desk):
    gateway = desk(when=["match"], match={"subject": ["(.*,)?CN=root[0-9]*(,.*)?"], "san": [r"dns:.*\.core\.example"]})

    def ask(subject, *san):
        identity = identities.Identity()
        return gateway.reply(gateway.request(csr=identities.csr(identity.key, subject, sans=[san] if san else ()), identity=identity)).status

    assert ask("CN=printer") == SUCCESS
    assert ask("CN=root1") == PENDING
    assert ask("CN=root1x") == SUCCESS
    assert ask("CN=printer", "dns", "a.core.example") == PENDING
    assert ask("CN=printer", "dns", "a.edge.example") == SUCCESS
    assert ask("CN=printer", "email", "x@y.core.example") == SUCCESS


def test_what_is_over_quota_waits(desk):
    gateway = desk(when=["over_quota"], quota=3)
    for _ in range(3):
        gateway.enrol()
    request, row = held(gateway)
    assert "more than 3 requests" in row["reason"]
    gateway.restart()
    held(gateway)
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")
    held(gateway)  # approved ones make no room
    assert len(gateway.certificates()) == 4


def test_concurrent_requests_share_one_quota(desk):
    gateway = desk(when=["over_quota"], quota=4)
    requests = [gateway.request() for _ in range(10)]
    statuses = []
    threads = [threading.Thread(target=lambda r=request: statuses.append(gateway.reply(r).status)) for request in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [SUCCESS] * 4 + [PENDING] * 6


def renewal_of(gateway, request, certificate):
    old = identities.Identity(private=request.identity.key, certificate=certificate)
    return gateway.request(identity=old, csr=identities.csr(identities.key(number="renewed"), "CN=device"), message_type="17")


def test_renewals_may_wait_although_enrolments_pass(desk):
    gateway = desk(ONE_TIME, when=["renewal"])
    request, _, certificate = gateway.enrol(challenge=gateway.challenge())
    renewal = renewal_of(gateway, request, certificate)
    assert gateway.reply(renewal).status == PENDING
    row = approvals.record(gateway, renewal)
    assert (row["decision"], row["reason"]) == ("awaited", "it renews a certificate")
    approvals.approve(gateway, row)
    becomes(gateway, renewal, "issued")
    renewed = poll(gateway, renewal).issued(renewal)[0]
    assert renewed != certificate and len(gateway.certificates()) == 2
    assert gateway.audit("certificate.issued")[-1]["details"]["renews"]
    denied = renewal_of(gateway, request, certificate)
    gateway.reply(denied)
    approvals.deny(gateway, approvals.record(gateway, denied))
    assert poll(gateway, denied).status == FAILURE and len(gateway.certificates()) == 2


def test_renewals_may_pass_although_enrolments_wait(desk):
    gateway = desk(ONE_TIME, when=["all", "over_quota"], quota=1, renewals_pass=True)
    request, row = held(gateway, challenge=gateway.challenge())
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")
    certificate = poll(gateway, request).issued(request)[0]
    for _ in range(3):  # beyond the quota
        assert gateway.reply(renewal_of(gateway, request, certificate)).status == SUCCESS
    held(gateway, challenge=gateway.challenge())


def test_renewals_wait_like_others_unless_said_otherwise(desk):
    gateway = desk(ONE_TIME)
    request, row = held(gateway, challenge=gateway.challenge())
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")
    assert gateway.reply(renewal_of(gateway, request, poll(gateway, request).issued(request)[0])).status == PENDING


# ---- our own client --------------------------------------------------------------------------------------

@pytest.fixture
def waiting_tool(desk):
    """`scepgate enroll` at a gate: (gateway, its record, what it will have said)."""
    gateway, said = desk(), []
    command = ["enroll", gateway.url(), "--ca-sha256", scepmsg.fingerprint(gateway.bag()[-1]), "--subject", "CN=patient", "--out", "device",
               "--poll-interval", "1", "--poll-count", "60"]
    client = threading.Thread(target=lambda: said.append(gateway.tool(*command, check=False)))
    client.start()
    rows = eventually(lambda: gateway.ask("transaction", "list", "--state", "waiting")["transactions"], "a request that waits")

    def end():
        client.join()
        return said[0]

    yield gateway, rows[0], end
    client.join()


def test_enroll_polls_until_a_person_approves(waiting_tool):
    gateway, row, end = waiting_tool
    eventually(lambda: "CertPoll pending" in gateway.log(), "a poll in vain")
    approvals.approve(gateway, row)
    done = end()
    assert done.returncode == 0 and "pending; poll 1 of 60" in done.stdout and "issued" in done.stdout, done.stdout + done.stderr
    issued = (gateway.folder / "device" / "cert.pem").read_bytes()
    assert [f"{x509.load_pem_x509_certificate(issued).serial_number:x}"] == [serial.lstrip("0") for serial in gateway.certificates()]


def test_enroll_polls_until_a_person_denies(waiting_tool):
    gateway, row, end = waiting_tool
    approvals.deny(gateway, row, "--reason", "unknown here")
    done = end()
    assert done.returncode == 3 and 'refused: badRequest: "unknown here"' in done.stdout, done.stdout + done.stderr
    assert not (gateway.folder / "device" / "cert.pem").exists() and not gateway.certificates()


@pytest.mark.parametrize("gate,sentence", [
    ({"when": ["renewal"], "renewals_pass": True}, "but `renewals_pass` is true"),
    ({"then": "nobody"}, "which does not exist"),
    ({"then": "desk"}, "issues nothing itself"),
    ({"when": ["match"]}, "`match.subject` or `match.san` must have patterns"),
    ({"match": {"subject": ["CN=a"]}}, "`when` does not say match"),
    ({"when": ["match"], "match": {"san": ["("]}}, "is wrong at character"),
    ({"when": ["over_quota"]}, "`quota` must be set"),
    ({"quota": 3}, "`when` does not say over_quota"),
    ({"notify": {"command": ["mail"]}}, "whole path of a program"),
    ({"notify": {"url": "ftp://example"}}, "must begin with http:// or https://"),
])
def test_settings_of_the_gate_are_checked(gateways, gate, sentence):
    gateway = gateways({"demo": OPEN}, backends=gates(**gate))
    gateway.write_settings()
    gateway.launch()
    assert gateway.process.wait(60) == 1
    assert sentence in gateway.log()


# ---- lists -----------------------------------------------------------------------------------------------

def test_lists_are_filtered(gateways):
    gateway = gateways({"demo": OPEN, "free": OPEN | {"backend": "ca", "tenant": "acme"}, "third": OPEN | {"tenant": "acme"}},
                       backends=gates()).start()
    held(gateway, "demo")
    held(gateway, "third")
    gateway.enrol("free")

    def listed(*options):
        return sorted(row["alias"] for row in gateway.ask("transaction", "list", *options)["transactions"])

    assert listed() == ["demo", "free", "third"]
    assert listed("--state", "waiting") == ["demo", "third"]
    assert listed("--tenant", "acme") == ["free", "third"]
    assert listed("--tenant", "acme", "--state", "waiting") == ["third"]
    assert listed("--tenant", "nobody") == []
    assert listed("--younger", "1h") == ["demo", "free", "third"] and listed("--older", "1h") == []
    assert gateway.tool("transaction", "list", "--younger", "soon", check=False).returncode == 2
    table = gateway.tool("transaction", "list", "--state", "waiting", "--socket", str(gateway.socket)).stdout
    assert "awaited" in table and "DECISION" in table


# ---- notification ----------------------------------------------------------------------------------------

def script(folder, body):
    path = folder / "hook"
    path.write_text("#!/bin/sh\n" + body)
    path.chmod(0o755)
    return str(path)


def test_people_are_told_by_a_command(gateways, tmp_path):
    out = tmp_path / "notices"
    hook = script(tmp_path, f"cat >> {out}; echo >> {out}; echo \"$1\" >> {out}.arguments; ls -l /proc/self/fd >> {out}.fds; env > {out}.env\n")
    gateway = gateways({"demo": OPEN}, backends=gates(notify={"command": [hook, "a b"]})).start()
    request, row = held(gateway)
    notice = json.loads(eventually(lambda: out.exists() and out.read_text().strip(), "the hook was told"))
    assert notice["event"] == "request.held" and notice["transaction"] == row["id"] and notice["alias"] == "demo"
    assert notice["subject"] == row["subject"] and notice["reason"] == "every request is held" and notice["approvals"] == 1
    assert notice["approve"] == f"scepgate approve --alias demo {row['id']}" and notice["expires"] == row["expires"]
    eventually(lambda: (tmp_path / "notices.env").exists(), "the hook has ended")
    assert (tmp_path / "notices.arguments").read_text() == "a b\n"
    assert "socket" not in (tmp_path / "notices.fds").read_text().split("0 ->")[0]
    assert "scepgate.db" not in (tmp_path / "notices.fds").read_text()
    eventually(lambda: not gateway.query("SELECT 1 FROM obligation WHERE kind = 'approval.announce'"), "it is done")
    assert poll(gateway, request).status == PENDING and len(out.read_text().splitlines()) == 1


def test_what_could_not_be_told_is_told_later(gateways, tmp_path):
    hook = script(tmp_path, f"cat > /dev/null; echo x >> {tmp_path}/tries; [ $(wc -l < {tmp_path}/tries) -ge 3 ]\n")
    gateway = gateways({"demo": OPEN}, backends=gates(notify={"command": [hook]})).start()
    held(gateway)
    tries = tmp_path / "tries"
    eventually(lambda: tries.exists() and len(tries.read_text().splitlines()) >= 1, "the first try")
    gateway.kill()
    gateway.start()
    eventually(lambda: len(tries.read_text().splitlines()) >= 3, "the third try")
    eventually(lambda: not gateway.query("SELECT 1 FROM obligation WHERE kind = 'approval.announce'"), "it is done")
    assert "ended with status 1" in gateway.log()


def test_a_hook_that_hangs_is_killed_and_stops_nobody(gateways, tmp_path):
    hook = script(tmp_path, f"echo $$ >> {tmp_path}/pids; sleep 1000 & sleep 1000\n")
    gateway = gateways({"demo": OPEN, "free": OPEN | {"backend": "ca"}},
                       backends=gates(notify={"command": [hook], "deadline": "1s"})).start()
    for _ in range(3):
        request, row = held(gateway)
    for _ in range(3):
        gateway.enrol("free")
    eventually(lambda: "did not end in time and was killed" in gateway.log(), "the hook was killed")
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")
    pids = (tmp_path / "pids").read_text().split()
    eventually(lambda: not os.path.exists(f"/proc/{pids[0]}"), "its process is gone")


def test_a_decided_request_is_not_announced(gateways, tmp_path):
    hook = script(tmp_path, f"cat > /dev/null; echo x >> {tmp_path}/tries; exit 1\n")
    gateway = gateways({"demo": OPEN}, backends=gates(notify={"command": [hook]})).start()
    _, row = held(gateway)
    eventually(lambda: (tmp_path / "tries").exists(), "the first try")
    approvals.deny(gateway, row)
    eventually(lambda: not gateway.query("SELECT 1 FROM obligation WHERE kind = 'approval.announce'"), "nobody is told any more")


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        self.send_response(503 if len(self.server.got) == 1 else 204)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def test_people_are_told_by_a_url(gateways):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.got = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hooks/scep"
        token = "the token of the hook"
        gateway = gateways({"demo": OPEN}, backends=gates(notify={"url": url, "token": {"value": token}}))
        gateway.secrets.add(token)
        gateway.start()
        _, row = held(gateway)
        eventually(lambda: len(server.got) >= 2, "a second try after the 503")
        path, headers, notice = server.got[-1]
        assert path == "/hooks/scep" and headers["Content-Type"] == "application/json"
        assert headers["Authorization"] == f"Bearer {token}" and notice["transaction"] == row["id"]
        eventually(lambda: not gateway.query("SELECT 1 FROM obligation WHERE kind = 'approval.announce'"), "it is done")
        assert len(server.got) == 2 and "answered with status 503" in gateway.log()
    finally:
        server.shutdown()
        server.server_close()


# ---- reload ----------------------------------------------------------------------------------------------

def test_a_gate_comes_and_goes_with_a_reload(gateways):
    gateway = gateways({"demo": OPEN | {"backend": "ca"}}, backends=gates()).start()
    gateway.enrol()
    ra = gateway.ra()
    gateway.aliases = {"demo": OPEN}
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: gateway.audit("settings.reloaded"), "reloaded")
    request, row = held(gateway)
    assert gateway.ra() == ra
    gateway.aliases = {"demo": OPEN | {"backend": "ca"}}
    gateway.write_settings()
    gateway.reload()
    eventually(lambda: len(gateway.audit("settings.reloaded")) == 2, "reloaded again")
    assert poll(gateway, request).status == PENDING  # it still waits: nobody has approved it
    approvals.approve(gateway, row)
    becomes(gateway, request, "issued")
