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
    "Benched",
    "Fitted",
    "Met",
    "Refusal",
    "Rewrite",
    "Site",
    "Suggested",
    "Tuned",
    "Verified",
    "__version__",
    "bench",
    "fit",
    "load_ipython_extension",
    "reparameterize",
    "rewrite",
    "suggest",
    "tune",
    "verify",
]

TYPE_CHECKING = False  # that of `typing`, which takes longer to import than this package
if TYPE_CHECKING:
    from reparam_rewrite.api.benchmarking import Benched, bench
    from reparam_rewrite.api.fitting import Fitted, fit
    from reparam_rewrite.api.functions import reparameterize
    from reparam_rewrite.api.rewriting import Met, Rewrite, Site, rewrite
    from reparam_rewrite.api.suggesting import Suggested, suggest
    from reparam_rewrite.api.tuning import Tuned, tune
    from reparam_rewrite.api.verifying import Verified, verify
    from reparam_rewrite.magic import load_ipython_extension
    from reparam_rewrite.messages import Refusal
else:
    _WHERE = {
        "api.benchmarking": ("Benched", "bench"),
        "api.fitting": ("Fitted", "fit"),
        "api.functions": ("reparameterize",),
        "api.rewriting": ("Met", "Rewrite", "Site", "rewrite"),
        "api.suggesting": ("Suggested", "suggest"),
        "api.tuning": ("Tuned", "tune"),
        "api.verifying": ("Verified", "verify"),
        "magic": ("load_ipython_extension",),
        "messages": ("Refusal",),
    }

    def __getattr__(name):
        from importlib import import_module

        for module, names in _WHERE.items():
            if name in names:
                return getattr(import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})
