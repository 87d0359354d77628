"""Rewrite plain NumPyro models with learnable offsets between their sites.

The package is a pipeline of plain values, each step reading what the one before it made::

    files.read -> survey -> plan -> emit -> files.write
                    config ---^

Importing the package imports none of the steps: the command line starts before LibCST is needed.
"""

__version__ = "0.1.0"
