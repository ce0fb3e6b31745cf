"""How the sets are run: the binary over a folder of files, the scorers that come with the data, and work in parallel.

The scorers are imported as they are from beside the checkout. Inputs that take time to make (unpacked or generated) are
kept in the target folder; results are thrown away.
"""

import importlib.util
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
CACHE = REPOSITORY / "target" / "accuracy"


@dataclass(frozen=True)
class Plan:
    """One call of the script: what is measured, how thoroughly, and where its results lie while they are needed."""

    binary: Path
    work: Path
    quick: bool
    profile: str
    fit_each: str
    processes: int = 2

    def backtest(self, source, name, *more):
        """Replays a folder; the results' folder. The binary uses all cores by itself."""
        target = self.work / name
        command = [self.binary, "backtest", "--input", source, "--output", target, "--profile", self.profile]
        done = subprocess.run([*map(str, command), "--fit-each", self.fit_each, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"`{' '.join(map(str, command))}` ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
        return target

    def parallel(self, function, jobs):
        """`[function(job) for job in jobs]` in forked processes, which see what this one has read."""
        jobs = list(jobs)
        # Ended by its parent, a child has nothing to tidy up.
        default = (signal.SIGTERM, signal.SIG_DFL)
        with multiprocessing.get_context("fork").Pool(min(self.processes, max(1, len(jobs))), signal.signal, default) as pool:
            return pool.map(function, jobs, chunksize=1)


def scorer(name):
    """The module `score.py` of a set of data, unchanged; loaded once, so that what it makes can go between processes."""
    known = f"score_{name}"
    if known not in sys.modules:
        path = SHARED / name / "score.py"
        if not path.exists():
            raise RuntimeError(f"`{path}` is missing: the data lie beside the checkout")
        spec = importlib.util.spec_from_file_location(known, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[known] = module
        spec.loader.exec_module(module)
    return sys.modules[known]


def kept(name, make):
    """The folder `name` of the cache, made by `make(folder)` if it is not there; whole or not at all."""
    place = CACHE / name
    if not place.exists():
        part = CACHE / f"{name}.part-{os.getpid()}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            make(part)
            try:
                part.rename(place)
            except OSError:
                # Another run was faster.
                if not place.exists():
                    raise
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return place


def python(*command):
    """Runs a script of the data with this interpreter."""
    done = subprocess.run([sys.executable, "-B", *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"`{' '.join(map(str, command))}` ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
