"""What a set comes to: figures with their bars and noise, and the tables they are printed in.

Nearly every figure here is a sum over units (files, metrics) divided by another one: F1 is 2·hits over hits + false alarms +
events, a rate is incidents over days. The units are kept beside the value. Drawn anew with replacement they give the noise of
the figure, and drawn together with those of an earlier run the noise of the difference, which is much smaller.
"""

from dataclasses import dataclass

import numpy as np

DRAWS = 1000


@dataclass(frozen=True)
class Bar:
    """A limit: at least `limit`, or at most."""

    limit: float
    most: bool = False

    def met(self, value):
        """Not missed by what is not printed, half of a third digit."""
        return value <= self.limit + 5e-4 if self.most else value >= self.limit - 5e-4


def least(limit):
    return Bar(limit)


def most(limit):
    return Bar(limit, most=True)


@dataclass(frozen=True)
class Figure:
    """One number of a set.

    `units` are pairs, with `scale` times the sum of the first over the sum of the second as `value`; `floor` is what the noise
    is at least, for counts so small that drawing them anew says nothing. `digits` is how many are printed, `note` what belongs
    to the figure (which family, how many events). `detail` figures are printed on request, those with `cell` = (row, column)
    in a table of their own.
    """

    name: str
    value: float
    bar: Bar = None
    units: tuple = None
    scale: float = 1.0
    floor: float = 0.0
    digits: int = 3
    note: str = ""
    detail: bool = False
    cell: tuple = None

    def __post_init__(self):
        if self.units is None:
            return
        again = self.scale * _ratios(self.units, np.arange(len(self.units))[None, :])[0]
        if not np.isclose(again, self.value, atol=6e-4, equal_nan=True):
            raise ValueError(f"`{self.name}` is {self.value} by its scorer and {again} by its units")

    def noise(self):
        """A standard deviation, or None where nothing is known of it."""
        if self.units is None or len(self.units) < 2:
            return None
        return max(self.floor, float(np.nanstd(self.scale * _ratios(self.units, _draws(len(self.units))))))

    def text(self, value):
        said = f"{value:.{self.digits}f}"
        return said.replace("0.", ".", 1) if said.lstrip("-").startswith("0.") else said

    def mark(self):
        return "" if self.bar is None else "ok" if self.bar.met(self.value) else "MISSED"

    def as_json(self):
        bar = None if self.bar is None else {"limit": self.bar.limit, "most": self.bar.most, "met": self.bar.met(self.value)}
        units = None if self.units is None else [list(unit) for unit in self.units]
        return {"value": self.value, "bar": bar, "noise": self.noise(), "note": self.note, "units": units}

    def change(self, before):
        """The difference to an earlier run with its noise, and a star where it is more than twice that."""
        difference = self.value - before["value"]
        if difference == 0:
            return "="
        sign = "+" if difference > 0 else "-"
        said = sign + self.text(abs(difference))
        earlier = before.get("units")
        if self.units is None or earlier is None or len(self.units) != len(earlier) or len(earlier) < 2:
            return said
        draws = _draws(len(earlier))
        noise = float(np.nanstd(self.scale * (_ratios(self.units, draws) - _ratios(earlier, draws))))
        return f"{said} ± {self.text(noise)}" + (" *" if abs(difference) > 2 * noise else "")


def _draws(units):
    return np.random.default_rng(1).integers(0, units, (DRAWS, units))


def _ratios(units, draws):
    above, below = np.array(units, float).T
    above, below = above[draws].sum(1), below[draws].sum(1)
    return np.divide(above, below, out=np.zeros(len(above)), where=below > 0)


def f1_units(counts):
    """Of (hits, false alarms, events): the harmonic mean of hits/(hits + false) and hits/events, as one ratio of sums."""
    return tuple((2 * hits, hits + false + events) for hits, false, events in counts)


def f1(name, value, counts, bar=None, **more):
    return Figure(name, value, bar, f1_units(counts), **more)


def daily(name, value, counts, bar=None, **more):
    """False alarms a day, of (false alarms, days)."""
    return Figure(name, value, bar, tuple(counts), **more)


def per_thousand(name, counts, bar=None, **more):
    """Incidents per 1,000 metric-days, of (incidents, days). None at all leaves the noise of one."""
    incidents, days = (sum(unit[i] for unit in counts) for i in (0, 1))
    value, floor = (1000 * incidents / days, 0.0 if incidents else 1000 / days) if days else (0.0, 0.0)
    return Figure(name, value, bar, tuple(counts), 1000, floor, **more)


def share(name, counts, bar=None, **more):
    """Found of all, of (found, cases). All of a few, or none, is as uncertain as one more of either would make it."""
    found, cases = (sum(unit[i] for unit in counts) for i in (0, 1))
    likely = (found + 1) / (cases + 2)
    floor = (likely * (1 - likely) / (cases + 2)) ** 0.5
    return Figure(name, found / cases if cases else 0.0, bar, tuple(counts), floor=floor, **more)


def table(sets, before, details):
    """The lines of the table; `sets` is {set: [Figure]}, `before` {set: {name: figure as JSON}} or None."""
    heads = ["set", "figure", "value", "noise", "bar", ""] + ([] if before is None else ["before", "change"]) + ["note"]
    rows = []
    for name, figures in sets.items():
        for figure in figures:
            if figure.cell or (figure.detail and not details):
                continue
            bar = "" if figure.bar is None else ("≤ " if figure.bar.most else "≥ ") + f"{figure.bar.limit:g}"
            noise = figure.noise()
            row = [name, figure.name, figure.text(figure.value), "" if noise is None else "± " + figure.text(noise), bar, figure.mark()]
            if before is not None:
                earlier = before.get(name, {}).get(figure.name)
                row += [figure.text(earlier["value"]), figure.change(earlier)] if earlier else ["-", ""]
            rows.append(row + [figure.note])
    right = {"value", "noise", "before"}
    widths = [max(len(row[i]) for row in [heads, *rows]) for i in range(len(heads))]

    def line(row):
        cells = (cell.rjust(w) if head in right else cell.ljust(w) for cell, w, head in zip(row, widths, heads))
        return "  ".join(cells).rstrip()

    lines, last = [line(heads), "-" * (sum(widths[:-1]) + 2 * len(widths) + 2)], None
    for row in rows:
        lines.append(line([row[0] if row[0] != last else "", *row[1:]]))
        last = row[0]
    return lines


def cross_tables(sets, before):
    """The lines of the figures that are cells: a row a kind, a column a size."""
    lines, width = [], 18 if before is None else 32
    for name, figures in sets.items():
        cells = {figure.cell: figure for figure in figures if figure.cell}
        if not cells:
            continue
        rows = list(dict.fromkeys(row for row, _ in cells))
        columns = sorted({column for _, column in cells})
        lines += ["", f"{name}: {next(iter(cells.values())).name.split(':')[0]}"]
        lines.append(f"  {'':12s}" + "".join(f"{column:>{width}}" for column in columns))
        for row in rows:
            said = ""
            for column in columns:
                figure = cells.get((row, column))
                if figure is None:
                    said += " " * width
                    continue
                earlier = (before or {}).get(name, {}).get(figure.name)
                change = f" ({figure.change(earlier)})" if earlier else ""
                said += f"{figure.text(figure.value)}{change} {figure.note}".rjust(width)
            lines.append(f"  {row:12s}{said}")
    return lines
