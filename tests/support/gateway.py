"""The real binary as the tests run it: settings, start, restart, kill, and looking at everything it leaves behind.

Settings are written as JSON, which is YAML. A gateway that was stopped in order must have drained with exit status 0, left no
sanitizer report, and no challenge of the test in its folder, log or metrics.
"""

import base64
import http.client
import itertools
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time
import urllib.parse

import children
import identities
import programs
import scepmsg
from ports import free_port

BINARY = os.environ.get("SCEPGATE_BINARY", str(programs.ROOT / "build" / "asan" / "scepgate"))
FULL = os.environ.get("SCEPGATE_TEST_SIZE") == "full"
PATIENCE = 60  # seconds; a bound on hanging, no measure of speed
numbers = itertools.count()


def eventually(question, what, patience=PATIENCE):
    """The first true answer; asking goes on until `patience` has passed."""
    deadline = time.monotonic() + patience
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


class Answer:
    def __init__(self, response):
        self.status, self.body = response.status, response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}


class Gateway:
    def __init__(self, folder, aliases=None, redis=None, **settings):
        """`redis` are the servers (redis_servers.py) that keep the store, when `settings` say so (replicas.py)."""
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.settings_file = self.folder / "gateway.yaml"
        self.log_file = self.folder / "log.jsonl"
        self.port, self.admin_port = free_port(), free_port()
        self.socket = self.folder / "admin.sock"
        if len(str(self.socket)) > 100:  # sockaddr_un has no room for pytest's deep folders
            self.socket = pathlib.Path(f"/tmp/scepgate-test-{os.getpid()}-{next(numbers)}.sock")
        self.aliases = aliases or {"demo": {"backend": "ca", "challenge": {"type": "one_time"}}}
        self.overrides = settings
        self.redis = redis
        self.secrets = set()  # what must never be found anywhere
        self.reports = pathlib.Path(os.environ.get("SCEPGATE_REPORTS", folder)) / f"{self.folder.name}-{os.getpid()}-{next(numbers)}"
        self.reports.mkdir(parents=True)
        self.process = None

    # ---- life ------------------------------------------------------------------------------------------

    def settings(self):
        return {"state": str(self.state), "listen": [f"127.0.0.1:{self.port}"],
                "admin": {"listen": [f"127.0.0.1:{self.admin_port}"], "socket": str(self.socket)},
                "backends": {"ca": {"type": "local_ca", "key_type": "rsa-2048"}}, "aliases": self.aliases,
                "log": {"level": "debug", "format": "json"}} | self.overrides

    def write_settings(self):
        self.state.mkdir(parents=True, exist_ok=True)
        self.settings_file.touch(mode=0o600)
        self.settings_file.write_text(json.dumps(self.settings(), indent=1))

    def environment(self):
        return programs.sanitizer_environment(self.reports)

    def launch(self):
        """Starts the process and waits for nothing."""
        with self.log_file.open("ab") as log:
            command = [BINARY, "serve", "--config", str(self.settings_file)]
            self.process = children.start(programs.without_randomisation(command), stdout=log, stderr=log, env=self.environment(),
                                          cwd=self.folder)

    def start(self):
        self.write_settings()
        self.launch()
        eventually(self.ready, "the gateway is ready")
        return self

    def ready(self):
        assert self.process.poll() is None, f"the gateway ended with {self.process.returncode}:\n{self.log()[-4000:]}"
        try:
            if self.admin("/readyz").status != 200:
                return False
            return all(self.get(alias, "GetCACert").status == 200 for alias in self.aliases)
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE)

    def terminate(self):
        """SIGTERM, and the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def restart(self):
        if self.process.poll() is None:
            assert self.terminate() == 0
        return self.start()

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def close(self):
        """The end of a test: everything that must hold of every gateway."""
        if self.process and self.process.poll() is None:
            status = self.terminate()
            assert status == 0, f"SIGTERM ended the gateway with {status}:\n{self.log()[-4000:]}"
        reports = programs.found_reports(self.reports)
        assert not reports, "sanitizer reports:\n" + "\n".join(reports.values())
        self.assert_secrets_kept()
        self.socket.unlink(missing_ok=True)

    def assert_secrets_kept(self):
        for path in self.folder.rglob("*"):
            if path.is_file() and path != self.settings_file:
                self.assert_free_of_secrets(path.read_bytes(), path)
        if self.redis:
            for place, data in self.redis.everything():
                self.assert_free_of_secrets(data, place)

    def assert_free_of_secrets(self, data, place):
        for secret in self.secrets:
            assert secret.encode() not in data, f"the challenge {secret} stands in {place}"

    # ---- looking ---------------------------------------------------------------------------------------

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def log_lines(self):
        return [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]

    def tool(self, *arguments, check=True):
        """A subcommand of the program, run to its end."""
        done = subprocess.run(programs.without_randomisation([BINARY, *arguments]), stdin=subprocess.DEVNULL, cwd=self.folder,
                              env=self.environment(), capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert not check or done.returncode == 0, f"{arguments} ended with {done.returncode}: {done.stderr}"
        return done

    def ask(self, *arguments):
        """What a tool of the running gateway answers, parsed. A Redis that is busy or has just come back is asked again."""
        def answer():
            done = self.tool(*arguments, "--socket", str(self.socket), "--json", check=False)
            if done.returncode == 0:
                return done
            assert self.redis and "the store " in done.stderr, f"{arguments} ended with {done.returncode}: {done.stderr}"
            return None

        return json.loads(eventually(answer, f"an answer to {arguments}").stdout)

    def challenge(self, alias="demo", *options):
        """A fresh one-time challenge."""
        return self.challenge_row(alias, *options)["challenge"]

    def challenge_row(self, alias="demo", *options):
        made = self.ask("challenge", "create", "--alias", alias, *options)
        row = made["challenges"][0] if "challenges" in made else made
        self.secrets.add(row["challenge"])
        return row

    def challenges(self, count, alias="demo"):
        if count == 1:
            return [self.challenge(alias)]
        made = self.ask("challenge", "create", "--alias", alias, "--count", str(count))["challenges"]
        self.secrets.update(row["challenge"] for row in made)
        return [row["challenge"] for row in made]

    def pages(self, *command, member):
        """All rows of a listing, oldest first."""
        rows, after = [], ()
        while True:
            page = self.ask(*command, "--limit", "1000", *after)
            rows += page[member]
            if not page.get("next"):
                return rows[::-1]
            after = ("--after", page["next"])

    def audit(self, event=None):
        """The audit trail, oldest first; `details` parsed."""
        rows = self.pages("audit", "list", member="events")
        for row in rows:
            if isinstance(row["details"], str):
                row["details"] = json.loads(row["details"] or "{}")
        return [row for row in rows if event is None or row["event"] == event]

    def query(self, sql, *values):
        """Rows straight from the database, read-only."""
        with sqlite3.connect(f"file:{self.state}/scepgate.db?mode=ro", uri=True, timeout=PATIENCE) as database:
            database.row_factory = sqlite3.Row
            return database.execute(sql, values).fetchall()

    def certificates(self):
        """Serials of the certificates recorded for transactions, RA certificates left out."""
        if self.redis:
            return [row["serial"] for row in self.pages("certificate", "list", member="certificates") if row["transaction"]]
        return [row["serial"] for row in self.query("SELECT serial FROM certificate WHERE transaction_id <> ''")]

    def metrics(self):
        """name{labels} -> value."""
        lines = self.admin("/metrics").body.decode().splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line and line[0] != "#")}

    # ---- speaking --------------------------------------------------------------------------------------

    def url(self, alias="demo"):
        return f"http://127.0.0.1:{self.port}/scep/{alias}"

    def http(self, method, target, body=None, headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        try:
            connection.request(method, target, body, headers or {})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def admin(self, path):
        return self.http("GET", path, port=self.admin_port)

    def get(self, alias, operation, message=None):
        query = f"operation={operation}" + ("" if message is None else f"&message={message}")
        return self.http("GET", f"/scep/{alias}?{query}")

    def post(self, alias, message, headers=None):
        return self.http("POST", f"/scep/{alias}?operation=PKIOperation", message,
                         headers or {"Content-Type": "application/x-pki-message"})

    def bag(self, alias="demo"):
        """The certificates of GetCACert: RA first."""
        answer = self.get(alias, "GetCACert")
        assert answer.status == 200, answer.body
        if answer.headers["content-type"] == "application/x-x509-ca-cert":
            return [answer.body]
        return scepmsg.degenerate_certificates(answer.body)

    def ra(self, alias="demo"):
        return self.bag(alias)[0]

    def replier(self, alias="demo"):
        """The certificate that signs replies: the last one that is no CA, for the one that opens messages comes first."""
        bag = self.bag(alias)
        return ([certificate for certificate in bag if not identities.is_ca(certificate)] or bag)[-1]

    def request(self, alias="demo", *, challenge=None, identity=None, csr=None, **bend):
        """A proper PKCSReq for the alias, bent as the keywords say."""
        identity = identity or identities.Identity()
        csr = identities.csr(identity.key, challenge=challenge) if csr is None else csr
        return scepmsg.Request(identity, bend.pop("recipients", None) or [self.ra(alias)], bend.pop("payload", csr), **bend)

    def reply(self, request, alias="demo", by="POST"):
        """Sends a request and returns the CertRep, checked for everything that holds of every reply."""
        message = request if isinstance(request, bytes) else request.build()
        if by == "POST":
            answer = self.post(alias, message)
        else:
            answer = self.get(alias, "PKIOperation", urllib.parse.quote(base64.b64encode(message).decode(), safe=""))
        assert answer.status == 200, (answer.status, answer.body)
        assert answer.headers["content-type"] == "application/x-pki-message"
        reply = scepmsg.Reply(answer.body)
        return reply if isinstance(request, bytes) else reply.check(request, self.replier(alias))

    def enrol(self, alias="demo", **bend):
        """A whole enrolment; (request, reply, certificate)."""
        if "challenge" not in bend and self.aliases.get(alias, {}).get("challenge", {}).get("type") == "one_time":
            bend["challenge"] = self.challenge(alias)
        request = self.request(alias, **bend)
        reply = self.reply(request, alias)
        assert reply.status == scepmsg.SUCCESS, (reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT))
        return request, reply, reply.issued(request)[0]

    def refused(self, request, fail_info, alias="demo"):
        """The request is answered with this failInfo and leaves one more line in the audit trail, which is returned."""
        before = len(self.audit())
        reply = self.reply(request, alias)
        assert (reply.status, reply.fail_info) == (scepmsg.FAILURE, fail_info), reply.text(scepmsg.FAIL_INFO_TEXT)
        return self.new_audit(before)

    def new_audit(self, before):
        """The one line that came since; it may be written after the reply."""
        def came():
            return [row for row in self.audit()[before:] if row["event"] != "crl.published"]  # comes by itself

        lines = eventually(came, "a line in the audit trail")
        assert len(lines) == 1, lines
        return lines[0]
