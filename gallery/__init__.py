"""Eight notebooks, each of a demo: ``python -m gallery`` executes them in place."""
