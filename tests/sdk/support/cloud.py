"""Starts `mediadex up` and makes clients for it."""

import json
import os
import queue
import signal
import subprocess
import threading
import time
import urllib.request
import uuid
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]
ACCESS_KEY_ID = "sdk-tests"
ACCESS_KEY_SECRET = "sdk-tests-secret"
OWN_KEY = {"MEDIADEX_ACCESS_KEY_ID": ACCESS_KEY_ID, "MEDIADEX_ACCESS_KEY_SECRET": ACCESS_KEY_SECRET}
REGION = "us-east-1"
START_SECONDS = 60


def binary() -> Path:
    """The program under test: MEDIADEX_BIN, else what cargo built last."""
    named = os.environ.get("MEDIADEX_BIN")
    if named:
        return Path(named).resolve()
    built = [REPOSITORY / "target" / profile / "mediadex" for profile in ("debug", "release")]
    for path in built:
        if path.is_file():
            return path
    raise FileNotFoundError("build mediadex first (cargo build -p mediadex), or name it in MEDIADEX_BIN")


class Cloud:
    """A running `mediadex up`, and clients for its endpoints."""

    def __init__(self, state: Path, *folders: Path, own_key: bool = True):
        """With a key of the tests' own, or with the one that it generates."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MEDIADEX_"))}
        # What it keeps for the user's other commands is not left with the user's own.
        self.environment = {**inherited, "XDG_DATA_HOME": str(state.parent / "data")}
        self.log_path = Path(f"{state}.log")
        self._log = self.log_path.open("wb")
        self.process = subprocess.Popen(
            # Port 0: any four free ports, so that nothing else is in the way.
            [binary(), "up", *folders, "--port", "0", "--state", state, "--writable", "--json"],
            env=self.environment | (OWN_KEY if own_key else {}),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        try:
            self.ready = json.loads(self._first_line())
        except Exception:
            self.stop()
            raise
        self.api: str = self.ready["api"]
        self.sns_url: str = self.ready["sns"]

    def _first_line(self) -> str:
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=lambda: lines.put(self.process.stdout.readline()), daemon=True).start()
        try:
            line = lines.get(timeout=START_SECONDS)
        except queue.Empty:
            line = ""
        if not line:
            raise RuntimeError(f"mediadex did not come up; its last words:\n{self.log()[-4000:]}")
        return line

    def log(self) -> str:
        """What the process wrote to stderr."""
        self._log.flush()
        return self.log_path.read_text(errors="replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
        self._log.close()

    # The clients' packages are imported where they are used: not every
    # environment has all of them.

    def imm(self, secret: str | None = ACCESS_KEY_SECRET, key_id: str | None = ACCESS_KEY_ID, **more):
        """A client of the SDK, made as its documentation says but for the endpoint."""
        from alibabacloud_imm20200930.client import Client as ImmClient
        from alibabacloud_tea_openapi import models as open_api_models

        config = open_api_models.Config(access_key_id=key_id, access_key_secret=secret, **more)
        config.endpoint = self.api
        return ImmClient(config)

    def _aws(self, service: str, **more):
        import boto3
        from botocore.config import Config as BotoConfig

        return boto3.client(
            service,
            endpoint_url=self.ready[service],
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY_ID,
            aws_secret_access_key=ACCESS_KEY_SECRET,
            config=BotoConfig(retries={"total_max_attempts": 1}, **more),
        )

    def s3(self):
        return self._aws("s3", s3={"addressing_style": "path"})

    def sns(self):
        return self._aws("sns")

    def messages(self, topic: str) -> list[dict]:
        """The messages that a topic got, oldest first."""
        with urllib.request.urlopen(f"{self.sns_url}/topics/{topic}/messages", timeout=10) as reply:
            return [entry["message"] for entry in json.load(reply)["messages"]]


def unique(stem: str) -> str:
    """A name that nothing else has."""
    return f"{stem}-{uuid.uuid4().hex[:10]}"


def eventually(probe, timeout: float = 20.0, interval: float = 0.05):
    """Asks until the answer is true, and gives it. Fails with the last answer."""
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not so after {timeout} s; the last answer was {answer!r}")
        time.sleep(interval)
