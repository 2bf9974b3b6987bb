"""Tasks of index calls: looked up one by one, and listed."""

import json

import pytest
from alibabacloud_imm20200930 import models
from support.cloud import eventually


@pytest.fixture
def tasks(space):
    """Ids of four tasks, in their order; the last one failed."""
    uri = space.put("a.txt")
    ids = []
    for name in (uri, uri, uri, space.uri("none")):
        request = models.IndexFileMetaRequest(file=models.InputFile(uri=name), user_data=name, **space.names)
        ids.append(space.imm.index_file_meta(request).body.event_id)
    eventually(lambda: all(get(space, id).status != "Running" for id in ids))
    return ids


def get(space, id, **more):
    request = models.GetTaskRequest(project_name=space.project, task_type="IndexFileMeta", task_id=id, **more)
    return space.imm.get_task(request).body


def listed(space, **more):
    return space.imm.list_tasks(models.ListTasksRequest(project_name=space.project, **more)).body


def test_get(space, tasks):
    task = get(space, tasks[0], request_definition=True)
    assert (task.status, task.progress, task.task_id, task.event_id) == ("Succeeded", 100, tasks[0], tasks[0])
    assert task.start_time <= task.end_time
    assert task.user_data == space.uri("a.txt")
    definition = task.task_request_definition
    definition = json.loads(definition) if isinstance(definition, str) else definition
    assert definition["DatasetName"] == space.dataset
    assert get(space, tasks[0]).task_request_definition is None
    failed = get(space, tasks[3])
    assert (failed.status, failed.code) == ("Failed", "ResourceNotFound")


def test_list(space, tasks):
    ids = lambda body: [task.task_id for task in body.tasks]
    assert ids(listed(space)) == tasks
    assert ids(listed(space, sort="StartTime", order="desc")) == tasks[::-1]
    assert ids(listed(space, status="Failed")) == tasks[3:]
    assert ids(listed(space, task_types=["BatchIndexFileMeta"])) == []
    started = get(space, tasks[1]).start_time
    assert ids(listed(space, start_time_range=models.TimeRange(start=started))) == tasks[1:]
    first = listed(space, max_results=3)
    assert ids(first) == tasks[:3]
    last = listed(space, max_results=3, next_token=first.next_token)
    assert (ids(last), last.next_token or "") == (tasks[3:], "")
