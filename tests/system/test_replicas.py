"""Three gateways, one Redis, haproxy in front: to clients they are one gateway."""

import collections
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import der
import identities
import pytest
import redis_servers
import scepmsg
from device import Device
from gateway import FULL, PATIENCE, eventually
from replicas import Replicas

ONE_TIME = {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 0}}
ALIASES = {"demo": ONE_TIME, "limited": {"backend": "ca", "challenge": {"type": "one_time", "failure_limit": 6}}}
CLIENTS = 800 if FULL else 150
RACES = 1000 if FULL else 30
THREADS = 12
KEYS = 12  # of clients; making one costs more than an enrolment
FAST = {"enroll": {"wait": 0, "backend_deadline": "2s", "lease": "4s"}}  # every client has to poll, and a lost one not for long


@pytest.fixture(scope="module")
def redis():
    with redis_servers.start("single") as servers:
        yield servers


@pytest.fixture
def fleets(tmp_path, redis):
    """Makes replicas in a key space of their own; all are closed, and looked at, when the test ends."""
    made, numbers = [], itertools.count()

    def make(aliases=None, *, store=None, **settings):
        number = next(numbers)
        own = {"prefix": f"{tmp_path.name}-{number}:"} | (store or {})
        made.append(Replicas(tmp_path / f"r{number}", redis, aliases or ALIASES, store=own, **settings))
        return made[-1]

    yield make
    redis.resume()
    redis.restart()
    for fleet in made:
        fleet.close()


def issued(fleet, alias="demo"):
    """Serials by transaction, as the audit trail has them."""
    found = collections.defaultdict(list)
    for row in fleet.gateways[0].audit("certificate.issued"):
        if row["alias"] == alias:
            found[row["transaction"]].append(int(row["details"]["serial"], 16))
    return found


def stored(fleet):
    return sorted(int(serial, 16) for serial in fleet.gateways[-1].certificates())


def all_at_once(jobs):
    """Runs the jobs in threads of their own, from one moment on; their results."""
    barrier = threading.Barrier(len(jobs))

    def run(job):
        barrier.wait(PATIENCE)
        return job()

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(run, jobs))


# ---- many clients ------------------------------------------------------------------------------------------

def test_every_enrolment_ends_in_exactly_one_certificate(fleets):
    fleet = fleets(**FAST).start()
    challenges = fleet.gateways[0].challenges(CLIENTS)
    devices = [Device(fleet, challenge, key=number % KEYS) for number, challenge in enumerate(challenges)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda device: device.insist(0.05), devices))
    assert all(len(device.serials) == 1 and not device.refusals for device in devices)
    serials = sorted(serial for device in devices for serial in device.serials)
    assert len(set(serials)) == CLIENTS
    assert stored(fleet) == serials
    by_transaction = issued(fleet)
    assert sorted(itertools.chain(*by_transaction.values())) == serials and len(by_transaction) == CLIENTS
    assert {name for device in devices for name in device.served_by} == {"g0", "g1", "g2"}
    moved = [device for device in devices if len(set(device.served_by)) > 1]
    assert len(moved) > CLIENTS / 2, "hardly a transaction was polled at another replica than it began at"
    states = {row["state"] for row in fleet.gateways[1].pages("transaction", "list", member="transactions")}
    assert states == {"issued"}
    assert fleet.gateways[2].tool("audit", "verify", "--socket", str(fleet.gateways[2].socket)).returncode == 0


def test_race_for_challenges(fleets):
    """Each challenge is presented to all replicas at once, by as many keys: one certificate, no more."""
    fleet = fleets().start()
    challenges = fleet.gateways[0].challenges(RACES)
    wins = []
    for challenge in challenges:
        rivals = [Device(fleet, challenge, key=number) for number in range(len(fleet.gateways))]
        for rival, gateway in zip(rivals, fleet.gateways):
            rival.place = gateway
        all_at_once([rival.insist for rival in rivals])
        wins.append(sum(len(rival.serials) for rival in rivals))
        assert {info for rival in rivals for info in rival.refusals} == {scepmsg.BAD_REQUEST}
    assert set(wins) == {1}, collections.Counter(wins)
    assert len(stored(fleet)) == RACES
    rows = fleet.gateways[1].pages("challenge", "list", member="challenges")
    assert {(row["state"], row["uses_left"]) for row in rows} == {("used", 0)}


# ---- what one began another ends -----------------------------------------------------------------------------

def test_a_newcomer_serves_what_the_first_began(fleets):
    fleet = fleets(count=1, **FAST).start()
    first = fleet.gateways[0]
    done, waiting = (Device(first, challenge) for challenge in first.challenges(2))
    open_challenge = first.challenge()
    done.insist()
    assert not waiting.ask() and waiting.pending
    second = fleet.add().start()
    first.kill()
    assert second.bag() == [done.ra, done.issuer], "it has another RA identity"
    for device in (done, waiting):
        device.place = second
    done.pending = False
    assert done.ask() and len(done.serials) == 1, "a retransmission brought another certificate"
    waiting.insist()
    assert len(waiting.serials) == 1
    assert len(Device(second, open_challenge).insist().serials) == 1
    reused = second.reply(second.request(challenge=done.challenge))
    assert (reused.status, reused.fail_info) == (scepmsg.FAILURE, scepmsg.BAD_REQUEST)
    assert {int(serial, 16) for serial in second.certificates()} > done.serials | waiting.serials


def test_one_transaction_at_all_replicas_at_once(fleets):
    fleet = fleets().start()
    for challenge in fleet.gateways[0].challenges(5):
        device = Device(fleet, challenge)
        copies = [Device(gateway, challenge, key=1) for gateway in fleet.gateways]
        for copy in copies:
            copy.identity, copy.request, copy.polls = device.identity, device.request, False
        messages = [device.request.build()] * len(copies)
        answers = all_at_once([lambda copy=copy, message=message: copy.place.post("demo", message)
                               for copy, message in zip(copies, messages)])
        replies = [scepmsg.Reply(answer.body) for answer in answers if answer.status == 200]
        assert all(reply.status in (scepmsg.SUCCESS, scepmsg.PENDING) for reply in replies)
        device.insist()
        assert {reply.issued(device.request)[0] for reply in replies if reply.status == scepmsg.SUCCESS} <= set(device.got)
    assert len(stored(fleet)) == 5


def test_what_one_issued_another_renews_once(fleets):
    fleet = fleets().start()
    request, _, certificate = fleet.gateways[0].enrol()
    old = identities.Identity(private=request.identity.key, certificate=certificate)
    renewals = [gateway.request(identity=old, csr=identities.csr(identities.key(number=f"renewed-{number}"), "CN=device"), message_type="17")
                for number, gateway in enumerate(fleet.gateways)]
    replies = all_at_once([lambda gateway=gateway, renewal=renewal: gateway.reply(renewal)
                           for gateway, renewal in zip(fleet.gateways, renewals)])
    granted = [reply for reply in replies if reply.status == scepmsg.SUCCESS]
    assert granted, "nobody renewed what the first had issued"
    renews = [row for row in fleet.gateways[-1].audit("certificate.issued") if row["details"].get("renews")]
    assert len(renews) == len(granted)
    assert {int(row["details"]["renews"], 16) for row in renews} == {identities.load(certificate).serial_number}


def test_what_one_issued_another_gives_again(fleets):
    """GetCert, with the key alone, at every replica."""
    fleet = fleets({"demo": ONE_TIME | {"queries": {"certificates": "own"}}}).start()
    request, _, certificate = fleet.gateways[0].enrol()
    serial, issuer, _ = scepmsg.certificate_fields(certificate)
    for gateway in fleet.gateways[1:]:
        question = gateway.request(identity=identities.Identity(private=request.identity.key), payload=der.seq(issuer, serial),
                                   message_type="21")
        reply = gateway.reply(question)
        assert reply.status == scepmsg.SUCCESS and reply.issued(question) == [certificate]
        stranger = gateway.request(payload=der.seq(issuer, serial), message_type="21")
        assert gateway.reply(stranger).fail_info == scepmsg.BAD_CERT_ID


# ---- one RA identity, the same settings ----------------------------------------------------------------------

def test_replicas_share_one_ra_identity(fleets):
    """All start at once on an empty store, and one of them makes it."""
    fleet = fleets().start()
    assert len({gateway.ra() for gateway in fleet.gateways}) == 1
    assert len([row for row in fleet.gateways[0].audit("ra.made") if row["alias"] == "demo"]) == 1


def test_settings_that_differ_are_said_by_the_later_one(fleets):
    fleet = fleets(count=1).start()
    same = fleet.add().start()
    assert not any("differ" in line["message"] for line in same.log_lines())
    aliases = ALIASES | {"demo": ONE_TIME | {"transaction": {"retransmit_window": "1h"}}}
    later = fleet.add()
    later.aliases = aliases
    later.start()
    said = eventually(lambda: [line for line in later.log_lines() if "differ" in line["message"]], "the later one says so")
    assert any("demo" in line["message"] for line in said), said
    assert all(line["level"] == "warning" for line in said)


def test_another_master_key_is_refused(fleets, tmp_path):
    fleet = fleets(count=1).start()
    other_key = tmp_path / "other.key"
    other_key.write_text(f"first:{'5a' * 32}\n")
    other_key.chmod(0o600)
    stranger = fleet.add(store=fleet.settings["store"] | {"master_key": {"file": str(other_key)}})
    stranger.write_settings()
    stranger.launch()
    assert stranger.process.wait(PATIENCE) != 0
    assert "key" in stranger.log()


# ---- limits ----------------------------------------------------------------------------------------------------

def test_refused_challenges_are_counted_by_all(fleets):
    """The limit of 6 holds for the three together; they learn of each other's counts within moments, so that at most as many
    more get through as are tried meanwhile."""
    fleet = fleets().start()
    good = fleet.gateways[0].challenge("limited")
    for gateway in fleet.gateways * 2:
        reply = gateway.reply(gateway.request("limited", challenge="wrong"), "limited")
        assert reply.status == scepmsg.FAILURE

    def limited(gateway):
        reply = gateway.reply(gateway.request("limited", challenge="wrong again"), "limited")
        assert reply.status == scepmsg.FAILURE
        return gateway.audit()[-1]["details"].get("error") == "CHALLENGE_LIMITED"

    for gateway in fleet.gateways:
        eventually(lambda gateway=gateway: limited(gateway), "a replica learns of the others' failures")
    reply = fleet.gateways[2].reply(fleet.gateways[2].request("limited", challenge=good), "limited")
    assert (reply.status, reply.fail_info) == (scepmsg.FAILURE, scepmsg.BAD_REQUEST)
    assert fleet.gateways[0].audit()[-1]["details"].get("error") == "CHALLENGE_LIMITED"


# ---- Redis away ------------------------------------------------------------------------------------------------

QUICK = {"connect_deadline": "1s", "command_deadline": "1s"}


@pytest.mark.parametrize("away,back", [("kill", "restart"), ("pause", "resume")])
def test_redis_away_and_back(fleets, redis, away, back):
    fleet = fleets(count=2, store=QUICK).start()
    devices = [Device(gateway, challenge) for gateway, challenge in zip(fleet.gateways, fleet.gateways[0].challenges(2))]
    getattr(redis, away)()
    try:
        for device in devices:
            answer = device.place.post("demo", device.request.build())
            assert answer.status == 503 and int(answer.headers["retry-after"]) > 0
            eventually(lambda device=device: device.place.admin("/readyz").status == 503, "not ready")
            assert device.place.admin("/healthz").status == 200
            assert device.place.get("demo", "GetCACert").status == 200, "what needs no store is served"
        through = fleet.post("demo", devices[0].request.build())
        assert through.status == 503 and int(through.headers["retry-after"]) > 0
    finally:
        getattr(redis, back)()
    for device in devices:
        eventually(lambda device=device: device.place.admin("/readyz").status == 200, "ready again, by itself")
        device.insist()
        assert len(device.serials) == 1
    assert len(stored(fleet)) == 2


def test_it_starts_without_redis_and_waits(fleets, redis):
    fleet = fleets(count=1, store=QUICK)
    redis.kill()
    gateway = fleet.gateways[0]
    gateway.write_settings()
    gateway.launch()

    def healthy():
        try:
            return gateway.admin("/healthz").status == 200
        except OSError:
            return False

    eventually(healthy, "it lives")
    assert gateway.admin("/readyz").status == 503
    redis.restart()
    eventually(gateway.ready, "it serves by itself")
    gateway.enrol()


def test_weak_durability_is_said(tmp_path):
    with redis_servers.start("single", settings={"appendfsync": "everysec", "maxmemory-policy": "allkeys-lru"}) as servers:
        servers.nodes[0].call("ACL", "SETUSER", "default", "reset")
        fleet = Replicas(tmp_path / "r", servers, ALIASES, count=1).start()
        said = [line["message"] for line in fleet.gateways[0].log_lines() if line["event"] == "store.weak"]
        fleet.close()
    for part in ("appendfsync everysec", "maxmemory-policy allkeys-lru", "default user"):
        assert len([message for message in said if part in message]) == 1, said


# ---- what is stored ----------------------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["tls", "sentinel", "cluster"])
def test_other_topologies(tmp_path, form):
    with redis_servers.start(form) as servers:
        store = {"wait_replicas": 1} if form == "sentinel" else {}
        fleet = Replicas(tmp_path / "r", servers, ALIASES, count=2, store=store).start()
        devices = [Device(fleet, challenge, key=number) for number, challenge in enumerate(fleet.gateways[0].challenges(6))]
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(Device.insist, devices))
        assert stored(fleet) == sorted(serial for device in devices for serial in device.serials)
        assert len(stored(fleet)) == len(devices)
        fleet.close()


def test_canary_is_not_in_redis(fleets, redis):
    """Used, unused, refused and mistyped challenges; every gateway looks through all of Redis when it is closed."""
    fleet = fleets(count=1).start()
    gateway = fleet.gateways[0]
    fleet.secrets.add("mistyped-canary-4711")
    used, unused = gateway.challenges(2)
    gateway.enrol(challenge=used)
    for challenge in (used, "mistyped-canary-4711"):
        gateway.reply(gateway.request(challenge=challenge))
    redis.nodes[0].call("BGREWRITEAOF")  # a snapshot, compressed: what is searched are the values
    assert unused in fleet.secrets
    places = [place for place, _ in redis.everything()]
    assert len(places) > 20, "there is nothing to search"
    gateway.assert_secrets_kept()
