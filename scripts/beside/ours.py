"""Our side: the real binary over the same Redis, its summary lines, and its verdicts by name.

Timed runs are `skywatch run --passes K --summary FILE`: pass 1 is cold, and before each further one every key gets a
point. One pass more than needed is asked for and cut off, so that the process is alive when it is read. CPU of the cold
pass is counted from the start of the process, CPU of a warm one includes what the process does between passes.
"""

import json
import os
import subprocess
import time

from . import processes, series, table


class Failed(Exception):
    pass


class Ours:
    def __init__(self, binary, redis, options, flavour, folder, report):
        self.binary, self.redis, self.options = binary, redis, options
        self.flavour, self.folder, self.report = flavour, folder, report
        self.runs = 0

    def version(self):
        return subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=False).stdout.strip()

    def _environment(self):
        """Without the reader's own settings of Skywatch."""
        return {name: value for name, value in os.environ.items() if not name.startswith("SKYWATCH")}

    def _start(self, passes, pace):
        self.runs += 1
        summary = self.folder / f"summary-{self.runs}.jsonl"
        log = self.folder / f"skywatch-{self.runs}.log"
        if self.options.transport == "socket":
            url = f"redis+unix://{self.redis.socket_path}?db=0"
        else:
            url = f"redis://127.0.0.1:{self.redis.port}/0"
        command = [self.binary, "run", "--passes", str(passes), "--summary", str(summary), "--store", url]
        command += ["--state-dir", str(self.folder / f"state-{self.runs}")]
        for setting in (
            "analyzer.profile=skyline",
            f"analyzer.flavour={self.flavour}",
            f"analyzer.workers={self.options.processes}",
            f"analyzer.optimum_run_duration={pace:.0f}s",
            "ingest.enabled=false",
            "web.enabled=false",
            "log.level=error",
        ):
            command += ["--set", setting]
        with log.open("w") as out:
            return subprocess.Popen(command, env=self._environment(), stdout=out, stderr=out), summary, log

    def _pass(self, child, summary, log, number):
        due = time.monotonic() + 300
        while time.monotonic() < due:
            text = summary.read_text() if summary.is_file() else ""
            whole = text[: text.rfind("\n") + 1].splitlines()
            if len(whole) >= number:
                return json.loads(whole[number - 1])
            if child.poll() is not None:
                words = log.read_text(errors="replace").strip().splitlines()
                raise Failed(f"`skywatch run` ended with {child.returncode} before pass {number}: {' '.join(words[-3:])}")
            time.sleep(0.005)
        raise Failed(f"pass {number} of `skywatch run` did not end within 300 s")

    def run(self, metrics, last, columns):
        """One cold pass and a warm one for each column of new points: their figures, and the summary lines."""
        # Long enough for a pass, and for every metric to get its next point.
        pace = metrics.count * series.POINTS / 6e6 + metrics.count / 2e4 + 2
        child, summary, log = self._start(len(columns) + 2, pace)
        try:
            cold = self._pass(child, summary, log, 1)
            told = [cold]
            cpu, peaks = processes.cpu_seconds(child.pid), processes.peaks_mb(child.pid)
            figures = {"cold": table.figure(metrics.count, cold["seconds"]["total"], cpu, peaks, max(peaks))}
            warm = []
            for index, column in enumerate(columns):
                metrics.append(self.redis, last + series.STEP * (index + 1), column)
                appended = time.time()
                line = self._pass(child, summary, log, index + 2)
                now = processes.cpu_seconds(child.pid)
                if line["at"] >= appended:
                    warm.append((line, now - cpu))
                else:
                    self.report.miss(f"warm pass {index + 1} began before its points were in: left out")
                cpu = now
                told.append(line)
            if warm:
                seconds = sorted(line["seconds"]["total"] for line, _ in warm)[len(warm) // 2]
                mean_cpu = sum(used for _, used in warm) / len(warm)
                peaks = processes.peaks_mb(child.pid)
                figures["warm"] = table.figure(metrics.count, seconds, mean_cpu, peaks, max(peaks))
        finally:
            child.terminate()
            child.wait(timeout=30)
        for line in told:
            self._judge_the_pass(line, metrics.count)
        return figures, told

    def _judge_the_pass(self, line, count):
        exceptions = {name: number for name, number in line["exceptions"].items() if number}
        if line["metrics"] != count or line["unfinished"]:
            self.report.miss(f"our pass {line['pass']} saw {line['metrics']} of {count} metrics, {line['unfinished']} unfinished")
        if exceptions:
            self.report.note(f"our pass {line['pass']} did not judge {exceptions}")
        if line["refetched"]:
            self.report.note(f"our pass {line['pass']} read {line['refetched']} windows whole although they were cached")

    def verdicts(self, count):
        """A cold pass, not timed, with a state of its own: each anomaly of it opens an incident; the rest is normal."""
        child, summary, log = self._start(1, 60)
        try:
            line = self._pass(child, summary, log, 1)
            child.wait(timeout=60)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait(timeout=30)
        answer = subprocess.run(
            [self.binary, "incidents", "--json", "--limit", str(count + 1000)]
            + ["--state-dir", str(self.folder / f"state-{self.runs}")],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment(),
        )
        if answer.returncode:
            raise Failed(f"`skywatch incidents` ended with {answer.returncode}: {answer.stderr.strip()}")
        incidents = json.loads(answer.stdout)["incidents"]
        named = {one["subject"]["name"] for one in incidents if one["subject"]["kind"] == "metric"}
        if len(named) != line["anomalies"]:
            raise Failed(f"`skywatch run` counts {line['anomalies']} anomalies and opens incidents about {len(named)} metrics")
        self._judge_the_pass(line, count)
        return {name: "anomalous" if name in named else "normal" for name in map(series.name, range(count))}, line

    def votes(self, metrics, chosen, now):
        """All nine votes of ours on the stored series of `chosen`, and why a series is not judged."""
        questions = self.folder / "questions.jsonl"
        with questions.open("w") as out:
            for metric in chosen:
                question = {"name": series.name(metric), "now": now, "series": metrics.read(self.redis, metric)}
                out.write(json.dumps(question) + "\n")
        answer = subprocess.run(
            [self.binary, "votes", "--flavour", self.flavour, str(questions)],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment(),
        )
        questions.unlink()
        if answer.returncode:
            raise Failed(f"`skywatch votes` ended with {answer.returncode}: {answer.stderr.strip()}")
        return {one["name"]: one for one in map(json.loads, answer.stdout.splitlines())}
