"""The arithmetic: medians over rounds, ratios within a round, agreement of verdicts, and how all of it is printed.

A ratio is taken within each round, where both sides met the same machine, and its median is shown; it is not the ratio of
the medians beside it.
"""

from statistics import median

SIDES = {
    "all": "original, all nine",
    "short": "original, short cut",
    "cold": "Skywatch, cold",
    "warm": "Skywatch, warm",
}
# Ours over theirs, and the bar of the project for it (docs/performance.md).
RATIOS = [("cold", "all", 40), ("cold", "short", None), ("warm", "all", None), ("warm", "short", 250)]
COLUMNS = ("metrics_s", "cpu_s", "cpu_us_metric", "peak_mb", "largest_mb")


def figure(metrics, seconds, cpu, peaks, largest):
    """One side in one round. `peaks`: peak megabytes of each of its processes; `largest`: of the largest of them, whole."""
    return {
        "metrics_s": metrics / seconds,
        "cpu_s": cpu,
        "cpu_us_metric": cpu / metrics * 1e6,
        "peak_mb": sum(peaks),
        "largest_mb": largest,
    }


def ratios(rounds, ours, theirs):
    """Median over rounds of: times as many metrics/s, times less CPU, times less memory. None without a common round."""
    both = [(one[ours], one[theirs]) for one in rounds if ours in one and theirs in one]
    if not both:
        return None
    return {
        "rounds": len(both),
        "metrics_s": median(our["metrics_s"] / their["metrics_s"] for our, their in both),
        "cpu": median(_over(their["cpu_us_metric"], our["cpu_us_metric"]) for our, their in both),
        "peak": median(_over(their["peak_mb"], our["peak_mb"]) for our, their in both),
    }


def _over(above, below):
    return above / below if below > 0 else float("inf")


def agreement(theirs, ours):
    """Of metrics both judged: how many verdicts are the same, and which are not. Others are listed, not dropped."""
    both = [metric for metric in theirs if metric in ours]
    differ = [metric for metric in both if theirs[metric] != ours[metric]]
    only = [metric for metric in theirs if metric not in ours] + [metric for metric in ours if metric not in theirs]
    return {"compared": len(both), "same": len(both) - len(differ), "differ": differ, "only_one_side": only}


def lines(rounds):
    """The two tables, as text."""
    out = [
        "| side | rounds | metrics/s, median (least–most) | CPU s a pass | CPU µs a metric "
        "| peak MB, all processes | largest process |",
        "|---|---|---|---|---|---|---|",
    ]
    for side, title in SIDES.items():
        kept = [one[side] for one in rounds if side in one]
        if not kept:
            out.append(f"| {title} | 0 | not measured | | | | |")
            continue
        speed = [one["metrics_s"] for one in kept]
        middle = {name: median(one[name] for one in kept) for name in COLUMNS}
        out.append(
            f"| {title} | {len(kept)} | {middle['metrics_s']:,.0f} ({min(speed):,.0f}–{max(speed):,.0f}) "
            f"| {middle['cpu_s']:.3f} | {middle['cpu_us_metric']:,.1f} "
            f"| {middle['peak_mb']:,.0f} | {middle['largest_mb']:,.0f} |"
        )
    out.append("")
    for side in ("all", "short"):
        parts = [one[side]["parts"] for one in rounds if "parts" in one.get(side, {})]
        if parts:
            sums = {part: sum(one[part] for one in parts) for part in parts[0]}
            shares = ", ".join(f"{part} {100 * spent / sum(sums.values()):.0f} %" for part, spent in sums.items())
            out.append(f"{SIDES[side]}: of its processes' time {shares}.")
    out += ["", "| Skywatch beside the original, median of ratios | metrics/s | CPU | memory | bar |", "|---|---|---|---|---|"]
    for ours, theirs, bar in RATIOS:
        name = f"{SIDES[ours].split(', ')[1]} ÷ {SIDES[theirs].split(', ')[1]}"
        ratio = ratios(rounds, ours, theirs)
        if ratio is None:
            out.append(f"| {name} | not measured | | | {_bar(bar, None)} |")
        else:
            out.append(
                f"| {name} | {_times(ratio['metrics_s'])} as many | {_times(ratio['cpu'])} less "
                f"| {_times(ratio['peak'])} less | {_bar(bar, ratio['metrics_s'])} |"
            )
    return out


def _times(ratio):
    return f"{ratio:,.0f} ×" if ratio >= 100 else f"{ratio:.3g} ×"


def _bar(bar, reached):
    if bar is None:
        return ""
    if reached is None:
        return f"{bar} ×"
    return f"{bar} ×, {'met' if reached >= bar else 'missed'}"
