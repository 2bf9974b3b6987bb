"""A folder that `mediadex up` serves as a bucket, and a folder to copy there."""

import json
import os
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import names
from support.cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET, OWN_KEY, REGION, Cloud, binary, eventually

BUCKET = "served"
#: Folders with the names that they are given.
RENAMED = (("émoji 🎉/", "plus+plus/moved 🦀/"), ("a&b=c?d#e/", "other/"))
SECONDS = 240


class Space:
    def __init__(self, place: Path):
        self.place = place
        #: What the bucket lies in.
        self.served = place / BUCKET
        self.served.mkdir()
        #: What is copied there.
        self.source = place / "source"
        self.cloud = Cloud(place / "state", self.served)
        self.endpoint: str = self.cloud.ready["s3"]
        self.authority = urlsplit(self.endpoint).netloc
        self.dataset: str = self.cloud.ready["datasets"][0]["dataset"]
        # Not the tests' own, which may say where the person's buckets are.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RCLONE_", "RESTIC_"))}
        self.environment = {
            **kept,
            "HOME": str(place),
            "XDG_CONFIG_HOME": str(place / "config"),
            "XDG_CACHE_HOME": str(place / "cache"),
            "LC_ALL": "C.UTF-8",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": ACCESS_KEY_SECRET,
            "AWS_DEFAULT_REGION": REGION,
        }

    def stop(self) -> None:
        self.cloud.stop()

    def fill(self, *more: str) -> dict[str, int]:
        """Fills the source and tells what it has."""
        names.fill(self.source, more)
        found = names.files(self.source)
        assert len(found) == names.FILES
        return found

    def change(self) -> dict[str, int]:
        """One file of the source changes, one comes and one goes; tells what it has."""
        (self.source / "plain.txt").write_text("other content")
        (self.source / "new + one.txt").write_text("new")
        (self.source / "100%.txt").unlink()
        return names.files(self.source)

    def run(self, *command, **more) -> str:
        """The output of a command that must succeed."""
        done = subprocess.run(
            [str(part) for part in command],
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
        )
        text = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{command}: {done.returncode}\n{text[-4000:]}"
        return text

    def listed(self) -> dict[str, tuple[int, str]]:
        """Size and entity tag of each object."""
        pages = self.cloud.s3().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {
            entry["Key"]: (entry["Size"], entry["ETag"].strip('"'))
            for page in pages
            for entry in page.get("Contents", [])
            # A folder, which is no file.
            if not entry["Key"].endswith("/")
        }

    def indexed(self) -> dict[str, tuple[int, str]]:
        done = subprocess.run(
            [binary(), "find", self.dataset, "--json", "--limit", "100000", "--endpoint", self.cloud.api],
            env=self.cloud.environment | OWN_KEY,
            capture_output=True,
            check=True,
            timeout=60,
        )
        files = [json.loads(line) for line in done.stdout.decode().splitlines()]
        assert not [file for file in files if file.get("ObjectStatus") == "Failed"]
        return {file["Filename"]: (file.get("Size", 0), file["ETag"].strip('"')) for file in files}

    def is_indexed(self, wanted: dict[str, int] | None = None) -> None:
        """The index is the bucket, and both are the wanted files."""
        if wanted is not None:
            listed = {key: size for key, (size, _) in self.listed().items()}
            for found in (listed, names.files(self.served)):
                other = sorted(found.items() ^ wanted.items())
                assert not other, f"there and not wanted, or wanted and not there: {other[:10]}"
        last = {}

        def same():
            last["listed"], last["indexed"] = self.listed(), self.indexed()
            return last["listed"] == last["indexed"]

        try:
            eventually(same, 60, 0.3)
        except AssertionError:
            listed, indexed = set(last["listed"].items()), set(last["indexed"].items())
            raise AssertionError(
                f"in the bucket alone: {sorted(listed - indexed)[:10]}; in the index alone: {sorted(indexed - listed)[:10]}"
            ) from None


def without(files: dict[str, int], start: str) -> dict[str, int]:
    """The files after a folder went."""
    return {path: size for path, size in files.items() if not path.startswith(start)}


def moved(files: dict[str, int], start: str, to: str) -> dict[str, int]:
    """The files after a folder got another name."""
    return {(to + path.removeprefix(start) if path.startswith(start) else path): size for path, size in files.items()}
