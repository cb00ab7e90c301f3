"""The catalogues: every requirement of RFC 8894 (requirements.txt) and every habit of clients in the field (quirks.txt), a line each,
with the tests that hold it, the reason why a server has none, or the feature that it waits for.

A line is `ID | what is asked for | how it is held`. The last column is one of

    test_NAME …             tests of this folder, each marked with the ID
    test_NAME … ; open FEATURE: WHAT    held in part, or held as long as the feature is not there
    open FEATURE: WHAT      waits for a feature
    na: REASON              does not concern a server

and may end with `; departs NUMBER`, a page of docs/decisions. A line `# TITLE` begins a section.
"""

import ast
import pathlib
import re
import xml.etree.ElementTree
from dataclasses import dataclass, field

import pytest

requirement, quirk = pytest.mark.requirement, pytest.mark.quirk
HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DECISIONS = ROOT / "docs" / "decisions"
# How many there are in each section of the requirements, numbered from 01; B-02a came later.
SECTIONS = {"A": 12, "B": 23, "C": 13, "D": 12, "E": 6, "F": 7, "G": 12, "H": 7, "I": 8, "J": 6, "K": 6, "L": 9, "M": 13, "N": 13,
            "O": 12, "P": 10, "Q": 3, "R": 12, "S": 5, "T": 3, "U": 7, "V": 11, "W": 9, "X": 12, "Y": 13, "Z": 10, "AA": 4}
REQUIREMENT_IDS = [f"{section}-{number:02}" for section, count in SECTIONS.items() for number in range(1, count + 1)] + ["B-02a"]
# What of the clients' habits shows on the wire; the numbers have gaps where a line was about something else.
QUIRK_IDS = ("1 2 3 4 5 8 11 13 18 19 20 22 23 24 25 27 28 29 32 40 41 42 43 44 46 50 51 52 53 54 56 57 58 60 64 67 69 70 71 73 74 75 77 78 "
             "83 84 85 86 87 88 89a 89b 89c 89d 89e 89f 89h 89i").split()
FEATURES = {"rollover": "rollover", "later": "GetCert, GetCRL and revocation"}


@dataclass
class Row:
    identifier: str
    words: str
    section: str
    tests: list = field(default_factory=list)
    reason: str = ""  # why a server has none
    feature: str = ""  # what it waits for
    missing: str = ""
    decision: str = ""

    def outcome(self, results):
        """pass, fail, open, not applicable, or not run. `results` are test names with True or False."""
        if self.reason:
            return "not applicable"
        known = [results.get(test) for test in self.tests]
        if False in known:
            return "fail"
        if self.feature:
            return "open"
        return "not run" if None in known else "pass"


def parse_how(row, text):
    for part in text.split(" ; "):
        kind, _, rest = part.partition(" ")
        if kind == "na:":
            row.reason = rest
        elif kind == "departs":
            row.decision = rest
        elif kind == "open":
            row.feature, _, row.missing = (word.strip() for word in rest.partition(":"))
        else:
            row.tests += part.split()
    return row


def read(name):
    """The rows of a catalogue, in its order."""
    rows, section = [], ""
    for number, line in enumerate((HERE / name).read_text().splitlines(), 1):
        if line.startswith("# "):
            section = line[2:]
        elif line.strip():
            parts = [part.strip() for part in line.split(" | ")]
            assert len(parts) == 3, f"{name}:{number}: not of the form ID | words | how"
            rows.append(parse_how(Row(parts[0], parts[1], section), parts[2]))
    return rows


def requirements():
    return read("requirements.txt")


def quirks():
    return read("quirks.txt")


def marked_tests(mark):
    """name of a test of this folder -> the IDs that it is marked with; read from the source, so that it is complete whatever runs.
    Tests of one name in several files count as one."""
    found = {}
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or not node.name.startswith("test_"):
                continue
            identifiers = [argument.value for call in node.decorator_list if isinstance(call, ast.Call) and
                           isinstance(call.func, ast.Name) and call.func.id == mark for argument in call.args]
            found.setdefault(node.name, []).extend(identifiers)
    return found


def faults(rows, marked, wanted):
    """Everything in which a catalogue and the tests do not agree, as sentences."""
    names = [row.identifier for row in rows]
    yield from (f"{name} has no line" for name in wanted if name not in names)
    yield from (f"{name} is no ID that there is" for name in names if name not in wanted)
    yield from (f"{name} has two lines" for name in sorted(set(names)) if names.count(name) > 1)
    for row in rows:
        yield from row_faults(row, marked)
    listed = {(row.identifier, test) for row in rows for test in row.tests}
    for test, identifiers in marked.items():
        yield from (f"{test} is marked {one}, but its line does not name it" for one in identifiers if (one, test) not in listed)


def row_faults(row, marked):
    name = row.identifier
    if not row.words:
        yield f"{name} says nothing"
    if bool(row.reason) == bool(row.tests or row.feature):
        yield f"{name} needs tests, a feature that it waits for, or a reason"
    if row.feature and (row.feature not in FEATURES or not row.missing):
        yield f"{name} waits for `{row.feature}: {row.missing}`, which names no feature, or not what of it"
    if row.decision and not list(DECISIONS.glob(f"{int(row.decision):04}-*.md")):
        yield f"{name} departs by decision {row.decision}, which does not exist"
    for test in row.tests:
        if test not in marked:
            yield f"{name} names {test}, which does not exist"
        elif name not in marked[test]:
            yield f"{name} names {test}, which is not marked with it"


def results_of(junit):
    """name of a test -> whether all its cases passed; a test with a case that was skipped is left out."""
    results, skipped = {}, set()
    for case in xml.etree.ElementTree.parse(junit).getroot().iter("testcase"):
        name = re.sub(r"\[.*", "", case.get("name"), flags=re.DOTALL)
        passed = case.find("failure") is None and case.find("error") is None
        if case.find("skipped") is not None:
            skipped.add(name)
        results[name] = results.get(name, True) and passed
    return {name: passed for name, passed in results.items() if name not in skipped or not passed}
