"""The parts of `scripts/bench-skyline`: the original's analyzer and ours over the same Redis.

Written to what is publicly known of the original's interface (its key layout, `settings` and `algorithms` modules); no
line of it is here. Python's standard library only; what the original needs lives in a virtual environment of its own.
"""
