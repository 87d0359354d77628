"""How does this file call what the generated code needs? By its own imports, else by new ones."""

from __future__ import annotations

from reparam_rewrite.bases import BASES
from reparam_rewrite.plan.context import Names
from reparam_rewrite.survey.functions import Survey
from reparam_rewrite.survey.scopes import Moment

#: Modules through which the generated code may reach names, if it can't by the names themselves, in
#: the order in which styles are tried.
THROUGH = {
    "numpyro.deterministic": ("numpyro",),
    "numpyro.param": ("numpyro",),
    "jax.vmap": ("jax",),
    "numpyro.handlers": ("numpyro",),
    "numpyro.distributions.Distribution": ("numpyro.distributions",),
    "numpyro.handlers.reparam": ("numpyro.handlers", "numpyro"),
    "numpyro.handlers.scope": ("numpyro.handlers", "numpyro"),
    "numpyro.handlers.substitute": ("numpyro.handlers", "numpyro"),
    "numpyro.primitives._PYRO_STACK": ("numpyro.primitives", "numpyro"),
}

#: The same object under another name.
SYNONYMS = {"numpyro.distributions.transforms.biject_to": "numpyro.distributions.biject_to"}


#: What makes draws of a child count before its base's.
BY_NAME = "by_name"

#: What a child can make up for of a parent, by arrays of an .npz.
FROZEN = "frozen"

#: Coefficients that are numbers for the elements of one call, in the code or in an .npz.
FITTED, LOADED = "fitted", "loaded"

#: The same of the steps of a scan, some of which may have none.
STEPS, LOADED_STEPS = "for_steps", "loaded_steps"

#: What reparameterizes a site in a scan, and the distribution of its base.
STEPWISE, STEP = "stepwise", "Step"

#: What samples sites as what is standard normal given the data, in its forms, and what maps rows.
CONDITIONAL, ROWS, STRATA = "Conditional", "Rows", "Strata"


def rows_kind(kind: str) -> str:
    """What conditional coordinates of a kind transform rows by."""
    return STRATA if kind.endswith(".rotated") else ROWS


class Spelling:
    """Spells dotted names for one file, and remembers the imports that this takes.

    `new` maps a dotted name to the name it must be imported as, `needed` to the functions that use
    it ("" is the module). `definitions` are the names of what must be defined, and `defined_for`
    the functions that use these.
    """

    def __init__(self, survey: Survey, names: Names) -> None:
        self.survey = survey
        self._names = names
        self.new: dict[str, str] = {}
        self.needed: dict[str, set[str]] = {}
        self.definitions: dict[str, str] = {}
        self.defined_for: set[str] = set()

    def of(self, dotted: str, moment: Moment) -> str:
        """The expression for `dotted` where `moment` is."""
        synonym = SYNONYMS.get(dotted, dotted)
        found = self._visible(dotted, moment) or self._visible(synonym, moment)
        if found:
            return found
        for module in THROUGH.get(dotted, ()):
            found = self._visible(module, moment)
            if found:
                return found + dotted[len(module) :]
        if dotted == "numpyro.handlers.reparam":
            return f"{self._import('numpyro.handlers', moment.function.name)}.reparam"
        return self._import(dotted, moment.function.name)

    def above(self, dotted: str) -> str:
        """The expression for `dotted` outside of functions, in front of the first rewritten one."""
        for module in (dotted, *THROUGH.get(dotted, ())):
            for name in sorted(self.survey.certain):
                if self.survey.aliases.get(name) == module:
                    return name + dotted[len(module) :]
        return self._import(dotted, "")

    def defined(self, kind: str, function: str) -> str:
        """The name of what must be defined for the code of a function.

        That is the class of a basis over a plate, of its `kind`, or a function: `BY_NAME`,
        `FROZEN`, `FITTED` or `LOADED`, or for a scan `STEPS`, `LOADED_STEPS` or `STEPWISE`.
        """
        self.defined_for.add(function)
        if kind.startswith(CONDITIONAL):
            rows = rows_kind(kind)
            self.definitions.setdefault(rows, self._names.new(rows))
        if kind == STEPWISE:
            self.definitions.setdefault(STEP, self._names.new(STEP))
        if kind not in self.definitions:
            wanted = BASES[kind].over_plates if kind in BASES else kind.partition(".")[0]
            self.definitions[kind] = self._names.new(wanted)
        return self.definitions[kind]

    def _import(self, dotted: str, function: str) -> str:
        self.needed.setdefault(dotted, set()).add(function)
        if dotted not in self.new:
            wanted = "jnp" if dotted == "jax.numpy" else dotted.rpartition(".")[2]
            self.new[dotted] = self._names.new(wanted)
        return self.new[dotted]

    def _visible(self, dotted: str, moment: Moment) -> str | None:
        """A name that stands for `dotted` here, a local import before one of the module."""
        function = moment.function
        for name in sorted(function.imports):
            binding = moment.binding(name)
            if binding is not None and binding.qualified == dotted and binding.certain:
                return name
        for name, known in self.survey.aliases.items():
            # An import under an `if` may not have run, unless the site goes through it too.
            has_run = name in self.survey.certain or name in function.roots
            if known == dotted and has_run and name not in function.hidden:
                return name
        return None
