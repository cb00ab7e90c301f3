"""./dev bench: what an enrolment costs, side by side in one run, as a Markdown table.

Every figure is the median of the rounds, and every ratio the median of the rounds' own ratios: within a round all are measured one
after the other, so that a machine that slows down slows them all. CPU is user and system time of the server process over the
number of enrolments; the load is made before the clock starts.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

import oracle
import redis_store
import servers

PROGRAMS = {"quick": dict(rounds=3, count=400, library=100, wrk=2), "default": dict(rounds=5, count=2000, library=300, wrk=5),
            "full": dict(rounds=11, count=5000, library=500, wrk=10)}


def load(build, server, count, connections, run):
    """One run of the load generator; its line of JSON, with the CPU that the server spent meanwhile."""
    ca, challenges = server.folder / "ca.der", server.folder / "challenges"
    ca.write_bytes(server.ca())
    challenges.write_text("\n".join(server.challenges(count)) + "\n")
    command = [str(build / "tests/bench/bench_load"), "--port", str(server.port), "--path", server.path, "--ca", str(ca),
               "--challenges", str(challenges), "--count", str(count), "--connections", str(connections), "--run", run]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as player:
        assert player.stdout.readline() == "ready\n"
        before = server.cpu()
        player.stdin.write("go\n")
        player.stdin.flush()
        line = player.stdout.readline()
        spent = server.cpu() - before
    result = json.loads(line)
    if result["failures"]:
        raise SystemExit(f"bench: {result['failures']} of {count} enrolments at {server.name} failed; see {server.folder}/log")
    return result | {"cpu_ms": spent / count * 1000, "rate": count / result["seconds"]}


def library(build, count):
    out = subprocess.run([str(build / "tests/bench/bench_library"), "--count", str(count), "--rounds", "1"], check=True,
                         capture_output=True, text=True).stdout
    return json.loads(out)


def requests_per_second(url, seconds):
    out = subprocess.run(["wrk", "-t1", "-c16", f"-d{seconds}s", url], check=True, capture_output=True, text=True).stdout
    return float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))


def measure(build, folder, size):
    gate = servers.Scepgate(folder / "scepgate", build / "scepgate")
    peer = servers.Scepserver(folder / "scepserver")
    static = servers.Nginx(folder / "nginx")
    running, rounds = [gate, peer, static], []
    try:
        first_start = gate.start()
        peer.start()
        static.start()
        memory_idle = gate.memory()
        for i in range(size["rounds"]):
            print(f"round {i + 1} of {size['rounds']}", file=sys.stderr, flush=True)
            figures = {"library": library(build, size["library"])}
            figures["gate"] = load(build, gate, size["count"], 32, f"g{i}")
            figures["gate_one"] = load(build, gate, size["count"] // 4, 1, f"o{i}")
            figures["peer"] = load(build, peer, size["count"] // 4, 1, f"p{i}")
            figures["caps"] = requests_per_second(f"http://127.0.0.1:{gate.port}/scep/bench?operation=GetCACaps", size["wrk"])
            figures["static"] = requests_per_second(f"http://127.0.0.1:{static.port}/caps", size["wrk"])
            rounds.append(figures)
        memory_used = gate.memory()
        gate.stop()
        second_start = gate.start()
    finally:
        for server in running:
            server.stop()
    return rounds, {"first_start": first_start, "second_start": second_start, "idle": memory_idle, "used": memory_used}


def median(rounds, value):
    return statistics.median(value(r) for r in rounds)


def table(rounds, other, size, command):
    def cpu(name):
        return median(rounds, lambda r: r[name]["cpu_ms"])

    def ratio(value):
        values = [value(r) for r in rounds]
        return f"{statistics.median(values):.2f} ({min(values):.2f}–{max(values):.2f})"

    def latency(name):
        return f"{median(rounds, lambda r: r[name]['p50_ms']):.1f} / {median(rounds, lambda r: r[name]['p99_ms']):.1f}"

    floor = median(rounds, lambda r: r["library"]["floor_ms"])
    straight = median(rounds, lambda r: r["library"]["library_ms"])
    cores, when = os.cpu_count(), datetime.date.today().isoformat()
    return f"""Measured {when} with `{command}` on {cores} cores: medians of {size['rounds']} rounds, {size['count']} enrolments a round
over 32 kept connections; ratios are medians of the rounds' own ratios (smallest–largest).

| server CPU per enrolment (RSA-2048 everywhere) | ms | ratio of scepgate to it |
|---|---|---|
| scepgate, SQLite, every promise on disk, one-time challenges | {cpu('gate'):.2f} | 1 |
| library path: the same operations straight through OpenSSL's CMS API | {straight:.2f} | {ratio(lambda r: r['gate']['cpu_ms'] / r['library']['library_ms'])} |
| floor: 3 private, 2 verifications, 1 encryption | {floor:.2f} | {ratio(lambda r: r['gate']['cpu_ms'] / r['library']['floor_ms'])} |
| micromdm scepserver (Debian package `scep`), one request at a time | {cpu('peer'):.2f} | {ratio(lambda r: r['gate']['cpu_ms'] / r['peer']['cpu_ms'])} |

| | scepgate | beside it |
|---|---|---|
| enrolments/s, 32 at once, all cores (the client's work included) | {median(rounds, lambda r: r['gate']['rate']):.0f} | |
| latency p50 / p99, 32 at once | {latency('gate')} ms | |
| enrolments/s, one at a time | {median(rounds, lambda r: r['gate_one']['rate']):.0f} | scepserver {median(rounds, lambda r: r['peer']['rate']):.0f} |
| latency p50 / p99, one at a time | {latency('gate_one')} ms | scepserver {latency('peer')} ms |
| GetCACaps requests/s, one thread each | {median(rounds, lambda r: r['caps']):.0f} | nginx, static file, one worker: {median(rounds, lambda r: r['static']):.0f}; ratio {ratio(lambda r: r['caps'] / r['static'])} |
| start until ready, first (makes CA and RA keys) / later | {other['first_start']:.2f} / {other['second_start']:.3f} s | |
| resident memory, idle / after the load | {other['idle'] / 1024:.1f} / {other['used'] / 1024:.1f} MiB | |

scepserver is asked one request at a time because its file depot loses requests when they come together ("the file exists").
"""


def main():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--size", choices=PROGRAMS, default="default")
    parser.add_argument("--store", action="store_true", help="compare the stores: SQLite and Redis")
    parser.add_argument("--oracle", action="store_true",
                        help="instead: whether the time of a refusal tells what was wrong with the message")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run")
    arguments = parser.parse_args()
    size = PROGRAMS[arguments.size]
    folder = pathlib.Path(tempfile.mkdtemp(prefix="scepgate-bench-"))
    try:
        if arguments.store:
            redis_store.run(load, arguments.build.resolve(), folder, arguments.size)
            return
        if arguments.oracle:
            oracle.run(arguments.build.resolve(), folder, arguments.size)
            return
        rounds, other = measure(arguments.build.resolve(), folder, size)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(table(rounds, other, size, f"./dev bench --size {arguments.size}"))


if __name__ == "__main__":
    main()
