"""What schemathesis is told besides the description: names of things that
exist. It would guess none of them, and see little but 404.

Loaded by schemathesis in a process of its own; test_openapi.py says where the
server is."""

import atexit
import json
import os
import urllib.error
import urllib.request
import zlib
from pathlib import Path

import schemathesis

API = os.environ["OPENAPI_TEST_API"]
TOKEN = os.environ["OPENAPI_TEST_TOKEN"]
# Two of each kind: one that stays, and one for the operations that delete.
KEPT = json.loads(os.environ["OPENAPI_TEST_KEPT"])
SPARE = json.loads(os.environ["OPENAPI_TEST_SPARE"])
SEEN: dict[str, dict[str, int]] = {}

IN_DATASET = {"ProjectName": KEPT["project"], "DatasetName": KEPT["dataset"]}
BOUND = {**IN_DATASET, "URI": KEPT["bucket"]}
SPARE_BOUND = {**IN_DATASET, "URI": SPARE["bucket"]}
NOBODY = {"Version": "1", "Statement": []}

# Calls that succeed. Operations that make something keep the name that
# schemathesis thought of.
KNOWN = {
    "CreateProject": {},
    "GetProject": {"ProjectName": KEPT["project"]},
    # Else a project would be so slow that nothing else is seen of it.
    "UpdateProject": {"ProjectName": KEPT["project"], "ProjectQueriesPerSecond": 100_000},
    "DeleteProject": {"ProjectName": SPARE["project"]},
    "ListProjects": {},
    "CreateDataset": {"ProjectName": KEPT["project"]},
    "GetDataset": IN_DATASET,
    "UpdateDataset": {**IN_DATASET, "DatasetMaxFileCount": 1000, "DatasetMaxTotalFileSize": 1_000_000},
    "DeleteDataset": {"ProjectName": KEPT["project"], "DatasetName": SPARE["dataset"]},
    "ListDatasets": {"ProjectName": KEPT["project"]},
    "CreateBinding": SPARE_BOUND,
    "GetBinding": BOUND,
    "DeleteBinding": SPARE_BOUND,
    "ListBindings": IN_DATASET,
    "StopBinding": BOUND,
    "ResumeBinding": BOUND,
    "IndexFileMeta": {**IN_DATASET, "File": {"URI": KEPT["file"]}},
    "BatchIndexFileMeta": {**IN_DATASET, "Files": [{"URI": KEPT["file"]}]},
    "GetFileMeta": {**IN_DATASET, "URI": KEPT["file"]},
    "BatchGetFileMeta": {**IN_DATASET, "URIs": [KEPT["file"], SPARE["file"]]},
    "UpdateFileMeta": {**IN_DATASET, "File": {"URI": KEPT["file"], "CustomId": "one"}},
    "BatchUpdateFileMeta": {**IN_DATASET, "Files": [{"URI": KEPT["file"], "CustomId": "two"}]},
    "DeleteFileMeta": {**IN_DATASET, "URI": SPARE["file"]},
    "BatchDeleteFileMeta": {**IN_DATASET, "URIs": [SPARE["file"]]},
    "SimpleQuery": {**IN_DATASET, "Query": {"Field": "Size", "Operation": "gt", "Value": "0"}},
    "FuzzyQuery": {**IN_DATASET, "Query": "kept"},
    "SemanticQuery": {**IN_DATASET, "Query": "files of this year"},
    "ExtractDocumentText": {"ProjectName": KEPT["project"], "SourceURI": KEPT["file"]},
    "GetTask": {"ProjectName": KEPT["project"], "TaskType": "IndexFileMeta", "TaskId": KEPT["task"]},
    "ListTasks": {"ProjectName": KEPT["project"]},
    "CreateAccessKey": {"Policy": NOBODY},
    "ListAccessKeys": {},
    "UpdateAccessKey": {"AccessKeyId": KEPT["key"]},
    "RotateAccessKey": {"AccessKeyId": KEPT["key"]},
    "DeleteAccessKey": {"AccessKeyId": SPARE["key"]},
    "CreateTemporaryKey": {"AccessKeyId": KEPT["owner"], "Policy": NOBODY},
    "CreateToken": {"AccessKeyId": KEPT["owner"], "Policy": NOBODY},
}
# What must be so for the call to succeed; done before it.
BEFORE = {
    "DeleteProject": ("CreateProject", KNOWN["DeleteProject"]),
    "DeleteDataset": ("CreateDataset", KNOWN["DeleteDataset"]),
    "CreateBinding": ("DeleteBinding", SPARE_BOUND),
    "DeleteBinding": ("CreateBinding", SPARE_BOUND),
    "StopBinding": ("ResumeBinding", BOUND),
    "ResumeBinding": ("StopBinding", BOUND),
    "DeleteAccessKey": ("CreateAccessKey", {"AccessKeyId": SPARE["key"], "Policy": NOBODY}),
}


def call(operation: str, body: dict) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{API}/api/{operation}", json.dumps(body).encode(), headers)
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:
        # It may be so already.
        assert error.code < 500, (operation, error.read())


@schemathesis.hook
def before_call(context, case, kwargs):
    operation = case.operation.path.removeprefix("/api/")
    if case.method.upper() != "POST" or not isinstance(case.body, dict):
        return
    # By what the body is, so that the same seed makes the same calls: a fourth
    # stays as it was thought of, a fourth has what succeeds and nothing else.
    chance = zlib.crc32(json.dumps(case.body, sort_keys=True, default=str).encode()) % 4
    if chance == 0:
        return
    if operation in BEFORE:
        call(*BEFORE[operation])
    made_up = {
        name: value
        for name, value in case.body.items()
        if chance != 3 or (operation in ("CreateProject", "CreateDataset") and name in ("ProjectName", "DatasetName"))
    }
    case.body = {**made_up, **KNOWN[operation]}


@schemathesis.hook
def after_call(context, case, response):
    statuses = SEEN.setdefault(case.operation.path, {})
    status = str(response.status_code)
    statuses[status] = statuses.get(status, 0) + 1


@atexit.register
def write():
    Path(os.environ["OPENAPI_TEST_SEEN"]).write_text(json.dumps(SEEN))
