"""schemathesis calls every operation of /openapi.json with what the
description allows and with what it does not, and holds the answers to it."""

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import door
from support.cloud import ACCESS_KEY_ID, Cloud, eventually
from support.raw import Request
from support.s3 import create_bucket, put_object

SEED = 20200930
# Calls of each operation, besides those at the edges of the description.
EXAMPLES = 8
# A run takes about a minute; one that does not end is a finding, too.
LONGEST = 400
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
    "allow_header_conformance",
]


@dataclass
class Outcome:
    """What schemathesis says, and which statuses each path answered."""

    code: int
    text: str
    seen: dict


class Served:
    """A server with things in it that operations can be called on."""

    def __init__(self, cloud: Cloud):
        self.cloud = cloud
        self.token = door.token(cloud)
        self.kept = self.things("kept")
        self.spare = self.things("spare")
        names = {"ProjectName": self.kept["project"], "DatasetName": self.kept["dataset"]}
        door.call(cloud, "CreateProject", ProjectName=self.kept["project"], ProjectQueriesPerSecond=100_000)
        door.call(cloud, "CreateDataset", **names)
        for things in (self.kept, self.spare):
            bucket = things["bucket"].removeprefix("oss://")
            create_bucket(cloud, bucket)
            put_object(cloud, bucket, "file.txt", b"what is in it")
        door.call(cloud, "CreateBinding", URI=self.kept["bucket"], **names)
        eventually(lambda: Request("GetFileMeta", {"URI": self.kept["file"], **names}).send(cloud).status == 200)
        task = door.call(cloud, "IndexFileMeta", File={"URI": self.kept["file"]}, **names)
        door.call(cloud, "CreateAccessKey", AccessKeyId=self.kept["key"], Policy=door.allow("imm:GetProject"))
        self.kept |= {"task": task["EventId"], "owner": ACCESS_KEY_ID}

    @staticmethod
    def things(name: str) -> dict:
        return {
            "project": name,
            "dataset": name,
            "bucket": f"oss://{name}",
            "file": f"oss://{name}/file.txt",
            "key": f"{name}-key",
        }

    def document(self) -> dict:
        with urllib.request.urlopen(f"{self.cloud.api}/openapi.json", timeout=30) as reply:
            return json.load(reply)

    def run(self, document: dict, folder: Path, *more: str) -> Outcome:
        """Runs schemathesis over a description of this server."""
        (folder / "openapi.json").write_text(json.dumps(document))
        command = [
            Path(sys.executable).parent / "schemathesis", "run", "openapi.json",
            "--url", self.cloud.api,
            "--header", f"Authorization: Bearer {self.token}",
            "--phases", "coverage,fuzzing",
            "--checks", ",".join(CHECKS),
            "--seed", str(SEED),
            "--max-examples", str(EXAMPLES),
            "--generation-database", "none",
            "--continue-on-failure",
            "--warnings", "off",
            "--no-color",
            *more,
        ]  # fmt: skip
        environment = {
            **os.environ,
            "SCHEMATHESIS_HOOKS": str(Path(__file__).with_name("hooks.py")),
            "OPENAPI_TEST_API": self.cloud.api,
            "OPENAPI_TEST_TOKEN": self.token,
            "OPENAPI_TEST_KEPT": json.dumps(self.kept),
            "OPENAPI_TEST_SPARE": json.dumps(self.spare),
            "OPENAPI_TEST_SEEN": str(folder / "seen.json"),
        }
        done = subprocess.run(
            command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LONGEST
        )
        return Outcome(done.returncode, done.stdout, json.loads((folder / "seen.json").read_text()))


@pytest.fixture(scope="module")
def tested(cloud):
    return Served(cloud)


@pytest.fixture(scope="module")
def outcome(tested, tmp_path_factory):
    """The one long run."""
    return tested.run(tested.document(), tmp_path_factory.mktemp("schemathesis"))


def test_every_answer_is_as_the_description_says(outcome):
    assert outcome.code == 0, outcome.text


def test_every_operation_was_called_with_success_and_without(tested, outcome):
    """Otherwise the test before would say little: only an operation that was
    reached can fail, and only where a call succeeds is it also made without
    and with a wrong token."""
    seen = {path: set(outcome.seen.get(path, {})) for path in tested.document()["paths"]}
    assert {path: statuses for path, statuses in seen.items() if not {"200", "401", "405"} <= statuses} == {}
    assert {path for path, statuses in seen.items() if any(status.startswith("5") for status in statuses)} == set()


def test_the_server_still_knows_what_it_was_given(tested, outcome):
    """Nothing of what was sent broke what was there."""
    names = {"ProjectName": tested.kept["project"], "DatasetName": tested.kept["dataset"]}
    reply = door.call(tested.cloud, "GetFileMeta", URI=tested.kept["file"], **names)
    assert [file["URI"] for file in reply["Files"]] == [tested.kept["file"]]


def test_an_answer_that_is_not_described_is_found(tested, tmp_path):
    """That the run can fail: it is told of no 404, of another type, and of an
    operation that is open to all."""
    document = tested.document()
    operation = document["paths"]["/api/GetProject"]["post"]
    del operation["responses"]["404"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    schema["properties"]["RequestId"] = {"type": "integer"}
    outcome = tested.run(document, tmp_path, "--include-operation-id", "GetProject")
    assert outcome.code == 1, outcome.text
    assert "Undocumented status code" in outcome.text
    assert "Response violates schema" in outcome.text
