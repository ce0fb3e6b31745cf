"""The series both sides look at: a daily wave with noise in three scales, some with an anomaly at the end.

The same metrics give the same values on every machine; only their times follow the clock. Anomalies take turns: three
points far up, three points far down, the last point far up. Nothing here never falls, so nothing is judged by its rate.
"""

import math
import random
import struct

POINTS = 1440
STEP = 60
NAMESPACE = "metrics."
# A msgpack pair of a 32-bit time and a double: 15 bytes a point.
POINT = struct.Struct(">HIBd")
PAIR_AND_UINT32, DOUBLE = 0x92CE, 0xCB
WAVE = [math.sin(index / POINTS * math.tau) for index in range(POINTS)]
SCALES = (100.0, 5000.0, 1.0)
CHUNK = 50


def name(metric):
    return f"servers.web{metric % 500:03}.cpu.core{metric}.user"


def key(metric):
    return NAMESPACE + name(metric)


def is_anomalous(metric, share):
    """Spreads the share evenly over the metrics."""
    return math.floor((metric + 1) * share + 1e-9) > math.floor(metric * share + 1e-9)


def values(metric, anomalous, count=POINTS):
    """The first `count` values; those beyond the window are what warm passes are given."""
    noise = random.Random(metric).random
    scale = SCALES[metric % len(SCALES)]
    series = [scale * (1.0 + 0.1 * WAVE[i % POINTS] + 0.1 * (noise() + noise() - 1.0)) for i in range(count)]
    if anomalous:
        end, jump = POINTS, scale * 1.5
        kind = metric % 7 % 3
        for index in range(end - (1 if kind == 2 else 3), end):
            series[index] += -jump if kind == 1 else jump
    return series


class Metrics:
    """So many metrics in one Redis."""

    def __init__(self, count, share):
        self.count = count
        self.share = share
        self.layout = struct.Struct(">" + "HIBd" * POINTS)

    def keys(self):
        return [key(metric) for metric in range(self.count)]

    def fill(self, redis, last):
        """Empties the Redis and writes every window anew, ending at `last`."""
        redis.call("FLUSHALL")
        flat = [PAIR_AND_UINT32, 0, DOUBLE, 0.0] * POINTS
        flat[1::4] = range(last - STEP * (POINTS - 1), last + 1, STEP)
        for begin in range(0, self.count, CHUNK):
            commands = []
            for metric in range(begin, min(begin + CHUNK, self.count)):
                flat[3::4] = values(metric, is_anomalous(metric, self.share))
                commands.append(("SET", key(metric), self.layout.pack(*flat)))
                commands.append(("SADD", NAMESPACE + "unique_metrics", key(metric)))
            redis.pipeline(commands)

    def points_after(self, extra):
        """For each of `extra` steps after the window, the value of every metric."""
        columns = [[] for _ in range(extra)]
        for metric in range(self.count):
            tail = values(metric, False, POINTS + extra)[POINTS:]
            for column, value in zip(columns, tail):
                column.append(value)
        return columns

    def append(self, redis, time, column):
        for begin in range(0, self.count, 1000):
            redis.pipeline(
                [
                    ("APPEND", key(metric), POINT.pack(PAIR_AND_UINT32, time, DOUBLE, column[metric]))
                    for metric in range(begin, min(begin + 1000, self.count))
                ]
            )

    def read(self, redis, metric):
        """A window as it is stored, as pairs."""
        return [(time, value) for _, time, _, value in POINT.iter_unpack(redis.call("GET", key(metric)))]
