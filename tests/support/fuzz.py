"""./dev fuzz [--seconds N] [TARGET…]: runs the fuzz targets with their corpora, as many at a time as there are processors.

A target is an executable of tests/fuzz; fuzz_NAME takes its seeds from tests/fuzz/corpus/NAME and its words from tests/fuzz/NAME.dict.
What it discovers goes to build/fuzz/corpus/NAME, findings to build/fuzz/findings. Any finding fails the run.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from programs import ROOT, without_randomisation  # noqa: E402

BUILD = ROOT / "build" / "fuzz"
SEEDS = ROOT / "tests" / "fuzz"
FINDINGS = BUILD / "findings"


def targets():
    """name -> executable, of those that tests/fuzz/meson.build defines."""
    listing = subprocess.run(["meson", "introspect", "--targets", str(BUILD)], capture_output=True, text=True, check=True)
    return {target["name"].removeprefix("fuzz_"): target["filename"][0] for target in json.loads(listing.stdout)
            if target["type"] == "executable" and target["name"].startswith("fuzz_")
            and pathlib.Path(target["defined_in"]).parent == SEEDS}


def run(name, executable, seconds):
    """Runs a target; None, or what it found."""
    discovered = BUILD / "corpus" / name
    discovered.mkdir(parents=True, exist_ok=True)
    folders = [str(discovered)] + [str(folder) for folder in (SEEDS / "corpus" / name,) if folder.is_dir()]
    words = [f"-dict={path}" for path in (SEEDS / f"{name}.dict",) if path.exists()]
    command = [executable, f"-max_total_time={seconds}", f"-artifact_prefix={FINDINGS}/{name}-", "-timeout=20", "-rss_limit_mb=2048",
               "-print_final_stats=1", *words, *folders]
    environment = dict(os.environ) | {"ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}
    done = subprocess.run(without_randomisation(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment, cwd=BUILD, check=False)
    output = done.stdout.decode(errors="replace")
    executed = [line.split()[-1] for line in output.splitlines() if "number_of_executed_units" in line]
    print(f"{name}: {executed[0] if executed else 0} inputs in {seconds} s, {'no finding' if done.returncode == 0 else 'A FINDING'}",
          flush=True)
    return None if done.returncode == 0 else f"{name} ended with {done.returncode}\n{output[-6000:]}"


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("--seconds", type=int, default=600, help="for each target")
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    arguments = parser.parse_args()
    subprocess.run(["ninja", "--quiet", "-C", str(BUILD), "build.ninja"], check=True)  # a folder made before a target was added
    known = targets()
    unknown = [name for name in arguments.targets if name.removeprefix("fuzz_") not in known]
    if unknown or not known:
        parser.error(f"no target {unknown[0] if unknown else 'at all'}; there are {', '.join(sorted(known))}")
    FINDINGS.mkdir(parents=True, exist_ok=True)
    chosen = [name.removeprefix("fuzz_") for name in arguments.targets] or sorted(known)
    subprocess.run(["ninja", "--quiet", "-C", str(BUILD), *(os.path.relpath(known[name], BUILD) for name in chosen)], check=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = list(pool.map(lambda name: run(name, known[name], arguments.seconds), chosen))
    findings = [text for text in found if text]
    for text in findings:
        print(text)
    print(f"{len(chosen) - len(findings)} targets without a finding, {len(findings)} with one")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
