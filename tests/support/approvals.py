"""Requests that wait for people: polling them as their clients do, and deciding about them as people do."""

import http.client
import json
import os
import pathlib
import socket

import der
import scepmsg
from gateway import PATIENCE, eventually

GATED = {"ca": {"type": "local_ca", "key_type": "rsa-2048"}}
OPEN = {"backend": "desk", "challenge": {"type": "none"}}


def gates(**settings):
    """Backends: a CA, and the gate `desk` in front of it."""
    return GATED | {"desk": {"type": "manual", "then": "ca"} | settings}


def poll_of(gateway, request, alias="demo", **bend):
    """The CertPoll that belongs to a request: same transactionID, same signer."""
    csr = der.read_one(request.payload)[0].children() if request.payload else None
    subject = csr[1].raw if csr else der.seq()
    issuer = scepmsg.certificate_fields(gateway.bag(alias)[-1])[2]
    names = bend.pop("names", None) or der.seq(issuer, subject)
    return scepmsg.Request(bend.pop("identity", request.identity), [gateway.ra(alias)], names, message_type="20",
                           transaction_id=bend.pop("transaction_id", request.transaction_id), **bend)


def poll(gateway, request, alias="demo", **bend):
    return gateway.reply(poll_of(gateway, request, alias, **bend), alias)


def held(gateway, alias="demo", **bend):
    """A request that was answered PENDING, and its record."""
    request = gateway.request(alias, **bend)
    reply = gateway.reply(request, alias)
    assert reply.status == scepmsg.PENDING, (reply.status, reply.fail_info, reply.text(scepmsg.FAIL_INFO_TEXT))
    return request, record(gateway, request)


def record(gateway, request):
    rows = gateway.ask("transaction", "list", "--text", request.transaction_id)["transactions"]
    assert len(rows) == 1, rows
    return rows[0]


def decide(gateway, verb, row, *options, check=True):
    return gateway.tool(verb, "--alias", row["alias"], row["id"], "--socket", str(gateway.socket), "--json", *options, check=check)


def approve(gateway, row, *options):
    return json.loads(decide(gateway, "approve", row, *options).stdout)


def deny(gateway, row, *options):
    return json.loads(decide(gateway, "deny", row, *options).stdout)


def becomes(gateway, request, state):
    """The record, once it is in this state; nobody polls meanwhile."""
    return eventually(lambda: (row := record(gateway, request))["state"] == state and row, f"the request is {state}")


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("gateway", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


def ask_as(uid, path, method, target, body=None):
    """(status, answer) of the management API as this user of the system gets them; (0, None) when he is cut. Wants to be root."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        answer = (0, None)
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            connection = UnixConnection(str(path))
            connection.request(method, target, json.dumps(body) if body is not None else None)
            response = connection.getresponse()
            answer = (response.status, json.loads(response.read() or b"null"))
        except (OSError, http.client.HTTPException):
            pass
        finally:
            os.write(writer, json.dumps(answer).encode())
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        answer = json.loads(pipe.read())
    os.waitpid(child, 0)
    return tuple(answer)


def decide_as(uid, gateway, verb, row):
    return ask_as(uid, gateway.socket, "POST", f"/v1/transactions/{row['id']}/{verb}", {"alias": row["alias"]})


def public_socket(gateway):
    """Where other users of the system can reach it."""
    folder = pathlib.Path(f"/tmp/scepgate-approvals-{os.getpid()}-{id(gateway)}")
    folder.mkdir(mode=0o755)
    os.chmod(folder, 0o755)
    gateway.socket = folder / "admin.sock"
    return folder
