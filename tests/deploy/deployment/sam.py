"""AWS SAM's own command line, led to the emulator."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from .emulator import REGION, Emulator

REPOSITORY = Path(__file__).resolve().parents[3]
TEMPLATE = REPOSITORY / "template.yaml"
CODE = re.compile(r"^ *CodeUri: target/lambda/([a-z-]+)/$", re.MULTILINE)


def functions() -> list[str]:
    """The functions of the template, by the names of their binaries."""
    text = TEMPLATE.read_text(encoding="utf-8")
    found = CODE.findall(text)
    assert text.count("CodeUri: ") == len(found), "a CodeUri is written in another way"
    return found


def command() -> str:
    """The program: MEDIADEX_SAM names it, else the one that .ci/run pins, else
    any on the PATH."""
    places = (os.environ.get("MEDIADEX_SAM"), REPOSITORY / "target/ci-venv/tools/bin/sam", shutil.which("sam"))
    for place in places:
        if place and Path(place).is_file():
            return str(place)
    raise FileNotFoundError("install aws-sam-cli (see .ci/requirements.txt), or name its program in MEDIADEX_SAM")


def sam(emulator: Emulator, *arguments: str) -> str:
    """What the program says. It knows the emulator only: no account, no
    settings of the user's, and no endpoint but this one."""
    done = subprocess.run(
        [command(), *arguments, "--region", REGION],
        cwd=REPOSITORY,
        env={**emulator.environment, "SAM_CLI_TELEMETRY": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-8000:]
    return done.stdout
