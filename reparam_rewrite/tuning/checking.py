"""Whether what was found is the same model: nothing else is handed out."""

from __future__ import annotations

from reparam_rewrite.fitting.coordinates import beside_arrays
from reparam_rewrite.messages import Diagnostic, Refusal
from reparam_rewrite.rewriting import Rewrite
from reparam_rewrite.running.call import Call
from reparam_rewrite.tuning.values import Candidate
from reparam_rewrite.verifying import Options, verify

#: What is left out of what `verify` compares, as it takes long or is of other data.
LEFT_OUT = (
    *("jit", "gradients", "effect", "predictive", "data", "coordinates"),
    *("AutoNormal", "AutoDiagonalNormal", "NUTS"),
)


def check(call: Call, rewritten: Rewrite, candidate: Candidate, shown: str, arrays: str) -> None:
    """That a generated model is the plain one in other coordinates. Raises `Refusal`.

    shown: what it is called. arrays: the name of the .npz that it reads.
    """
    with beside_arrays(call, rewritten, shown, candidate.arrays, arrays) as made:
        how = Options(points=5, skip=LEFT_OUT)
        report = verify(call.model, made.model, call.args, call.kwargs, how)
    if report.equivalent:
        return
    line = (*report.different, *report.unchecked)[0]
    site = f"'{line.site}': " if line.site else ""
    message = f"what would be written isn't known to be the same model: {site}{line.message}"
    hint = "please report it with the model: nothing was written."
    raise Refusal(Diagnostic(call.document.path, message, hint))
