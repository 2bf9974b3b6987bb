"""alibabacloud_imm20200930 1.27.3: files are FileForReq, topics NotifyTopicName,
and bindings can be stopped, resumed and cleaned up."""

import ast
import time

import pytest
from alibabacloud_imm20200930 import models
from support import door, middle, seed
from support.cloud import eventually
from support.media import png
from support.space import Space, where


def test_bindings_and_queries(space):
    middle.check_binding_and_queries(space)


def test_resources(space):
    middle.check_resources(space)


def test_errors(space):
    middle.check_error(space)


def test_index_one_file(cloud, space, topic):
    file = models.FileForReq(uri=space.put("one.png", png(2, 2)), custom_labels={"category": "Pets"})
    request = models.IndexFileMetaRequest(file=file, notify_topic_name=topic, **space.names)
    reply = space.imm.index_file_meta(request).body
    (message,) = eventually(lambda: cloud.messages(topic))
    assert message["RequestId"] == reply.request_id
    middle.check_message(message, space, {"one.png": "Pets"})


def test_index_a_batch(cloud, space, topic):
    wanted = {"one.png": "Persons", "two.png": "Pets"}
    files = [
        models.FileForReq(uri=space.put(name, png(2, 2)), custom_labels={"category": label})
        for name, label in wanted.items()
    ]
    request = models.BatchIndexFileMetaRequest(
        files=files, notify_topic_name=topic, notify_endpoint="ignored", **space.names
    )
    space.imm.batch_index_file_meta(request)
    (message,) = eventually(lambda: cloud.messages(topic))
    middle.check_message(message, space, wanted)
    assert space.keys(where("CustomLabels.category", "eq", "Pets")) == ["two.png"]


def test_update_files(space):
    uri = space.put("a.txt")
    space.bind()
    file = models.FileForReq(uri=uri, custom_id="x", custom_labels={"a": "b"})
    space.imm.update_file_meta(models.UpdateFileMetaRequest(file=file, **space.names))
    assert space.keys(where("CustomId", "eq", "x")) == ["a.txt"]
    file = models.FileForReq(uri=uri, custom_id="y")
    reply = space.imm.batch_update_file_meta(models.BatchUpdateFileMetaRequest(files=[file], **space.names)).body
    assert [file.success for file in reply.files] == [True]


def test_a_binding_is_stopped_and_resumed(space):
    space.put("before.txt")
    space.put("goes.txt")
    space.bind()
    names = {"uri": space.bucket_uri, **space.names}
    space.imm.stop_binding(models.StopBindingRequest(reason="a pause", **names))
    assert space.binding().state == "Stopped"
    space.put("meanwhile.txt")
    space.s3.delete_object(Bucket=space.bucket, Key="goes.txt")
    assert space.keys() == ["before.txt", "goes.txt"]
    space.imm.resume_binding(models.ResumeBindingRequest(**names))
    # What was missed is caught up with, and events are followed again.
    eventually(lambda: space.keys() == ["before.txt", "meanwhile.txt"])
    eventually(lambda: (space.binding().state, space.binding().phase) == ("Running", "IncrementalScanning"))
    space.put("after.txt")
    eventually(lambda: space.keys() == ["after.txt", "before.txt", "meanwhile.txt"])
    assert space.count() == 3


def test_a_stop_during_the_first_scan_holds(cloud):
    for attempt in range(10):
        space = Space(cloud, "stop")
        space.put("a.txt")
        names = {"uri": space.bucket_uri, **space.names}
        space.imm.create_binding(models.CreateBindingRequest(**names))
        time.sleep(0.003 * attempt)
        space.imm.stop_binding(models.StopBindingRequest(**names))
        time.sleep(0.2)
        assert space.binding().state == "Stopped", attempt


def test_a_binding_is_deleted_with_what_it_indexed(space):
    uris = [space.put(f"{index}.txt") for index in range(30)]
    by_hand = models.FileForReq(uri=uris[0], custom_id="kept")
    space.imm.index_file_meta(models.IndexFileMetaRequest(file=by_hand, **space.names))
    eventually(space.keys)
    space.bind()
    assert space.count() == 30
    space.imm.delete_binding(models.DeleteBindingRequest(uri=space.bucket_uri, cleanup=True, **space.names))
    # A file that a caller asked for stays.
    eventually(lambda: space.keys() == ["0.txt"])
    assert space.count() == 1
    space.imm.delete_file_meta(models.DeleteFileMetaRequest(uri=uris[0], **space.names))
    space.imm.delete_dataset(models.DeleteDatasetRequest(**space.names))


@pytest.mark.parametrize("kind", door.CLIENTS)
@pytest.mark.parametrize("algorithm", door.ALGORITHMS)
def test_each_kind_of_credentials_works_with_each_signature(cloud, algorithm, kind):
    door.check_client(cloud, algorithm, kind)


@pytest.mark.parametrize("algorithm", door.ALGORITHMS)
def test_who_may_not_is_refused(cloud, algorithm):
    door.check_refusals(cloud, algorithm)


def test_too_many_calls_are_told_when_to_come_again(cloud):
    imm, project = cloud.imm(), door.slow_project(cloud)
    error = door.fault(lambda: door.burst(imm, project))
    assert error.code == "Throttling.User"
    assert 0 < error.retry_after <= 1000
    request = models.GetProjectRequest(project_name=project)
    time.sleep(error.retry_after / 1000)
    assert imm.get_project(request).body.project.project_queries_per_second == 1


GUIDE = seed.guide("002")


@pytest.mark.skipif(GUIDE is None, reason=f"the guides are not here: {seed.SEEDS} is absent")
def test_the_samples_of_the_guide_that_this_version_has(cloud, tmp_path):
    """CreateBinding and GetBinding: the others use models that are not in 1.27.3."""
    imm = cloud.imm()
    imm.create_project(models.CreateProjectRequest(project_name="test-project"))
    imm.create_dataset(models.CreateDatasetRequest(project_name="test-project", dataset_name="test-dataset"))
    cloud.s3().create_bucket(Bucket="test-bucket")
    outputs = [seed.run(program, cloud, tmp_path) for program in seed.samples(GUIDE)[:2]]
    replies = [ast.literal_eval(output)["Binding"] for output in outputs]
    assert replies[0]["State"] == "Ready"
    assert replies[0]["CreateTime"] == replies[1]["CreateTime"]
