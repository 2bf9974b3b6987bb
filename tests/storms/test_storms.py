"""Twenty storms, a few at a time: most of their time is waiting."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

import storm

# MEDIADEX_STORM_SEED plays a single one again.
SEED = os.environ.get("MEDIADEX_STORM_SEED")
SEEDS = [int(SEED)] if SEED else range(int(os.environ.get("MEDIADEX_STORMS", "20")))


def play(seed):
    with tempfile.TemporaryDirectory(prefix="storm-", suffix=f"-{seed}") as directory:
        try:
            storm.Storm(seed, directory).play()
        except Exception as error:  # every seed is told of
            return f"seed {seed}: {error!r}"
    return None


def test_at_rest_the_index_is_the_folder():
    if not storm.can_mount():
        print("skipped: mounts, which need root and a mount namespace (MEDIADEX_STORM_MOUNTS=1 under `unshare --mount`)")
    with ThreadPoolExecutor(4) as pool:
        failed = [wrong for wrong in pool.map(play, SEEDS) if wrong]
    assert not failed, "\n".join(failed)
