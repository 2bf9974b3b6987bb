from space import BUCKET


def test_a_folder_is_backed_up_checked_restored_and_forgotten(space, tool):
    space.fill("new\nline.txt", "tab\there.txt", "back\\slash.txt")
    secret = {"RESTIC_PASSWORD": "a password", "RESTIC_REPOSITORY": f"s3:{space.endpoint}/{BUCKET}/repository"}

    def restic(*command):
        done = space.run(tool, *command, **secret)
        space.is_indexed()
        return done

    restic("init")
    assert space.listed()
    restic("backup", space.source)
    again = restic("backup", space.source)
    assert "0 new,     0 changed,   200 unmodified" in again, again
    assert "no errors were found" in restic("check", "--read-data")
    back = space.place / "back"
    restic("restore", "latest", "--target", back)
    space.run("diff", "-r", space.source, back / space.source.relative_to("/"))

    (space.source / "plain.txt").rename(space.source / "other name.txt")
    (space.source / "100%.txt").unlink()
    before = len(space.listed())
    restic("backup", space.source)
    assert len(space.listed()) > before
    restic("forget", "--keep-last", "1", "--prune")
    assert "\n1 snapshots" in restic("snapshots")
    restic("check", "--read-data")
