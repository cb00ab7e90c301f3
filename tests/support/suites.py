"""./dev test [SUITE…] [--full]: builds the forms a suite needs, runs it, and adds everything up.

unit and flow    the programs of tests/unit and tests/flow under gcc with ASan, UBSan and LSan; those with threads again
                 under clang with TSan
system, conformance, interop, faults
                 pytest against the ASan build of the real binary
lint             clang's warnings on everything, the rules of docs/style.md, and the tests of the lint itself

Any sanitizer report fails the run, also one of a program that ended well; a self-check plants a leak, an overflow, an undefined
operation and a race to see that this is so.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import programs  # noqa: E402
from programs import ROOT, Tally  # noqa: E402

PROGRAM_SUITES = ("unit", "flow")
PYTEST_SUITES = ("system", "conformance", "interop", "faults")
SUITES = PROGRAM_SUITES + PYTEST_SUITES + ("lint",)
RUN = ROOT / "build" / "run"
built = {}


def say(text):
    print(text, flush=True)


def build(form, targets=()):
    """Builds a form once per run."""
    if (form, targets) not in built:
        started = time.monotonic()
        say(f"== build {form}")
        built[form, targets] = programs.build(form, targets)
        say(f"   {time.monotonic() - started:.0f} s")
    return built[form, targets]


def chosen(folder, suite):
    """The programs of a suite; what is neither flow nor bench counts as unit, replayed fuzz corpora included."""
    known = [program for program in programs.programs(folder) if program.suite != "bench"]
    return [program for program in known if (program.suite == "flow") == (suite == "flow")]


def run_programs(suite, _size):
    total = Tally()
    folder = build("asan")
    total.add(programs.run_programs(chosen(folder, suite), "asan", RUN))
    subprocess.run([str(ROOT / "dev"), "set-up", "tsan"], check=True)
    folder = ROOT / "build" / "tsan"
    threaded = [program for program in chosen(folder, suite)
                if not program.name.startswith("fuzz/") and not programs.uses_criterion(folder, program)]
    if threaded:
        build("tsan", tuple(sorted({target for program in threaded for target in program.targets})))
        total.add(programs.run_programs(threaded, "tsan", RUN))
    return total


def planted(form, defect):
    target = "tests/support/planted"
    build(form, (target,))
    program = programs.Program(f"planted-{defect}", "self-check", [str(ROOT / "build" / form / target), defect], {}, str(ROOT),
                               60, [target])
    return programs.run_program(program, form, RUN)


def self_check():
    """Plants a defect of each kind; the run that does not turn red is the failure."""
    total = Tally()
    for form, defect in (("asan", "leak"), ("asan", "overflow"), ("asan", "undefined"), ("tsan", "race")):
        if planted(form, defect).failed:
            total.passed += 1
        else:
            total.fail(f"self-check: a planted {defect} went unnoticed in the {form} form")
    return total


def read_junit(path, suite):
    tally = Tally()
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            tally.fail(f"{suite}: {name}")
        elif skipped is not None:
            tally.skipped += 1
            tally.skips.append(f"{name}: {skipped.get('message')}")
        else:
            tally.passed += 1
        tally.figures += [f"{name}: {item.get('value')}" for item in case.iter("property") if item.get("name") == "measured"]
    return tally


def run_pytest(suite, folder, environment):
    junit = RUN / f"{suite}.xml"
    command = ["/usr/bin/python3", "-B", "-m", "pytest", "-p", "no:cacheprovider", "-q", "--no-header", "--tb=short", "-n",
               str(os.cpu_count()), "--dist", "load", "-o", "junit_family=xunit1", f"--junitxml={junit}", str(folder)]
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, cwd=ROOT, check=False)
    tally = read_junit(junit, suite) if junit.exists() else Tally()
    if done.returncode not in (0, 1) or (done.returncode == 1 and not tally.failed):
        tally.fail(f"{suite}: pytest ended with {done.returncode}")
    return tally


def run_system(suite, size):
    folder = build("asan")
    reports = RUN / suite
    reports.mkdir(parents=True)
    environment = programs.sanitizer_environment(reports) | {
        "SCEPGATE_BINARY": str(folder / "scepgate"), "SCEPGATE_TEST_SIZE": size, "SCEPGATE_REPORTS": str(reports)}
    tally = run_pytest(suite, ROOT / "tests" / suite, environment)
    junit = RUN / f"{suite}.xml"
    if suite == "conformance" and junit.exists():
        subprocess.run([sys.executable, "-B", str(ROOT / "tests/conformance/page.py"), "record", str(junit)], check=True)
    left = programs.found_reports(reports)
    if left:
        tally.fail(f"{suite}: sanitizer reports\n" + "\n".join(f"{name}\n{text}" for name, text in left.items()))
    return tally


def run_lint(suite, _size):
    total = Tally()
    build("clang")
    total.passed += 1
    total.add(run_pytest(suite, ROOT / "tests" / "lint", dict(os.environ)))
    return total


def run_suite(suite, size):
    if suite in PROGRAM_SUITES:
        return run_programs(suite, size)
    return run_lint(suite, size) if suite == "lint" else run_system(suite, size)


def guarded(name, run):
    """A tally also of a suite that could not be built or run."""
    try:
        return run()
    except (subprocess.CalledProcessError, OSError) as problem:
        tally = Tally()
        tally.fail(f"{name}: {problem}")
        return tally


def main():
    parser = argparse.ArgumentParser(prog="./dev test")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=" ".join(SUITES))
    parser.add_argument("--full", action="store_true", help="the sizes that evidence asks for")
    arguments = parser.parse_args()
    unknown = [suite for suite in arguments.suites if suite not in SUITES]
    if unknown:
        parser.error(f"no suite named {unknown[0]}; there are {', '.join(SUITES)}")
    size = "full" if arguments.full else "default"
    os.environ["SCEPGATE_TEST_SIZE"] = size
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir(parents=True)

    total, minutes = Tally(), []
    plan = [(suite, lambda suite=suite: run_suite(suite, size)) for suite in SUITES
            if suite in (arguments.suites or SUITES)]
    if arguments.suites != ["lint"]:
        plan.append(("self-check", self_check))
    for name, run in plan:
        say(f"== {name}")
        started = time.monotonic()
        tally = guarded(name, run)
        total.add(tally)
        minutes.append(f"{name} {(time.monotonic() - started) / 60:.1f}")
        say(f"   {name}: {tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")

    for complaint in total.complaints:
        say(f"FAILED {complaint}")
    for skip in total.skips:
        say(f"SKIPPED {skip}")
    for figure in total.figures:
        say(f"MEASURED {figure}")
    say(f"size {size}; minutes: {', '.join(minutes)}")
    say(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
