"""The way through the guide to metadata indexing: bind a bucket, watch the
binding, index single files with labels, get told when it is done."""

from alibabacloud_imm20200930 import models
from alibabacloud_tea_util import models as util_models
from support.cloud import eventually, unique
from support.media import png
from support.space import where


def notify(topic: str) -> models.Notification:
    return models.Notification(mns=models.MNS(topic_name=topic))


def test_automatic_indexing(space):
    for index in range(3):
        space.put(f"before-{index}.png", png(8 + index, 8))
    runtime = util_models.RuntimeOptions()
    request = models.CreateBindingRequest(uri=space.bucket_uri, **space.names)
    created = space.imm.create_binding_with_options(request, runtime).body.to_map()["Binding"]
    assert created["State"] == "Ready"
    assert created["Phase"] == ""
    assert created["URI"] == space.bucket_uri
    seen = []

    def scanned():
        binding = space.binding()
        if (binding.state, binding.phase) not in seen:
            seen.append((binding.state, binding.phase))
        return binding if binding.phase == "IncrementalScanning" else None

    binding = eventually(scanned)
    in_order = [("Ready", ""), ("Running", "FullScanning"), ("Running", "IncrementalScanning")]
    assert seen == [state for state in in_order if state in seen]
    assert binding.create_time == created["CreateTime"]
    assert binding.update_time > binding.create_time
    assert sorted(space.keys()) == ["before-0.png", "before-1.png", "before-2.png"]
    space.put("after.png", png(5, 6))
    file = eventually(lambda: space.query(where("Filename", "eq", "after.png")).files)[0]
    assert (file.media_type, file.content_type, file.image_width, file.image_height) == ("image", "image/png", 5, 6)


def test_batch_index_with_labels_and_a_missing_object(cloud, space):
    topic = unique("done")
    cloud.sns().create_topic(Name=topic)
    first, second = space.put("first.png", png(3, 3)), space.put("second.png", png(4, 4))
    missing = space.uri("missing.png")
    reply = space.imm.batch_index_file_meta(
        models.BatchIndexFileMetaRequest(
            files=[
                models.InputFile(uri=first, custom_id="one", custom_labels={"category": "Persons"}),
                models.InputFile(uri=second, custom_labels={"category": "Pets"}),
                models.InputFile(uri=missing, custom_labels={"category": "None"}),
            ],
            notification=notify(topic),
            user_data="for you",
            **space.names,
        )
    ).body
    (message,) = eventually(lambda: cloud.messages(topic))
    assert message["RequestId"] == reply.request_id
    assert message["Success"] is True
    assert message["UserData"] == "for you"
    assert "1 of 3" in message["Message"]
    indexed, labelled, failed = message["Files"]
    assert indexed == {"URI": first, "CustomId": "one", "CustomLabels": {"category": "Persons"}, "Error": ""}
    assert labelled == {"URI": second, "CustomLabels": {"category": "Pets"}, "Error": ""}
    assert failed["URI"] == missing
    assert failed["Error"].startswith("ResourceNotFound")
    assert space.keys(where("CustomLabels.category", "eq", "Pets")) == ["second.png"]
    assert sorted(space.keys()) == ["first.png", "second.png"]
    task = space.imm.get_task(
        models.GetTaskRequest(project_name=space.project, task_type="BatchIndexFileMeta", task_id=reply.event_id)
    ).body
    assert (task.status, task.progress) == ("Succeeded", 100)


def test_index_of_one_missing_file_fails(cloud, space):
    topic = unique("done")
    cloud.sns().create_topic(Name=topic)
    request = models.IndexFileMetaRequest(
        file=models.InputFile(uri=space.uri("nowhere")), notification=notify(topic), **space.names
    )
    reply = space.imm.index_file_meta(request).body
    (message,) = eventually(lambda: cloud.messages(topic))
    assert message["Success"] is False
    assert message["Files"][0]["Error"].startswith("ResourceNotFound")
    task = space.imm.get_task(
        models.GetTaskRequest(project_name=space.project, task_type="IndexFileMeta", task_id=reply.event_id)
    ).body
    assert (task.status, task.code) == ("Failed", "ResourceNotFound")


def test_a_topic_that_is_not_there_does_not_lose_the_indexing(space):
    uri = space.put("kept.png", png(3, 3))
    request = models.IndexFileMetaRequest(
        file=models.InputFile(uri=uri), notification=notify(unique("nobody")), **space.names
    )
    space.imm.index_file_meta(request)
    eventually(lambda: space.keys() == ["kept.png"])


def test_indexing_again_keeps_labels(space):
    uri = space.put("photo.png", png(3, 3))
    labelled = models.InputFile(uri=uri, custom_id="id", custom_labels={"a": "1"})
    space.imm.index_file_meta(models.IndexFileMetaRequest(file=labelled, **space.names))
    eventually(space.keys)
    space.put("photo.png", png(9, 3))
    space.imm.index_file_meta(models.IndexFileMetaRequest(file=models.InputFile(uri=uri), **space.names))
    file = eventually(lambda: space.query(where("ImageWidth", "eq", "9")).files)[0]
    assert (file.custom_id, file.custom_labels) == ("id", {"a": "1"})
