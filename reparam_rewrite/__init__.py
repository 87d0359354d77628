"""Rewrite plain NumPyro models with learnable offsets between their sites.

From Python, as from the command line::

    from pathlib import Path
    from reparam_rewrite import Refusal, rewrite

    result = rewrite(Path("model.py"), Path("offsets.toml"))
    print(result.diff())

In IPython, ``%load_ext reparam_rewrite`` brings the cell magic ``%%reparam offsets.toml``.

The package is a pipeline of plain values, each step reading what the one before it made::

    files.read -> survey -> plan -> emit -> files.write
                    config ---^

Importing the package imports none of the steps: the command line starts before LibCST is needed.
"""

__version__ = "0.2.0"

__all__ = [
    "Met",
    "Refusal",
    "Rewrite",
    "Site",
    "__version__",
    "load_ipython_extension",
    "rewrite",
]

TYPE_CHECKING = False  # that of `typing`, which takes longer to import than this package
if TYPE_CHECKING:
    from reparam_rewrite.api import Met, Rewrite, Site, rewrite
    from reparam_rewrite.magic import load_ipython_extension
    from reparam_rewrite.messages import Refusal
else:
    _OTHERS = {"Refusal": "messages", "load_ipython_extension": "magic"}

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_OTHERS.get(name, 'api')}"), name)

    def __dir__():
        return sorted({*globals(), *__all__})
