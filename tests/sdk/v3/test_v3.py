"""alibabacloud_imm20200930 3.0.0 with the core of its time."""

import asyncio
import time

import pytest
from alibabacloud_imm20200930 import models
from support import door, middle, seed
from support.cloud import eventually
from support.media import png
from support.space import where


def test_bindings_and_queries(space):
    middle.check_binding_and_queries(space)


def test_resources(space):
    middle.check_resources(space)


def test_errors(space):
    middle.check_error(space)


def notify(topic):
    return models.Notification(mns=models.MNS(topic_name=topic))


def test_index_one_file(cloud, space, topic):
    uri = space.put("one.png", png(2, 2))
    file = models.InputFile(uri=uri, custom_labels={"category": "Pets"})
    request = models.IndexFileMetaRequest(file=file, notification=notify(topic), **space.names)
    reply = space.imm.index_file_meta(request).body
    (message,) = eventually(lambda: cloud.messages(topic))
    assert message["RequestId"] == reply.request_id
    middle.check_message(message, space, {"one.png": "Pets"})
    task = space.imm.get_task(
        models.GetTaskRequest(project_name=space.project, task_type="IndexFileMeta", task_id=reply.event_id)
    ).body
    assert task.status == "Succeeded"


def test_index_a_batch(cloud, space, topic):
    wanted = {"one.png": "Persons", "two.png": "Pets"}
    files = [
        models.InputFile(uri=space.put(name, png(2, 2)), custom_labels={"category": label})
        for name, label in wanted.items()
    ]
    request = models.BatchIndexFileMetaRequest(files=files, notification=notify(topic), **space.names)
    space.imm.batch_index_file_meta(request)
    (message,) = eventually(lambda: cloud.messages(topic))
    middle.check_message(message, space, wanted)
    assert space.keys(where("CustomLabels.category", "eq", "Pets")) == ["two.png"]


def test_the_asynchronous_client(space):
    uri = space.put("a'b*c.txt")
    file = models.InputFile(uri=uri, custom_id="it's (1)")
    asyncio.run(space.imm.index_file_meta_async(models.IndexFileMetaRequest(file=file, **space.names)))
    eventually(lambda: space.keys(where("CustomId", "eq", "it's (1)")) == ["a'b*c.txt"])


@pytest.mark.parametrize("kind", door.CLIENTS)
@pytest.mark.parametrize("algorithm", door.ALGORITHMS)
def test_each_kind_of_credentials_works_with_each_signature(cloud, algorithm, kind):
    door.check_client(cloud, algorithm, kind)


@pytest.mark.parametrize("algorithm", door.ALGORITHMS)
def test_who_may_not_is_refused(cloud, algorithm):
    door.check_refusals(cloud, algorithm)


def test_too_many_calls_are_refused_until_the_next_second(cloud):
    """This core does not say when to come again: it knows no such header."""
    imm, project = cloud.imm(), door.slow_project(cloud)
    error = door.fault(lambda: door.burst(imm, project))
    assert (error.code, error.data["statusCode"]) == ("Throttling.User", 400)
    time.sleep(1)
    request = models.GetProjectRequest(project_name=project)
    assert imm.get_project(request).body.project.project_name == project


GUIDE = seed.guide("002")


@pytest.mark.skipif(GUIDE is None, reason=f"the guides are not here: {seed.SEEDS} is absent")
def test_the_samples_of_the_guide(cloud, tmp_path):
    imm, s3 = cloud.imm(), cloud.s3()
    names = {"project_name": "test-project", "dataset_name": "test-dataset"}
    imm.create_project(models.CreateProjectRequest(project_name=names["project_name"]))
    imm.create_dataset(models.CreateDatasetRequest(**names))
    s3.create_bucket(Bucket="test-bucket")
    for index in (1, 2):
        s3.put_object(Bucket="test-bucket", Key=f"test-object{index}.jpg", Body=png(10 * index, 10))
    cloud.sns().create_topic(Name="test-topic")
    outputs = [seed.run(program, cloud, tmp_path) for program in seed.samples(GUIDE)]
    assert "'State': 'Ready'" in outputs[0]
    assert "'State': 'R" in outputs[1]
    messages = eventually(lambda: (found := cloud.messages("test-topic")) and len(found) == 2 and found)
    assert sorted(len(message["Files"]) for message in messages) == [1, 2]
    assert all(message["Success"] for message in messages)
