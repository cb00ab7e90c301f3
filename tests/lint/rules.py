"""The rules of docs/style.md that a machine can hold. Each rule is a function: a Tree in, findings out.

A finding is "path:line: what is wrong". Nothing here needs a build folder except clang-tidy.
"""

import pathlib
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

# Which rooms a room may include: docs/architecture.md. A room may always include itself.
BASE = {"base"}
LEAVES = BASE | {"worker", "scep", "settings"}
KEEPING = LEAVES | {"metrics", "store"}
DECIDING = KEEPING | {"audit", "policy", "alias"}
DOING = DECIDING | {"storage", "challenge", "transaction", "issuing", "http"}
ALLOWED = {
    "base": set(),
    "worker": BASE,
    "scep": BASE,
    "settings": BASE | {"scep"},
    "metrics": BASE | {"worker"},
    "store": BASE | {"worker"},
    "audit": BASE | {"store"},
    "policy": BASE | {"scep", "settings"},
    "storage": BASE | {"settings", "store", "audit"},
    "alias": KEEPING | {"policy"},
    "challenge": KEEPING | {"audit", "policy", "alias"},
    "transaction": KEEPING | {"audit"},
    "issuing": DECIDING | {"transaction"},
    "http": BASE | {"settings", "metrics"},
    "publication": KEEPING | {"audit", "transaction", "issuing", "http"},
    "enroll": DOING | {"publication"},
    "admin": DOING,
    "cli": DOING | {"enroll", "admin"},
    "": DOING | {"publication", "enroll", "admin", "cli"},  # main.c, server.c
}
KNOWS_BACKENDS = {"issuing", "settings", "cli", ""}

BANNED = ("strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok", "atoi", "alloca", "system")
FILE_LINES = 800
FUNCTION_LINES = 100

# Texts that have no place in the project: a workplace's paths, and work that was put off.
FORBIDDEN = tuple(re.compile(pattern) for pattern in (
    "/" + r"work/(main|shared|\.)", r"\bTO" + r"DO\b", r"\bFIX" + r"ME\b", r"\bX" + r"XX\b"))

TIDY_CHECKS = ",".join((
    "-*",
    "bugprone-*",
    "-bugprone-easily-swappable-parameters",  # says nothing about correctness
    "-bugprone-reserved-identifier",          # _GNU_SOURCE
    "-bugprone-narrowing-conversions",        # the compiler's -Wconversion territory: mostly lengths that were checked
    "-bugprone-implicit-widening-of-multiplication-result",
    "-bugprone-branch-clone",                 # tables of cases read better one per line
    "-bugprone-assignment-in-if-condition",
    "-bugprone-macro-parentheses",            # X-macros paste tokens
    "-bugprone-sizeof-expression",            # sizeof of pointers in container macros
    "-bugprone-not-null-terminated-result",   # takes every memcpy of a counted run for a string
    "-bugprone-suspicious-string-compare",    # memcmp() as a truth value is idiom here
    "misc-redundant-expression",
    "misc-misplaced-const",
    "performance-*",
    "-performance-no-int-to-ptr",             # OpenSSL's sentinel values
))


class Tree:
    """The sources under a root, without their comments and strings where a rule asks for that."""

    def __init__(self, root):
        self.root = pathlib.Path(root)

    def files(self, *patterns, under=("gateway", "backends", "plugins", "tests")):
        found = []
        for folder in under:
            for pattern in patterns:
                found += (self.root / folder).rglob(pattern)
        return sorted(path for path in found if path.is_file())

    def sources(self):
        return self.files("*.c", "*.h")

    def name(self, path):
        return str(path.relative_to(self.root))

    def room(self, path):
        """gateway/ROOM/file.c -> ROOM, gateway/main.c -> "", anything else -> None."""
        parts = path.relative_to(self.root).parts
        if parts[0] != "gateway":
            return None
        return parts[1] if len(parts) > 2 else ""


def code_of(text):
    """The text with comments and literals blanked, so that lines and columns stay."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match[0])
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", blank, text, flags=re.DOTALL)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def includes(path):
    """(line, name) of every include in quotes."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        found = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if found:
            yield number, found[1]


def include_edges(tree):
    """Includes point one way, and backends know their contract alone."""
    for path in tree.sources():
        room = tree.room(path)
        for number, name in includes(path):
            problem = None
            if room is not None:
                problem = room_edge(tree, path, room, name)
            elif tree.name(path).startswith(("backends/", "plugins/")) and name != "backends/backend.h":
                own = (path.parent / name).exists() or (tree.root / name).parent == path.parent
                problem = None if own else f"a backend may include backends/backend.h and its own headers, not {name}"
            if problem:
                yield f"{tree.name(path)}:{number}: {problem}"


def room_edge(tree, path, room, name):
    if room not in ALLOWED:
        return f"room {room} has no row in the table of includes"
    if name.startswith("backends/"):
        return None if room in KNOWS_BACKENDS else f"room {room} may not include {name}"
    target = name.split("/")[0] if "/" in name else None
    if target is None:
        beside = (path.parent / name).exists()
        return None if beside and room == "" else f'write "{room or "ROOM"}/{name}" instead of "{name}"'
    if target == room or target in ALLOWED[room]:
        return None
    return f"room {room or 'server'} may not include {name}"


def banned_functions(tree):
    pattern = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
    for path in tree.sources():
        code = code_of(path.read_text())
        for match in pattern.finditer(code):
            yield f"{tree.name(path)}:{line_of(code, match.start())}: {match[1]} is banned"


def file_lengths(tree):
    for path in tree.sources():
        lines = len(path.read_text().splitlines())
        if lines > FILE_LINES:
            yield f"{tree.name(path)}:{lines}: a file of {lines} lines, at most {FILE_LINES}"


def function_lengths(tree):
    """The layout puts a function's braces, and no others, alone in the first column."""
    for path in tree.files("*.c"):
        start = None
        for number, line in enumerate(code_of(path.read_text()).splitlines(), 1):
            if line.startswith("{"):
                start = number
            elif line.startswith("}") and start:
                if number - start - 1 > FUNCTION_LINES:
                    yield f"{tree.name(path)}:{start}: a function of {number - start - 1} lines, at most {FUNCTION_LINES}"
                start = None


def purpose_lines(tree):
    for path in tree.sources():
        if not path.read_text().startswith("/* "):
            yield f"{tree.name(path)}:1: no purpose line on top"


def header_guards(tree):
    for path in tree.files("*.h"):
        if "\n#pragma once\n" not in path.read_text():
            yield f"{tree.name(path)}:1: no #pragma once"


def in_parallel(run, items):
    with ThreadPoolExecutor(2) as pool:
        return [result for result in pool.map(run, items) if result]


def headers_alone(tree):
    """Every header compiles by itself, and the installed one also as C++."""
    flags = ["-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-DOPENSSL_API_COMPAT=30000",
             f"-I{tree.root}", f"-I{tree.root}/gateway", f"-I{tree.root}/tests"]

    def compiles(job):
        path, compiler, language = job
        text = f'#include "{path}"\n'
        done = subprocess.run([compiler, *flags, "-x", language, "-"], input=text, text=True, capture_output=True, check=False)
        if done.returncode == 0:
            return None
        first = next((line for line in done.stderr.splitlines() if "error:" in line), done.stderr)
        return f"{tree.name(path)}:1: does not compile alone as {language}: {first}"

    jobs = [(path, "gcc", "c") for path in tree.files("*.h", under=("gateway", "backends"))]
    jobs += [(path, compiler, "c++") for path in tree.files("backend.h", under=("backends",)) for compiler in ("g++", "clang++")]
    return in_parallel(compiles, jobs)


def forbidden_words(tree):
    texts = [path for path in tree.root.rglob("*") if path.is_file() and
             not {"build", ".git", "state", "__pycache__"} & set(path.relative_to(tree.root).parts)]
    for path in texts:
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue  # a sample of a message, a key store
        for pattern in FORBIDDEN:
            for match in pattern.finditer(text):
                yield f"{tree.name(path)}:{line_of(text, match.start())}: {match[0]!r} has no place in the project's text"


def layout(tree):
    """.clang-format decides."""
    def differs(path):
        done = subprocess.run(["clang-format", "--dry-run", "-Werror", str(path)], cwd=tree.root, capture_output=True,
                              text=True, check=False)
        return None if done.returncode == 0 else f"{tree.name(path)}:1: not formatted, run ./dev format"
    return in_parallel(differs, tree.sources())


def clang_tidy(tree, build):
    """A short list of checks that find mistakes, on the sources of the gateway and the backends."""
    def complains(path):
        done = subprocess.run(["clang-tidy", "-p", str(build), f"--checks={TIDY_CHECKS}", "--warnings-as-errors=*", "--quiet",
                               str(path)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return None
        lines = [line for line in done.stdout.splitlines() if "error:" in line or "warning:" in line]
        return re.sub(r"^(\S*?/)?((gateway|backends)/)", r"\2", lines[0]) if lines else f"{tree.name(path)}:1: clang-tidy ended with {done.returncode}"
    return in_parallel(complains, tree.files("*.c", under=("gateway", "backends")))


RULES = (include_edges, banned_functions, file_lengths, function_lengths, purpose_lines, header_guards, headers_alone,
         forbidden_words, layout)
