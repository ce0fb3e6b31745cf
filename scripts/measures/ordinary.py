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

from .figures import Figure, least, most, rate, resampled
from .run import SHARED, kept, python, scorer

DAYS = 16
AT_ONCE = 50
WEEK = 7
# Families with heavy tails, in which no detector can know a single point from the tail: not counted for these kinds.
HEAVY, SHORT_KINDS = {"noise_t3", "noise_lognormal", "latency"}, {"spike1", "spike3", "dip3"}
SIZES = ("4", "6", "8", "12")


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
    metrics = int(os.environ.get("METRICS", "220" if plan.quick else "1200"))
    after, first = defaultdict(list), defaultdict(list)
    cells, light = defaultdict(lambda: [0, 0]), defaultdict(lambda: [0, 0])
    by_seed = []
    for seed in range(seeds):
        plain = _seed(plan, seed, "none", metrics)
        for part in plain:
            for family, late, early in zip(part["families"], part["after"], part["first"]):
                after[family].append((late, DAYS - WEEK))
                first[family].append((early, WEEK))
        by_seed.append(rate([(count, DAYS - WEEK) for part in plain for count in part["after"]]))
        for part in _seed(plan, seed, "all", metrics):
            for totals, counted in ((cells, part["cells"]), (light, part["light"])):
                for cell, (cases, found) in counted.items():
                    totals[cell][0] += cases
                    totals[cell][1] += found
    figures = []
    for title, families, bars in (("plain", after, (most(2), most(10))), ("first week", first, (most(10), None))):
        units = [unit for family in families.values() for unit in family]
        note = f"{sum(count for count, _ in units)} in {sum(days for _, days in units):,} metric-days"
        if title == "plain":
            note += "; by seed " + ", ".join(f"{value:.1f}" for value in by_seed)
        figures.append(Figure(f"{title}: incidents per 1,000", rate(units), bars[0], resampled(units, rate), 2, note))
        largest = sorted(((rate(units), family) for family, units in families.items()), reverse=True)
        noisy = ", ".join(f"{family} {value:.1f}" for value, family in largest[1:4] if value)
        top = largest[0]
        note = top[1] + (f"; then {noisy}" if noisy else "")
        figures.append(Figure(f"{title}: largest family", top[0], bars[1], resampled(families[top[1]], rate), 1, note))
        figures += [Figure(f"{title}: {family}", value, digits=1, detail=True) for value, family in largest]
    figures.append(_recall("recall: all planted", cells.values(), least(0.66)))
    for kind, size in sorted(cells):
        if size == "-":
            figures.append(_recall(f"recall: {kind}", [cells[kind, size]], least(0.60)))
    kinds = list(dict.fromkeys(kind for kind, size in sorted(cells) if size != "-"))
    for kind in kinds:
        for size in SIZES:
            cases, found = (light if kind in SHORT_KINDS else cells).get((kind, size), (0, 0))
            if cases:
                name = f"recall by size in sigmas (of how many): {kind} {size}"
                figures.append(Figure(name, found / cases, digits=2, note=f"of {cases}", table=(kind, size)))
    return figures


def _recall(name, cells, bar):
    cases, found = (sum(cell[i] for cell in cells) for i in (0, 1))
    share = found / cases if cases else float("nan")
    noise = (share * (1 - share) / cases) ** 0.5 if cases else None
    return Figure(name, share, bar, noise, note=f"of {cases}")
