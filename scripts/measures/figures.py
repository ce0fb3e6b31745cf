"""What a set comes to: figures with their bars and noise, and the one table they are printed in."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """A limit: at least `limit`, or at most."""

    limit: float
    most: bool = False

    def met(self, value):
        """Compared at the precision the bars are written in, so that .8296 meets .83 as it is printed."""
        return value <= self.limit + 5e-4 if self.most else value >= self.limit - 5e-4


def least(limit):
    return Bar(limit)


def most(limit):
    return Bar(limit, most=True)


@dataclass(frozen=True)
class Figure:
    """One number of a set.

    `noise` is a standard deviation, in the unit of the value; `digits` how many are printed; `note` what belongs to it
    (which family, how many events). A figure with `table` = (row, column) is printed in a table of its own below.
    """

    name: str
    value: float
    bar: Bar = None
    noise: float = None
    digits: int = 3
    note: str = ""
    detail: bool = False
    table: tuple = None

    def text(self, value):
        said = f"{value:.{self.digits}f}"
        return said.replace("0.", ".", 1) if said.lstrip("-").startswith("0.") else said

    def mark(self):
        return "" if self.bar is None else "ok" if self.bar.met(self.value) else "MISSED"

    def as_json(self):
        bar = None if self.bar is None else {"limit": self.bar.limit, "most": self.bar.most, "met": self.bar.met(self.value)}
        return {"value": self.value, "bar": bar, "noise": self.noise, "note": self.note}


def resampled(units, statistic, draws=500, seed=1):
    """The standard deviation of a statistic of units (files, metrics) that are drawn anew with replacement."""
    rng, values = random.Random(seed), []
    if len(units) < 2:
        return None
    for _ in range(draws):
        values.append(statistic(rng.choices(units, k=len(units))))
    mean = sum(values) / draws
    return (sum((value - mean) ** 2 for value in values) / draws) ** 0.5


def rate(units):
    """Incidents per 1,000 metric-days of (incidents, days) pairs."""
    days = sum(days for _, days in units)
    return 1000 * sum(count for count, _ in units) / days if days else float("nan")


def f1(units):
    """F1 of (hits, false alarms, events) triples: the harmonic mean of hits/(hits + false) and hits/events."""
    hits, false, events = (sum(unit[i] for unit in units) for i in range(3))
    return 2 * hits / (hits + false + events) if hits + false + events else 0.0


def _change(figure, before):
    """The difference to an earlier run, and whether it is more than that run's and this one's noise."""
    difference = figure.value - before["value"]
    sign = "+" if difference > 0 else "-" if difference < 0 else " "
    said = sign + figure.text(abs(difference))
    noises = [n for n in (figure.noise, before.get("noise")) if n]
    return said + (" *" if noises and abs(difference) > 2 * max(noises) else "")


def table(sets, before, details):
    """The lines of the table; `sets` is {set: [Figure]}, `before` {set: {name: figure as JSON}} or None."""
    heads = ["set", "figure", "value", "noise", "bar", ""] + (["before", "change"] if before is not None else []) + ["of"]
    rows = []
    for name, figures in sets.items():
        for figure in figures:
            if (figure.detail and not details) or (figure.table and not details):
                continue
            bar = "" if figure.bar is None else ("≤ " if figure.bar.most else "≥ ") + f"{figure.bar.limit:g}"
            noise = "" if figure.noise is None else "± " + figure.text(figure.noise)
            row = [name, figure.name, figure.text(figure.value), noise, bar, figure.mark()]
            if before is not None:
                earlier = before.get(name, {}).get(figure.name)
                row += [figure.text(earlier["value"]), _change(figure, earlier)] if earlier else ["-", ""]
            rows.append(row + [figure.note])
    right = {"value", "noise", "before"}
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]

    def line(row):
        cells = (cell.rjust(w) if head in right else cell.ljust(w) for cell, w, head in zip(row, widths, heads))
        return "  ".join(cells).rstrip()

    lines, last = [line(heads), "-" * (sum(widths) + 2 * len(widths) - 2)], None
    for row in rows:
        lines.append(line([row[0] if row[0] != last else "", *row[1:]]))
        last = row[0]
    return lines


def cross_tables(sets, before):
    """The lines of the figures that are cells: a row a kind, a column a size."""
    lines = []
    for name, figures in sets.items():
        cells = {figure.table: figure for figure in figures if figure.table}
        if not cells:
            continue
        rows = list(dict.fromkeys(row for row, _ in cells))
        columns = list(dict.fromkeys(column for _, column in cells))
        lines += ["", f"{name}: {next(iter(cells.values())).name.split(':')[0]}"]
        lines.append("  " + " " * 12 + "".join(f"{column:>18s}" for column in columns))
        for row in rows:
            said = ""
            for column in columns:
                figure = cells.get((row, column))
                if figure is None:
                    said += " " * 18
                    continue
                earlier = (before or {}).get(name, {}).get(figure.name)
                change = f" ({figure.value - earlier['value']:+.2f})" if earlier else ""
                said += f"{figure.text(figure.value)}{change} {figure.note}".rjust(18)
            lines.append(f"  {row:12s}{said}")
    return lines
