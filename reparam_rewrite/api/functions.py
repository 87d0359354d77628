"""``reparameterize(model, config)``: the rewritten function of a function, in memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reparam_rewrite.api.rewriting import AnyConfig, config_of
from reparam_rewrite.rewriting import rewrite_plain
from reparam_rewrite.running.environment import ready

__all__ = ["reparameterize"]


def reparameterize(
    model: Callable[..., Any], config: AnyConfig, *, arrays: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """Give the function that a config makes of a model, for a quick experiment.

    `model` is a function that was imported, or typed in a notebook; it isn't called, and stays as
    it is. What comes back is called in the same way, has the sites of the model with their names
    and shapes, and samples others in their place. `inspect.getsource` shows what was generated.
    The names of its module are seen as they are now. `config` is TOML text, a `Path` or a
    dictionary. `arrays` are those of the .npz that it names, as `fit` and `tune` give them; without
    them the file is read from the config's folder, or the current one.

    Raises `Refusal` for what can't be done, and for a function of which the source isn't known.

    >>> centred = reparameterize(model, {"chain": ["mu", "a"], "defaults": {"init": 1.0}})
    >>> MCMC(NUTS(centred), num_warmup=500, num_samples=500).run(key, group, y=y)
    """
    if isinstance(model, str | os.PathLike):
        raise TypeError("model is a function: rewrite(Path(...), config) is for files")
    settings = config_of(config)
    ready("reparameterize")
    from reparam_rewrite.fitting.writing import npz_bytes
    from reparam_rewrite.running.functions import Held, Live, aimed_at
    from reparam_rewrite.source.files import write_outputs

    live, document, instance = Live.of_function(model)
    settings = aimed_at(live.name, document, settings)
    rewritten = rewrite_plain(document, settings)
    given: Any = (instance, {})
    files = sorted({name for name, _ in settings.files})
    if not files:
        return live.rewritten(document, rewritten.data, given, f"<{live.name}, rewritten>", None)
    held = Held()
    if arrays is not None:
        data = npz_bytes(arrays)
        write_outputs([(str(held.folder / name), data) for name in files])
    else:
        beside = Path(config).parent if isinstance(config, os.PathLike) else Path()
        from reparam_rewrite.source.files import read_bytes

        write_outputs(
            [(str(held.folder / n), read_bytes(str(beside / n), "array file")) for n in files]
        )
    shown = f"<{live.name}, rewritten>"
    return held.by(live.rewritten(document, rewritten.data, given, shown, held.folder))
