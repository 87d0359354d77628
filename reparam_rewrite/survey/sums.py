"""What does an expression add up to? Which sites, how they are indexed, and what multiplies them.

The survey keeps the right-hand side of every binding, so that an expression is expanded by what
its names stood for where it was evaluated, through branches, loops and the functions of the file.
What isn't known hides what it is given.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.arrays import apart, array_function, array_method, operation
from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.effects import ARRAY_MODULES
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Function, Returned, Survey
from reparam_rewrite.survey.imports import dotted
from reparam_rewrite.survey.nodes import GIVEN, copied, root_of, walk
from reparam_rewrite.survey.scans import SCAN
from reparam_rewrite.survey.terms import (
    DATA,
    Form,
    Made,
    Term,
    at_line,
    both,
    hidden,
    in_branch,
    indexed,
    laid_out,
    own_layout,
    picks_of,
    scaled,
)
from reparam_rewrite.survey.timeline import (
    Altered,
    Argument,
    Assigned,
    Either,
    Element,
    Part,
    Repeated,
    RightSide,
)
from reparam_rewrite.survey.values import Handler, Site

#: How deep functions are followed, and how many expressions are read in all.
DEEPEST, LONGEST = 8, 50_000

#: Distributions over classes, of whose logits only the differences are seen.
CLASSES = frozenset(["Categorical", "Multinomial"])

#: The arguments of distributions that place them; others spread or shape them.
PLACING = ("loc", "logits", "rate", "probs", "mean", "predictor", "log_rate")


class Observed(Struct, frozen=True):
    """An observed site and what its arguments add up to.

    `arguments` are the forms of its distribution's, by their names; `parameter` is the one that
    places it, "" if that can't be told. `line` is the one to tell of its location.
    """

    site: Site
    family: str
    parameter: str
    arguments: dict[str, Form]
    line: int

    @property
    def location(self) -> Form:
        return self.arguments.get(self.parameter, DATA)


class Sums(Struct):
    """What the sites of a function are made of: the observed ones, and the priors of the latent.

    `factors` are the sites that a `numpyro.factor` reads.
    """

    function: Function
    factors: set[int] = set()
    observed: list[Observed] = []
    priors: dict[int, Made] = {}


def sums_of(survey: Survey, function: Function) -> Sums:
    """Expand what a function samples. RecursionError: an expression is nested too deeply."""
    expansion = Expansion(survey, function)
    expansion.evaluate_all(expansion.at.run)
    return expansion.sums


class Activation(Struct, eq=False):
    """One call of a function: `given` are its arguments, and `around` is where it was called.

    `around` is None unless it sees the names there. `known` are the forms of its values.
    """

    function: Function
    given: dict[str, Form] = {}
    around: Here | None = None
    depth: int = 0
    known: dict[int, Form] = {}
    choices: dict[int, int] = {}
    elements: dict[tuple[int, str], RightSide | None] = {}


class Here(Struct, frozen=True, eq=False):
    """Where an expression is evaluated: in a call, after the bindings until `mark`.

    `own` are the names of a lambda or a comprehension, and `depth` is the number of functions
    that were called to get there.
    """

    run: Activation
    mark: int
    depth: int
    own: dict[str, Form] = {}


class Expansion:
    """Expands the expressions of one function; `at` is the moment of the one that is read."""

    def __init__(self, survey: Survey, function: Function) -> None:
        self.sums = Sums(function)
        self.at = Here(Activation(function), 0, 0)
        self._survey = survey
        self._left = LONGEST
        self._fresh = count(1)
        self._by_last: dict[str, list[Function]] = {}
        for known in survey.functions.values():
            self._by_last.setdefault(known.name.rpartition(".")[2], []).append(known)

    # Values of names

    def evaluate_all(self, run: Activation) -> list[Form]:
        """Expand all that a function evaluates, in its order, and tell what it returns."""
        for step in run.function.evaluated.steps:
            self.value(step, run)
        return self.returned(run.function.evaluated.returned, run)

    def returned(self, returned: Sequence[Returned], run: Activation) -> list[Form]:
        """What a function gives back, each as it is in the branch that returns it."""
        forms = []
        for value, chosen in returned:
            form = DATA if value is None else self.value(value, run)
            for choice, position in reversed(chosen):
                form = in_branch(form, self.choice(run, choice), position)
            forms.append(form)
        return forms

    def value(self, value: RightSide, run: Activation) -> Form:
        """What a right-hand side adds up to in a run of the function that it stands in."""
        if id(value) not in run.known:
            run.known[id(value)] = DATA  # while it is expanded
            run.known[id(value)] = self.expanded(value, run)
        return run.known[id(value)]

    def expanded(self, value: RightSide, run: Activation) -> Form:
        match value:
            case Assigned(node, mark, depth):
                with self.moved(Here(run, mark, run.depth + depth)):
                    return self.form(node)
            case Argument(name):
                return run.given.get(name, Form(text=name))
            case Part(whole, place, count):
                form = DATA if whole is None else self.value(whole, run)
                if form.parts is not None and count == len(form.parts):
                    return form.parts[place]
                return Form(hidden(form.terms, "a part of a tuple"))
            case Element(over):
                terms = self.value(over, run).terms
                return Form(tuple(replace(term, single=True) for term in terms))
            case Either(choice, among):
                forms = [(at, DATA if v is None else self.value(v, run)) for at, v in among]
                common = set.intersection(*(set(form.terms) for _, form in forms))
                number = self.choice(run, choice)
                parts = [in_branch(form, number, at, common) for at, form in forms]
                made = next((form.made for _, form in forms if form.made), None)
                return Form(both(*parts), made=made)
            case Repeated(now, before):
                form = DATA if now is None else self.value(now, run)
                first = DATA if before is None else self.value(before, run)
                if form.made or form.function:
                    return form
                return replace(form, terms=both(form, first), text="")
            case Altered(holder, _, stored, direct):
                form = DATA if holder is None else self.value(holder, run)
                inside = self.value(stored, run).terms if direct else ()
                inside = hidden(inside, "an element of an array or a dictionary")
                return replace(form, terms=both(form, Form(inside)))
        return Form(function=self._survey.functions.get(value))

    def choice(self, run: Activation, choice: int) -> int:
        """A number for branches of a run that no others have."""
        if choice not in run.choices:
            run.choices[choice] = next(self._fresh)
        return run.choices[choice]

    @contextmanager
    def moved(self, moment: Here) -> Iterator[None]:
        """A block that reads expressions of another moment."""
        before, self.at = self.at, moment
        try:
            yield
        finally:
            self.at = before

    def variable(self, name: str) -> Form | None:
        """What a variable stands for; None if the name isn't one."""
        moment: Here | None = self.at
        while moment is not None:
            run = moment.run
            if name in moment.own:
                return moment.own[name]
            binding = run.function.timeline.at(name, moment.mark)
            if binding is not None and binding.qualified and binding.value is None:
                return None
            if binding is not None and binding.value is not None:
                return self.called_by(name, binding.value, self.value(binding.value, run), moment)
            if binding is not None:
                return self.untold(name)
            moment = run.around
        return None

    def called_by(self, name: str, value: RightSide, form: Form, moment: Here) -> Form:
        """The form of a variable: what is data is written by its name."""
        if isinstance(value, Altered) and moment.depth == 0:
            return replace(form, text=name)
        if form.terms or form.made or form.function or form.parts:
            return form
        if isinstance(value, Argument):
            return form
        if is_nowhere_written(value):
            return replace(form, text="")
        return Form(text=name if moment.depth == 0 else form.text, number=form.number)

    def untold(self, name: str) -> Form:
        """The form of a name of which nothing is known: those of helpers can't be written."""
        return Form(text="" if "@" in name else name)

    def function_named(self, name: str) -> Form | None:
        """The function of the file that a name stands for, beside the function or around it."""
        around = self.at.run.function.name
        while around:
            around = around.rpartition(".")[0]
            found = self._survey.functions.get(f"{around}.{name}" if around else name)
            plain = found is not None and isinstance(found.evaluated.node, ast.FunctionDef)
            if found is not None and plain and found.name not in self._survey.redefined:
                return Form(function=found)
        return None

    def element(self, node: ast.expr) -> Form | None:
        """What ``d["k"]`` or ``self.k`` is, if the function has stored it."""
        root = root_of(node)
        if not isinstance(root, ast.Name) or root.id in self.at.own:
            return None
        run = self.at.run
        binding = run.function.timeline.at(root.id, self.at.mark)
        if binding is None or binding.value is None:
            return None
        stored = self.stored_at(binding.value, ast.unparse(node), run)
        return None if stored is None else self.value(stored, run)

    def stored_at(self, value: RightSide | None, key: str, run: Activation) -> RightSide | None:
        """The right-hand side of an element of an object."""
        place = id(value), key
        if place not in run.elements:
            run.elements[place] = self.found_at(value, key, run)
        return run.elements[place]

    def found_at(self, value: RightSide | None, key: str, run: Activation) -> RightSide | None:
        match value:
            case Altered(holder, own, stored, _):
                return stored if own == key else self.stored_at(holder, key, run)
            case Repeated(now, before):
                last, first = self.stored_at(now, key, run), self.stored_at(before, key, run)
                return last if first is None or first is last else Repeated(last, first)
            case Either(choice, among):
                each = [(at, self.stored_at(inner, key, run)) for at, inner in among]
                held = tuple((at, inner) for at, inner in each if inner is not None)
                alike = {id(inner) for _, inner in held}
                if len(alike) < 2:
                    return held[0][1] if held else None
                return Either(choice, held)
        return None

    # Expressions

    def form(self, node: ast.expr) -> Form:
        """What an expression adds up to."""
        self._left -= 1
        if self._left < 0:
            return DATA
        if is_given(node):
            return at_line(self.given_value(node), node.lineno)
        made = self._form(node)
        if made.terms or made.made or made.function or made.parts:
            return made
        return replace(made, text=made.text or self.written(node))

    def _form(self, node: ast.expr) -> Form:
        match node:
            case ast.Constant(value=value):
                number = float(value) if isinstance(value, int | float) else None
                return Form(number=number, text=ast.unparse(node))
            case ast.Name(id=name):
                known = self.variable(name) or self.function_named(name)
                return self.untold(name) if known is None else at_line(known, node.lineno)
            case ast.Attribute(value=value, attr=attribute):
                known = self.element(node)
                if known is not None:
                    return at_line(known, node.lineno)
                owner = self.form(value)
                if attribute in ("T", "mT", "at"):
                    return Form(laid_out(owner.terms, None))
                if attribute in ("shape", "ndim", "dtype", "size"):
                    return DATA
                return Form(hidden(owner.terms, f".{attribute}"))
            case ast.Subscript():
                return self.subscript(node)
            case ast.UnaryOp(op=op, operand=operand):
                form = self.form(operand)
                if isinstance(op, ast.USub):
                    return scaled(form, -1.0)
                return form if isinstance(op, ast.UAdd) else Form(hidden(form.terms, "a test"))
            case ast.BinOp():
                left, right = self.form(node.left), self.form(node.right)
                return operation(node, left, right, self.text_of(node), self._fresh)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.form(test)
                choice = next(self._fresh)
                first, second = self.form(body), self.form(orelse)
                common = set(first.terms) & set(second.terms)
                parts = [
                    in_branch(form, choice, position, common)
                    for position, form in enumerate((first, second))
                ]
                return Form(both(*parts), made=first.made or second.made)
            case ast.Call():
                return self.call(node)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                parts_ = tuple(self.form(element) for element in elements)
                return Form(apart(parts_, self._fresh), parts=parts_)
            case ast.Dict(values=values):
                forms = [self.form(value) for value in values]
                return Form(hidden(both(*forms), "a dictionary"))
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.form(value)
            case ast.Lambda():
                return Form(function=node)
            case ast.GeneratorExp(elt=elt) | ast.ListComp(elt=elt):
                return self.comprehension(node.generators, elt)
            case ast.Compare() | ast.BoolOp():
                return Form(hidden(both(*self.inside_of(node)), "a test"))
        inside = self.inside_of(node)
        return Form(hidden(both(*inside), "an expression that isn't followed"))

    def inside_of(self, node: ast.expr) -> list[Form]:
        parts = ast.iter_child_nodes(node)
        return [self.form(part) for part in parts if isinstance(part, ast.expr)]

    def comprehension(self, generators: list[ast.comprehension], elt: ast.expr) -> Form:
        own = dict(self.at.own)
        for generator in generators:
            with self.moved(replace(self.at, own=own)):
                terms = self.form(generator.iter).terms
            each = Form(tuple(replace(term, single=True) for term in terms))
            own = {**own, **dict(bound_to(generator.target, each))}
        with self.moved(replace(self.at, own=own)):
            return Form(self.form(elt).terms)

    def subscript(self, node: ast.Subscript) -> Form:
        known = self.element(node)
        if known is not None:
            return at_line(known, node.lineno)
        owner = self.form(node.value)
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if owner.parts is not None and isinstance(node.slice, ast.Constant):
            place = node.slice.value
            if type(place) is int and -len(owner.parts) <= place < len(owner.parts):
                return owner.parts[place]
        if not owner.terms:
            return DATA
        picked, single = "", False
        indices: list[str | None] = []  # of each item: "" for a new axis, None for a whole one
        for item in items:
            indices.append(None)
            if isinstance(item, ast.Slice):
                single = single or bool(item.lower or item.upper or item.step)
                continue
            number = self.form(item)
            if number.terms:
                return Form(hidden(both(owner, number), "an index that is sampled"))
            if isinstance(item, ast.Constant) and item.value is Ellipsis:
                indices[-1] = "..."
                continue
            if is_new_axis(item) or (self.resolve(item) or "").endswith(".newaxis"):
                indices[-1] = ""
                continue
            if number.number is not None:
                single = True
            else:
                picked = ast.unparse(node.slice).strip("()")
            indices[-1] = ast.unparse(item)
        return Form(
            tuple(
                replace(
                    term,
                    picked=term.picked or picked,
                    single=term.single or single,
                    layout=None if single or owner.loose else indexed(term.layout, indices),
                    picks=picks_of(term, indices) if not (single or owner.loose) else (),
                )
                for term in owner.terms
            )
        )

    # Calls

    def resolve(self, node: ast.expr) -> str | None:
        return dotted(node, self.imported)

    def imported(self, name: str) -> str | None:
        """The dotted name of an import, None if something else has the name."""
        moment: Here | None = self.at
        while moment is not None:
            binding = moment.run.function.timeline.at(name, moment.mark)
            if name in moment.own or (binding is not None and binding.value is not None):
                return None
            if binding is not None:
                return binding.qualified
            moment = moment.run.around
        around = self.at.run.function.name.rpartition(".")[0]
        while around in self._survey.functions:
            binding = self._survey.functions[around].timeline.at(name, LONGEST)
            if binding is not None and binding.qualified:
                return binding.qualified
            around = around.rpartition(".")[0]
        return self._survey.aliases.get(name)

    def call(self, node: ast.Call) -> Form:
        name = self.resolve(node.func)
        if name == "numpyro.sample":
            return self.sample(node)
        if name in ("numpyro.deterministic",):
            value = argument(node, 1, "value")
            return DATA if value is None else self.form(value)
        if name in SCAN:
            return self.scan(node)
        if name == "numpyro.factor":
            self.sums.factors |= {site for form in self.given(node) for site in form.sites}
            return DATA
        if name is not None and name.startswith("numpyro.distributions."):
            return self.distribution(node, name.removeprefix("numpyro.distributions."))
        if name is not None and name.startswith(ARRAY_MODULES):
            return array_function(node, name, self.given(node), self.text_of(node), self._fresh)
        if name is None or name.startswith("."):
            followed = self.follow(node)
            if followed is not None:
                return followed
        given = self.given(node)
        if isinstance(node.func, ast.Attribute) and name is None:
            owner = self.form(node.func.value)
            if owner.made is not None:  # ``Normal(...).to_event(1)``
                return owner
            text = self.text_of(node)
            return array_method(node, node.func.attr, owner, given, text, self._fresh)
        if isinstance(node.func, ast.Name) and name is None and node.func.id == "sum":
            return given[0] if len(given) == 1 else Form(both(*given))
        if name == "numpyro.plate" or not any(form.terms for form in given):
            return DATA
        called = ast.unparse(node.func)
        return Form(hidden(both(*given), f"'{called}', which isn't followed"))

    def given(self, node: ast.Call) -> list[Form]:
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        return [self.form(part) for part in parts]

    def sample(self, node: ast.Call) -> Form:
        prior_node = argument(node, 1, "fn")
        prior = DATA if prior_node is None else self.form(prior_node)
        site = self.site_of(node)
        if site is None:
            observed = not is_none(argument(node, 2, "obs"))
            return DATA if observed else Form(hidden(both(*arguments(prior)), "an unnamed site"))
        made = prior.made
        if is_observed(site):
            placed = parameter_of(made)
            line = node.lineno
            forms = made.arguments if made else {"": Form(both(prior))}
            if placed and forms[placed].terms:
                line = forms[placed].terms[0].line
            family = made.family if made else ""
            if placed == "logits" and family.removesuffix("Logits") in CLASSES:
                forms = {**forms, placed: Form(softmaxed(forms[placed].terms))}
            self.sums.observed.append(Observed(site, family, placed, forms, line))
            return DATA
        if made is not None:
            self.sums.priors.setdefault(site.index, made)
        elif prior.terms:
            self.sums.priors.setdefault(site.index, Made("", {"": Form(both(prior))}, {}))
        told = site.shape is not None and site.step is None
        layout = own_layout(len(site.shape or ())) if told else None
        return Form((Term((site.index,), node.lineno, layout=layout),))

    def site_of(self, node: ast.Call) -> Site | None:
        """The site of the function itself that a call samples, perhaps in the body of a scan."""
        function, own = self.at.run.function, self.sums.function
        index = function.evaluated.sampled.get(node)
        if index is None or function is own:
            return None if index is None else own.sites[index]
        of_body = (s for s in own.sites if s.scan is not None and s.scan.body == function.name)
        return next((s for s in of_body if s.step is not None and s.step.index == index), None)

    def scan(self, node: ast.Call) -> Form:
        """``scan(body, init, xs)``: the body is read once, its arguments are data."""
        body = argument(node, 0, "f")
        rest = self.given(node)
        carried = hidden(both(*rest), "the state of a scan")
        function = self.form(body).function if isinstance(body, ast.Name) else None
        if isinstance(function, Function) and self.at.depth < DEEPEST:
            names = parameters(function.evaluated.node)
            returned = self.evaluate_all(self.run(function, dict.fromkeys(names, Form(carried))))
            state = Form(hidden(both(*returned), "the state of a scan"))
            outputs = [form.parts[1] for form in returned if form.parts and len(form.parts) == 2]
            if outputs:
                return Form(both(outputs[0]), parts=(state, outputs[0]))
            carried = both(Form(carried), state)
        return Form(carried)

    def run(self, function: Function, given: dict[str, Form]) -> Activation:
        """A run of a function that is called now; one inside of another sees the names there."""
        around = self.at if "." in function.name and not self.is_method(function) else None
        return Activation(function, given, around, self.at.depth + 1)

    def is_method(self, function: Function) -> bool:
        return function.name.rpartition(".")[0] in self._survey.classes

    def follow(self, node: ast.Call) -> Form | None:
        """What a function of the file gives back; None if it isn't one, or can't be followed."""
        followed = self.at.run.function.evaluated.followed.get(node)
        if followed is not None:
            return joined(self.returned(followed, self.at.run))
        function, method = self.called(node.func)
        if function is None or self.at.depth >= DEEPEST or self._survey.patched:
            return None
        called = function if isinstance(function, ast.Lambda) else function.evaluated.node
        declared = called.args
        starred = any(isinstance(part, ast.Starred) for part in node.args)
        unnamed = any(keyword.arg is None for keyword in node.keywords)
        if declared.vararg or declared.kwarg or starred or unnamed:
            return None
        names = parameters(called)
        positional = [] if not method else [node.func.value]  # type: ignore[attr-defined]
        given = dict(zip(names, map(self.form, [*positional, *node.args]), strict=False))
        given |= {str(keyword.arg): self.form(keyword.value) for keyword in node.keywords}
        keywords = [part.arg for part in declared.kwonlyargs]
        defaults = dict(zip(names[::-1], declared.defaults[::-1], strict=False))
        defaults |= {k: d for k, d in zip(keywords, declared.kw_defaults, strict=True) if d}
        for name, default in defaults.items():
            given.setdefault(name, self.form(default))
        given = {**dict.fromkeys((*names, *keywords), DATA), **given}
        if isinstance(function, ast.Lambda):
            own = {**self.at.own, **given}
            with self.moved(replace(self.at, own=own, depth=self.at.depth + 1)):
                return self.form(function.body)
        return joined(self.evaluate_all(self.run(function, given)))

    def called(self, node: ast.expr) -> tuple[Function | ast.Lambda | None, bool]:
        """The function of the file that is called, and whether it is a method of an object."""
        if isinstance(node, ast.Name):
            return self.form(node).function, False
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found = self._by_last.get(node.attr, [])
            plain = [f for f in found if self.is_method(f) and f.name not in self._survey.redefined]
            function = found[0].evaluated.node if len(found) == 1 == len(plain) else None
            if isinstance(function, ast.FunctionDef) and function.args.args:
                return (None, False) if function.decorator_list else (found[0], True)
        return None, False

    def distribution(self, node: ast.Call, family: str) -> Form:
        known = FAMILIES.get(family)
        starred = any(isinstance(part, ast.Starred) for part in node.args)
        names = [name for name, _ in known.arguments] if known else []
        forms = self.given(node)
        if starred or (known and len(node.args) > len(names)):
            return Form(hidden(both(*forms), f"the arguments of {family}"))
        keys = names[: len(node.args)] if known else [f"{at}" for at in range(len(node.args))]
        keys += [keyword.arg or "**" for keyword in node.keywords]
        given = dict(zip(keys, forms, strict=True))
        inner = next((form.made for form in given.values() if form.made), None)
        if inner is not None and family in (
            "Independent",
            "ExpandedDistribution",
            "MaskedDistribution",
        ):
            return Form(made=inner)
        if inner is not None:
            terms = both(*(form for one in given.values() for form in (one, *arguments(one))))
            given = {"": Form(hidden(terms, f"the distribution {family}"))}
        parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        nodes = {key: ast.unparse(part) for key, part in zip(keys, parts, strict=True)}
        return Form(made=Made(family, given, nodes if self.at.depth == 0 else {}))

    # Text

    def text_of(self, node: ast.expr) -> str:
        """An expression as it is written, "" if it stands in another function."""
        return "" if self.at.depth else ast.unparse(node)

    def written(self, node: ast.expr) -> str:
        """How a value without sites can be written in the function itself; "" if it can't."""
        parts = walk(node)
        calls = [part for part in parts if isinstance(part, ast.Call)]
        if not all((self.resolve(call.func) or "").startswith(ARRAY_MODULES) for call in calls):
            return ""
        texts: dict[ast.AST, str] = {}
        texts |= {part: self.spelled(part) for part in parts if isinstance(part, ast.Name)}
        texts |= {part: self.given_value(part).text for part in parts if is_given(part)}
        if not all(texts.values()):
            return ""
        if all(isinstance(part, ast.Name) and text == part.id for part, text in texts.items()):
            return ast.unparse(node)
        return ast.unparse(copied(node, {part: parsed(text) for part, text in texts.items()}))

    def spelled(self, node: ast.Name) -> str:
        """How the value of a name can be written in the function itself; "" if it can't."""
        known = self.variable(node.id)
        if known is None:
            elsewhere = self.at.depth and node.id in self.sums.function.timeline
            return "" if elsewhere or "@" in node.id else node.id
        return known.text

    def given_value(self, node: ast.AST) -> Form:
        """The value of an argument that stands in the place of a helper's parameter."""
        given: Assigned = getattr(node, GIVEN)
        return self.value(given, self.at.run)


def is_given(node: ast.AST) -> bool:
    return GIVEN in node.__dict__


def bound_to(target: ast.expr, form: Form) -> Iterator[tuple[str, Form]]:
    """What the names of a comprehension's target stand for."""
    if isinstance(target, ast.Name):
        yield target.id, form
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            yield from bound_to(part, Form(hidden(form.terms, "a part of a tuple")))
    elif isinstance(target, ast.Starred):
        yield from bound_to(target.value, form)


def is_nowhere_written(value: RightSide) -> bool:
    """Is it what a name is in one run of a loop, or after that, which other places can't write?"""
    while isinstance(value, Part) and value.whole is not None:
        value = value.whole
    return isinstance(value, (Element, Repeated))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[str]:
    """The names of what a function takes by position."""
    return [part.arg for part in [*function.args.posonlyargs, *function.args.args]]


def joined(returned: Sequence[Form]) -> Form:
    """What a call gives back of which one of several is returned."""
    if len(returned) == 1:
        return returned[0]
    made = next((form.made for form in returned if form.made), None)
    return Form(both(*returned), made=made)


def is_new_axis(item: ast.expr) -> bool:
    return isinstance(item, ast.Constant) and item.value is None


def softmaxed(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The summands of logits; what is in the argument of a function of them is none."""
    return tuple(term if term.group else replace(term, softmax=True) for term in terms)


def arguments(prior: Form) -> list[Form]:
    return list(prior.made.arguments.values()) if prior.made else [prior]


def parameter_of(made: Made | None) -> str:
    """The argument that places a distribution, "" if that can't be told."""
    found = [name for name in PLACING if made and name in made.arguments]
    return found[0] if found else ""


def is_observed(site: Site) -> bool:
    """Has it an `obs`, or is it under a handler that conditions it?"""
    return site.observed or any(
        isinstance(item, Handler)
        and item.qualified == "numpyro.handlers.condition"
        and item.sites is not None
        and site.name in item.sites
        for frame in site.all_frames
        for item in frame.items
    )
