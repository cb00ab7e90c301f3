"""From the suite's results to what people read.

    page.py record JUNIT    build/conformance.json: every line of the catalogues with its outcome
    page.py render          docs/conformance.md and docs/clients.md from that file
"""

import json
import pathlib
import sys
from collections import Counter

import catalogue

RECORD = catalogue.ROOT / "build" / "conformance.json"
DOCS = catalogue.ROOT / "docs"
OUTCOMES = ("pass", "open", "not applicable", "fail", "not run")
REQUIREMENTS = """# Conformance

Every requirement of RFC 8894 that falls on a server or on our client, with what clients, drafts and many tenants add to it, in our own short words. Each is held by tests that run against
the real binary over HTTP, with messages built and bent by `tests/support/scepmsg.py`, which shares nothing with the gateway; which tests, says
`tests/conformance/requirements.txt`. Made by `./dev conformance` from the results of that suite; do not edit.
"""
QUIRKS = """# Clients in the field

What real clients do on the wire beside the RFC, or choke on, as their users reported it; each with the test that shows the gateway coping, or the reason why it need not.
Which tests, says `tests/conformance/quirks.txt`. Which clients are run themselves stands in [interop.md](interop.md); the settings that some
need are the rows `compat.*` of [configuration.md](configuration.md). Made by `./dev conformance` from the results of the suite; do not edit.
"""


def entries(rows, results):
    return [{"id": row.identifier, "section": row.section, "requirement": row.words, "outcome": row.outcome(results), "tests": row.tests,
             "why": row.reason, "feature": row.feature, "missing": row.missing, "decision": row.decision} for row in rows]


def record(junit):
    results = catalogue.results_of(junit)
    RECORD.parent.mkdir(exist_ok=True)
    RECORD.write_text(json.dumps({"requirements": entries(catalogue.requirements(), results),
                                  "quirks": entries(catalogue.quirks(), results)}, indent=1) + "\n")


def result_of(entry):
    """The last column."""
    text = entry["outcome"]
    if entry["why"]:
        text += f": {entry['why']}"
    elif entry["outcome"] == "open":
        text = f"**open** ({catalogue.FEATURES[entry['feature']]}): {entry['missing']}" + ("; the rest passes" if entry["tests"] else "")
    elif entry["outcome"] != "pass":
        text = f"**{text}**"
    if entry["decision"]:
        page = next(catalogue.DECISIONS.glob(f"{int(entry['decision']):04}-*.md"))
        text += f", with a departure ([decision {entry['decision']}](decisions/{page.name}))"
    return text


def totals(found):
    counts = Counter(entry["outcome"] for entry in found)
    said = ", ".join(f"{counts[outcome]} {outcome}" for outcome in OUTCOMES if counts[outcome])
    return f"**{len(found)} in all: {said}.**\n"


def page(introduction, found, heading):
    lines, section = [introduction, totals(found)], None
    for entry in found:
        if entry["section"] != section:
            section = entry["section"]
            lines += [f"## {section}\n" if len(lines) == 2 else f"\n## {section}\n", f"| | {heading} | |", "|---|---|---|"]
        lines.append(f"| {entry['id']} | {entry['requirement']} | {result_of(entry)} |")
    return "\n".join(lines) + "\n"


def pages(requirements, quirks):
    """name of a page below docs -> its text."""
    return {"conformance.md": page(REQUIREMENTS, requirements, "requirement"), "clients.md": page(QUIRKS, quirks, "what clients do")}


def wanted_pages():
    """The pages of a run in which every test passes: what must be committed, because any other run is red."""
    class Everything(dict):
        def get(self, name, default=None):
            return True
    return pages(entries(catalogue.requirements(), Everything()), entries(catalogue.quirks(), Everything()))


def main(arguments):
    if arguments[:1] == ["record"] and len(arguments) == 2:
        record(pathlib.Path(arguments[1]))
    elif arguments == ["render"]:
        found = json.loads(RECORD.read_text())
        for name, text in pages(found["requirements"], found["quirks"]).items():
            (DOCS / name).write_text(text)
        print(totals(found["requirements"]), totals(found["quirks"]), sep="", end="")
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
