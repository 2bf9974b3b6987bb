"""Metadata of single files: get, update, delete, one by one and in batches."""

import pytest
from alibabacloud_imm20200930 import models
from support.cloud import eventually
from support.media import png
from support.space import where


@pytest.fixture
def three(space):
    """Three indexed files, by their URIs."""
    uris = [space.put(f"{name}.png", png(index + 1, 1)) for index, name in enumerate("abc")]
    space.bind()
    return uris


def get(space, uri, **more):
    return space.imm.get_file_meta(models.GetFileMetaRequest(uri=uri, **space.names, **more)).body.files


def code_of(call) -> str:
    with pytest.raises(Exception) as caught:
        call()
    return caught.value.code


def test_get(space, three):
    (file,) = get(space, three[0])
    assert (file.uri, file.image_width, file.project_name) == (three[0], 1, space.project)
    (file,) = get(space, three[0].replace("oss://", "s3://"))
    assert file.uri == three[0]
    (file,) = get(space, three[0], with_fields=["ImageWidth"])
    assert (file.image_width, file.uri, file.size) == (1, None, None)
    request = models.BatchGetFileMetaRequest(uris=[three[2], space.uri("none"), three[0], three[2]], **space.names)
    # In the order of the call; what is not there is left out.
    assert [file.uri for file in space.imm.batch_get_file_meta(request).body.files] == [three[2], three[0]]


def test_update_changes_what_it_names(space, three):
    def update(**fields):
        file = models.InputFile(uri=three[0], **fields)
        space.imm.update_file_meta(models.UpdateFileMetaRequest(file=file, **space.names))
        return get(space, three[0])[0]

    file = update(custom_id="one", custom_labels={"a": "1", "b": "2"}, title="First")
    assert (file.custom_id, file.custom_labels, file.title) == ("one", {"a": "1", "b": "2"}, "First")
    file = update(custom_labels={"c": "3"})
    assert (file.custom_id, file.title) == ("one", "First")
    assert file.custom_labels["c"] == "3"
    assert space.keys(where("Title", "eq", "First")) == ["a.png"]


def test_batch_update_tells_of_each_file(space, three):
    files = [
        models.InputFile(uri=three[0], custom_id="x"),
        models.InputFile(uri=space.uri("none"), custom_id="y"),
    ]
    reply = space.imm.batch_update_file_meta(models.BatchUpdateFileMetaRequest(files=files, **space.names)).body
    done, failed = reply.files
    assert (done.uri, done.success) == (three[0], True)
    assert (failed.uri, failed.success) == (space.uri("none"), False)
    assert failed.message.startswith("ResourceNotFound")


def test_delete_takes_out_of_the_index_and_leaves_the_object(space, three):
    request = models.DeleteFileMetaRequest(uri=three[0], **space.names)
    space.imm.delete_file_meta(request)
    space.imm.delete_file_meta(request)
    assert code_of(lambda: get(space, three[0])) == "ResourceNotFound"
    assert space.keys() == ["b.png", "c.png"]
    assert space.count() == 2
    assert space.s3.head_object(Bucket=space.bucket, Key="a.png")["ContentLength"] > 0
    space.imm.batch_delete_file_meta(models.BatchDeleteFileMetaRequest(uris=three, **space.names))
    assert (space.keys(), space.count()) == ([], 0)
    # Called for again, it is back, without what was set before.
    space.imm.index_file_meta(models.IndexFileMetaRequest(file=models.InputFile(uri=three[0]), **space.names))
    assert eventually(space.keys) == ["a.png"]


def test_a_new_version_of_a_deleted_file_is_indexed(space, three):
    space.imm.delete_file_meta(models.DeleteFileMetaRequest(uri=three[0], **space.names))
    space.put("a.png", png(99, 1))
    file = eventually(lambda: space.query(where("Filename", "eq", "a.png")).files)[0]
    assert file.image_width == 99


def test_a_hundred_files_in_one_call(space):
    uris = [space.put(f"{index:03}.txt", b"x") for index in range(100)]
    files = [
        models.InputFile(uri=uri, custom_id=str(index), custom_labels={"n": str(index)})
        for index, uri in enumerate(uris)
    ]
    space.imm.batch_index_file_meta(models.BatchIndexFileMetaRequest(files=files, **space.names))
    eventually(lambda: space.count() == 100)
    found = space.query(sort="Filename", order="asc").files
    assert [file.custom_labels["n"] for file in found] == [str(index) for index in range(100)]
    request = models.BatchGetFileMetaRequest(uris=uris, with_fields=["URI"], **space.names)
    assert [file.uri for file in space.imm.batch_get_file_meta(request).body.files] == uris
