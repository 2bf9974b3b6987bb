import os
import shutil
import subprocess
import time

import names
import pytest
from space import BUCKET, Space, moved
from support.cloud import ACCESS_KEY_ID, ACCESS_KEY_SECRET


@pytest.fixture
def mounted(space: Space, tool):
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("s3fs needs /dev/fuse")
    secret = space.place / "passwd-s3fs"
    secret.write_text(f"{ACCESS_KEY_ID}:{ACCESS_KEY_SECRET}\n")
    secret.chmod(0o600)
    mount = space.place / "mount"
    mount.mkdir()
    options = f"url={space.endpoint},use_path_request_style,passwd_file={secret},retries=1,multipart_size=6"
    log = open(space.place / "s3fs.log", "wb")
    process = subprocess.Popen(
        [tool, BUCKET, str(mount), "-f", "-o", options], env=space.environment, stdout=log, stderr=log
    )
    try:
        until = time.monotonic() + 20
        while not os.path.ismount(mount):
            if process.poll() is not None:
                said = (space.place / "s3fs.log").read_text(errors="replace")
                if "fuse" in said and "ermi" in said:
                    pytest.skip(f"nothing can be mounted here: {said[-200:]}")
                raise AssertionError(said)
            assert time.monotonic() < until, (space.place / "s3fs.log").read_text(errors="replace")
            time.sleep(0.05)
        yield mount
    finally:
        if os.path.ismount(mount):
            subprocess.run(["fusermount", "-u", str(mount)] if shutil.which("fusermount") else ["umount", str(mount)])
        process.terminate()
        process.wait()
        log.close()


def test_a_mounted_bucket_is_a_folder(space, mounted):
    files = space.fill()
    space.run("cp", "-r", f"{space.source}/.", mounted)
    space.is_indexed(files)
    space.run("diff", "-r", space.source, mounted)

    (mounted / "plain.txt").write_text("other content")
    with (mounted / "two words.txt").open("ab") as file:
        file.write(b"more")
    (mounted / "100%.txt").unlink()
    files["plain.txt"] = len("other content")
    files["two words.txt"] += 4
    del files["100%.txt"]
    space.is_indexed(files)

    (mounted / "made" / "deep").mkdir(parents=True)
    assert (space.served / "made" / "deep").is_dir()
    space.is_indexed(files)
    for start, to in (("émoji 🎉", "made/deep/moved 🦀"), ("a&b=c?d#e", "other"), ("large + file.bin", "large.bin")):
        (mounted / start).rename(mounted / to)
        files = moved(files, start, to)
        space.is_indexed(files)
    assert names.files(mounted) == files
    shutil.rmtree(mounted / "北京")
    files = {path: size for path, size in files.items() if not path.startswith("北京/")}
    space.is_indexed(files)
    for path in mounted.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    space.is_indexed({})
    assert list(space.served.iterdir()) == []
