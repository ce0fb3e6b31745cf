"""Real servers and applications, metric by metric: `servers` (how quiet) and `labelled` (what experts' segments get).

Each metric's training and test rows are joined and replayed once for both: a row's score depends on nothing that follows,
so the training part of the joined metric is what the training part alone would be.
"""

import csv
import gzip
import json
from functools import lru_cache

from .figures import daily, f1, least, most, per_thousand
from .run import SHARED, kept, scorer

START = 1_700_006_400
DAY, WEEK, MERGE = 86_400, 7 * 86_400, 1_800
FOLDER = SHARED / "entities"


def _step(entity):
    return 60 if entity.startswith("smd") else 300


def _rows(entity, part):
    with gzip.open(FOLDER / entity / f"{part}.csv.gz", "rt") as file:
        return list(csv.reader(file))


def _join(folder):
    """Writes every metric of every entity, and how many training rows each entity has."""
    lengths = {}
    for path in sorted(FOLDER.iterdir()):
        if not (path / "train.csv.gz").exists():
            continue
        entity, step = path.name, _step(path.name)
        train, test = _rows(entity, "train"), _rows(entity, "test")
        if test[0][: len(train[0])] != train[0]:
            raise RuntimeError(f"`{entity}`: training and test rows have other columns")
        lengths[entity] = len(train) - 1
        (folder / entity).mkdir()
        for column, name in enumerate(train[0]):
            with open(folder / entity / f"{name}.csv", "w") as file:
                file.write("timestamp,value\n")
                rows = (row for part in (train, test) for row in part[1:])
                file.writelines(f"{START + i * step},{row[column]}\n" for i, row in enumerate(rows))
    (folder / "train-rows.json").write_text(json.dumps(lengths))


def _read(job):
    """A metric's item for the labelled rows, and incidents and days of its training rows after a week."""
    path, name, train = job
    score = scorer("kpi")
    entity, metric = name.removesuffix(".csv").split("/")
    step, border = _step(entity), START + train * _step(entity)
    times, scores, alarms = score.read_result(path)
    late = times[(times >= times[0] + WEEK) & (times < border)]
    days = (late[-1] - late[0]) / DAY if len(late) else 0.0
    count, last = 0, float("-inf")
    for time in times[alarms & (times < border)]:
        count += time >= times[0] + WEEK and time - last > MERGE
        last = time
    number, segments = int(metric[1:]), json.loads((FOLDER / entity / "interpretation.json").read_text())
    own = [[border + segment["start"] * step, border + (segment["end"] - 1) * step] for segment in segments if number in segment["dims"]]
    # Only test rows count, and a day has as many rows as the step says: the scorer is made for minutes and a warm-up of its own.
    truth = {"kpi": entity, "family": entity.split("-")[0], "first": border - score.WARM, "segments": sorted(own)}
    item = score.Item(times, scores, alarms, truth)
    item.days *= step / 60
    return item, (int(count), float(days))


@lru_cache(maxsize=1)
def _counted(plan):
    """The names (`entity/metric.csv`) and what was read of each; replayed once for both sets."""
    source = kept("entities", _join)
    lengths = json.loads((source / "train-rows.json").read_text())
    names = sorted(f"{entity}/{path.name}" for entity in lengths for path in (source / entity).iterdir())
    results = plan.backtest(source, "entities")
    scorer("kpi")
    return names, plan.parallel(_read, [(str(results / name), name, lengths[name.split("/")[0]]) for name in names])


def servers(plan):
    """Training parts, which are taken as normal: incidents after the first week of each metric."""
    names, counted = _counted(plan)
    units = [unit for _, unit in counted]
    incidents, days = sum(count for count, _ in units), sum(days for _, days in units)
    noisiest = sum(count for count, _ in sorted(units, reverse=True)[:10])
    note = f"{incidents} in {days:,.0f} metric-days of {len(units)} metrics; ten of them have {noisiest / max(incidents, 1):.0%}"
    figures = [per_thousand("incidents per 1,000", units, most(60), digits=0, note=note)]
    for entity in sorted({name.split("/")[0] for name in names}):
        mine = [unit for name, unit in zip(names, units) if name.startswith(entity + "/")]
        figures.append(per_thousand(f"incidents per 1,000: {entity}", mine, digits=0, detail=True))
    return figures


def labelled(plan):
    """Test parts: the alarms of each metric against the segments that name it."""
    score, (_, counted), figures = scorer("kpi"), _counted(plan), []
    for family, bar in (("smd", least(0.24)), ("asd", least(0.50))):
        items = [item for item, _ in counted if item.fam == family]
        figures += _alarms(score, items, f"{family}: ", "", (bar, most(0.10)))
        for entity in sorted({item.kpi for item in items}):
            figures += _alarms(score, [item for item in items if item.kpi == entity], f"{family}: ", f", {entity}", (None, None))
    return figures


def _alarms(score, items, before, after, bars):
    """F1 and false alarms a day of some metrics; of one entity only on request."""
    on = [item.a for item in items]
    whole, (_, entities, _) = score.total(items, on), score.boot(items, on, 200)
    counts = [(*item.count(rows)[:2], item.m, item.days) for item, rows in zip(items, on)]
    note = f"P {whole['P']:.2f} R {whole['R']:.2f}, {whole['hits']}/{whole['events']} events"
    note += "" if after else f"; noise over entities {entities:.3f}"
    detail = {"detail": bool(after)}
    return [
        f1(f"{before}alarm F1{after}", whole["F1"], [unit[:3] for unit in counts], bars[0], note=note, **detail),
        daily(f"{before}false a day{after}", whole["false_day"], [(unit[1], unit[3]) for unit in counts], bars[1], **detail),
    ]
