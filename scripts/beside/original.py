"""Starts the original's work (`worker.py`) in its environment and makes figures and verdicts of what it answers."""

import json
import subprocess
from collections import Counter
from pathlib import Path

from . import series, table

WORKER = Path(__file__).with_name("worker.py")


class Failed(Exception):
    pass


class Original:
    def __init__(self, checkout, python, redis, options, folder, report):
        self.checkout, self.python, self.redis = checkout, python, redis
        self.options, self.folder, self.report = options, folder, report

    def run(self, mode, keys):
        """One pass over `keys` with all nine (`all`) or the short cut (`short`): figures, and votes by metric."""
        scratch = self.folder / f"skyline-{mode}"
        scratch.mkdir(exist_ok=True)
        answer = scratch / "answer.json"
        answer.unlink(missing_ok=True)
        job = {
            "flavour": self.checkout.flavour,
            "package": str(self.checkout.package),
            "algorithms": str(self.checkout.algorithms),
            "settings": str(self.checkout.settings) if self.checkout.settings else None,
            "mode": mode,
            "processes": self.options.processes,
            "mget": self.options.mget,
            "transport": self.options.transport,
            "redis_socket": self.redis.socket_path,
            "redis_port": self.redis.port,
            "scratch": str(scratch),
            "keys": keys,
            "answer": str(answer),
        }
        given = scratch / "job.json"
        given.write_text(json.dumps(job))
        log = self.folder / f"original-{mode}.log"
        # The slowest that is known takes 20 ms a metric; a hundred times that is no longer work.
        limit = 300 + 2 * len(keys)
        try:
            with log.open("w") as out:
                command = [self.python, str(WORKER), str(given)]
                ended = subprocess.run(command, stdout=out, stderr=out, check=False, timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"its process did not end within {limit} s") from None
        words = log.read_text(errors="replace").strip().splitlines()
        last_words = f"; its last words: {words[-1]}" if words else ""
        if not answer.is_file():
            raise Failed(f"its process ended with {ended.returncode}{last_words}")
        told = json.loads(answer.read_text())
        if "unusable" in told:
            raise Failed(told["unusable"] + last_words)
        for text in told["said"]:
            self.report.note(text)
        return self._figures(told, mode, len(keys), scratch)

    def _figures(self, told, mode, metrics, scratch):
        workers = told["workers"]
        wall = max(one["ended"] for one in workers) - min(one["begun"] for one in workers)
        figure = table.figure(
            metrics,
            wall,
            sum(one["cpu"] for one in workers),
            [told["parent_peak_mb"], *(one["own_mb"] for one in workers)],
            max(told["parent_peak_mb"], *(one["peak_mb"] for one in workers)),
        )
        figure["parts"] = {part: sum(one["parts"][part] for one in workers) for part in workers[0]["parts"]}
        verdicts, ensembles = {}, {}
        for worker in workers:
            for key, (anomalous, ensemble) in worker["verdicts"].items():
                metric = key.removeprefix(series.NAMESPACE)
                verdicts[metric] = "anomalous" if anomalous else "normal"
                ensembles[metric] = dict(zip(told["algorithms"], ensemble))
            for key, exception in worker["exceptions"].items():
                verdicts[key.removeprefix(series.NAMESPACE)] = exception
        self._judge_the_run(workers, mode, ensembles, scratch)
        return figure, verdicts, ensembles

    def _judge_the_run(self, workers, mode, ensembles, scratch):
        """Says whatever makes this run less than it looks."""
        errors = {key: text for one in workers for key, text in one["errors"].items()}
        if errors:
            key, text = next(iter(errors.items()))
            self.report.miss(f"the original failed on {len(errors)} metrics ({mode}); `{key}`: {text}")
        empty = [metric for metric, votes in ensembles.items() if not votes]
        if empty:
            self.report.miss(
                f"the original's algorithms raised on {len(empty)} metrics ({mode}), as `{empty[0]}`, so it gave up on them "
                "early: its speed there means nothing"
            )
        if mode == "all":
            silent = Counter(name for votes in ensembles.values() for name, vote in votes.items() if vote is None)
            # Etsy's median_absolute_deviation says None where it means False.
            if self.checkout.flavour == "etsy":
                silent.pop("median_absolute_deviation", None)
            if silent:
                which = ", ".join(f"{name} {count} ×" for name, count in silent.most_common())
                self.report.miss(f"algorithms of the original gave no answer with all nine asked for: {which}")
        run, told = sum(one["algorithms_run"] for one in workers), sum(one["told_run"] for one in workers)
        if told and self.checkout.flavour == "earthgecko":
            mean = run / told
            self.report.note(f"the original ran {mean:.2f} algorithms a metric ({'all nine' if mode == 'all' else 'short cut'})")
            if mode == "short" and mean > 8.999 and self.options.anomalous < 1:
                self.report.miss("the short cut cut nothing short: every metric had all nine, so its row is that of all nine")
            if mode == "all" and mean < 8.999:
                self.report.miss(f"asked for all nine, the original ran {mean:.2f} a metric: the row `all nine` is too fast")
        traces = sorted(scratch.rglob("*.algorithm.error"))
        if traces:
            self.report.miss(f"the original wrote {len(traces)} traces of failed algorithms, as `{traces[0].name}`")
