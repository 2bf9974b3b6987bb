"""A folder that is served: indexed at the start, followed while it runs, and
never written to."""

import shutil

import pytest
from alibabacloud_imm20200930 import models
from support.cloud import Cloud, eventually
from support.media import png


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "My Photos"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "a.png").write_bytes(png(4, 4))
    (folder / "deep" / "er" / "b c.png").write_bytes(png(5, 5))
    return folder


def contents(folder) -> dict:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names_of(cloud) -> dict:
    return {"project_name": cloud.ready["project"], "dataset_name": cloud.ready["datasets"][0]["dataset"]}


def keys(cloud) -> list[str]:
    files = cloud.imm().simple_query(models.SimpleQueryRequest(**names_of(cloud))).body.files or []
    return [file.filename for file in files]


def test_a_folder_is_indexed_followed_and_left_alone(folder, tmp_path):
    before = contents(folder)
    cloud = Cloud(tmp_path / "state", folder)
    try:
        (dataset,) = cloud.ready["datasets"]
        assert dataset["files"] == 2
        assert dataset["dir"] == str(folder)
        assert keys(cloud) == ["a.png", "deep/er/b c.png"]
        (folder / "new.png").write_bytes(png(6, 6))
        eventually(lambda: "new.png" in keys(cloud))
        (folder / "new.png").rename(folder / "renamed.png")
        eventually(lambda: keys(cloud) == ["a.png", "deep/er/b c.png", "renamed.png"])
        shutil.rmtree(folder / "deep")
        eventually(lambda: keys(cloud) == ["a.png", "renamed.png"])
        cloud.s3().put_object(Bucket=dataset["bucket"], Key="sub/put.png", Body=png(7, 7))
        assert (folder / "sub" / "put.png").read_bytes() == png(7, 7)
        eventually(lambda: "sub/put.png" in keys(cloud))
    finally:
        cloud.stop()
    assert cloud.process.returncode == 0, cloud.log()
    assert contents(folder) == {
        "a.png": before["a.png"],
        "renamed.png": png(6, 6),
        "sub/put.png": png(7, 7),
    }


def test_state_survives_a_kill(folder, tmp_path):
    cloud = Cloud(tmp_path / "state", folder)
    names = names_of(cloud)
    uri = f"oss://{cloud.ready['datasets'][0]['bucket']}/a.png"
    file = models.InputFile(uri=uri, custom_labels={"kept": "yes"})
    cloud.imm().update_file_meta(models.UpdateFileMetaRequest(file=file, **names))
    cloud.process.kill()
    cloud.process.wait()
    cloud.stop()
    (folder / "deep" / "er" / "b c.png").unlink()
    (folder / "meanwhile.png").write_bytes(png(8, 8))
    cloud = Cloud(tmp_path / "state", folder)
    try:
        assert cloud.ready["datasets"][0]["files"] == 2
        assert keys(cloud) == ["a.png", "meanwhile.png"]
        got = cloud.imm().get_file_meta(models.GetFileMetaRequest(uri=uri, **names)).body.files[0]
        assert got.custom_labels == {"kept": "yes"}
    finally:
        cloud.stop()
