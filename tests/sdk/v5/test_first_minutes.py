"""README's first five minutes: nothing is configured; the key is the one that
the first start generates and prints."""

import ast
import re
import subprocess
import sys

import pytest
from support.cloud import REPOSITORY, Cloud, binary
from support.media import png


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A local cloud of its own with the folder `photos`, started as README says."""
    root = tmp_path_factory.mktemp("user")
    folder = root / "photos"
    folder.mkdir()
    (folder / "wide.png").write_bytes(png(4000, 2))
    (folder / "small.png").write_bytes(png(8, 8))
    cloud = Cloud(root / "state", folder, own_key=False)
    yield cloud
    cloud.stop()


def exported(cloud: Cloud) -> dict[str, str]:
    """The variables of the lines to paste."""
    lines = re.findall(r"^ +export (.*)$", cloud.log(), flags=re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


def test_another_terminal_needs_no_key(photos):
    command = [binary(), "find", "photos", "type:image width>=4000", "--count", "--endpoint", photos.api]
    done = subprocess.run(command, env=photos.environment, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_the_example_with_the_variables_that_are_printed(photos, tmp_path):
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    example, count = re.subn(r"http://127\.0\.0\.1:7300", photos.api, example)
    assert count == 1
    path = tmp_path / "example.py"
    path.write_text(example, encoding="utf-8")
    environment = {**photos.environment, **exported(photos)}
    command = [sys.executable, "-W", "ignore", path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert [file["Filename"] for file in ast.literal_eval(done.stdout)["Files"]] == ["wide.png"]


def test_the_variables_serve_the_tools_of_aws(photos):
    import boto3

    variables = exported(photos)
    s3 = boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        region_name=variables["AWS_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
    )
    assert [item["Key"] for item in s3.list_objects_v2(Bucket="photos")["Contents"]] == ["small.png", "wide.png"]
