"""How long it takes from PutObject to the file in SimpleQuery's answer, on the
emulator: S3, SQS, the worker, DynamoDB and the gateway's query.

    cd tests/deploy && python -m deploy_latency [--objects 500]

One object after the other, so that each figure is the way of one event and not
a queue's. It says nothing of AWS itself: the emulator does not wait for the
batching window of the template (one second), and is one Python process.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "sdk"))

from deployment.emulator import Emulator
from deployment.space import DeployedSpace, soon
from deployment.stack import Stack, resolve_function_urls
from support.media import png

# Objects that are not counted: functions start, connections are made.
WARM_UP = 10
INTERVAL = 0.01
PATIENCE = 60


def measure(space: DeployedSpace, key: str) -> float:
    """Seconds from before the PUT to after the answer that has the file."""
    start = time.perf_counter()
    space.put(key, png(3, 3))
    while space.file(key) is None:
        if time.perf_counter() - start > PATIENCE:
            raise TimeoutError(f"{key} is not in the index after {PATIENCE} s")
        time.sleep(INTERVAL)
    return time.perf_counter() - start


def query(space: DeployedSpace, key: str) -> float:
    """Seconds that the query by itself takes."""
    start = time.perf_counter()
    assert space.file(key)
    return time.perf_counter() - start


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values is not above."""
    ordered = sorted(values)
    return ordered[max(0, -(-round(share * 100) * len(ordered) // 100) - 1)]


def milliseconds(values: list[float]) -> str:
    figures = {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "max": max(values)}
    return ", ".join(f"{name} {1000 * value:.0f} ms" for name, value in figures.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=500)
    objects = parser.parse_args().objects
    with tempfile.TemporaryDirectory(prefix="mediadex-latency-") as folder:
        emulator = Emulator(Path(folder))
        try:
            resolve_function_urls(emulator.port)
            space = DeployedSpace(Stack(emulator), "latency")
            space.bind()
            for index in range(WARM_UP):
                measure(space, f"warm/{index}.png")
            values = [measure(space, f"{index:05}.png") for index in range(objects)]
            soon(lambda: space.count() == objects + WARM_UP)
            queries = [query(space, f"{index:05}.png") for index in range(min(objects, 100))]
        finally:
            emulator.stop()
    print(f"PutObject to SimpleQuery, {objects} objects: {milliseconds(values)}")
    print(f"of which one query: {milliseconds(queries)}")


if __name__ == "__main__":
    main()
