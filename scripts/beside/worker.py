"""The original's per-process work, run inside its virtual environment: `python worker.py JOB.json`.

As its analyzer does: the names are split among processes, each fetches its share with MGET (all at once, unless `mget`
says a size), unpacks each stream, and calls `run_selected_algorithm`. The processes are forked from one that has imported
the algorithms and judged one series, so that neither imports nor numba's compilation are measured. Left out, in the
original's favour: everything around that call (counters, stale and metric sets, alerts, timings of a run).

The answer goes to a file, since nobody knows what the original prints.
"""

import importlib
import inspect
import json
import math
import multiprocessing
import os
import sys
import time
import traceback
import types

FULL_DURATION = 86400
NINE = [
    "histogram_bins",
    "first_hour_average",
    "stddev_from_average",
    "grubbs",
    "ks_test",
    "mean_subtraction_cumulation",
    "median_absolute_deviation",
    "stddev_from_moving_average",
    "least_squares",
]


class Unusable(Exception):
    pass


def settings_module(job, said):
    """The checkout's own settings, with what both sides must have alike set to the shipped values."""
    module = types.ModuleType("settings")
    if job["settings"]:
        module.__file__ = job["settings"]
        try:
            with open(job["settings"], encoding="utf-8") as file:
                exec(compile(file.read(), job["settings"], "exec"), module.__dict__)
        except Exception as error:  # it is somebody else's file: anything may happen
            said.append(f"its settings `{job['settings']}` do not load ({type(error).__name__}: {error}): defaults are used")
    else:
        said.append("the checkout has no settings file: the shipped defaults that are known are used")
    theirs = getattr(module, "ALGORITHMS", NINE)
    if sorted(theirs) != sorted(NINE):
        said.append(f"its settings list other algorithms ({', '.join(theirs)}): the nine are run")
        theirs = NINE
    shipped = {
        "ALGORITHMS": list(theirs),
        "CONSENSUS": 6,
        "FULL_DURATION": FULL_DURATION,
        "STALE_PERIOD": 500,
        "MIN_TOLERABLE_LENGTH": 100 if job["flavour"] == "earthgecko" else 1,
        "MAX_TOLERABLE_BOREDOM": 100,
        "BOREDOM_SET_SIZE": 1,
        "ENABLE_SECOND_ORDER": False,
        "FULL_NAMESPACE": "metrics.",
    }
    for name, value in shipped.items():
        if name != "ALGORITHMS" and hasattr(module, name) and getattr(module, name) != value:
            said.append(f"its settings have {name} = {getattr(module, name)!r}; {value!r} was used, as on our side")
        setattr(module, name, value)
    for name, value in {
        "RUN_OPTIMIZED_WORKFLOW": job["mode"] == "short",
        "REDIS_SOCKET_PATH": job["redis_socket"],
        "REDIS_PASSWORD": None,
        "LOG_PATH": job["scratch"],
        "PID_PATH": job["scratch"],
        "SKYLINE_TMP_DIR": job["scratch"],
    }.items():
        setattr(module, name, value)
    return module


def restore_old_names(said):
    """Etsy's code is of 2013: names its libraries have dropped since are given back, with the same mathematics."""
    import builtins

    restored = []

    def give(owner, owner_name, name, value):
        if not hasattr(owner, name):
            setattr(owner, name, value)
            restored.append(f"{owner_name}.{name}")

    give(builtins, "builtins", "xrange", range)
    give(builtins, "builtins", "unicode", str)
    try:
        import numpy
        import pandas
        import scipy
    except ImportError:
        numpy = None
    if numpy is not None:
        moments = types.ModuleType("pandas.stats.moments")
        moments.ewma = lambda series, com: series.ewm(com=com).mean()
        moments.ewmstd = lambda series, com: series.ewm(com=com).std()
        stats = types.ModuleType("pandas.stats")
        stats.moments = moments
        if not hasattr(pandas, "stats"):
            sys.modules["pandas.stats"], sys.modules["pandas.stats.moments"] = stats, moments
        give(pandas, "pandas", "stats", stats)
        give(pandas.Series, "pandas.Series", "iget", lambda self, index: self.iloc[index])
        for name in ("array", "mean", "std", "sqrt", "median"):
            give(scipy, "scipy", name, getattr(numpy, name))
    if restored:
        said.append("names of old libraries given back to etsy's code: " + ", ".join(restored))


def load(job, said):
    """The original's function, and a way to call it with a series and a metric's name."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or ".") != here]
    sys.path[:0] = [os.path.dirname(job["algorithms"]), job["package"]]
    sys.argv = ["analyzer"]
    if job["flavour"] == "etsy":
        restore_old_names(said)
    sys.modules["settings"] = settings_module(job, said)
    try:
        module = importlib.import_module("algorithms")
    except BaseException as error:  # SystemExit among them
        raise Unusable(f"`{job['algorithms']}` cannot be imported: {type(error).__name__}: {error}") from error
    if os.path.realpath(module.__file__) != os.path.realpath(job["algorithms"]):
        raise Unusable(f"`import algorithms` found `{module.__file__}` instead of `{job['algorithms']}`")
    function = getattr(module, "run_selected_algorithm", None)
    if function is None:
        raise Unusable(f"`{job['algorithms']}` has no function `run_selected_algorithm`")
    absent = [name for name in NINE if not callable(getattr(module, name, None))]
    if absent:
        raise Unusable("the checkout has no algorithm " + ", ".join(f"`{name}`" for name in absent))
    return caller(function, said)


def caller(function, said):
    """Etsy's takes a series and a name; earthgecko's took on more over the years. Those are found by name."""
    parameters = list(inspect.signature(function).parameters.values())
    required = [one for one in parameters if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(required) < 2:
        raise Unusable(f"`run_selected_algorithm` takes {inspect.signature(function)}, not a series and a name")
    further = []
    for parameter in required[2:]:
        name = parameter.name
        if name.endswith(("dict", "_by_metric")):
            value = {}
        elif name.startswith(("run_", "check_", "enable_", "use_", "is_")) or name.endswith(("_only", "_present", "_enabled")):
            value = False
        elif "airgap" in name or name.endswith(("s", "list", "filled")):
            value = []
        else:
            value = None
        further.append((name, value))
    if further:
        said.append(
            "`run_selected_algorithm` takes more than a series and a name; it was given "
            + ", ".join(f"{name}={value!r}" for name, value in further)
        )
    names = [name for name, _ in further]

    def call(series, metric):
        # Fresh containers: the original may add to what it is given.
        return function(series, metric, *(type(value)() if value is not None else None for _, value in further))

    call.further = names
    return call


def resident_mb(peak):
    """Megabytes (10⁶ bytes) of this process: at its peak, or now."""
    word = "VmHWM" if peak else "VmRSS"
    with open("/proc/self/status", encoding="utf-8") as status:
        return next(int(line.split()[1]) * 1024 / 1e6 for line in status if line.startswith(word))


def connect(job):
    import redis

    if job["transport"] == "socket":
        return redis.StrictRedis(unix_socket_path=job["redis_socket"])
    return redis.StrictRedis(host="127.0.0.1", port=job["redis_port"])


def unpacked(raw, sort):
    import msgpack

    unpacker = msgpack.Unpacker(use_list=False)
    unpacker.feed(raw)
    series = list(unpacker)
    if sort:
        series.sort(key=lambda point: point[0])
    return series


def plain(value):
    return None if value is None else bool(value)


def work(job, call, keys, start, answers):
    """One process's share."""
    client = connect(job)
    client.ping()
    sort = job["flavour"] == "earthgecko"
    size = job["mget"] or max(len(keys), 1)
    answer = {"verdicts": {}, "exceptions": {}, "errors": {}, "algorithms_run": 0, "judged": 0, "told_run": 0}
    # What a forked process has at its start it shares with its parent, where it is counted.
    shared = resident_mb(peak=False)
    start.wait()
    begun, cpu = time.time(), time.process_time()
    parts = {"MGET": 0.0, "unpacking": 0.0, "algorithms": 0.0}
    for first in range(0, len(keys), size):
        chunk = keys[first : first + size]
        at = time.perf_counter()
        raws = client.mget(chunk)
        parts["MGET"] += time.perf_counter() - at
        for metric, raw in zip(chunk, raws):
            at = time.perf_counter()
            try:
                series = unpacked(raw, sort)
            except Exception as error:
                answer["errors"][metric] = f"unpacking: {type(error).__name__}: {error}"
                continue
            then = time.perf_counter()
            parts["unpacking"] += then - at
            try:
                outcome = call(series, metric)
                answer["verdicts"][metric] = outcome
            except Exception as error:
                answer["exceptions"][metric] = type(error).__name__
                if type(error).__name__ not in KNOWN:
                    answer["errors"][metric] = "".join(traceback.format_exception_only(type(error), error)).strip()
            parts["algorithms"] += time.perf_counter() - then
    answer.update(begun=begun, ended=time.time(), cpu=time.process_time() - cpu, parts=parts)
    peak = resident_mb(peak=True)
    answer.update(peak_mb=peak, own_mb=peak - shared)
    for metric, outcome in answer["verdicts"].items():
        anomalous, ensemble = bool(outcome[0]), [plain(vote) for vote in outcome[1]]
        answer["judged"] += 1
        if len(outcome) > 4 and hasattr(outcome[4], "__len__"):
            answer["told_run"] += 1
            answer["algorithms_run"] += len(outcome[4])
        answer["verdicts"][metric] = [anomalous, ensemble]
    answers.put(answer)


KNOWN = ("TooShort", "Stale", "Boring", "EmptyTimeseries")


def main(job):
    said = []
    call = load(job, said)
    keys = job["keys"]
    try:
        first = unpacked(connect(job).get(keys[0]), True)
    except Exception as error:
        raise Unusable(f"the first series cannot be read: {type(error).__name__}: {error}") from error
    try:
        outcome = call(first, keys[0])
    except Exception as error:
        raise Unusable(f"`run_selected_algorithm` fails on the first series: {type(error).__name__}: {error}") from error
    if not isinstance(outcome, tuple) or len(outcome) < 3 or not isinstance(outcome[1], (list, tuple)):
        raise Unusable(f"`run_selected_algorithm` answers {outcome!r}, not (anomalous, ensemble, value, …)")
    share = math.ceil(len(keys) / job["processes"])
    shares = [keys[first : first + share] for first in range(0, len(keys), share)]
    fork = multiprocessing.get_context("fork")
    start, answers = fork.Barrier(len(shares)), fork.SimpleQueue()
    workers = [fork.Process(target=work, args=(job, call, one, start, answers)) for one in shares]
    for worker in workers:
        worker.start()
    collected = []
    while len(collected) < len(workers):
        if answers.empty():
            dead = [worker.exitcode for worker in workers if worker.exitcode]
            if dead:
                for worker in workers:
                    worker.terminate()
                raise Unusable(f"a process of the original's work ended with {dead[0]}")
            time.sleep(0.01)
        else:
            collected.append(answers.get())
    for worker in workers:
        worker.join()
    return {
        "said": said,
        "algorithms": list(sys.modules["settings"].ALGORITHMS),
        "workers": collected,
        "parent_peak_mb": resident_mb(peak=True),
    }


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as given:
        the_job = json.load(given)
    try:
        the_answer = main(the_job)
    except Unusable as error:
        the_answer = {"unusable": str(error), "traceback": traceback.format_exc()}
    with open(the_job["answer"], "w", encoding="utf-8") as out:
        json.dump(the_answer, out)
