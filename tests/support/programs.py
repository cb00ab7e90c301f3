"""Running the test programs of a build folder and judging them.

A program is green when it ends with 0, when its own counts say so, and when no sanitizer left a report. The last matters most:
Criterion runs every test in a forked box and calls it passed although a report was written, so a report file alone turns the run red.
"""

import json
import os
import pathlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parents[2]

CRITERION = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+)")
RUNNER = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?", re.MULTILINE)


@dataclass
class Tally:
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    skips: list = field(default_factory=list)  # "what: why"
    complaints: list = field(default_factory=list)
    figures: list = field(default_factory=list)  # what tests measured instead of judging it

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.skips += other.skips
        self.complaints += other.complaints
        self.figures += other.figures

    def fail(self, complaint):
        self.failed += 1
        self.complaints.append(complaint)


def sanitizer_environment(reports):
    """The environment under which a sanitizer build writes its reports into the folder `reports`."""
    environment = dict(os.environ)
    common = f"log_path={reports}/report:print_stacktrace=1:symbolize=1"
    environment["ASAN_OPTIONS"] = common + ":detect_leaks=1:detect_stack_use_after_return=1"
    environment["LSAN_OPTIONS"] = common
    environment["UBSAN_OPTIONS"] = common + ":abort_on_error=1"
    environment["TSAN_OPTIONS"] = common + ":second_deadlock_stack=1:history_size=4"
    return environment


def found_reports(reports):
    """The texts of all sanitizer reports under a folder, by file name."""
    return {str(path): path.read_text(errors="replace") for path in sorted(pathlib.Path(reports).rglob("report*"))}


def without_randomisation(command):
    """Sanitizers place their shadow at fixed addresses, which a kernel with much address randomisation may already use."""
    probe = subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False)
    return ["setarch", "-R", *command] if probe.returncode == 0 else command


@dataclass
class Program:
    name: str
    suite: str
    command: list
    environment: dict
    folder: str
    timeout: float
    targets: list  # of ninja: its own first, then what else it runs


def introspect(build, what):
    return json.loads(subprocess.run(["meson", "introspect", what, str(build)], capture_output=True, text=True, check=True).stdout)


def programs(build):
    """The tests that the build folder knows, as meson describes them."""
    files = {target["id"]: os.path.relpath(target["filename"][0], build) for target in introspect(build, "--targets")}
    found = []
    for test in introspect(build, "--tests"):
        suites = [suite.rpartition(":")[2] for suite in test["suite"]] or ["unit"]
        own = os.path.relpath(test["cmd"][0], build)
        others = sorted({files[target] for target in test["depends"]} - {own})
        found.append(Program(test["name"], suites[0], test["cmd"], test["env"], test["workdir"] or str(ROOT),
                             test["timeout"] or 600, [own, *others]))
    return found


def uses_criterion(build, program):
    """Criterion programs are single-threaded and do not start under ThreadSanitizer."""
    inputs = subprocess.run(["ninja", "-C", str(build), "-t", "query", program.targets[0]], capture_output=True, text=True,
                            check=True)
    return "libcriterion" in inputs.stdout


def counts(output, exit_code):
    """(passed, failed, skipped) as the program itself reports them; a program without counts is one test."""
    found = CRITERION.search(output)
    if found:
        tested, passing = int(found[1]), int(found[2])
        return passing, tested - passing, 0
    lines = RUNNER.findall(output)
    if lines:
        passed, failed, skipped = lines[-1]
        return int(passed), int(failed), int(skipped or 0)
    return (1, 0, 0) if exit_code == 0 else (0, 1, 0)


def run_program(program, form, run_folder):
    """Runs one program and judges it."""
    reports = run_folder / f"{form}-{program.suite}-{program.name}".replace("/", "_").replace(" ", "_")
    reports.mkdir(parents=True, exist_ok=True)
    environment = sanitizer_environment(reports) | program.environment
    label = f"{program.name} ({program.suite}, {form})"
    tally = Tally()
    try:
        done = subprocess.run(without_randomisation(program.command), cwd=program.folder, env=environment,
                              timeout=program.timeout * 4, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        output, exit_code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as expired:
        tally.fail(f"{label}: no end after {expired.timeout:.0f} s\n{(expired.stdout or b'').decode(errors='replace')}")
        return tally
    (reports / "output.txt").write_text(output)
    passed, failed, skipped = counts(output, exit_code)
    tally.passed, tally.failed, tally.skipped = passed, failed, skipped
    if skipped:
        tally.skips.append(f"{label}: {skipped} by the program itself, see {reports}/output.txt")
    left = found_reports(reports)
    if failed:
        tally.complaints.append(f"{label}: {failed} failed\n{output}")
    if exit_code != 0 and not failed:
        tally.fail(f"{label}: ended with {exit_code}\n{output}")
    if left:
        tally.fail(f"{label}: sanitizer reports\n" + "\n".join(f"{name}\n{text}" for name, text in left.items()))
    return tally


def build(form, targets=()):
    """Sets the form up and builds it; returns its folder, or raises with the compiler's words."""
    subprocess.run([str(ROOT / "dev"), "set-up", form], check=True)
    folder = ROOT / "build" / form
    subprocess.run(["ninja", "--quiet", "-C", str(folder), *targets], check=True)
    return folder


def run_programs(selected, form, run_folder):
    """Runs programs side by side, one per processor."""
    total = Tally()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for tally in pool.map(lambda program: run_program(program, form, run_folder), selected):
            total.add(tally)
    return total
