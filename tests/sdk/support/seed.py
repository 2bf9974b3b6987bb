"""The complete samples of a guide, out of its text. The text has lost its
indentation; it is given back by the few rules that such samples follow."""

import os
import re
import subprocess
import sys
from pathlib import Path

from .cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET, REPOSITORY, Cloud

SEEDS = REPOSITORY.parent / "shared" / "seeds"
FIRST_LINE = "# -*- coding: utf-8 -*-"
LAST_LINE = re.compile(r"Sample\.main\((sys\.argv\[1:\])?\)")
ENDPOINT = re.compile(r"config\.endpoint = .*")


def guide(number: str) -> str | None:
    """The text of a guide, where it is there."""
    found = sorted(SEEDS.glob(f"{number}_*.txt"))
    return found[0].read_text(encoding="utf-8") if found else None


def samples(text: str) -> list[str]:
    """The complete programs in a text, in their order."""
    programs = []
    for start in re.finditer(re.escape(FIRST_LINE), text):
        # The call stands once more before the end, in no sample.
        end = LAST_LINE.search(text, start.end())
        programs.append(indented(text[start.start() : end.end()]))
    return programs


def indented(program: str) -> str:
    """Indents a program of imports, one class of methods and a main block."""
    lines, level, depth, in_text = [], 0, 0, False
    for line in program.splitlines():
        line = line.strip()
        at = level
        if depth == 0 and not in_text:
            if line.startswith(("import ", "from ", "class ", "if __name__")):
                at = 0
            elif line.startswith(("@", "def ", "async def ")):
                at = 1
            elif line.startswith(("try:", "except ")):
                at = 2
            if line.startswith(("class ", "if __name__")):
                level = 1
            elif line.startswith(("def ", "async def ")):
                level = 2
            elif line.startswith(("try:", "except ")):
                level = 3
        lines.append("    " * at + line)
        if line.count('"""') % 2:
            in_text = not in_text
        if not in_text:
            code = re.sub(r"'[^']*'|\"[^\"]*\"|#.*", "", line)
            depth += sum(map(code.count, "([{")) - sum(map(code.count, ")]}"))
    return "\n".join(lines) + "\n"


def with_endpoint(program: str, endpoint: str) -> str:
    """The program with its one endpoint line changed, and nothing else."""
    changed, count = ENDPOINT.subn(f"config.endpoint = '{endpoint}'", program)
    assert count == 1, f"{count} endpoint lines"
    return changed


def run(program: str, cloud: Cloud, folder: Path) -> str:
    """Runs a program as a user does, and gives what it printed."""
    path = folder / "sample.py"
    path.write_text(with_endpoint(program, cloud.api), encoding="utf-8")
    environment = {**os.environ, "AccessKeyId": ACCESS_KEY_ID, "AccessKeySecret": ACCESS_KEY_SECRET}
    # Warnings are of the SDKs, about themselves.
    command = [sys.executable, "-W", "ignore", path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout
