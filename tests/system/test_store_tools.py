"""`scepgate store`: another master key, a rebuilt index, and moving a store, on the real program."""

import json
import random
import signal
import sqlite3
import subprocess
import time

import pytest
import scepmsg
from gateway import BINARY, PATIENCE
import programs

OLD, NEW, OTHER = ("k1:" + "0011" * 16, "k2:" + "2233" * 16, "k1:" + "4455" * 16)


@pytest.fixture
def keyed(gateways, tmp_path):
    """A gateway whose master keys the test writes: keyed.keys(newest, …)."""
    gateway = gateways(store={"master_key": {"file": str(tmp_path / "master.key")}})

    def write(*lines):
        (tmp_path / "master.key").write_text("".join(line + "\n" for line in lines))
        (tmp_path / "master.key").chmod(0o600)

    gateway.keys = write
    write(OLD)
    return gateway


def rekey(gateway, *options, check=True):
    return gateway.tool("store", "rekey", "--config", str(gateway.settings_file), *options, check=check)


def database(path):
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=PATIENCE)


def sealed_under(gateway):
    """The master keys of all sealed values in the database: a length and an id behind the version."""
    rows = gateway.query("SELECT sealed_key AS value FROM ra UNION ALL SELECT sealed_csr FROM transactions WHERE sealed_csr <> x''")
    return {row["value"][2:2 + row["value"][1]].decode() for row in rows}


# ---- rekey -----------------------------------------------------------------------------------------------

def test_the_master_key_is_changed_while_the_gateway_serves(keyed):
    keyed.start()
    before, waiting = keyed.challenge(), keyed.challenge()
    request, _, certificate = keyed.enrol(challenge=before)
    keyed.keys(NEW, OLD)
    keyed.restart()
    assert sealed_under(keyed) == {"k1"}
    said = rekey(keyed).stdout
    assert "the store belongs to key k2" in said
    assert "1 unused challenges can only be found under key k1" in said
    assert sealed_under(keyed) == {"k2"}
    assert keyed.audit("store.rekeyed")[0]["details"]["key"] == "k2"
    keyed.enrol(challenge=waiting)  # found under the older key
    assert "no challenge needs an older key" in rekey(keyed).stdout
    keyed.keys(NEW)
    keyed.restart()
    assert keyed.reply(request).issued(request)[0] == certificate
    keyed.enrol()


def test_a_key_that_is_still_needed_may_not_be_taken_out(keyed):
    keyed.start()
    assert keyed.terminate() == 0
    keyed.keys(NEW)
    keyed.launch()
    assert keyed.process.wait(PATIENCE) == 1
    assert "master key" in keyed.log()
    keyed.keys(NEW, OLD)
    assert "belongs to key k2" in rekey(keyed).stdout
    keyed.keys(NEW)
    keyed.start()
    keyed.keys(OLD)  # the old key alone opens nothing any more
    assert keyed.terminate() == 0
    keyed.launch()
    assert keyed.process.wait(PATIENCE) == 1


def test_rekey_works_without_a_gateway_and_says_so_in_json(keyed):
    keyed.start()
    keyed.challenge()
    assert keyed.terminate() == 0
    keyed.keys(NEW, OLD)
    told = json.loads(rekey(keyed, "--json").stdout)
    assert told["moved"] and told["resealed"] == told["looked_at"] == 1 and told["problem"] is None
    assert [(row["key"], row["challenges"]) for row in told["older_keys"]] == [("k1", 1)]
    assert sealed_under(keyed) == {"k2"}
    assert json.loads(rekey(keyed, "--json").stdout)["resealed"] == 0
    assert keyed.tool("store", "rekey", "--socket", str(keyed.socket), check=False).returncode == 1


def test_rekey_tells_of_values_that_nothing_opens(keyed):
    keyed.start()
    assert keyed.terminate() == 0
    with sqlite3.connect(keyed.state / "scepgate.db") as broken:
        broken.execute("UPDATE ra SET sealed_key = substr(sealed_key, 1, length(sealed_key) - 1) || x'00'")
    broken.close()
    keyed.keys(NEW, OLD)
    told = rekey(keyed, check=False)
    assert told.returncode == 1 and "1 values open under no key" in told.stderr


def test_reindex_has_nothing_to_do_in_an_embedded_store(gateway):
    assert "nothing to rebuild" in gateway.tool("store", "reindex", "--config", str(gateway.settings_file)).stdout
    assert gateway.ask("store", "reindex")["done"]
    assert gateway.terminate() == 0
    assert "nothing to rebuild" in gateway.tool("store", "reindex", "--config", str(gateway.settings_file)).stdout


# ---- migrate ---------------------------------------------------------------------------------------------

@pytest.fixture
def two(gateway):
    """A gateway with something in its store, and a settings file that differs in the store alone."""
    gateway.unused, gateway.used = gateway.challenge(), gateway.challenge()
    gateway.finished = gateway.enrol(challenge=gateway.used)
    gateway.fresh = gateway.folder / "fresh.db"
    gateway.fresh_file = gateway.folder / "fresh.yaml"
    gateway.fresh_file.write_text(json.dumps(gateway.settings() | {"store": {"path": str(gateway.fresh)}}))
    return gateway


def migrate(gateway, source, target, *options, check=True):
    return gateway.tool("store", "migrate", "--from", str(source), "--to", str(target), *options, check=check)


def dump(path):
    with database(path) as db:
        return {table: sorted(db.execute(f"SELECT {columns} FROM {table}").fetchall()) for table, columns in {
            "challenge": "id, alias, hash, key_id, state, uses, uses_left, created, expires, first_transaction",
            "transactions": "id, alias, transaction_id, generation, state, claim, csr_info, challenge_bound, finished, chain",
            "certificate": "alias, issuer_sha256, serial, transaction_id, der, recorded, revoked",
            "ra": "alias, generation, sealed_key, chain"}.items()}


def test_a_store_moves_with_everything_in_it(two):
    refused = migrate(two, two.settings_file, two.fresh_file, check=False)
    assert refused.returncode == 1 and "in use by process" in refused.stderr
    assert two.terminate() == 0
    head = two.query("SELECT hash, sequence FROM audit ORDER BY sequence DESC LIMIT 1")[0]
    said = migrate(two, two.settings_file, two.fresh_file)
    assert "both stores hold the same" in said.stdout
    assert dump(two.fresh) == dump(two.state / "scepgate.db")
    two.overrides = two.overrides | {"store": {"path": str(two.fresh)}}
    two.start()
    request, _, certificate = two.finished
    assert two.reply(request).issued(request)[0] == certificate
    assert two.reply(two.request(challenge=two.used)).status == scepmsg.FAILURE
    two.enrol(challenge=two.unused)
    note = two.audit("store.migrated")[0]
    assert note["details"] == {"from": "sqlite", "rows": head["sequence"], "head": head["hash"].hex()}
    assert json.loads(two.tool("audit", "verify", "--socket", str(two.socket)).stdout)["intact"]


def test_it_moves_back_again_by_its_path_alone(two):
    assert two.terminate() == 0
    migrate(two, two.settings_file, f"sqlite:{two.fresh}")
    before = dump(two.state / "scepgate.db")
    for name in ("scepgate.db", "scepgate.db-wal", "scepgate.db-shm"):
        (two.state / name).unlink(missing_ok=True)
    migrate(two, f"sqlite:{two.fresh}", two.settings_file)
    assert dump(two.state / "scepgate.db") == before
    two.start()
    two.enrol(challenge=two.unused)


def test_a_migration_that_is_killed_goes_on_from_where_it_was(two):
    for _ in range(4):
        two.challenges(1000)
    assert two.terminate() == 0
    chance = random.Random(7)
    killed = 0
    for _ in range(40):
        command = [BINARY, "store", "migrate", "--from", str(two.settings_file), "--to", str(two.fresh_file)]
        process = subprocess.Popen(programs.without_randomisation(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env=two.environment(), cwd=two.folder)
        time.sleep(chance.uniform(0.05, 1))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        killed += process.returncode == -signal.SIGKILL
        if process.returncode == 0:
            break
    assert killed > 0
    assert "both stores hold the same" in migrate(two, two.settings_file, two.fresh_file).stdout
    assert dump(two.fresh) == dump(two.state / "scepgate.db")
    with database(two.fresh) as db:
        rows = db.execute("SELECT count(*) FROM audit").fetchone()[0]
    assert rows == two.query("SELECT count(*) AS n FROM audit")[0]["n"] + 1  # the note, once


def test_another_master_key_is_refused(two):
    assert two.terminate() == 0
    (two.folder / "other.key").write_text(OTHER + "\n")
    (two.folder / "other.key").chmod(0o600)
    two.fresh_file.write_text(json.dumps(two.settings() | {
        "store": {"path": str(two.fresh), "master_key": {"file": str(two.folder / "other.key")}}}))
    refused = migrate(two, two.settings_file, two.fresh_file, check=False)
    assert refused.returncode == 1 and "give the target the source's key file" in refused.stderr


def test_a_missing_source_and_wrong_usage_are_refused(two):
    assert two.terminate() == 0
    missing = migrate(two, f"sqlite:{two.folder}/nothing.db", two.fresh_file, check=False)
    assert missing.returncode == 1 and "there is no store" in missing.stderr
    assert not (two.folder / "nothing.db").exists()
    assert migrate(two, "sqlite:/a", "sqlite:/b", check=False).returncode == 1
    assert two.tool("store", "migrate", check=False).returncode == 2
    assert two.tool("store", "nonsense", check=False).returncode == 2
    assert two.tool("store", "--help").returncode == 0


def test_a_damaged_trail_is_noticed(two):
    assert two.terminate() == 0
    with sqlite3.connect(two.state / "scepgate.db") as broken:
        broken.execute("UPDATE audit SET client = 'nobody' WHERE sequence = 2")
    broken.close()
    refused = migrate(two, two.settings_file, two.fresh_file, check=False)
    assert refused.returncode == 1 and "row 2 of the source's audit trail" in refused.stderr
    assert "both stores hold the same" in migrate(two, two.settings_file, two.fresh_file, "--force").stdout
