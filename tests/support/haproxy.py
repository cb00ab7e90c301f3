"""A load balancer in front of gateways: haproxy, round robin, without stickiness. Each reply says in X-Replica who gave it."""

import signal
import socket

import children
from ports import free_port

SETTINGS = """
global
    maxconn 4000
defaults
    mode http
    log stdout format raw local0
    option httplog
    option http-server-close
    timeout connect 5s
    timeout client 120s
    timeout server 120s
frontend clients
    bind 127.0.0.1:{port}
    default_backend gateways
backend gateways
    balance roundrobin
    option redispatch
    option httpchk GET /healthz
    default-server check inter 200 fall 1 rise 1
    http-response set-header X-Replica %s
{servers}
"""
# /healthz, not /readyz: when all gateways are not ready, a client is to get their own 503, which says when to come again.


class Balancer:
    def __init__(self, folder, gateways):
        self.port = free_port()
        self.log_file = folder / "haproxy.log"
        servers = "\n".join(f"    server g{number} 127.0.0.1:{gateway.port} port {gateway.admin_port}"
                            for number, gateway in enumerate(gateways))
        settings = folder / "haproxy.cfg"
        settings.write_text(SETTINGS.format(port=self.port, servers=servers))
        with self.log_file.open("ab") as log:
            self.process = children.start(["/usr/sbin/haproxy", "-db", "-f", settings], stdout=log, stderr=log)

    def listens(self):
        assert self.process.poll() is None, self.log_file.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
