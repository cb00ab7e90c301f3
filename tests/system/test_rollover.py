"""A CA is followed by its successor while clients go on: staged, told, enrolled with early, switched without a restart."""

import itertools
import time

import identities
import pytest
import redis_servers
import rollover
import scepmsg
from gateway import eventually
from replicas import Replicas
from scepmsg import FAILURE, SUCCESS

OPEN = {"backend": "ca", "challenge": {"type": "none"}}
HELD = {"backend": "people", "challenge": {"type": "none"}}
CA = {"type": "local_ca", "key_type": "rsa-2048"}
SOON = 4  # seconds until the switch; nothing is asserted about how exactly it is kept


class Endpoint:
    """A gateway of one or several processes as clients see it, over a rollover."""

    def __init__(self, gateways, alias="demo"):
        self.gateways, self.alias = gateways, alias
        self.first = gateways[0]
        self.old_bag = self.first.bag(alias)
        self.turns = itertools.cycle(gateways)

    def present(self):
        return next(one for one in self.first.bag(self.alias) if identities.is_ca(one))

    def ask(self, recipient, issuer, gateway=None, **bend):
        """Enrols by this RA certificate, wherever it comes to; the certificate must be of `issuer`."""
        gateway = gateway or next(self.turns)
        request = gateway.request(self.alias, recipients=[recipient], **bend)
        reply = scepmsg.Reply(gateway.post(self.alias, request.build()).body).check(request)
        assert reply.status == SUCCESS, reply.text(scepmsg.FAIL_INFO_TEXT)
        certificate = reply.issued(request)[0]
        assert rollover.verified_under(certificate, issuer), rollover.issuer_of(certificate)
        return request, certificate

    def repeat(self, request):
        reply = scepmsg.Reply(next(self.turns).post(self.alias, request.build()).body)
        return reply.issued(request)[0]

    def renew(self, certificate, key, recipient, issuer):
        identity = identities.Identity(private=key, certificate=certificate)
        fresh = identities.Identity()
        return self.ask(recipient, issuer, identity=identity, csr=identities.csr(fresh.key), message_type="17")

    def stage(self, successor, seconds):
        moment = rollover.moment(seconds)
        for gateway in self.gateways:
            rollover.stage(gateway, successor, moment)
            gateway.reload()

    def told(self):
        """Once all have the same announcement's content."""
        for gateway in self.gateways:
            eventually(lambda gateway=gateway: rollover.is_staged(gateway, self.alias), "the next CA is told")
        inner = [rollover.announced(gateway, self.alias).inner for gateway in self.gateways]
        assert all(one == inner[0] for one in inner), "replicas tell different next CAs"
        return rollover.announced(self.first, self.alias)

    def switched(self, told):
        for gateway in self.gateways:
            eventually(lambda gateway=gateway: gateway.bag(self.alias)[0] == told.ra, "the successor's RA answers GetCACert")
            assert gateway.get(self.alias, "GetNextCACert").status == 404
            assert "GetNextCACert" not in rollover.capabilities(gateway, self.alias)


def whole_rollover(endpoint, successor):
    old_ra, old_ca = endpoint.old_bag[0], endpoint.present()
    device = identities.Identity()
    _, before = endpoint.ask(old_ra, old_ca, identity=device)
    endpoint.stage(successor, rollover.FAR)
    told = endpoint.told()
    assert told.ca == successor.der and endpoint.first.bag(endpoint.alias) == endpoint.old_bag
    early = identities.Identity()
    request, early_certificate = endpoint.ask(told.ra, told.ca, identity=early)
    endpoint.ask(old_ra, old_ca)
    renewed_request, _ = endpoint.renew(before, device.key, told.ra, told.ca)  # figure 9
    planned, planned_certificate = endpoint.ask(old_ra, old_ca)

    endpoint.stage(successor, SOON)
    endpoint.switched(told)
    assert endpoint.present() == told.ca
    assert endpoint.repeat(request) == early_certificate, "a retransmission is answered with another certificate"
    assert endpoint.repeat(planned) == planned_certificate
    for gateway in endpoint.gateways:
        endpoint.ask(old_ra, told.ca, gateway)  # the old RA still opens; the new CA issues
        endpoint.ask(told.ra, told.ca, gateway)
    endpoint.renew(planned_certificate, planned.identity.key, told.ra, told.ca)
    endpoint.renew(early_certificate, early.key, told.ra, told.ca)
    return renewed_request


@pytest.mark.parametrize("how", ["rsa", "ec", "separate"])
def test_whole_rollover(gateways, how):
    backend = CA | ({"key_type": "ec-p256"} if how == "ec" else {})
    alias = OPEN | ({"ra": {"separate_signing": True}} if how == "separate" else {})
    gateway = gateways({"demo": alias}, backends={"ca": backend}).start()
    whole_rollover(Endpoint([gateway]), rollover.Successor(gateway, key_type="ec-p384" if how == "ec" else "rsa-2048"))
    assert rollover.switched(gateway)
    restarted = gateway.restart()
    assert restarted.bag()[0] != restarted.bag()[1] and restarted.get("demo", "GetNextCACert").status == 404


def test_ca_as_ra(gateways):
    gateway = gateways({"demo": OPEN | {"ra": {"from": "ca"}}}, backends={"ca": CA | {"answers_scep": True}}).start()
    endpoint = Endpoint([gateway])
    endpoint.old_bag = endpoint.old_bag * 2
    successor = rollover.Successor(gateway, options=["--answers-scep"])
    endpoint.stage(successor, rollover.FAR)
    told = endpoint.told()
    assert told.inner == [successor.der]
    endpoint.ask(told.ra, successor.der)
    endpoint.stage(successor, SOON)
    endpoint.switched(told)
    endpoint.ask(endpoint.old_bag[0], successor.der)
    gateway.restart()
    endpoint.ask(endpoint.old_bag[0], successor.der)


@pytest.fixture
def files(gateways, tmp_path):
    """RAs that an administrator has certified, one for each CA: by gateways that do nothing else."""
    def pair(helper, alias, name):
        identity = identities.Identity(subject=f"CN=RA {name}", key_usage=False)
        _, _, certificate = helper.enrol(alias, identity=identity)
        paths = {part: tmp_path / f"{name}-{alias}-{part}.pem" for part in ("certificate", "key")}
        paths["certificate"].write_bytes(identities.load(certificate).public_bytes(scepmsg.serialization.Encoding.PEM))
        paths["key"].write_bytes(identity.key.private_bytes(scepmsg.serialization.Encoding.PEM,
                                                            scepmsg.serialization.PrivateFormat.PKCS8,
                                                            scepmsg.serialization.NoEncryption()))
        return {part: str(path) for part, path in paths.items()}

    def certified(name):
        """Pairs for both uses, to open and to sign; and the rows of the CA."""
        helper = gateways({}, backends={})
        ca = {"certificate": str(helper.state / "ca.pem"), "key": str(helper.state / "ca-key.pem")}
        usages = {"both": ["digitalSignature", "keyEncipherment"], "opens": ["keyEncipherment"], "signs": ["digitalSignature"]}
        helper.overrides["backends"] = {use: CA | ca | {"profile": {"key_usage": bits}} for use, bits in usages.items()}
        helper.aliases = {use: OPEN | {"backend": use} for use in usages}
        helper.start()
        pairs = {use: pair(helper, use, name) for use in usages}
        helper.terminate()
        return pairs, ca
    return certified


@pytest.mark.parametrize("prepared", ["both", "opens", None])
def test_ra_from_files(gateways, files, prepared):
    ra, ca = files("old")
    next_ra, next_ca = files("new")
    rows = {"from": "files"} | ra["both"]
    if prepared:
        rows |= {f"successor_{part}": path for part, path in next_ra[prepared].items()}
    if prepared == "opens":
        rows |= {f"successor_signing_{part}": path for part, path in next_ra["signs"].items()}
    gateway = gateways({"demo": OPEN | {"ra": rows}}, backends={"ca": CA | ca}).start()
    endpoint = Endpoint([gateway])
    old_ra, old_ca = endpoint.old_bag
    endpoint.ask(old_ra, old_ca)
    successor = rollover.Successor.__new__(rollover.Successor)
    successor.certificate, successor.key = next_ca["certificate"], next_ca["key"]
    endpoint.stage(successor, rollover.FAR)
    if prepared:
        told = endpoint.told()
        endpoint.ask(told.ra, told.ca)
        endpoint.stage(successor, SOON)
        endpoint.switched(told)
        endpoint.ask(old_ra, told.ca)
        gateway.restart()
        endpoint.ask(told.ra, told.ca)
        return
    eventually(lambda: any(line["event"] == "ca.unannounced" for line in gateway.log_lines()), "the log says what is missing")
    assert gateway.get("demo", "GetNextCACert").status == 404
    endpoint.stage(successor, SOON)
    eventually(lambda: len(gateway.bag()) == 3, "GetCACert shows the new CA beside the old RA and its issuer")
    assert gateway.bag()[0] == old_ra
    endpoint.ask(old_ra, next(one for one in gateway.bag()[1:] if one != old_ca))


def test_down_at_the_time_of_the_switch(gateways):
    gateway = gateways({"demo": OPEN}).start()
    endpoint, successor = Endpoint([gateway]), rollover.Successor(gateway)
    endpoint.stage(successor, rollover.FAR)
    told = endpoint.told()
    rollover.stage(gateway, successor, 1)
    gateway.kill()
    time.sleep(2)  # the moment passes
    gateway.start()
    endpoint.switched(told)
    endpoint.ask(endpoint.old_bag[0], told.ca)
    endpoint.ask(told.ra, told.ca)


def test_killed_across_the_switch(gateways):
    """What was accepted for the old CA is issued by it, whoever is in charge when the work is taken up."""
    gateway = gateways({"demo": HELD}, backends={"ca": CA, "people": {"type": "manual", "then": "ca"}}).start()
    endpoint, successor = Endpoint([gateway]), rollover.Successor(gateway)
    endpoint.stage(successor, rollover.FAR)
    told = endpoint.told()
    request = gateway.request("demo", recipients=[told.ra])
    assert scepmsg.Reply(gateway.post("demo", request.build()).body).status == scepmsg.PENDING
    rows = gateway.pages("transaction", "list", member="transactions")
    gateway.tool("approve", "--socket", str(gateway.socket), "--alias", "demo", rows[0]["id"])
    reply = eventually(lambda: issued_to(gateway, request), "the approved request is issued")
    assert rollover.verified_under(reply, told.ca), "an approval before the switch went to the old CA"
    late = gateway.request("demo", recipients=[told.ra])
    assert scepmsg.Reply(gateway.post("demo", late.build()).body).status == scepmsg.PENDING
    rollover.stage(gateway, successor, 1)
    gateway.kill()
    time.sleep(2)
    gateway.start()
    endpoint.switched(told)
    waiting = next(row for row in gateway.pages("transaction", "list", member="transactions") if row["state"] == "pending")
    gateway.tool("approve", "--socket", str(gateway.socket), "--alias", "demo", waiting["id"])
    assert rollover.verified_under(eventually(lambda: issued_to(gateway, late), "issued after the switch"), told.ca)


def issued_to(gateway, request):
    reply = scepmsg.Reply(gateway.post("demo", request.build()).body)
    assert reply.status != FAILURE
    return reply.issued(request)[0] if reply.status == SUCCESS else None


@pytest.fixture(scope="module")
def redis():
    with redis_servers.start("single") as servers:
        yield servers


def agree(gateway):
    """It sees one other, which has the same settings and CAs."""
    others = gateway.ask("status")["replicas"]
    return len(others) == 1 and not others[0]["differences"]


def test_two_replicas(tmp_path, redis):
    fleet = Replicas(tmp_path / "r", redis, {"demo": OPEN}, count=2, store={"prefix": f"{tmp_path.name}:"})
    try:
        fleet.start()
        successor = rollover.Successor(fleet.gateways[0], tmp_path)
        whole_rollover(Endpoint(fleet.gateways), successor)
        made = [row for row in fleet.gateways[0].audit("ra.made") if row["details"].get("authority") == "next"]
        assert len(made) == 1, "each replica made a successor's RA of its own"
        fleet.gateways[1].restart()  # one that has just begun and one that went through the switch have the same CAs
        eventually(lambda: all(agree(gateway) for gateway in fleet.gateways), "the replicas agree")
    finally:
        fleet.close()
