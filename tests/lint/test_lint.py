"""The project keeps its rules, and each rule catches what it is there for: every rule is shown a tree with one planted violation."""

import pathlib
import subprocess

import pytest
import rules

ROOT = pathlib.Path(__file__).resolve().parents[2]

GOOD = "/* a.c: a purpose. */\nint a(void);\nint a(void)\n{\n    return 1;\n}\n"
PLANTED = {
    "include_edges": ("gateway/scep/a.c", '/* a.c: x */\n#include "http/listener.h"\n'),
    "banned_functions": ("gateway/base/a.c", "/* a.c: x */\nvoid a(char *b) { strcpy(b, b); }\n"),
    "file_lengths": ("gateway/base/a.c", "/* a.c: x */\n" + "\n" * 900),
    "function_lengths": ("gateway/base/a.c", "/* a.c: x */\nvoid a(void)\n{\n" + "    ;\n" * 101 + "}\n"),
    "purpose_lines": ("gateway/base/a.c", "int a;\n"),
    "header_guards": ("gateway/base/a.h", "/* a.h: x */\nint a;\n"),
    "headers_alone": ("gateway/base/a.h", "/* a.h: x */\n#pragma once\nstruct b a(size_t);\n"),
    "forbidden_words": ("docs/a.md", "see /" + "work/main\n"),
    "layout": ("gateway/base/a.c", "/* a.c: x */\nint a( void ) ;\n"),
}


def planted_tree(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True)
    path.write_text(text)
    (folder / ".clang-format").write_text((ROOT / ".clang-format").read_text())
    return rules.Tree(folder)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_project_keeps(rule):
    assert list(rule(rules.Tree(ROOT))) == []


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_catches(rule, tmp_path):
    findings = list(rule(planted_tree(tmp_path, *PLANTED[rule.__name__])))
    assert len(findings) == 1 and findings[0].startswith(PLANTED[rule.__name__][0] + ":"), findings


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_leaves_good_code_alone(rule, tmp_path):
    assert list(rule(planted_tree(tmp_path, "gateway/base/a.c", GOOD))) == []


@pytest.mark.parametrize("include", ["policy/policy.h", "base/error.h"])
def test_backends_know_their_contract_alone(include, tmp_path):
    tree = planted_tree(tmp_path, "backends/demo/demo.c", f'/* demo.c: x */\n#include "{include}"\n')
    assert len(list(rules.include_edges(tree))) == 1


def test_installed_header_must_be_cpp(tmp_path):
    tree = planted_tree(tmp_path, "backends/backend.h", "/* backend.h: x */\n#pragma once\nstatic inline int *a(void *class)\n"
                                                        "{\n    return class;\n}\n")
    assert len(list(rules.headers_alone(tree))) == 2


def test_banned_names_in_comments_and_strings_are_fine(tmp_path):
    tree = planted_tree(tmp_path, "gateway/base/a.c", '/* a.c: strcpy(a) */\nconst char *a = "strcpy(b)";\n')
    assert list(rules.banned_functions(tree)) == []


def test_clang_tidy_is_clean():
    subprocess.run([str(ROOT / "dev"), "set-up", "clang"], check=True)
    assert rules.clang_tidy(rules.Tree(ROOT), ROOT / "build" / "clang") == []


def test_clang_tidy_catches(tmp_path):
    tree = planted_tree(tmp_path, "gateway/base/a.c",
                        "#include <string.h>\nint a(char *b);\nint a(char *b)\n{\n    memset(b, sizeof(int), 0);\n    return 0;\n}\n")
    (tmp_path / "compile_commands.json").write_text(
        f'[{{"directory": "{tmp_path}", "file": "gateway/base/a.c", "command": "cc -c gateway/base/a.c"}}]')
    assert len(rules.clang_tidy(tree, tmp_path)) == 1
