"""./dev lint: prints every finding and ends with 1 when there is one."""

import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rules  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main():
    tree = rules.Tree(ROOT)
    findings = [finding for rule in rules.RULES for finding in rule(tree)]
    subprocess.run([str(ROOT / "dev"), "set-up", "clang"], check=True)
    findings += rules.clang_tidy(tree, ROOT / "build" / "clang")
    for finding in findings:
        print(finding)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
