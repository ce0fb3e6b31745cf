"""A stand-in for a checkout of the original, for the self-test: the same folders, modules and function, our own words.

Its nine algorithms are written from their definitions for 1,440 points a minute apart, just enough to vote as ours do on
the synthetic series; it is not the original and nothing measured on it says anything about the original.
"""

from pathlib import Path

REQUIREMENTS = """\
numpy==0.0.1  # cannot be had: the script must say so and take its own range
msgpack>=1.0
redis
"""

EXCEPTIONS = """\
class TooShort(Exception):
    pass


class Stale(Exception):
    pass


class Boring(Exception):
    pass
"""

FUNCTIONS = """\
import numpy as np


def values_of(timeseries):
    return np.array([point[1] for point in timeseries])


def tail_of(timeseries):
    return float(values_of(timeseries[-3:]).mean())
"""

NINE = """\
from time import time

import numpy as np

import settings
from algorithm_exceptions import Boring, Stale, TooShort
from standin_functions import tail_of, values_of

GRUBBS_LIMIT = 4.1284627892  # 1,440 points


def median_absolute_deviation(timeseries):
    away = np.abs(values_of(timeseries) - np.median(values_of(timeseries)))
    return bool(np.median(away) > 0 and away[-1] / np.median(away) > 6)


def grubbs(timeseries):
    values = values_of(timeseries)
    return bool((tail_of(timeseries) - values.mean()) / values.std(ddof=DDOF) > GRUBBS_LIMIT)


def first_hour_average(timeseries):
    if DDOF:
        begin = timeseries[-1][0] - settings.FULL_DURATION
        hour = [value for at, value in timeseries if begin < at < begin + 3600]
    else:
        hour = [value for at, value in timeseries if at < time() - (settings.FULL_DURATION - 3600)]
    return bool(abs(tail_of(timeseries) - np.mean(hour)) > 3 * np.std(hour, ddof=1))


def stddev_from_average(timeseries):
    values = values_of(timeseries)
    return bool(abs(tail_of(timeseries) - values.mean()) > 3 * values.std(ddof=1))


def stddev_from_moving_average(timeseries):
    values = values_of(timeseries)
    weights = (1 - 1 / 51) ** np.arange(len(values))[::-1]
    total, squares = weights.sum(), (weights**2).sum()
    mean = (weights * values).sum() / total
    variance = (weights * (values - mean) ** 2).sum() / total * total**2 / (total**2 - squares)
    return bool(abs(values[-1] - mean) > 3 * variance**0.5)


def mean_subtraction_cumulation(timeseries):
    values = values_of(timeseries)
    before = values[:-1] - values[:-1].mean()
    return bool(abs(values[-1] - values[:-1].mean()) > 3 * before.std(ddof=1 - DDOF))


def least_squares(timeseries):
    times = np.array([point[0] for point in timeseries], dtype=float)
    times -= times.mean()
    values = values_of(timeseries)
    slope = (times * values).sum() / (times * times).sum()
    away = values - values.mean() - slope * times
    last, spread = away[-3:].mean(), away.std(ddof=DDOF)
    return bool(abs(last) > 3 * spread and round(spread) != 0 and round(last) != 0)


def histogram_bins(timeseries):
    tail = tail_of(timeseries)
    counts, edges = np.histogram(values_of(timeseries), bins=15)
    for index, count in enumerate(counts):
        if count <= 20 and (tail <= edges[0] if index == 0 else edges[index] <= tail < edges[index + 1]):
            return True
    return False


def ks_test(timeseries):
    return False  # with a point a minute there are never 20 in ten minutes


def excluded(timeseries):
    if len(timeseries) < settings.MIN_TOLERABLE_LENGTH:
        raise TooShort()
    if time() - timeseries[-1][0] > settings.STALE_PERIOD:
        raise Stale()
    if len({point[1] for point in timeseries[-settings.MAX_TOLERABLE_BOREDOM:]}) == settings.BOREDOM_SET_SIZE:
        raise Boring()
"""

EARTHGECKO = (
    "DDOF = 1\n"
    + NINE
    + """

def run_selected_algorithm(timeseries, metric_name, airgaps, check_something_only):
    excluded(timeseries)
    assert airgaps == [] and check_something_only is False
    most_false = len(settings.ALGORITHMS) - settings.CONSENSUS + 1
    ensemble, ran = [], []
    for algorithm in settings.ALGORITHMS:
        if settings.RUN_OPTIMIZED_WORKFLOW and ensemble.count(False) >= most_false:
            ensemble.append(None)
            continue
        ensemble.append(globals()[algorithm](timeseries))
        ran.append(algorithm)
    anomalous = ensemble.count(False) < most_false
    if metric_name == getattr(settings, "STANDIN_LIES_ABOUT", None):
        anomalous = not anomalous
    return anomalous, ensemble, timeseries[-1][1], False, ran
"""
)

ETSY = (
    "DDOF = 0\n"
    # Etsy's own says nothing where it means False, which counts as a vote.
    + NINE.replace("np.median(away) > 6)", "np.median(away) > 6) or None")
    + """

def run_selected_algorithm(timeseries, metric_name):
    excluded(timeseries)
    ensemble = [globals()[algorithm](timeseries) for algorithm in settings.ALGORITHMS]
    return ensemble.count(False) <= len(ensemble) - settings.CONSENSUS, ensemble, timeseries[-1][1]
"""
)


def make(folder, flavour="earthgecko", settings=None, replace=(), without=()):
    """Writes a checkout: `settings` is the text of its settings file, `replace` changes words of its algorithms."""
    root = Path(folder)
    package = root / ("skyline" if flavour == "earthgecko" else "src")
    analyzer = package / "analyzer"
    analyzer.mkdir(parents=True)
    text = EARTHGECKO if flavour == "earthgecko" else ETSY
    for old, new in replace:
        assert old in text, old
        text = text.replace(old, new)
    files = {
        root / "requirements.txt": REQUIREMENTS,
        package / "standin_functions.py": FUNCTIONS,
        analyzer / "algorithm_exceptions.py": EXCEPTIONS,
        analyzer / "algorithms.py": text,
    }
    if settings is not None:
        files[package / "settings.py"] = settings
    for file, words in files.items():
        if file.name not in without:
            file.write_text(words)
    return root
