"""What the generated code needs that NumPyro doesn't have, defined above the first model.

A basis over a plate is a class of its own: NumPyro's transforms mix elements of one event. In a
plate the elements are the batch. NumPyro's transform would make one event of them, which the
plate would then repeat. The class keeps them a batch: each has the log density of its own value,
and their sum is that of all, since the determinant is 1.

Where a child's map to its base depends on the data of the call, draws of it must count by name when
other data are predicted. NumPyro gives none to a deterministic site, which is what ExplicitReparam
makes of it: so the handlers around are asked for them, as for a value that is kept, by the name
that they give to a deterministic site.

Where a child and its parents meet in data, what comes of that may be in an .npz beside the file. It
must be there, and be of the sizes that the model has, or the site says what to do. So do
coefficients that are numbers for the elements of one call, where another has more of them. A scan
may go on, though: what was drawn is given to its first steps, which have the coefficients that it
was drawn with, and what the others sample has the same distribution whatever theirs are.

NumPyro stacks the distributions of a scan's steps. It can't tell the shape of a stack of
transformed ones, and lines up the axes of what these are made of from the right: so the base of a
site that is transformed in a scan has a distribution that takes one step after the other.
"""

from __future__ import annotations

from string import Template

from reparam_rewrite.bases import BASES
from reparam_rewrite.emit import conditional, transforms
from reparam_rewrite.emit.blocks import Blocks
from reparam_rewrite.emit.spell import (
    BY_NAME,
    CONDITIONAL,
    FITTED,
    FROZEN,
    LOADED,
    LOADED_STEPS,
    ROWS,
    STEP,
    STEPS,
    STEPWISE,
    STRATA,
    Spelling,
    rows_kind,
)

CLASS = '''\
class {name}({transform}):
    """Mixes the elements of a plate: all of them must be there."""

    domain = codomain = {constraints}.real

    def forward_shape(self, shape):
        return shape

    inverse_shape = forward_shape

    def log_abs_det_jacobian(self, x, y, intermediates=None):
        return {jnp}.zeros_like(x)'''

OF_BY_NAME = '''\
def {name}(reparam):
    """Draws of a site itself, if given, count before its base's."""

    def reparameterized(name, fn, obs):
        other, value = reparam(name, fn, obs)
        given = {{"name": name, "value": None}}
        asked = {scope}, {substitute}
        for handler in reversed({stack}):
            if isinstance(handler, asked):
                drawn = isinstance(handler, {substitute})
                given["type"] = "mutable" if drawn else "deterministic"
                handler.process_message(given)
        found = given["value"]
        return other, value if found is None else found

    return reparameterized'''

OF_FROZEN = '''\
def {name}(site, parent, shape, file, name):
    """What a site can make up for of a parent, by a file's arrays."""
    parent = {jnp}.asarray(parent)
    keys = "shapes", "rows", "columns", "weights"
    try:
        with {jnp}.load({path}(__file__).with_name(file)) as arrays:
            sizes, rows, columns, weights = (arrays[f"{{name}}.{{key}}"] for key in keys)
        if tuple(sizes) != (*shape, -1, *parent.shape):
            raise ValueError("it was made for other sizes")
    except Exception as error:
        wrong = f"the offset of '{{site}}' can't use '{{name}}' of {{file}} ({{error}})"
        raise ValueError(f"{{wrong}}: run 'reparam-rewrite fit' again") from error
    added = weights * parent[tuple(columns)]
    return {jnp}.zeros(shape).at[tuple(rows)].add(added) if shape else added.sum()'''

OF_FITTED = '''\
def {name}(site, name, shape, values):
    """The coefficients of a site, which must have its shape."""
    values = {jnp}.array(values)
    try:
        return {jnp}.broadcast_to(values, shape)
    except ValueError as error:
        wrong = f"'{{site}}' can't use '{{name}}' of shape {{values.shape}} for {{shape}}"
        raise ValueError(f"{{wrong}}: run 'reparam-rewrite fit' again") from error'''

OF_LOADED = '''\
def {name}(site, name, shape, file):
    """The coefficients of a site in a file, which must have its shape."""
    try:
        with {jnp}.load({path}(__file__).with_name(file)) as arrays:
            return {jnp}.broadcast_to(arrays[name], shape)
    except Exception as error:
        wrong = f"'{{site}}' can't use '{{name}}' of {{file}} ({{error}})"
        raise ValueError(f"{{wrong}}: run 'reparam-rewrite fit' again") from error'''

OF_STEPS = '''\
def {name}(site, name, shape, values, rest=0):
    """The coefficients for the steps of a scan, `rest` for those forecast."""
    values = {jnp}.array(values)
    try:
        more = shape[0] - len(values) if values.ndim == len(shape) else 0
        widths = [(0, more), *[(0, 0)] * (values.ndim - 1)]
        values = {jnp}.pad(values, widths, constant_values=rest)
        return {jnp}.broadcast_to(values, shape)
    except ValueError as error:
        wrong = f"'{{site}}' can't use '{{name}}' of shape {{values.shape}} for {{shape}}"
        raise ValueError(f"{{wrong}}: run 'reparam-rewrite fit' again") from error'''

OF_LOADED_STEPS = '''\
def {name}(site, name, shape, file, rest=0):
    """The coefficients in a file for the steps of a scan, `rest` for those forecast."""
    try:
        with {jnp}.load({path}(__file__).with_name(file)) as arrays:
            values = arrays[name]
        more = shape[0] - len(values) if values.ndim == len(shape) else 0
        widths = [(0, more), *[(0, 0)] * (values.ndim - 1)]
        values = {jnp}.pad(values, widths, constant_values=rest)
        return {jnp}.broadcast_to(values, shape)
    except Exception as error:
        wrong = f"'{{site}}' can't use '{{name}}' of {{file}} ({{error}})"
        raise ValueError(f"{{wrong}}: run 'reparam-rewrite fit' again") from error'''

OF_STEP = '''\
class {name}({distribution}):
    """What a step of a scan samples; NumPyro stacks those of all steps."""

    arg_constraints = {{"like": {constraints}.real}}
    pytree_data_fields = ("step", "like")

    def __init__(self, step):
        self.step, self.like = step, {jnp}.zeros(step.batch_shape)
        super().__init__(step.batch_shape, step.event_shape)

    @property
    def support(self):
        return self.step.support

    def sample(self, key, sample_shape=()):
        return self.step.sample(key, sample_shape)

    def log_prob(self, value):
        log_prob = type(self.step).log_prob
        if self.like.ndim > len(self.step.batch_shape):
            log_prob = {vmap}(log_prob)
        return log_prob(self.step, value)

    def expand(self, batch_shape):
        return type(self)(self.step.expand(batch_shape))'''

OF_STEPWISE = '''\
def {name}(reparameterizer):
    """Reparameterizes a site in a scan."""

    def stacked(name, fn, obs):
        return {step}(fn), obs

    def reparameterized(name, fn, obs):
        with {handlers}.reparam(config={{f"{{name}}_base": stacked}}):
            return reparameterizer(name, fn, obs)

    return reparameterized'''

#: The functions, and what they call. The first one asks the handlers around it for draws.
FUNCTIONS = {
    BY_NAME: (
        OF_BY_NAME,
        {
            "stack": "numpyro.primitives._PYRO_STACK",
            "scope": "numpyro.handlers.scope",
            "substitute": "numpyro.handlers.substitute",
        },
    ),
    FROZEN: (OF_FROZEN, {"jnp": "jax.numpy", "path": "pathlib.Path"}),
    FITTED: (OF_FITTED, {"jnp": "jax.numpy"}),
    LOADED: (OF_LOADED, {"jnp": "jax.numpy", "path": "pathlib.Path"}),
    STEPS: (OF_STEPS, {"jnp": "jax.numpy"}),
    LOADED_STEPS: (OF_LOADED_STEPS, {"jnp": "jax.numpy", "path": "pathlib.Path"}),
    STEP: (
        OF_STEP,
        {
            "distribution": "numpyro.distributions.Distribution",
            "constraints": "numpyro.distributions.constraints",
            "jnp": "jax.numpy",
            "vmap": "jax.vmap",
        },
    ),
    STEPWISE: (OF_STEPWISE, {"handlers": "numpyro.handlers"}),
}


def of_coordinates(text: str, name: str, rows: str, spelling: Spelling) -> str:
    """The text of a class with the names of what it calls."""
    used = {
        key: spelling.above(dotted)
        for key, dotted in conditional.CALLED.items()
        if f"${key}" in text
    }
    return Template(text).substitute(used, name=name, rows=rows)


def add_definitions(blocks: Blocks, spelling: Spelling) -> None:
    """Put what the generated code needs above the first function that uses it."""
    if not spelling.defined_for:
        return
    module, above = blocks.module, spelling.above
    lines = []
    defined = spelling.definitions.items()
    for kind, name in sorted(
        defined, key=lambda made: (made[0] in FUNCTIONS, made[0][:11] == CONDITIONAL)
    ):
        if kind in (ROWS, STRATA):
            text = transforms.STRATA if kind == STRATA else transforms.ROWS
            text = of_coordinates(text, name, name, spelling)
        elif kind.startswith(CONDITIONAL):
            form = conditional.FORMS[kind.partition(".")[2]]
            text = of_coordinates(form, name, spelling.definitions[rows_kind(kind)], spelling)
        elif kind in FUNCTIONS:
            text, used = FUNCTIONS[kind]
            names = {key: above(dotted) for key, dotted in used.items()}
            text = text.format(name=name, step=spelling.definitions.get(STEP), **names)
        else:
            text = CLASS.format(
                name=name,
                transform=above(f"numpyro.distributions.transforms.{BASES[kind].transform}"),
                constraints=above("numpyro.distributions.constraints"),
                jnp=above("jax.numpy"),
            )
        lines.append(module.new(tuple(text.split("\n"))))
    functions = spelling.survey.functions
    at = blocks.line_of(min(functions[name].first for name in spelling.defined_for))
    below, space = module.lines[at], [module.blank] * 2
    for line in lines:
        line.above = space
    if module.is_first(at):
        lines[0].above = below.above if at == 0 else []
        below.above = [*space, *(below.above if at else [])]
    elif not below.above or below.above[0].strip():
        below.above = [*space, *below.above]
    module.lines[at:at] = lines
