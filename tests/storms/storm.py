"""A storm over a folder that `mediadex up` follows: renames, moves, writes,
deletions, chmods and mounts in an order that a seed decides, while the program is
sometimes killed and started again. At rest the index must be the folder."""

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from pathlib import Path

BINARY = os.environ.get("MEDIADEX_BIN", "mediadex")
#: The user that `up` runs as where this runs as root, which may read everything.
USER = 65534
#: Seconds until the index must be the folder.
REST = 150
NAMES = ["a", "b", "c", "d e", "f+g", "h%20", "é", "中"]


def is_root():
    return os.geteuid() == 0


def can_mount():
    """Whether file systems can be mounted, where nobody else sees them."""
    if not is_root() or os.environ.get("MEDIADEX_STORM_MOUNTS") != "1":
        return False
    with tempfile.TemporaryDirectory() as place:
        if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], capture_output=True).returncode:
            return False
        subprocess.run(["umount", place], check=True)
    return True


class Storm:
    def __init__(self, seed, directory):
        self.chance = random.Random(seed)
        self.base = Path(directory)
        self.root = self.base / "folder"
        self.state = self.base / "state"
        self.root.mkdir()
        self.contents = 0
        self.mounts = []
        self.process = None
        self.log = []
        os.chmod(self.base, 0o755)
        for _ in range(self.chance.randint(30, 120)):
            self.write()
        self.own(self.base)

    # --- the program ------------------------------------------------------

    def own(self, path):
        if is_root():
            subprocess.run(["chown", "-R", "-h", f"{USER}:{USER}", str(path)], check=True)

    def start(self):
        command = [BINARY, "up", "--json", "--port", str(self.port()), "--state", str(self.state), str(self.root)]
        if is_root():
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]
        environment = {
            **os.environ,
            "HOME": str(self.base),
            "XDG_DATA_HOME": str(self.base / "data"),
            "MEDIADEX_ACCESS_KEY_ID": "storm",
            "MEDIADEX_ACCESS_KEY_SECRET": "the secret of the storm",
            # Small, so that folders of a few files are worth guarding.
            "MEDIADEX_GUARD_FLOOR": "10",
            "MEDIADEX_GUARD_SHARE": "0.2",
            "MEDIADEX_GUARD_CONFIRM_SECONDS": "5",
        }
        self.environment = environment
        with open(self.base / "up.log", "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, cwd=self.base)
        line = self.process.stdout.readline()
        assert line, f"up did not start: {self.said()}"
        self.up = json.loads(line)

    def port(self):
        return int(os.environ.get("MEDIADEX_STORM_PORT", "7600")) + 4 * int(self.base.name.rsplit("-", 1)[-1])

    def said(self):
        return (self.base / "up.log").read_text(errors="replace")[-2000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def ask(self, *arguments):
        command = [BINARY, *arguments, "--endpoint", self.up["api"]]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, cwd=self.base)
        assert done.returncode == 0, f"{arguments}: {done.stderr} {self.said()}"
        return done.stdout

    def indexed(self):
        dataset = self.up["datasets"][0]["dataset"]
        lines = self.ask("find", dataset, "--json", "--limit", "100000").splitlines()
        files = [json.loads(line) for line in lines]
        return {f["URI"].split("/", 3)[3]: (f.get("Size", 0), f.get("ObjectStatus", "")) for f in files}

    def bindings(self):
        dataset = self.up["datasets"][0]["dataset"]
        reply = json.loads(self.ask("call", "ListBindings", "ProjectName=local", f"DatasetName={dataset}"))
        return [(b["State"], b["Phase"], b["Reason"]) for b in reply["Bindings"]]

    # --- the folder -------------------------------------------------------

    def folders(self):
        return [Path(at) for at, _, _ in os.walk(self.root) if Path(at) != self.root]

    def files(self):
        return [Path(at) / name for at, _, names in os.walk(self.root) for name in names]

    def under_mount(self, path):
        return any(mount == path or mount in path.parents or path in mount.parents for mount in self.mounts)

    def pick(self, paths):
        paths = sorted(path for path in paths if not self.under_mount(path))
        return self.chance.choice(paths) if paths else None

    def new_place(self):
        places = sorted(self.folders()) + [self.root]
        place = self.chance.choice(places)
        return place / f"{self.chance.choice(NAMES)}{self.chance.randint(0, 99)}"

    def write(self):
        place = self.new_place()
        if self.chance.random() < 0.4 and not place.exists():
            place.mkdir()
            place = place / f"{self.chance.choice(NAMES)}.txt"
        if place.is_dir():
            return
        self.contents += 1
        place.write_text(f"content {self.contents} " * self.chance.randint(1, 40))
        self.own(place)
        self.own(place.parent)

    def rename(self):
        source, target = self.pick(self.folders() + self.files()), self.new_place()
        if source is None or target.exists() or source in target.parents or self.under_mount(target):
            return
        os.rename(source, target)

    def rename_most(self):
        """A folder with most of the files gets another name."""
        folders = [path for path in self.root.iterdir() if path.is_dir() and not self.under_mount(path)]
        if folders:
            largest = max(folders, key=lambda path: sum(1 for _ in path.rglob("*")))
            os.rename(largest, self.root / f"renamed {self.chance.randint(0, 10**6)}")

    def delete(self):
        path = self.pick(self.files())
        if path:
            path.unlink()

    def delete_folder(self):
        path = self.pick(self.folders())
        if path:
            shutil.rmtree(path)

    def chmod(self):
        path = self.pick(self.folders() + self.files())
        if path:
            path.chmod(0 if self.chance.random() < 0.6 else (0o755 if path.is_dir() else 0o644))

    def mount(self):
        path = self.pick(self.folders())
        if path is None or not can_mount():
            return
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(path)], check=True)
        self.mounts.append(path)
        for number in range(self.chance.randint(0, 8)):
            (path / f"mounted {number}.txt").write_text(f"on the other disk {number}")
        self.own(path)

    def unmount(self):
        if self.mounts:
            subprocess.run(["umount", str(self.mounts.pop())], check=True)

    def restart(self):
        self.kill()
        for _ in range(self.chance.randint(0, 3)):
            self.act([self.write, self.rename, self.rename_most, self.delete, self.delete_folder])
        self.start()

    def act(self, actions):
        action = self.chance.choice(actions)
        self.log.append(action.__name__)
        action()

    def rage(self):
        actions = [self.write] * 4 + [self.rename] * 4 + [self.rename_most, self.delete, self.delete, self.delete_folder]
        actions += [self.chmod] * 3 + [self.mount, self.unmount, self.restart]
        for _ in range(self.chance.randint(15, 40)):
            self.act(actions)
            time.sleep(self.chance.choice([0, 0, 0.01, 0.1, 0.5]))

    def calm(self):
        """Everything may be read again, but for one folder in some storms."""
        while self.mounts:
            self.unmount()
        for path in [self.root, *self.folders()]:
            path.chmod(0o755)
        for path in self.folders() + self.files():
            path.chmod(0o755 if path.is_dir() else 0o644)
        self.hidden = self.pick(self.folders()) if self.chance.random() < 0.25 else None
        if self.hidden:
            self.hidden.chmod(0)

    # --- what must hold ---------------------------------------------------

    def there(self):
        files = {}
        for path in self.files():
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                files[str(path.relative_to(self.root))] = found.st_size
        return files

    def wrong(self):
        """What keeps the index from being the folder; nothing if nothing does."""
        index, there = self.indexed(), self.there()
        hidden = f"{self.hidden.relative_to(self.root)}/" if self.hidden else None
        wanted = {key: size for key, size in there.items() if not (hidden and key.startswith(hidden))}
        wrong = []
        for key, size in wanted.items():
            if key not in index:
                wrong.append(f"{key} is not indexed")
            elif index[key][0] != size:
                wrong.append(f"{key} has {size} bytes, the index says {index[key][0]}")
            elif index[key][1] == "Failed":
                wrong.append(f"{key} can be read and is recorded as failed")
        wrong += [f"{key} is indexed and gone" for key in index if key not in there]
        for state, phase, reason in self.bindings():
            if (state, phase) != ("Running", "IncrementalScanning"):
                wrong.append(f"the binding is {state} {phase}: {reason}")
        return wrong

    def play(self):
        self.start()
        try:
            self.rage()
            self.calm()
            until = time.monotonic() + REST
            while True:
                wrong = self.wrong()
                if not wrong:
                    return
                if time.monotonic() > until:
                    raise AssertionError(f"after {self.log}: {wrong[:10]}; up said: {self.said()}")
                time.sleep(0.5)
        finally:
            self.kill()
            while self.mounts:
                self.unmount()
