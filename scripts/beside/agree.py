"""Whether both sides say the same of the same metrics: verdicts of all, and every vote of some.

Compared on one filling of Redis, right after the original's first pass over it: our verdicts from a cold pass of
`skywatch run` and the incidents it opens, our votes from `skywatch votes` on the stored series. A warm pass is not
compared here; that it says what a cold one does is the business of our own tests.
"""

from collections import Counter

from . import series, table

# Votes are compared for at most so many metrics, evenly chosen, and for all that differ.
VOTES_OF = 200
SHOWN = 20


def compare(skywatch, metrics, answers, report):
    theirs, ensembles = answers["all"]
    ours, line = skywatch.verdicts(metrics.count)
    # Our pass names its anomalies only; metrics it did not judge are counted, and told apart by `votes`.
    excepted = sum(line["exceptions"].values())
    outcome = {"verdicts": table.agreement(theirs, ours)}
    outcome["anomalous"] = {"theirs": sum(one == "anomalous" for one in theirs.values()), "ours": line["anomalies"]}
    numbers = {series.name(number): number for number in range(metrics.count)}
    every = max(metrics.count // VOTES_OF, 1)
    differ = [numbers[name] for name in outcome["verdicts"]["differ"]][:VOTES_OF]
    chosen = sorted({*range(0, metrics.count, every), *differ})
    answered = skywatch.votes(metrics, chosen, line["at"])
    not_judged = Counter(one["outcome"] for one in answered.values() if one["outcome"] != "ok")
    if excepted:
        report.miss(f"our pass left {excepted} metrics unjudged; among those asked one by one: {dict(not_judged)}")
    votes = {}
    for name, answer in answered.items():
        for detector, vote in ensembles.get(name, {}).items():
            same, all_of = votes.get(detector, (0, 0))
            votes[detector] = (same + (answer["results"].get(detector) == vote), all_of + 1)
    outcome["votes"] = votes
    outcome["differing"] = [
        {
            "metric": name,
            "theirs": theirs[name],
            "ours": ours[name],
            "votes": {
                detector: [vote, answered[name]["results"].get(detector)]
                for detector, vote in ensembles.get(name, {}).items()
                if name in answered and answered[name]["results"].get(detector) != vote
            },
        }
        for name in outcome["verdicts"]["differ"]
    ]
    if "short" in answers:
        outcome["short_cut"] = table.agreement(theirs, answers["short"][0])
    if outcome["verdicts"]["only_one_side"]:
        names = outcome["verdicts"]["only_one_side"]
        report.miss(f"{len(names)} metrics have a verdict on one side only, as `{names[0]}`")
    return outcome


def lines(outcome):
    verdicts, anomalous = outcome["verdicts"], outcome["anomalous"]
    out = [
        f"Verdicts: {verdicts['same']:,} of {verdicts['compared']:,} the same; "
        f"anomalous: {anomalous['theirs']:,} by the original, {anomalous['ours']:,} by Skywatch."
    ]
    if "short_cut" in outcome:
        both = outcome["short_cut"]
        out.append(f"The original's short cut and its all nine: {both['same']:,} of {both['compared']:,} the same.")
    for one in outcome["differing"][:SHOWN]:
        votes = "; ".join(f"{detector}: theirs {their}, ours {our}" for detector, (their, our) in one["votes"].items())
        out.append(f"- `{one['metric']}`: {one['theirs']} by the original, {one['ours']} by Skywatch ({votes or 'no vote differs'})")
    if len(outcome["differing"]) > SHOWN:
        out.append(f"- and {len(outcome['differing']) - SHOWN} more; `--json FILE` has all")
    told = ", ".join(f"{detector} {same}/{count}" for detector, (same, count) in outcome["votes"].items())
    out.append(f"Votes that are the same, of a sample: {told or 'none were given'}.")
    return out
