"""Real servers and applications, metric by metric: `servers` (how quiet) and `labelled` (what experts' segments get).

Each metric's training and test rows are joined and replayed once for both: a row's score depends on nothing that follows,
so the training part of the joined metric is what the training part alone would be.
"""

import csv
import gzip
import json
from functools import lru_cache

from .figures import Figure, least, most, rate, resampled
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


@lru_cache(maxsize=1)
def _replayed(plan):
    """The results' folder, the names (`entity/metric`) and the training rows of each entity."""
    source = kept("entities", _join)
    lengths, names = json.loads((source / "train-rows.json").read_text()), []
    for entity in lengths:
        names += plan.sample([f"{entity}/{path.name}" for path in (source / entity).iterdir()], 0.25)
    results = plan.backtest(plan.links(source, names, "entities-in"), "entities")
    return results, names, lengths


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
    results, names, lengths = _replayed(plan)
    scorer("kpi")
    return names, plan.parallel(_read, [(str(results / name), name, lengths[name.split("/")[0]]) for name in names])


def servers(plan):
    """Training parts, which are taken as normal: incidents after the first week of each metric."""
    names, counted = _counted(plan)
    units = [unit for _, unit in counted]
    incidents, days = sum(count for count, _ in units), sum(days for _, days in units)
    noisiest = sorted(units, reverse=True)[:10]
    share = sum(count for count, _ in noisiest) / incidents if incidents else 0.0
    note = f"{incidents} in {days:,.0f} metric-days of {len(units)} metrics; ten of them have {share:.0%}"
    figures = [Figure("incidents per 1,000", rate(units), most(60), resampled(units, rate), 0, note)]
    for entity in sorted({name.split("/")[0] for name in names}):
        mine = [unit for name, unit in zip(names, units) if name.startswith(entity + "/")]
        figures.append(Figure(f"incidents per 1,000: {entity}", rate(mine), digits=0, detail=True))
    return figures


def labelled(plan):
    """Test parts: the alarms of each metric against the segments that name it."""
    score, (_, counted), figures = scorer("kpi"), _counted(plan), []
    for family, bar in (("smd", least(0.24)), ("asd", least(0.50))):
        items = [item for item, _ in counted if item.fam == family]
        on = [item.a for item in items]
        whole, (metrics, entities, _) = score.total(items, on), score.boot(items, on, 200)
        note = f"P {whole['P']:.2f} R {whole['R']:.2f}, {whole['hits']}/{whole['events']} events; sd over entities {entities:.3f}"
        figures.append(Figure(f"{family}: alarm F1", whole["F1"], bar, metrics, note=note))
        counts = [(item.count(rows)[1], item.days) for item, rows in zip(items, on)]
        noise = resampled(counts, lambda units: rate(units) / 1000)
        figures.append(Figure(f"{family}: false a day", whole["false_day"], most(0.10), noise))
        for entity in sorted({item.kpi for item in items}):
            mine = [item for item in items if item.kpi == entity]
            part = score.total(mine, [item.a for item in mine])
            figures.append(Figure(f"{family}: alarm F1, {entity}", part["F1"], note=f"{part['false_day']:.3f} false a day", detail=True))
    return figures
