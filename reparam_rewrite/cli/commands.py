"""The commands beside rewriting: one module each, imported only by its own run.

A command is a line here and a module of that name with a `click.Command` called `command`.
"""

from __future__ import annotations

COMMANDS = {
    "bench": "Measure what configs are worth to NUTS and SVI, and what else is.",
    "fit": "Fit a config's coefficients to draws from the posterior.",
    "schema": "Print the JSON Schema of configs, for editors.",
    "suggest": "Read a model and propose a config for it.",
    "verify": "Prove that a generated or hand-written model is the plain one.",
}
"""By name, what it does, as ``--help`` lists it."""
