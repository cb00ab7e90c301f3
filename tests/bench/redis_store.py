"""./dev bench --store: what Redis adds to an enrolment, and what a million records cost it; as Markdown tables.

The two stores take turns within a round, on one machine, with everything on disk before it is promised (SQLite synchronous=FULL,
Redis appendfsync always). Redis' own CPU is counted apart: it may be another machine's.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time

import servers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import redis_servers  # noqa: E402

SIZES = {"quick": dict(rounds=3, count=400, records=50_000, created=5_000), "default": dict(rounds=5, count=2000, records=200_000, created=20_000),
         "full": dict(rounds=11, count=5000, records=1_000_000, created=50_000)}


class OnRedis(servers.Scepgate):
    name = "scepgate on Redis"

    def __init__(self, folder, binary, redis):
        super().__init__(folder, binary)
        self.redis = redis
        settings = json.loads(self.config.read_text())
        settings["store"] = {"type": "redis", "addresses": redis.description["addresses"], "user": redis.description["user"],
                             "password": {"value": redis.description["password"]}, "database": redis.description["database"],
                             "master_key": {"value": "bench:" + "5a" * 32}}
        self.config.write_text(json.dumps(settings))

    def store_cpu(self):
        """Seconds of user and system time of the Redis so far."""
        used = self.redis.primary().connect().info("cpu")
        return sum(float(used[name]) for name in ("used_cpu_sys", "used_cpu_user"))


def create_rate(gate, count):
    """Challenges per second through the API, 1,000 a call, as an MDM would."""
    started = time.monotonic()
    gate.challenges(count)
    return count / (time.monotonic() - started)


def used_memory(redis):
    return int(redis.primary().connect().info("memory")["used_memory"])


def fill(build, redis, kind, count):
    """(bytes of Redis per record, records per second through the store)."""
    before = used_memory(redis)
    place = redis.description
    out = subprocess.run([str(build / "tests/bench/bench_fill"), "--address", place["addresses"][0], "--user", place["user"],
                          "--password", place["password"], "--prefix", f"{kind}:", "--kind", kind, "--count", str(count)],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    # What lives for minutes only (ids of operations) is not what a record costs; it is counted apart.
    memory = used_memory(redis) - before
    passing = passing_memory(redis, f"{kind}:")
    return {"bytes": (memory - passing) / count, "passing": passing / count, "rate": count / json.loads(out)["seconds"]}


def passing_memory(redis, prefix):
    """Bytes of the operation memory of a prefix: a sample of its keys, times their number."""
    with redis.primary().connect(patience=600) as connection:
        sizes, number, cursor = [], 0, b"0"
        while True:
            cursor, keys = connection.call("SCAN", cursor, "MATCH", f"{prefix}{{a:*}}:o:*", "COUNT", 10000)
            number += len(keys)
            if len(sizes) < 200:
                sizes += [connection.call("MEMORY", "USAGE", key) for key in keys[:20]]
            if cursor == b"0":
                return number * statistics.mean(sizes) if sizes else 0


def measure_enrolments(load, build, folder, size):
    rounds = []
    with redis_servers.start("single") as redis:
        plain, shared = servers.Scepgate(folder / "sqlite", build / "scepgate"), OnRedis(folder / "redis", build / "scepgate", redis)
        try:
            plain.start()
            shared.start()
            for i in range(size["rounds"]):
                print(f"round {i + 1} of {size['rounds']}", file=sys.stderr, flush=True)
                figures = {"sqlite": load(build, plain, size["count"], 32, f"s{i}"),
                           "sqlite_one": load(build, plain, size["count"] // 4, 1, f"t{i}")}
                before = shared.store_cpu()
                figures["redis"] = load(build, shared, size["count"], 32, f"r{i}")
                figures["redis_cpu"] = (shared.store_cpu() - before) / size["count"] * 1000  # with the making of its challenges
                figures["redis_one"] = load(build, shared, size["count"] // 4, 1, f"u{i}")
                figures["create"] = (create_rate(plain, size["created"]), create_rate(shared, size["created"]))
                rounds.append(figures)
        finally:
            plain.stop()
            shared.stop()
    return rounds


def measure_memory(build, size):
    figures = {}
    for kind in ("challenge", "pending"):
        with redis_servers.start("single", settings={"appendonly": "no"}) as redis:
            print(f"{size['records']} records: {kind}", file=sys.stderr, flush=True)
            figures[kind] = fill(build, redis, kind, size["records"])
    return figures


def table(rounds, memory, size, command):
    def median(value):
        return statistics.median(value(r) for r in rounds)

    def ratio(value):
        values = [value(r) for r in rounds]
        return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"

    def latency(name):
        return f"{median(lambda r: r[name]['p50_ms']):.1f} / {median(lambda r: r[name]['p99_ms']):.1f}"

    return f"""Measured with `{command}`: medians of {size['rounds']} rounds, {size['count']} enrolments a round and store; ratios are medians of the
rounds' own ratios (smallest–largest). Memory: {size['records']:,} records of each kind.

| | SQLite | Redis | ratio Redis : SQLite |
|---|---|---|---|
| gateway CPU per enrolment, 32 at once | {median(lambda r: r['sqlite']['cpu_ms']):.2f} ms | {median(lambda r: r['redis']['cpu_ms']):.2f} ms | {ratio(lambda r: r['redis']['cpu_ms'] / r['sqlite']['cpu_ms'])} |
| Redis' own CPU per enrolment, its challenge included | | {median(lambda r: r['redis_cpu']):.2f} ms | |
| enrolments/s, 32 at once, everything on one machine | {median(lambda r: r['sqlite']['rate']):.0f} | {median(lambda r: r['redis']['rate']):.0f} | {ratio(lambda r: r['redis']['rate'] / r['sqlite']['rate'])} |
| latency p50 / p99, 32 at once | {latency('sqlite')} ms | {latency('redis')} ms | {ratio(lambda r: r['redis']['p50_ms'] / r['sqlite']['p50_ms'])} |
| latency p50 / p99, one at a time | {latency('sqlite_one')} ms | {latency('redis_one')} ms | {ratio(lambda r: r['redis_one']['p50_ms'] / r['sqlite_one']['p50_ms'])} |
| challenges created per second through the API, 1,000 a call | {median(lambda r: r['create'][0]):.0f} | {median(lambda r: r['create'][1]):.0f} | {ratio(lambda r: r['create'][1] / r['create'][0])} |

| memory of Redis | per record | for 15 minutes more | written per second through the store contract |
|---|---|---|---|
| outstanding challenge | {memory['challenge']['bytes']:.0f} bytes | {memory['challenge']['passing']:.0f} bytes | {memory['challenge']['rate']:.0f} |
| pending transaction, with its sealed request of 900 bytes, obligation and audit row | {memory['pending']['bytes']:.0f} bytes | {memory['pending']['passing']:.0f} bytes | {memory['pending']['rate']:.0f} |
"""


def run(load, build, folder, size_name):
    size = SIZES[size_name]
    rounds = measure_enrolments(load, build, folder, size)
    print(table(rounds, measure_memory(build, size), size, f"./dev bench --store --size {size_name}"))
