#!/usr/bin/env python3
"""Makes docs/terminal.svg: what `mediadex up` and `mediadex find` print, as a picture.

    tools/terminal.py target/release/mediadex FOLDER

serves FOLDER for a moment in a local cloud that keeps nothing, runs the commands
below, and writes what they printed.
"""

import html
import re
import subprocess
import sys
from pathlib import Path

COMMANDS = [
    "find {name} 'type:image width>=1000 taken:2000..' --sort -taken --limit 5",
    "find {name} type:image --group-by camera --limit 4",
]
TARGET = Path(__file__).parent.parent / "docs" / "terminal.svg"
COLUMNS, ROW, CHARACTER, MARGIN = 100, 18, 8.4, 16


def output(binary: str, folder: Path) -> list[str]:
    """What a terminal shows: prompts, and what was printed behind them."""
    lines = [f"$ mediadex up ~/{folder.name}"]
    up = subprocess.Popen(
        [binary, "up", str(folder), "--ephemeral", "--port", "7390"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        # Up to what it says to type next.
        for line in up.stdout:
            if line.startswith("next"):
                break
            if line.startswith(("dataset", "indexed")):
                lines.append(line.rstrip().replace(str(folder), f"~/{folder.name}"))
        for command in COMMANDS:
            command = command.format(name=folder.name)
            lines += ["", f"$ mediadex {command}"]
            done = subprocess.run(
                f"{binary} {command} --endpoint http://127.0.0.1:7390",
                shell=True,
                capture_output=True,
                text=True,
                check=True,
            )
            lines += done.stdout.rstrip().splitlines()
    finally:
        up.terminate()
        up.wait()
    return lines


def picture(lines: list[str]) -> str:
    """The lines as SVG with a system's monospaced font."""
    height = MARGIN * 2 + ROW * len(lines)
    width = round(MARGIN * 2 + CHARACTER * COLUMNS)
    rows = []
    for number, line in enumerate(lines):
        line = re.sub(r"\x1b\[[0-9;]*m", "", line)
        line = line if len(line) <= COLUMNS else line[: COLUMNS - 1] + "…"
        style = ' fill="#8fd18f"' if line.startswith("$ ") else ""
        y = MARGIN + ROW * number + 13
        rows.append(f'<text x="{MARGIN}" y="{y}"{style} xml:space="preserve">{html.escape(line)}</text>')
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
            f'<rect width="{width}" height="{height}" rx="8" fill="#1e1e24"/>',
            '<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14" fill="#e6e6e6">',
            *rows,
            "</g>",
            "</svg>",
            "",
        ]
    )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    TARGET.write_text(picture(output(sys.argv[1], Path(sys.argv[2]))), encoding="utf-8")
