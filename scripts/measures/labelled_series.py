"""Sets of labelled series with a threshold that is chosen elsewhere: `kpi`, `cloud` and `nab`.

The columns `anomaly_score` (as it is, without the rest, for the first two) and `alarm` are scored by the data's own
`score.py`; here stands only what is run, and in which order.
"""

import json

from .figures import Figure, daily, f1, least, most
from .run import SHARED, kept, python, scorer

# What forked processes share with the one that read it.
_items = []


def _kpi_item(job):
    path, truth = job
    score = scorer("kpi")
    times, scores, alarms = score.read_result(path)
    if len(times) != truth["rows"]:
        raise RuntimeError(f"`{path}` has {len(times)} rows instead of {truth['rows']}")
    return score.Item(times, scores, alarms, truth)


def _kpi_threshold(family):
    return scorer("kpi").best([item for item in _items if item.fam != family])["thr"]


def kpi(plan):
    """Minute metrics of web services: the score with the threshold of the other families, and the alarms as shipped."""
    score, truth = scorer("kpi"), json.loads((SHARED / "kpi" / "truth.json").read_text())
    source = kept("kpi", lambda folder: python(SHARED / "kpi" / "score.py", "--inputs", folder))
    results = plan.backtest(source, "kpi", "--rest", "off")
    items = plan.parallel(_kpi_item, [(str(results / f"{name}.csv"), entry) for name, entry in truth.items()])
    _items[:] = items
    families = sorted({item.fam for item in items})
    thresholds = dict(zip(families, plan.parallel(_kpi_threshold, families)))
    _items.clear()
    figures = []
    for title, on, bars in (
        ("score", [item.s >= thresholds[item.fam] for item in items], (least(0.83), None, None)),
        ("alarm", [item.a for item in items], (least(0.77), most(0.08), least(0.65))),
    ):
        how = ", leave one family out" if title == "score" else " as shipped"
        whole, (_, kpis, _) = score.total(items, on), score.boot(items, on, 200)
        counts = [(*item.count(rows)[:2], item.m, item.days) for item, rows in zip(items, on)]
        note = f"{_said(whole)}; noise over KPIs {kpis:.3f}"
        figures.append(f1(f"{title}: F1{how}", whole["F1"], [unit[:3] for unit in counts], bars[0], note=note))
        figures.append(daily(f"{title}: false a day", whole["false_day"], [(unit[1], unit[3]) for unit in counts], bars[1]))
        figures.append(Figure(f"{title}: macro F1", score.macro(items, on), bars[2]))
        groups = [f"family {item.fam}" for item in items]
        said = {f"family {family}": limit for family, limit in thresholds.items()} if title == "score" else {}
        figures += _by_group(score, title, items, on, groups, said)
    return figures


def _said(whole):
    return f"P {whole['P']:.2f} R {whole['R']:.2f}, {whole['hits']}/{whole['events']} events"


def _by_group(score, title, items, on, groups, thresholds):
    """F1 of each group of items, with the threshold it was given, if any."""
    figures = []
    for group in sorted(set(groups)):
        part = score.total(*map(list, zip(*((item, rows) for item, rows, own in zip(items, on, groups) if own == group))))
        note = f"{_said(part)}, {part['false_day']:.3f} false a day" + (f", threshold {thresholds[group]:.4g}" if group in thresholds else "")
        figures.append(Figure(f"{title}: F1, {group}", part["F1"], note=note, detail=True))
    return figures


def cloud(plan):
    """Hourly telemetry: the score with the threshold of the other domains, and the alarms as shipped. Always all files."""
    score, truth = scorer("cloud"), json.loads((SHARED / "cloud" / "truth.json").read_text())
    results = plan.backtest(kept("cloud", lambda folder: python(SHARED / "cloud" / "score.py", "--inputs", folder)), "cloud", "--rest", "off")
    read, items = scorer("kpi").read_result, []
    for name, entry in truth.items():
        times, scores, alarms = read(str(results / f"{name}.csv"))
        if len(times) != entry["rows"]:
            raise RuntimeError(f"`{name}` has {len(times)} rows instead of {entry['rows']}")
        items.append(score.Item(entry, times, scores, alarms))
    domains = sorted({item.dom for item in items})
    thresholds = {domain: score.best([item for item in items if item.dom != domain])[1] for domain in domains}
    figures = []
    for title, on, bars in (
        ("score", [item.s >= thresholds[item.dom] for item in items], (least(0.56), None)),
        ("alarm", [item.a for item in items], (least(0.48), most(0.05))),
    ):
        how = ", leave one domain out" if title == "score" else " as shipped"
        whole = score.total(items, on)
        counts = [(*item.count(rows), item.m, item.days) for item, rows in zip(items, on)]
        figures.append(f1(f"{title}: F1{how}", whole["F1"], [unit[:3] for unit in counts], bars[0], note=_said(whole)))
        figures.append(daily(f"{title}: false a day", whole["false_day"], [(unit[1], unit[3]) for unit in counts], bars[1]))
        figures += _by_group(score, title, items, on, [item.dom for item in items], thresholds if title == "score" else {})
    return figures


def nab(plan):
    """NAB's development half with the rest: its best threshold, and that of the other categories. Always all files."""
    score, data = scorer("nab"), SHARED / "nab" / "data"
    layouts = score.load_layouts(str(SHARED / "nab" / "labels" / "windows.json"), str(data))
    results = score.load_results(str(plan.backtest(data, "nab")), layouts)
    whole = score.score_all(layouts, results)
    categories, left = sorted({name.split("/")[0] for name in layouts}), {}
    for category in categories:
        others = {name: layout for name, layout in layouts.items() if not name.startswith(category + "/")}
        own = {name: layout for name, layout in layouts.items() if name.startswith(category + "/")}
        thresholds = {profile: best[0] for profile, best in score.sweep(others, results).items()}
        for profile, answer in score.evaluate(own, results, thresholds).items():
            left.setdefault(profile, []).append(answer)
    bars, figures = {"standard": least(66), "reward_low_FP_rate": least(55)}, []
    for profile in score.PROFILES:
        short, answer = score.SHORT[profile].replace("_", " "), whole[profile]
        note = f"threshold {answer['threshold']:.4g}, {answer['detected']}/{answer['windows']} windows"
        units = _nab_units(score, profile, answer["per_file"])
        figures.append(Figure(short, answer["score"], bars.get(profile), units, 100, digits=1, note=note))
        # Each category at the threshold of the others: again a sum over all files.
        units = _nab_units(score, profile, {name: file for other in left[profile] for name, file in other["per_file"].items()})
        value = 100 * sum(gain for gain, _ in units) / sum(span for _, span in units)
        figures.append(Figure(f"{short}, threshold of the other categories", value, None, units, 100, digits=1))
        for category, entry in sorted(answer["per_category"].items()):
            if entry["windows"]:
                note = f"{entry['detected']}/{entry['windows']} windows"
                figures.append(Figure(f"{short}, {category}", entry["score"], digits=1, note=note, detail=True))
    return figures


def _nab_units(score, profile, files):
    """How far above no detection at all each file is, and how far it could be."""
    units = []
    for _, file in sorted(files.items()):
        null, perfect = score.bounds(profile, file["windows"])
        units.append((file["raw"] - null, perfect - null))
    return tuple(units)
