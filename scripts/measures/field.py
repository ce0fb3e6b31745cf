"""Small inputs that people complained about, each with the outcome its README expects; passed or not, by `backtest`.

Where something has to be found, an alarm before it fails the input, too. What only the live run can show (Graphite's
infinite value, `backfill`) is not asked here.
"""

import csv
import datetime

from .figures import Figure, least
from .run import SHARED

MERGE = 1_800
# Metrics that stand still and then move.
STANDING = ("const10_to_2", "const100_to_330", "zero_then_10000_for_6h")
ROWS = ("csv_ms_timestamps", "csv_heading_value_first")


def _when(row):
    return datetime.datetime.fromtimestamp(row["t"], datetime.timezone.utc)


def _read(path):
    with open(path) as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["t"], row["v"], row["on"] = float(row["timestamp"]), float(row["value"]), row["alarm"] == "1"
    return rows


def _within(rows, first, last, until):
    """An alarm on the rows `first` to `last`, and none before `first` or from the time `until` on."""
    on = [i for i, row in enumerate(rows) if row["on"]]
    before, after = sum(i < first for i in on), sum(rows[i]["t"] >= until for i in on)
    hit = next((i for i in on if i >= first), None)
    late = "no alarm" if hit is None else f"alarm at point {hit - first + 1} of the change"
    found = hit is not None and hit <= last
    said = [late] + ([f"{before} alarms before"] if before else []) + ([f"{after} alarms long after"] if after else [])
    return found and not before and not after, ", ".join(said)


def _standing(rows):
    """An alarm by the third changed point."""
    first = next(i for i, row in enumerate(rows) if row["v"] != rows[0]["v"])
    return _within(rows, first, first + 2, float("inf"))


def _counter(rows):
    """An alarm within three points of the drop of the rate, none elsewhere: not at the reset, not long after the drop."""
    rates = [b["v"] - a["v"] for a, b in zip(rows, rows[1:])]
    usual = sorted(rates)[len(rates) // 2]
    low = [i + 1 for i, rate in enumerate(rates) if 0 <= rate < usual / 4]
    return _within(rows, low[0], low[0] + 2, rows[low[-1]]["t"] + MERGE)


def _last(rows):
    """An alarm on the last point."""
    return _within(rows, len(rows) - 1, len(rows) - 1, float("inf"))


def _clock_change(rows):
    """At most one incident."""
    on = [row["t"] for row in rows if row["on"]]
    incidents = sum(i == 0 or time - on[i - 1] > MERGE for i, time in enumerate(on))
    return incidents <= 1, f"{incidents} incidents"


def _weekly(rows):
    """None on the fourth and fifth Sunday."""
    sundays = sorted({_when(row).date() for row in rows if _when(row).weekday() == 6})
    by_day = {sunday: sum(row["on"] and _when(row).date() == sunday for row in rows) for sunday in sundays}
    alarms = sum(by_day[sunday] for sunday in sundays[3:5])
    return len(sundays) >= 5 and alarms == 0, "alarms by Sunday " + ", ".join(str(by_day[sunday]) for sunday in sundays)


def _all_rows(rows):
    """All 300 points are read: five minutes' values in order of time, each with a finite score."""
    times = [row["t"] for row in rows]
    steps = {b - a for a, b in zip(times, times[1:])}
    whole = len(rows) == 300 and len(steps) == 1 and min(steps) > 0
    return whole, f"{len(rows)} rows, steps of {sorted(steps)}"


OUTCOMES = {
    **{name: _standing for name in STANDING},
    "counter_reset_at_point30_drop2h": _counter,
    "quarter_hourly_spike": _last,
    "dst_spring_daily_curve": _clock_change,
    "weekly_batch_5_sundays": _weekly,
    **{name: _all_rows for name in ROWS},
}


def field(plan):
    """Each input: 1 if it comes out as its README says, 0 if not."""
    unknown = sorted(path.stem for path in (SHARED / "field").glob("*.csv") if path.stem not in OUTCOMES)
    if unknown:
        raise RuntimeError(f"nothing says what is expected of `{unknown[0]}`")
    results = plan.backtest(SHARED / "field", "field")
    figures = []
    for name, outcome in OUTCOMES.items():
        passed, said = outcome(_read(results / f"{name}.csv"))
        figures.append(Figure(name, float(passed), least(1), digits=0, note=said))
    return figures
