import names
import pytest
from space import BUCKET, REGION, RENAMED, Space, moved, without
from support.cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET

# Two names that differ in their Unicode form only are two files here.
OPTIONS = ("--no-unicode-normalization", "--transfers", "8", "--checkers", "16", "--retries", "1", "--low-level-retries", "1")
#: Names that only this tool is asked to keep.
MORE = ("new\nline.txt", "tab\there.txt", "back\\slash.txt", "\u007f.txt")


@pytest.fixture
def rclone(space: Space, tool):
    config = space.place / "rclone.conf"
    config.write_text(
        f"[up]\ntype = s3\nprovider = Other\nendpoint = {space.endpoint}\nregion = {REGION}\n"
        f"access_key_id = {ACCESS_KEY_ID}\nsecret_access_key = {ACCESS_KEY_SECRET}\n"
        "upload_cutoff = 8M\nchunk_size = 6M\n"
    )
    return lambda *command: space.run(tool, "--config", config, *OPTIONS, *command)


def test_a_folder_is_copied_compared_renamed_and_deleted(space, rclone):
    files = space.fill(*MORE)
    rclone("sync", space.source, f"up:{BUCKET}")
    space.is_indexed(files)
    again = rclone("sync", "-v", space.source, f"up:{BUCKET}")
    assert "There was nothing to transfer" in again, again
    rclone("check", "--download", space.source, f"up:{BUCKET}")

    files = space.change()
    changed = rclone("sync", "-v", space.source, f"up:{BUCKET}")
    assert changed.count("Copied (") == 2 and changed.count(": Deleted") == 1, changed
    space.is_indexed(files)

    for start, to in RENAMED:
        rclone("moveto", f"up:{BUCKET}/{start}", f"up:{BUCKET}/{to}")
        files = moved(files, start, to)
        space.is_indexed(files)
    rclone("copyto", f"up:{BUCKET}/large + file.bin", f"up:{BUCKET}/copy of + large.bin")
    files["copy of + large.bin"] = names.LARGE
    space.is_indexed(files)

    back = space.place / "back"
    rclone("copy", f"up:{BUCKET}", back)
    assert names.files(back) == files
    rclone("purge", f"up:{BUCKET}/北京")
    space.is_indexed(without(files, "北京/"))
    rclone("delete", f"up:{BUCKET}")
    space.is_indexed({})
