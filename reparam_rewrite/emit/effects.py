"""What sites share that are sampled as what is standard normal given the data, as code.

::

    # Standard normal given the data: base = L'(u - mean), where u = (site - loc) / R and L L' is
    # its precision I + R'Z'ZR / sigma**2 (Bates et al. 2015, section 2).
    given = Conditional("fitted.npz", {"mu": 10.0, "a": sigma_a}, noise=sigma)
"""

from __future__ import annotations

from collections.abc import Callable

from reparam_rewrite.emit.spell import CONDITIONAL
from reparam_rewrite.plan.scales import Coordinates, Factor
from reparam_rewrite.survey.expressions import grouped

#: How a string is written, how what was read in the model is, and a dotted name.
Text = Callable[[str], str]


def kind_of(made: Coordinates) -> str:
    """Which definition they need."""
    return f"{CONDITIONAL}.{made.form}"


def comment(made: Coordinates) -> str:
    """What it is, in a sentence with the formula."""
    noise = " / noise**2" if made.noise else ""
    if made.form == "sequential":
        precision = "the precision of u, where what is sampled later counts as noise"
    else:
        precision = f"I + R'Z'WZR{noise} the precision of u (Bates et al. 2015, section 2)"
    return (
        "Standard normal given the data and what is before: base = L'(u - mean) with "
        f"u = (site - loc) / R and L L' = {precision}."
    )


def statement(made: Coordinates, string: Text, quoted: Text, spell: Text) -> str:
    """The arguments of `Conditional`."""
    scales = ", ".join(
        f"{string(site.name)}: {quoted(written(factor, spell))}" for site, factor in made.scales
    )
    parts = [string(made.data), f"{{{scales}}}"]
    if made.noise:
        noise = [quoted(text) for _, text in made.noise]
        parts.append(f"noise={noise[0] if len(noise) == 1 else '(' + ', '.join(noise) + ')'}")
    if made.given:
        given = ", ".join(f"{string(site.name)}: {variable}" for site, variable in made.given)
        parts.append(f"given={{{given}}}")
    return ", ".join(parts)


def written(factor: Factor, spell: Text) -> str:
    """The scale of an effect: a number, one for each element, or a matrix."""
    text = factor.text
    match factor.kind:
        case "covariance":
            return f"{spell('jax.numpy')}.linalg.cholesky({text})"
        case "precision":
            normal = spell("numpyro.distributions.MultivariateNormal")
            return f"{normal}(precision_matrix={text}).scale_tril"
        case "walk" | "walks":
            jnp = spell("jax.numpy")
            scale = grouped(text)
            if factor.kind == "walks":
                scale = f"{jnp}.expand_dims({text}, (-2, -1))"
            return f"{scale} * {jnp}.tril({jnp}.ones(({factor.size}, {factor.size})))"
    return text
