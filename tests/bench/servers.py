"""The servers that are measured: scepgate, micromdm's scepserver, nginx; each in a folder of the run, on free loopback ports."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request

TICK = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


class Server:
    """A process with its port; `challenges(n)` gives texts that authorise n requests."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_port()
        self.process = None

    def launch(self, command):
        self.log = open(self.folder / "log", "ab")
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL)

    def wait(self, url, patience=60):
        deadline = time.monotonic() + patience
        while True:
            try:
                get(url)
                return time.monotonic() - self.started
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"bench: {self.process.args[0]} does not serve; see {self.folder}/log")
                time.sleep(0.005)

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu(self):
        """Seconds of user and system time of the process so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self):
        """Resident KiB."""
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        return 0


class Scepgate(Server):
    name, path = "scepgate", "/scep/bench"

    def __init__(self, folder, binary):
        super().__init__(folder)
        self.binary = str(binary)
        self.admin = free_port()
        self.config = self.folder / "gateway.yaml"
        self.config.write_text(json.dumps({
            "state": str(self.folder / "state"), "listen": [f"127.0.0.1:{self.port}"],
            "admin": {"listen": [f"127.0.0.1:{self.admin}"], "socket": str(self.folder / "s")},
            "log": {"level": "info", "format": "json"},
            "worker": {"queue_per_alias": 1000},
            "backends": {"ca": {"type": "local_ca", "key_type": "rsa-2048"}},
            "aliases": {"bench": {"backend": "ca", "challenge": {"type": "one_time", "ttl": "24h"},
                                  "queries": {"certificates": "own"}}}}))

    def start(self):
        self.launch([self.binary, "serve", "--config", str(self.config)])
        return self.wait(f"http://127.0.0.1:{self.admin}/readyz")

    def challenges(self, count):
        texts = []
        while len(texts) < count:
            batch = min(1000, count - len(texts))
            out = subprocess.run([self.binary, "challenge", "create", "--alias", "bench", "--count", str(batch),
                                  "--socket", str(self.folder / "s")], check=True, capture_output=True, text=True).stdout
            texts += out.split()
        return texts

    def ca(self):
        return get(f"http://127.0.0.1:{self.port}{self.path}?operation=GetCACert")


class Scepserver(Server):
    name, path = "scepserver", "/scep"

    def start(self):
        depot = self.folder / "depot"
        if not depot.exists():
            subprocess.run(["scepserver", "ca", "-init", "-keySize", "2048", "-depot", str(depot)], check=True,
                           capture_output=True, cwd=self.folder)
        self.launch(["scepserver", "-depot", str(depot), "-port", str(self.port), "-challenge", "secret", "-allowrenew", "0"])
        return self.wait(f"http://127.0.0.1:{self.port}/scep?operation=GetCACaps")

    def challenges(self, count):
        return ["secret"]

    def ca(self):
        return get(f"http://127.0.0.1:{self.port}/scep?operation=GetCACert")


class Nginx(Server):
    name = "nginx"

    def start(self):
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        (root / "caps").write_text("AES\nDES3\nPOSTPKIOperation\nSCEPStandard\nSHA-1\nSHA-256\nSHA-384\nSHA-512\n")
        (self.folder / "nginx.conf").write_text(
            f"{'user root; ' if os.geteuid() == 0 else ''}worker_processes 1; daemon off; pid {self.folder}/pid; error_log {self.folder}/error;\n"
            "events {}\n"
            "http { access_log off; keepalive_requests 1000000; default_type text/plain;\n"
            f"  client_body_temp_path {self.folder}/t1; proxy_temp_path {self.folder}/t2; fastcgi_temp_path {self.folder}/t3;\n"
            f"  uwsgi_temp_path {self.folder}/t4; scgi_temp_path {self.folder}/t5;\n"
            f"  server {{ listen 127.0.0.1:{self.port}; root {root}; }} }}\n")
        nginx = shutil.which("nginx") or "/usr/sbin/nginx"
        self.launch([nginx, "-p", str(self.folder), "-c", str(self.folder / "nginx.conf")])
        return self.wait(f"http://127.0.0.1:{self.port}/caps")
