"""The sets of `scripts/accuracy`: one module a kind of data, all with the same result type (`figures.Figure`)."""
