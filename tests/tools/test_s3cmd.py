import names
import pytest
from space import BUCKET, REGION, RENAMED, Space, moved, without
from support.cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET


@pytest.fixture
def s3cmd(space: Space, tool):
    config = space.place / "s3cfg"
    config.write_text(
        f"[default]\naccess_key = {ACCESS_KEY_ID}\nsecret_key = {ACCESS_KEY_SECRET}\nbucket_location = {REGION}\n"
        f"host_base = {space.authority}\nhost_bucket = {space.authority}\nuse_https = False\n"
        "multipart_chunk_size_mb = 6\nencoding = UTF-8\n"
    )
    return lambda *command: space.run(tool, "-c", config, "--no-progress", *command)


def test_a_folder_is_copied_compared_renamed_and_deleted(space, s3cmd):
    files = space.fill()
    s3cmd("sync", f"{space.source}/", f"s3://{BUCKET}/")
    space.is_indexed(files)
    again = s3cmd("sync", "-v", f"{space.source}/", f"s3://{BUCKET}/")
    assert "upload:" not in again and "remote copy:" not in again, again

    files = space.change()
    changed = s3cmd("sync", "-v", "--delete-removed", f"{space.source}/", f"s3://{BUCKET}/")
    assert changed.count("upload:") == 2 and changed.count("delete:") == 1, changed
    space.is_indexed(files)

    for start, to in RENAMED:
        s3cmd("mv", "--recursive", f"s3://{BUCKET}/{start}", f"s3://{BUCKET}/{to}")
        files = moved(files, start, to)
        space.is_indexed(files)
    s3cmd("cp", f"s3://{BUCKET}/large + file.bin", f"s3://{BUCKET}/copy of + large.bin")
    files["copy of + large.bin"] = names.LARGE
    space.is_indexed(files)

    back = space.place / "back"
    back.mkdir()
    s3cmd("sync", f"s3://{BUCKET}/", f"{back}/")
    assert names.files(back) == files
    s3cmd("del", "--recursive", "--force", f"s3://{BUCKET}/北京/")
    space.is_indexed(without(files, "北京/"))
    s3cmd("del", "--recursive", "--force", f"s3://{BUCKET}/")
    space.is_indexed({})


def test_it_lists_in_every_region(space, s3cmd):
    """`US` is what s3cmd writes into a new configuration."""
    for region in ("US", REGION):
        assert f"s3://{BUCKET}" in s3cmd("--region", region, "ls")
        s3cmd("--region", region, "ls", f"s3://{BUCKET}")
