"""Starts ministack, an emulator of AWS, for the time of a test."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import boto3
from botocore.config import Config

REGION = "us-east-1"
ACCOUNT = "123456789012"
# What the emulator takes for the account's root, who may do everything.
ROOT_KEY = "test"
START_SECONDS = 60
STOP_SECONDS = 10


class Emulator:
    """A running ministack that holds nothing yet, and clients for it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.log_path = folder / "ministack.log"
        for name in ("home", "tmp"):
            (folder / name).mkdir()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = self.log_path.open("wb")
        # What everything here runs with, functions too, which inherit it: it names
        # nothing of the machine's, least of all an account or an endpoint that is
        # a real one.
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(folder / "home"),
            "TMPDIR": str(folder / "tmp"),
            "AWS_ENDPOINT_URL": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ACCESS_KEY_ID": ROOT_KEY,
            "AWS_SECRET_ACCESS_KEY": ROOT_KEY,
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        settings = {
            "STATE_DIR": str(folder / "tmp" / "state"),
            "S3_DATA_DIR": str(folder / "tmp" / "s3"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            # Listeners of services that nobody asks for.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # Signatures and the policies of the functions' roles are enforced.
            "AUTH": "true",
            # What the emulator writes without a TTY is the only trace of a
            # function that died before its first log line.
            "PYTHONUNBUFFERED": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={**self.environment, **settings},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # A group of its own, with the functions' processes in it.
            start_new_session=True,
        )
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5):
                    return
            except OSError:
                time.sleep(0.1)
        raise RuntimeError(f"ministack did not come up; its last words:\n{self.log()[-4000:]}")

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def complaints(self) -> list[str]:
        """What the emulator and the functions found wrong."""
        signs = ("ERROR", "WARN", "Traceback", "panicked")
        return [line for line in self.log().splitlines() if any(sign in line for sign in signs)]

    def stop(self) -> None:
        """Ends the whole group: functions outlive the emulator otherwise."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if not self._signal(sign):
                break
            try:
                self.process.wait(timeout=STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
        deadline = time.monotonic() + STOP_SECONDS
        while self._signal(0) and time.monotonic() < deadline:
            time.sleep(0.05)
        self._log.close()
        # Unpacked functions, objects: only the log is of use to anybody now.
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)

    def _signal(self, sign: int) -> bool:
        """Whether there was anybody to get the signal."""
        try:
            os.killpg(self.process.pid, sign)
        except ProcessLookupError:
            return False
        return True

    def client(self, service: str, **more):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=ROOT_KEY,
            aws_secret_access_key=ROOT_KEY,
            config=Config(
                s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, max_pool_connections=32, **more
            ),
        )


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
