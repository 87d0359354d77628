"""The commands as typed functions: one module each.

A model is the `Path` of a file or a function, `args` and `kwargs` are those of one call of it, and
a config is TOML text, a `Path` or a dictionary. What the command line would refuse is a `Refusal`.
Importing the package imports none of them: ``rewrite`` needs no JAX.
"""
