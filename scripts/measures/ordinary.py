"""Ordinary operations metrics, nothing planted and with planted anomalies: how quiet, how sensitive.

Metrics of seeds of our own (`SEEDS`, `METRICS`), generated once and kept. They are scored some metrics at a time, which
bounds memory: a metric's counts do not depend on the others.
"""

import json
import os
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from .figures import Figure, least, most, per_thousand, share
from .run import SHARED, kept, python, scorer

DAYS = 16
AT_ONCE = 50
WEEK = 7
# Families with heavy tails, in which no detector can know a single point from the tail: not counted for these kinds.
HEAVY, SHORT_KINDS = {"noise_t3", "noise_lognormal", "latency"}, {"spike1", "spike3", "dip3"}


def _counted(job):
    """What the scorer counts of some metrics: incidents and days of each after and in its first week, and recall by cell."""
    results, truth = job
    score = scorer("ordinary")
    with tempfile.TemporaryDirectory(dir=Path(results).parent) as folder:
        (Path(folder) / "truth.json").write_text(json.dumps(truth))
        run = score.Run(results, folder)
    every = run.report(run.alarm)
    families = [truth["metrics"][name]["family"] for name in run.names]

    def by_metric(rows):
        opened = run.incidents(np.flatnonzero(run.alarm & rows))
        return np.bincount(run.k[opened], minlength=len(run.names)).tolist()

    early = run.t < truth["start"] + score.WARM_UP
    cells = _cells(every)
    run.planted = [planted for planted in run.planted if planted[3] not in HEAVY]
    light = _cells(run.report(run.alarm))
    return {"families": families, "after": by_metric(run.counts), "first": by_metric(early), "cells": cells, "light": light}


def _cells(report):
    """(kind, size) to (cases, found); the scorer prints recall to three digits, which gives the number back exactly."""
    return {(kind, size): (cell["n"], round(cell["n"] * cell["recall"])) for kind, sizes in report["kinds"].items() for size, cell in sizes.items()}


def _seed(plan, seed, kind, metrics):
    """All metrics of one seed, replayed and counted."""
    number = 7000 + 10 * seed + len(kind)
    generate = ["--metrics", metrics, "--days", DAYS, "--seed", number, "--plant", kind]
    source = kept(f"ordinary-{kind}-{number}-{metrics}", lambda folder: python(SHARED / "ordinary" / "make.py", *generate, "--out", folder))
    truth = json.loads((source / "truth.json").read_text())
    results = plan.backtest(source, f"ordinary-{kind}-{seed}")
    names, jobs = list(truth["metrics"]), []
    for start in range(0, len(names), AT_ONCE):
        part = {name: truth["metrics"][name] for name in names[start : start + AT_ONCE]}
        jobs.append((str(results), dict(truth, metrics=part)))
    scorer("ordinary")
    try:
        return plan.parallel(_counted, jobs)
    finally:
        shutil.rmtree(results)


def ordinary(plan):
    """Incidents where nothing is planted, after and in the first week, and recall where something is."""
    seeds = int(os.environ.get("SEEDS", "1" if plan.quick else "3"))
    metrics = int(os.environ.get("METRICS", "660" if plan.quick else "1200"))
    plain, planted = [], []
    for seed in range(seeds):
        plain.append(_seed(plan, seed, "none", metrics))
        planted += _seed(plan, seed, "all", metrics)
    return _quiet(plain) + _found(planted)


def _quiet(seeds):
    """The figures of the metrics with nothing planted: after the first week, and in it."""
    figures = []
    for title, key, days, bars in (("plain", "after", DAYS - WEEK, (most(2), most(10))), ("first week", "first", WEEK, (most(10), None))):
        families = defaultdict(list)
        for part in (part for seed in seeds for part in seed):
            for family, count in zip(part["families"], part[key]):
                families[family].append((count, days))
        name, units = f"{title}: incidents per 1,000", [unit for _, family in sorted(families.items()) for unit in family]
        each = [sum(sum(part[key]) for part in seed) / sum(len(part[key]) * days for part in seed) for seed in seeds]
        note = f"{sum(count for count, _ in units)} in {len(units) * days:,} metric-days"
        note += "; by seed " + ", ".join(f"{1000 * value:.1f}" for value in each) if len(seeds) > 1 else ""
        figures.append(per_thousand(name, units, bars[0], digits=2, note=note))
        by_family = [per_thousand(f"{title}: {family}", units, digits=1, detail=True) for family, units in families.items()]
        by_family.sort(key=lambda figure: -figure.value)
        # No units: another family may be the largest in another run.
        next_ones = ", ".join(f"{figure.name.split()[-1]} {figure.value:.1f}" for figure in by_family[1:4] if figure.value)
        note = by_family[0].name.split()[-1] + (f"; then {next_ones}" if next_ones else "")
        figures.append(Figure(f"{title}: largest family", by_family[0].value, bars[1], digits=1, note=note))
        figures += by_family
    return figures


def _found(parts):
    """The figures of the planted metrics: recall of all, of each kind without a size, and by size."""

    def recall(name, cells, key, bar=None, **more):
        counted = [[part[key].get(cell, (0, 0)) for cell in cells] for part in parts]
        units = [(sum(found for _, found in part), sum(cases for cases, _ in part)) for part in counted]
        return share(name, units, bar, **more, note=f"of {sum(cases for _, cases in units)}")

    every = sorted({cell for part in parts for cell in part["cells"]}, key=lambda cell: (cell[0], cell[1].rjust(2)))
    figures = [recall("recall: all planted", every, "cells", least(0.66))]
    for kind, size in every:
        if size == "-":
            figures.append(recall(f"recall: {kind}", [(kind, size)], "cells", least(0.60)))
    for kind, size in every:
        if size != "-":
            name = f"recall by size in sigmas (of how many): {kind} {size}"
            figures.append(recall(name, [(kind, size)], "light" if kind in SHORT_KINDS else "cells", digits=2, cell=(kind, int(size))))
    return figures
