"""`scepgate store` on Redis: moving an embedded store there and back, another master key and a rebuilt index under replicas."""

import json
import secrets

import pytest
import redis_servers
import scepmsg
from gateway import eventually
from replicas import Replicas, store_settings
from test_store_tools import dump, migrate


@pytest.fixture(scope="module", params=["single", "sentinel", "cluster"])
def redis(request):
    with redis_servers.start(request.param) as servers:
        yield servers


@pytest.fixture
def moving(gateways, redis, tmp_path):
    """A gateway with an embedded store that has something in it, stopped, and the settings for Redis."""
    key = tmp_path / "master.key"
    key.write_text(f"k1:{secrets.token_hex(32)}\n")
    key.chmod(0o600)
    gateway = gateways(store={"master_key": {"file": str(key)}}).start()
    gateway.unused, gateway.used = gateway.challenge(), gateway.challenge()
    gateway.finished = gateway.enrol(challenge=gateway.used)
    gateway.challenges(700)
    assert gateway.terminate() == 0
    gateway.rows = gateway.query("SELECT count(*) AS n FROM audit")[0]["n"]
    gateway.redis_settings = {"store": store_settings(redis, prefix=f"{tmp_path.name}:", master_key={"file": str(key)})}
    gateway.redis_file = gateway.folder / "redis.yaml"
    gateway.redis_file.write_text(json.dumps(gateway.settings() | gateway.redis_settings))
    return gateway


def begin_on_redis(gateway):
    gateway.overrides = gateway.overrides | gateway.redis_settings
    gateway.write_settings()
    return gateway.start()


def test_an_embedded_store_moves_to_redis_and_serves_there(moving):
    said = migrate(moving, moving.settings_file, moving.redis_file)
    assert "both stores hold the same" in said.stdout
    assert "both stores hold the same" in migrate(moving, moving.settings_file, moving.redis_file).stdout  # nothing is left to do
    begin_on_redis(moving)
    request, _, certificate = moving.finished
    assert moving.reply(request).issued(request)[0] == certificate
    assert moving.reply(moving.request(challenge=moving.used)).status == scepmsg.FAILURE
    moving.enrol(challenge=moving.unused)
    notes = eventually(lambda: moving.audit("store.migrated"), "the note is listed")
    assert len(notes) == 1 and notes[0]["details"]["rows"] == moving.rows
    assert json.loads(moving.tool("audit", "verify", "--socket", str(moving.socket)).stdout)["intact"]


def test_it_comes_back_exactly_as_it_was(moving):
    migrate(moving, moving.settings_file, moving.redis_file)
    fresh = moving.folder / "fresh.db"
    assert "both stores hold the same" in migrate(moving, moving.redis_file, f"sqlite:{fresh}").stdout
    assert dump(fresh) == dump(moving.state / "scepgate.db")


def test_a_store_that_gateways_work_on_is_refused(moving):
    migrate(moving, moving.settings_file, moving.redis_file)
    begin_on_redis(moving)
    fresh = moving.folder / "fresh.db"
    refused = migrate(moving, moving.redis_file, f"sqlite:{fresh}", check=False)
    assert refused.returncode == 1 and "1 gateways work on the source" in refused.stderr
    assert moving.terminate() == 0  # it says good-bye, and is gone at once
    assert "both stores hold the same" in migrate(moving, moving.redis_file, f"sqlite:{fresh}").stdout


def test_replicas_get_another_master_key_one_after_the_other(redis, tmp_path):
    fleet = Replicas(tmp_path / "fleet", redis, {"demo": {"backend": "ca", "challenge": {"type": "one_time"}}}, count=2,
                     store={"prefix": f"{tmp_path.name}:"}).start()
    try:
        one, other = fleet.gateways
        old, new = fleet.master_key.read_text(), f"second:{secrets.token_hex(32)}\n"
        waiting = one.challenge()
        request, _, certificate = one.enrol(challenge=one.challenge())
        for ring in (old + new, new + old):
            fleet.master_key.write_text(ring)
            for gateway in fleet.gateways:
                gateway.restart()
        told = json.loads(other.tool("store", "rekey", "--socket", str(other.socket), "--json").stdout)
        assert told["moved"] and told["key"] == "second" and told["resealed"] >= 1 and told["unreadable"] == 0
        assert [(row["key"], row["challenges"]) for row in told["older_keys"]] == [("first", 1)]
        one.enrol(challenge=waiting)
        assert one.ask("store", "rekey")["older_keys"] == []
        fleet.master_key.write_text(new)
        for gateway in fleet.gateways:
            gateway.restart()
        assert other.reply(request).issued(request)[0] == certificate
        other.enrol(challenge=one.challenge())
    finally:
        fleet.close()


def test_the_index_is_rebuilt_while_replicas_serve(redis, tmp_path):
    fleet = Replicas(tmp_path / "fleet", redis, {"demo": {"backend": "ca", "challenge": {"type": "one_time"}}}, count=1,
                     store={"prefix": f"{tmp_path.name}:"}).start()
    try:
        gateway = fleet.gateways[0]
        rows = [gateway.challenge_row() for _ in range(5)]
        gateway.enrol(challenge=rows[0]["challenge"])
        told = gateway.ask("store", "reindex")
        assert told["done"] and told["aliases"] >= 1
        listed = {row["id"] for row in gateway.pages("challenge", "list", member="challenges")}
        assert listed >= {row["id"] for row in rows}
        assert len(gateway.certificates()) == 1
    finally:
        fleet.close()
