"""Objects come, change and go through the S3 endpoint, and the index with them."""

import statistics
import time

import pytest
from alibabacloud_imm20200930 import models
from botocore.exceptions import ClientError
from support.cloud import eventually
from support.media import jpeg, png
from support.space import Space, where


@pytest.fixture(scope="module")
def space(cloud):
    space = Space(cloud, "objects")
    space.bind()
    return space


def by_key(space, key):
    """The file of a key, by a query."""
    files = space.query(where("Filename", "eq", key)).files
    return files[0] if files else None


def test_an_object_is_found_within_a_second(space):
    waits = []
    for index in range(5):
        key = f"quick/{index}.png"
        space.put(key, png(8, 8))
        started = time.monotonic()
        eventually(lambda: by_key(space, key), interval=0.01)
        waits.append(time.monotonic() - started)
    assert statistics.median(waits) < 1, waits


def test_an_object_comes_changes_and_goes(space):
    key = "life.png"
    space.put(key, png(10, 20))
    first = eventually(lambda: by_key(space, key))
    assert (first.image_width, first.image_height, first.size) == (10, 20, len(png(10, 20)))
    space.put(key, png(30, 40))
    second = eventually(lambda: (file := by_key(space, key)).image_width == 30 and file)
    assert second.image_height == 40
    assert second.etag != first.etag
    assert second.object_id == first.object_id
    assert second.create_time == first.create_time
    assert second.update_time > first.update_time
    space.s3.delete_object(Bucket=space.bucket, Key=key)
    eventually(lambda: by_key(space, key) is None)
    with pytest.raises(Exception) as caught:
        space.imm.get_file_meta(models.GetFileMetaRequest(uri=space.uri(key), **space.names))
    assert caught.value.code == "ResourceNotFound"
    space.put(key, png(50, 60))
    assert eventually(lambda: by_key(space, key)).image_width == 50


def test_an_object_is_copied_and_deleted_in_a_batch(space):
    space.put("copy/from.png", png(7, 7))
    source = {"Bucket": space.bucket, "Key": "copy/from.png"}
    space.s3.copy_object(Bucket=space.bucket, Key="copy/to.png", CopySource=source)
    assert eventually(lambda: by_key(space, "copy/to.png")).image_width == 7
    objects = [{"Key": "copy/from.png"}, {"Key": "copy/to.png"}]
    space.s3.delete_objects(Bucket=space.bucket, Delete={"Objects": objects})
    eventually(lambda: not space.keys(where("Filename", "prefix", "copy/")))


def test_what_storage_and_content_say(space):
    body = jpeg(640, 480, Make="Canon", Model="EOS", DateTimeOriginal="2021:06:29 14:50:13", OffsetTimeOriginal="+08:00")
    space.put("facts.bin", body, ContentType="application/x-wrong", Metadata={"Team": "a"}, Tagging="stage=demo")
    file = eventually(lambda: by_key(space, "facts.bin"))
    # The type is that of the content, whatever name and header say.
    assert (file.media_type, file.content_type) == ("image", "image/jpeg")
    assert (file.image_width, file.image_height) == (640, 480)
    assert file.produce_time.startswith("2021-06-29T14:50:13")
    assert file.produce_time.endswith("+08:00")
    assert '"Canon"' in file.exif
    assert file.ossuser_meta == {"x-oss-meta-team": "a"}
    assert (file.osstagging, file.osstagging_count) == ({"stage": "demo"}, 1)
    assert (file.ossobject_type, file.ossstorage_class) == ("Normal", "Standard")
    assert file.uri == space.uri("facts.bin")
    assert len(file.object_id) == 64
    assert space.keys(where("EXIF.Make", "eq", "Canon")) == ["facts.bin"]


ODD_KEYS = [
    "two words.txt",
    " leading and trailing ",
    "plus+plus.txt",
    "percent%20.txt",
    "hash#?&=.txt",
    "quote'\"\\.txt",
    "colon:semi;comma,.txt",
    "北京/照片 1.txt",
    "émoji 🎉/🦀.txt",
    "e\u0301 decomposed.txt",
    "dots/...txt",
    "~tilde!*().txt",
    "/".join(["k" * 255] * 4),
]


@pytest.mark.parametrize("key", ODD_KEYS, ids=range(len(ODD_KEYS)))
def test_odd_keys(space, key):
    uri = space.put(key, b"odd")
    file = eventually(lambda: by_key(space, key))
    assert (file.filename, file.uri, file.size) == (key, uri, 3)
    got = space.imm.get_file_meta(models.GetFileMetaRequest(uri=uri, **space.names)).body.files
    assert [file.filename for file in got] == [key]
    listed = space.s3.list_objects_v2(Bucket=space.bucket, Prefix=key[:20])["Contents"]
    assert key in [entry["Key"] for entry in listed]
    space.s3.delete_object(Bucket=space.bucket, Key=key)
    eventually(lambda: by_key(space, key) is None)


def test_the_longest_key(space):
    key = "/".join(["k" * 255, "k" * 255, "照" * 85, "k" * 254, "z"])
    assert len(key.encode()) == 1024
    space.put(key, b"long")
    assert eventually(lambda: by_key(space, key)).size == 4


REFUSED = {
    "too long": "k" * 200 + "/" + "/".join(["k" * 200] * 5),
    "a long component": "c" * 256,
    "an empty component": "a//b",
    "a parent": "a/../b",
    "itself": "a/./b",
    "absolute": "/a",
    "nothing": "nul\0",
}


@pytest.mark.parametrize("key", REFUSED.values(), ids=REFUSED)
def test_keys_that_a_file_system_cannot_hold_are_refused(space, key):
    before = space.count()
    with pytest.raises(ClientError) as caught:
        space.put(key)
    error = caught.value.response
    assert 400 <= error["ResponseMetadata"]["HTTPStatusCode"] < 500, error
    assert error["Error"]["Code"] not in ("", "InternalError"), error
    # The one code that says everything may come without words.
    assert error["Error"].get("Message") or error["Error"]["Code"] == "KeyTooLongError", error
    assert space.count() == before


def test_a_key_that_is_a_folder_is_refused_and_nothing_is_lost(space):
    space.put("tree/leaf.txt", b"leaf")
    eventually(lambda: by_key(space, "tree/leaf.txt"))
    for key in ("tree", "tree/leaf.txt/below"):
        with pytest.raises(ClientError) as caught:
            space.put(key)
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] < 500
    assert space.s3.get_object(Bucket=space.bucket, Key="tree/leaf.txt")["Body"].read() == b"leaf"


def test_a_large_object_in_parts(space):
    body = png(16, 16) + b"\0" * (6 * 1024 * 1024)
    upload = space.s3.create_multipart_upload(Bucket=space.bucket, Key="parts.png")["UploadId"]
    where_to = {"Bucket": space.bucket, "Key": "parts.png", "UploadId": upload}
    cut = 5 * 1024 * 1024
    parts = []
    for number, part in enumerate((body[:cut], body[cut:]), 1):
        etag = space.s3.upload_part(PartNumber=number, Body=part, **where_to)["ETag"]
        parts.append({"PartNumber": number, "ETag": etag})
    space.s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **where_to)
    file = eventually(lambda: by_key(space, "parts.png"))
    assert (file.size, file.image_width) == (len(body), 16)
    assert file.etag.strip('"').endswith("-2")


def test_counters_are_exact(space):
    entries = []
    for page in space.s3.get_paginator("list_objects_v2").paginate(Bucket=space.bucket):
        entries += page.get("Contents", [])
    files, size = len(entries), sum(entry["Size"] for entry in entries)

    def same():
        statistics = space.statistics()
        return (statistics.file_count, statistics.total_file_size) == (files, size)

    eventually(same)
