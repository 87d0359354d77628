"""Coefficients from a pilot: `fit` regresses each child's draws on its parents'.

`values` has what passes between the modules; importing the package itself imports nothing.
"""
