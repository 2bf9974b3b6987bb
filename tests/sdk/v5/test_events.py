"""The sample events of the repository, in the order in which they make sense:
each is what its operation takes."""

import json

import pytest
from support.cloud import REPOSITORY, Cloud, eventually
from support.media import png
from support.raw import Request

EVENTS = REPOSITORY / "events"
# on-object-event, scan and rpc-gateway take events that are no parameters.
WORKERS = {path.stem for pattern in ("on-*", "scan-*", "rpc-*") for path in EVENTS.glob(f"{pattern}.json")}
ORDER = """
    create-project get-project update-project list-projects
    create-dataset get-dataset update-dataset list-datasets
    index-file-meta batch-index-file-meta list-tasks get-task
    create-binding get-binding list-bindings stop-binding resume-binding
    get-file-meta batch-get-file-meta update-file-meta batch-update-file-meta
    simple-query fuzzy-query semantic-query extract-document-text
    create-access-key list-access-keys update-access-key rotate-access-key
    create-temporary-key create-token delete-access-key
    delete-file-meta batch-delete-file-meta delete-binding delete-dataset delete-project
""".split()


def test_every_operation_has_its_event():
    assert {path.stem for path in EVENTS.glob("*.json")} - WORKERS == set(ORDER)


@pytest.fixture
def demo(tmp_path):
    """A cloud of its own: the events name their project, bucket and topic."""
    cloud = Cloud(tmp_path / "state")
    cloud.s3().create_bucket(Bucket="demo-bucket")
    for name in ("beach", "cat"):
        cloud.s3().put_object(Bucket="demo-bucket", Key=f"photos/{name}.jpg", Body=png(3, 2))
    cloud.s3().put_object(Bucket="demo-bucket", Key="documents/note.txt", Body=b"words")
    cloud.sns().create_topic(Name="demo-topic")
    yield cloud
    cloud.stop()


def test_the_events_work_one_after_another(demo):
    task = None
    for name in ORDER:
        params = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
        if name == "get-task":
            params["TaskId"] = task
        action = "".join(part.capitalize() for part in name.split("-"))

        def done():
            # What is asynchronous may not be there yet for the next call.
            reply = Request(action, params).send(demo)
            pending = reply.code in ("StatusConflict", "ResourceNotEmpty") or (
                reply.code == "ResourceNotFound" and "File" in reply.body["Message"]
            )
            if name == "get-binding":
                pending = reply.body["Binding"]["Phase"] != "IncrementalScanning"
            return None if pending else reply

        reply = eventually(done)
        assert reply.status == 200, (name, reply.body)
        task = reply.body.get("EventId", task)
    assert len(eventually(lambda: (found := demo.messages("demo-topic")) and len(found) == 2 and found)) == 2
