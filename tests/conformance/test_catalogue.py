"""The catalogues, the tests and the committed pages agree; and a catalogue that does not is found out."""

import catalogue
import page
import pytest


def test_every_requirement_has_its_line_and_every_line_its_tests():
    assert list(catalogue.faults(catalogue.requirements(), catalogue.marked_tests("requirement"), catalogue.REQUIREMENT_IDS)) == []
    assert len(catalogue.REQUIREMENT_IDS) == 259


def test_every_quirk_has_its_line_and_every_line_its_tests():
    assert list(catalogue.faults(catalogue.quirks(), catalogue.marked_tests("quirk"), catalogue.QUIRK_IDS)) == []


@pytest.mark.parametrize("name", ["conformance.md", "clients.md"])
def test_committed_page_says_what_the_catalogue_says(name):
    assert (page.DOCS / name).read_text() == page.wanted_pages()[name], "run ./dev conformance"


def row(how, identifier="A-01"):
    return catalogue.parse_how(catalogue.Row(identifier, "words", "A"), how)


MARKED = {"test_one": ["A-01"], "test_two": ["A-02"]}


@pytest.mark.parametrize("rows,fault", [
    ([], "A-01 has no line"),
    ([row("test_one"), row("test_one")], "A-01 has two lines"),
    ([row("test_one"), row("na: x", "Z-99")], "Z-99 is no ID"),
    ([row("test_none")], "names test_none, which does not exist"),
    ([row("test_two")], "names test_two, which is not marked with it"),
    ([row("na: nothing to do")], "test_one is marked A-01, but its line does not name it"),
    ([row("")], "A-01 needs tests"),
    ([row("test_one ; na: also a reason")], "A-01 needs tests"),
    ([row("test_one ; open nothing: x")], "names no feature"),
    ([row("test_one ; open later")], "names no feature"),
    ([row("test_one ; departs 9999")], "decision 9999, which does not exist"),
])
def test_a_catalogue_with_a_fault_is_found_out(rows, fault):
    assert any(fault in one for one in catalogue.faults(rows, MARKED, ["A-01"]))


@pytest.mark.parametrize("how,results,outcome", [
    ("test_one", {"test_one": True}, "pass"), ("test_one", {"test_one": False}, "fail"), ("test_one", {}, "not run"),
    ("test_one test_two", {"test_one": True, "test_two": False}, "fail"), ("na: x", {}, "not applicable"),
    ("open later: x", {}, "open"), ("test_one ; open later: x", {"test_one": True}, "open"),
    ("test_one ; open later: x", {"test_one": False}, "fail"),
])
def test_outcomes(how, results, outcome):
    assert row(how).outcome(results) == outcome


def test_results_are_read_from_junit(tmp_path):
    (tmp_path / "x.xml").write_text("<testsuites><testsuite><testcase name='test_a[1]'/><testcase name='test_a[2]'><failure/></testcase>"
                                    "<testcase name='test_b[x]'/><testcase name='test_c'><skipped/></testcase></testsuite></testsuites>")
    assert catalogue.results_of(tmp_path / "x.xml") == {"test_a": False, "test_b": True}
