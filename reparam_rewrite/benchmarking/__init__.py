"""`bench`: the model as written against configs, and against what else a person would try.

`values` has what passes between the modules; importing the package itself imports nothing.
"""
