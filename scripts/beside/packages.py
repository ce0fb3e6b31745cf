"""The virtual environment of the original: made once for a set of packages and kept in the cache folder.

All lines are tried together; if that fails, each by itself, first as the checkout pins it, then in this script's range.
Nothing scientific is ever compiled here: without a ready-made wheel a pin counts as one that does not install.
"""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

WHEELS_ONLY = "numpy,pandas,scipy,statsmodels,numba,llvmlite,scikit-learn,matplotlib"


class Unmade(Exception):
    """The environment could not be made at all."""


def cache_folder():
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skywatch" / "bench-skyline"


def environment(python, plan, cache, report):
    """The environment's Python. What fell back or failed is reported, also when the environment is an old one."""
    try:
        version = subprocess.run(
            [python, "-c", "import sys; print(sys.version)"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise Unmade(f"`{python}` is no Python that runs: {error}") from None
    mark = hashlib.sha256(json.dumps([version, plan]).encode()).hexdigest()[:16]
    folder = Path(cache) / mark
    done = folder / "installed.json"
    if done.is_file():
        report.say(f"packages of the original: the environment of an earlier run, `{folder}`")
        outcome = json.loads(done.read_text())
    else:
        report.say(f"packages of the original: installing {len(plan)} and what they need into `{folder}`")
        outcome = _make(python, plan, folder)
        # An environment that lacks something is tried again next time: the network may have been the reason.
        if not outcome["failed"]:
            done.write_text(json.dumps(outcome))
    for text in outcome["fell_back"]:
        report.note(text)
    for text in outcome["failed"]:
        report.miss(text)
    return folder / "bin" / "python"


def _make(python, plan, folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made = subprocess.run([python, "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
    if made.returncode:
        reason = (made.stderr or made.stdout).strip()
        raise Unmade(f"no virtual environment: {reason}\nhint: Debian has it in `python3-venv`")
    log = folder / "pip.log"
    outcome = {"fell_back": [], "failed": []}
    if _pip(folder, [tries[0] for _, tries in plan], log) is None:
        return outcome
    for name, tries in plan:
        reasons = []
        for line in tries:
            reason = _pip(folder, [line], log)
            if reason is None:
                break
            reasons.append((line, reason))
        else:
            tried = "; ".join(f"`{line}`: {reason}" for line, reason in reasons)
            outcome["failed"].append(f"package `{name}` does not install ({tried}); pip's words are in `{log}`")
            continue
        if reasons:
            outcome["fell_back"].append(f"`{reasons[0][0]}` does not install ({reasons[0][1]}); `{line}` was taken instead")
    return outcome


def _pip(folder, lines, log):
    """None, or why it failed, in one line."""
    command = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--prefer-binary"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "2", "--only-binary", WHEELS_ONLY, *lines]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    with log.open("a") as out:
        out.write(f"$ pip install {' '.join(lines)}\n{answer.stdout}{answer.stderr}\n")
    if answer.returncode == 0:
        return None
    errors = [line for line in answer.stderr.splitlines() if line.startswith("ERROR:")]
    return (errors[-1].removeprefix("ERROR: ") if errors else f"pip ended with {answer.returncode}")[:200]


def versions(python):
    """Installed packages of the environment, as pip tells them."""
    answer = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"], capture_output=True, text=True, check=False
    )
    try:
        return {one["name"].lower(): one["version"] for one in json.loads(answer.stdout)}
    except ValueError:
        return {}
