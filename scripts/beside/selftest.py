"""`scripts/bench-skyline --self-test`: the script against stand-in checkouts, and the table against sums done by hand.

It shows that the parts work together and that what is missing is said; of the real original it shows nothing.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from . import series, standin, table
from .checkout import Checkout
from .redis_server import RedisServer

METRICS = 45
# The last two values of metric 3 with its anomaly.
PINNED = [250.027887, 242.956767]


class SelfTest:
    def __init__(self, script, options, folder):
        self.script, self.options, self.folder = script, options, folder
        self.failed = 0

    def check(self, what, holds, shown=""):
        print(f"{'ok    ' if holds else 'FAILED'} {what}", flush=True)
        if not holds:
            self.failed += 1
            print(shown)

    def bench(self, path, *words, cache=None, rounds=1, passes=1, skywatch=None, environment=None):
        command = [sys.executable, str(self.script), str(path), "--metrics", str(METRICS), "--anomalous", "0.2"]
        command += ["--rounds", str(rounds), "--passes", str(passes), "--cache", str(cache or self.options.cache)]
        command += ["--skywatch", str(skywatch or self.options.skywatch), "--python", self.options.python, *words]
        answer = subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
        )
        return answer.returncode, answer.stdout + answer.stderr

    def says(self, what, answer, code, *words):
        """The run ended with this code and said all of this."""
        ended, text = answer
        absent = [word for word in words if word not in text]
        self.check(what, ended == code and not absent, f"exit code {ended}, wanted {code}; not said: {absent}\n{text}")

    def run(self):
        self.arithmetic()
        self.filling()
        self.both_sides()
        self.other_checkouts()
        self.what_is_missing()
        print(f"self-test: {self.failed} failed" if self.failed else "self-test: all as it should be")
        return 1 if self.failed else 0

    def arithmetic(self):
        one = table.figure(1000, 2.0, 4.0, [100.0, 50.0, 50.0], 120.0)
        self.check(
            "a figure is metrics by seconds, CPU by metrics, peaks in sum",
            one == {"metrics_s": 500.0, "cpu_s": 4.0, "cpu_us_metric": 4000.0, "peak_mb": 200.0, "largest_mb": 120.0},
            one,
        )
        # Theirs 100, 200, 400 metrics/s; ours 1000, 8000, 4000: ratios 10, 40, 10. The ratio of the medians were 20.
        rounds = [
            {"all": table.figure(100, 100 / theirs, 1.0, [90.0], 90.0), "cold": table.figure(100, 100 / ours, 0.1, [30.0], 30.0)}
            for theirs, ours in ((100, 1000), (200, 8000), (400, 4000))
        ]
        ratio = table.ratios(rounds, "cold", "all")
        near = all(abs(ratio[name] - right) < 1e-9 for name, right in (("metrics_s", 10), ("cpu", 10), ("peak", 3)))
        self.check("a ratio is the median over rounds, not the ratio of medians", near and ratio["rounds"] == 3, ratio)
        self.check("sides that never met have no ratio", table.ratios(rounds, "warm", "short") is None)
        text = "\n".join(table.lines(rounds))
        self.check(
            "the table shows what was measured, what was not, and the bars",
            "| original, all nine | 3 | 200 (100–400) | 1.000 | 10,000.0 | 90 | 90 |" in text
            and "| original, short cut | 0 | not measured |" in text
            and "| cold ÷ all nine | 10 × as many | 10 × less | 3 × less | 40 ×, missed |" in text
            and "| warm ÷ short cut | not measured | | | 250 × |" in text,
            text,
        )
        agreed = table.agreement({"a": 1, "b": 1, "c": 1}, {"a": 1, "b": 2, "d": 1})
        self.check(
            "agreement counts what both judged and lists the rest",
            agreed == {"compared": 2, "same": 1, "differ": ["b"], "only_one_side": ["c", "d"]},
            agreed,
        )
        spread = [sum(series.is_anomalous(metric, share) for metric in range(METRICS)) for share in (0, 0.2, 1)]
        self.check("the share anomalous is kept", spread == [0, 9, METRICS], spread)
        pinned = [round(value, 6) for value in series.values(3, True)[-2:]]
        self.check("series are the same on every machine", pinned == PINNED, pinned)
        longer = series.values(3, False, series.POINTS + 2)
        self.check("points of warm passes go on where the window ends", longer[: series.POINTS] == series.values(3, False))

    def filling(self):
        redis = RedisServer(self.folder)
        try:
            metrics, last = series.Metrics(3, 0.0), 1_700_000_000
            metrics.fill(redis, last)
            metrics.append(redis, last + series.STEP, metrics.points_after(1)[0])
            stored = metrics.read(redis, 2)
            self.check(
                "Redis holds the window and the appended point, a minute apart",
                [time for time, _ in stored] == list(range(last - 1439 * 60, last + 61, 60))
                and [value for _, value in stored] == series.values(2, False, series.POINTS + 1)
                and redis.call("SCARD", "metrics.unique_metrics") == 3,
                stored[-2:],
            )
        finally:
            redis.stop()

    def both_sides(self):
        path = standin.make(self.folder / "earthgecko", settings="CONSENSUS = 5\n")
        raw = self.folder / "raw.json"
        answer = self.bench(path, "--json", str(raw), rounds=2, passes=3)
        self.says(
            "earthgecko's kind: everything is measured, verdicts and votes agree",
            answer,
            0,
            "`numpy==0.0.1` does not install",
            "`numpy>=1.24,<3` was taken instead",
            "its settings have CONSENSUS = 5; 6 was used",
            "it was given airgaps=[], check_something_only=False",
            f"{METRICS} of {METRICS} the same; anomalous: ",
            f"short cut and its all nine: {METRICS} of {METRICS} the same",
            *(f"{name} {METRICS}/{METRICS}" for name in ("grubbs", "histogram_bins", "least_squares", "ks_test")),
            "original ran 9.00 algorithms a metric (all nine)",
            "commit unknown (no .git in it)",
        )
        told = json.loads(raw.read_text()) if raw.is_file() else {}
        rounds = told.get("rounds", [])
        self.check("each round has all four sides", [sorted(one) for one in rounds] == [sorted(table.SIDES)] * 2, rounds)
        anomalous = (told.get("agreement") or {}).get("anomalous", {})
        self.check("some are anomalous and most are not", 3 <= anomalous.get("ours", 0) <= 9, anomalous)
        if len(rounds) == 2:
            by_hand = sum(one["warm"]["metrics_s"] / one["short"]["metrics_s"] for one in rounds) / 2
            printed = re.search(r"warm ÷ short cut \| (\S+) × as many", answer[1])
            near = printed and abs(float(printed.group(1).replace(",", "")) / by_hand - 1) < 0.006
            self.check("the printed ratio is that of the raw figures", near, f"{by_hand} against {printed and printed.group(1)}")
            sides = [side for one in rounds for side in one.values()]
            sane = all(side["metrics_s"] > 0 and side["cpu_s"] > 0 and side["peak_mb"] > 5 for side in sides)
            self.check("no figure is empty", sane, rounds)

    def other_checkouts(self):
        liar = series.key(7)
        path = standin.make(self.folder / "liar", settings=f"STANDIN_LIES_ABOUT = {liar!r}\n")
        self.says(
            "a metric both disagree on is named, over the socket, too",
            self.bench(path, "--transport", "socket", "--mget", "10"),
            0,
            f"{METRICS - 1} of {METRICS} the same",
            f"- `{series.name(7)}`: anomalous by the original, normal by Skywatch (no vote differs)",
        )
        path = standin.make(self.folder / "etsy", "etsy")
        self.says(
            "etsy's kind: known by its folders, run without settings and without a short cut",
            self.bench(path),
            0,
            "original: etsy",
            "the checkout has no settings file",
            "etsy's Skyline has no short cut",
            "| original, short cut | 0 | not measured |",
            f"{METRICS} of {METRICS} the same",
            f"grubbs {METRICS}/{METRICS}",
            f"median_absolute_deviation {METRICS}/{METRICS}",
        )
        cut = "if settings.RUN_OPTIMIZED_WORKFLOW and"
        path = standin.make(self.folder / "no-cut", settings="", replace=[(cut, cut.replace("if", "if not"))])
        self.says(
            "a short cut that cuts nothing short, and all nine that are cut, are found out",
            self.bench(path),
            1,
            "the short cut cut nothing short",
            "the row `all nine` is too fast",
        )
        ks_test = "    return False  # with"
        path = standin.make(self.folder / "silent", settings="", replace=[(ks_test, "    return None  # with")])
        self.says(
            "an algorithm that gives no answer is counted",
            self.bench(path),
            1,
            f"with all nine asked for: ks_test {METRICS} ×",
        )
        fragile = 'if metric_name == getattr(settings, "STANDIN_LIES_ABOUT", None):\n        anomalous = not anomalous'
        raising = "if 'core9.' in metric_name:\n        raise KeyError('nine')"
        path = standin.make(self.folder / "fragile", settings="", replace=[(fragile, raising)])
        self.says(
            "a metric that the original fails on is named",
            self.bench(path),
            1,
            f"the original failed on 1 metrics (all); `{series.key(9)}`: KeyError: 'nine'",
            f"{METRICS - 1} of {METRICS} the same",
        )

    def what_is_missing(self):
        empty = self.folder / "empty"
        empty.mkdir()
        self.says(
            "no checkout: said, and ours is measured all the same",
            self.bench(empty),
            1,
            "the original was not run: no analyzer in this checkout",
            "| original, all nine | 0 | not measured |",
            "| Skywatch, cold | 1 |",
            "Missing, so this is no full comparison:",
        )
        renamed = [("def run_selected_algorithm", "def something_else")]
        path = standin.make(self.folder / "no-function", settings="", replace=renamed)
        self.says("no function", self.bench(path), 1, "has no function `run_selected_algorithm`")
        path = standin.make(self.folder / "eight", settings="", replace=[("def grubbs(", "def grubs(")])
        self.says("one algorithm less", self.bench(path), 1, "the checkout has no algorithm `grubbs`", "verdicts were not compared")
        printing = [("    return False  # with", "    print 'with'  # with")]
        path = standin.make(self.folder / "python2", settings="", replace=printing)
        self.says("Python 2", self.bench(path), 1, "is not Python 3")
        importing = [("import numpy as np\n", "import numpy as np\nimport standin_unknown\n")]
        path = standin.make(self.folder / "unknown", settings="", replace=importing)
        self.says(
            "an import nobody knows a package for: nothing is guessed",
            self.bench(path),
            1,
            "`standin-unknown` is imported, but neither",
            "cannot be imported: ModuleNotFoundError: No module named 'standin_unknown'",
        )
        path = standin.make(self.folder / "no-module", settings="", without=("algorithm_exceptions.py",))
        self.says("a module of the checkout that is gone", self.bench(path), 1, "No module named 'algorithm_exceptions'")
        with tempfile.TemporaryDirectory(dir=self.folder) as cache:
            path = standin.make(self.folder / "offline", settings="")
            self.says(
                "no package registry",
                self.bench(path, cache=cache, environment={"PIP_NO_INDEX": "1"}),
                1,
                "package `numpy` does not install (`numpy==0.0.1`: ",
                "package `redis` does not install",
                "| original, all nine | 0 | not measured |",
                "| Skywatch, cold | 1 |",
            )
        path = self.folder / "earthgecko"
        self.says(
            "no binary of ours: said, and the original is measured all the same",
            self.bench(path, skywatch=self.folder / "no-such-binary"),
            1,
            "Skywatch was not run: no binary",
            "| original, all nine | 1 |",
            "| Skywatch, cold | 0 | not measured |",
        )
        found = Checkout(path).imports()
        self.check("imports are followed through the checkout's own modules", found == ({"numpy"}, set()), found)


def main(script, options):
    if not os.access(options.skywatch, os.X_OK):
        print(f"self-test: no binary `{options.skywatch}`\nhint: `cargo build --release`, or `--skywatch EXE`", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="bench-skyline-test-") as folder:
        return SelfTest(script, options, Path(folder)).run()
