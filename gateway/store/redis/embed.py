#!/usr/bin/python3
"""Makes C out of the Lua scripts: embed.py OUT.c PRELUDE.lua SCRIPT.lua ...

Each script becomes one text, prelude first, with the SHA-1 that EVALSHA names it by. Comment lines are sent as empty ones, so
that the line numbers in Redis' error messages stay those of prelude and script together.
"""
import hashlib
import pathlib
import sys


def text_of(path):
    lines = path.read_text(encoding="ascii").splitlines()
    return "".join(("" if line.lstrip().startswith("--") else line) + "\n" for line in lines)


def literal(text):
    quoted = (line.replace("\\", "\\\\").replace('"', '\\"') for line in text.splitlines())
    return "\n".join(f'        "{line}\\n"' for line in quoted)


def main(out, prelude, *scripts):
    start = text_of(pathlib.Path(prelude))
    rows = []
    for path in sorted(map(pathlib.Path, scripts), key=lambda p: p.stem):
        text = start + text_of(path)
        sha1 = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
        rows.append(f'    {{.name = "{path.stem}", .len = {len(text)}, .sha1 = "{sha1}", .text =\n{literal(text)}}},\n')
    pathlib.Path(out).write_text(
        "/* Made by embed.py from the Lua scripts. */\n"
        '#include "store/redis/script_table.h"\n\n'
        "const struct redis_script redis_scripts[] = {\n" + "".join(rows) + "};\n\n"
        f"const size_t redis_script_count = {len(rows)};\n", encoding="ascii")


main(*sys.argv[1:])
