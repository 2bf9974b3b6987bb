"""The four complete samples of the guide to metadata indexing, run as they
stand; only their endpoint is changed."""

import ast

import pytest
from alibabacloud_imm20200930 import models
from support import seed
from support.cloud import eventually
from support.media import png
from support.space import where

GUIDE = seed.guide("002")
pytestmark = pytest.mark.skipif(GUIDE is None, reason=f"the guides are not here: {seed.SEEDS} is absent")

NAMES = {"project_name": "test-project", "dataset_name": "test-dataset"}


@pytest.fixture(scope="module")
def programs():
    programs = seed.samples(GUIDE)
    assert len(programs) == 4
    return programs


@pytest.fixture(scope="module")
def prepared(cloud):
    """What the guide takes for granted: project, dataset, bucket, objects, topic."""
    imm, s3 = cloud.imm(), cloud.s3()
    imm.create_project(models.CreateProjectRequest(project_name=NAMES["project_name"]))
    imm.create_dataset(models.CreateDatasetRequest(**NAMES))
    s3.create_bucket(Bucket="test-bucket")
    for index in (1, 2):
        s3.put_object(Bucket="test-bucket", Key=f"test-object{index}.jpg", Body=png(10 * index, 10))
    cloud.sns().create_topic(Name="test-topic")
    return imm


@pytest.fixture
def run(cloud, prepared, programs, tmp_path):
    """Runs the sample of a number, and gives what it printed."""
    return lambda number: seed.run(programs[number], cloud, tmp_path)


def new_messages(cloud, before: int) -> list[dict]:
    return eventually(lambda: cloud.messages("test-topic")[before:])


def labels(imm) -> dict:
    found = imm.simple_query(models.SimpleQueryRequest(query=where("CustomLabels.category", "exist"), **NAMES))
    return {file.filename: file.custom_labels["category"] for file in found.body.files}


def check_message(message: dict, files: dict) -> None:
    assert {"ProjectName": "test-project", "DatasetName": "test-dataset", "Success": True}.items() <= message.items()
    assert message["Message"] == ""
    assert message["StartTime"] <= message["EndTime"]
    assert len(message["RequestId"]) == 36
    expected = [
        {"URI": f"oss://test-bucket/{name}", "CustomLabels": {"category": category}, "Error": ""}
        for name, category in files.items()
    ]
    assert message["Files"] == expected


def test_1_create_binding(run):
    reply = ast.literal_eval(run(0))
    binding = reply["Binding"]
    assert (binding["State"], binding["Phase"]) == ("Ready", "")
    assert binding["URI"] == "oss://test-bucket"
    assert binding["CreateTime"] == binding["UpdateTime"]
    assert len(reply["RequestId"]) == 36


def test_2_get_binding(run):
    def scanned():
        binding = ast.literal_eval(run(1))["Binding"]
        return binding if binding["Phase"] == "IncrementalScanning" else None

    binding = eventually(scanned)
    assert binding["State"] == "Running"
    assert binding["CreateTime"] < binding["UpdateTime"]


def test_3_batch_index_file_meta(cloud, prepared, run):
    before = len(cloud.messages("test-topic"))
    assert run(2) == ""
    files = {"test-object1.jpg": "Persons", "test-object2.jpg": "Pets"}
    (message,) = new_messages(cloud, before)
    check_message(message, files)
    assert labels(prepared) == files


def test_4_index_file_meta(cloud, prepared, run):
    before = len(cloud.messages("test-topic"))
    assert run(3) == ""
    (message,) = new_messages(cloud, before)
    check_message(message, {"test-object1.jpg": "Persons"})
    # Labels of the other file are those of the sample before.
    assert labels(prepared)["test-object1.jpg"] == "Persons"
