"""What does an expression add up to? Which sites, how they are indexed, and what multiplies them.

`sums_of` tells it of the arguments of every observed site of a function, and of every prior::

    mu = numpyro.sample("mu", dist.Normal(0, 1))
    a = numpyro.sample("a", dist.Normal(0, 1).expand([n]))
    numpyro.sample("y", dist.Normal(mu + x * a[group], sigma), obs=y)

The location of `y` has two terms: `mu`, and `a` with the weight ``x``, picked by ``group``. What
isn't known hides what it is given: such a term tells what keeps it from being a summand.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.effects import ARRAY_MODULES
from reparam_rewrite.survey.expansion import DEEPEST, LONGEST, Expansion
from reparam_rewrite.survey.expressions import parsed
from reparam_rewrite.survey.families import FAMILIES
from reparam_rewrite.survey.functions import Function, Survey
from reparam_rewrite.survey.nodes import GIVEN, copied, walk
from reparam_rewrite.survey.scans import SCAN
from reparam_rewrite.survey.shapes import Item, item_of
from reparam_rewrite.survey.terms import (
    DATA,
    Form,
    Made,
    Term,
    apart,
    array_function,
    array_method,
    at_line,
    both,
    each,
    either,
    hidden,
    layout_after,
    lost,
    operation,
    own_layout,
    picks_of,
    scaled,
)
from reparam_rewrite.survey.values import Handler, Site

#: Distributions over classes, of whose logits only the differences are seen.
CLASSES = ("Categorical", "Multinomial")

#: The arguments of distributions that place them; others spread or shape them.
PLACING = ("loc", "logits", "rate", "probs", "mean", "predictor", "log_rate")

#: Distributions that are another one with other axes.
WRAPPING = ("Independent", "ExpandedDistribution", "MaskedDistribution")


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

    `priors` are by the index of the site. `factors` are the sites that a `numpyro.factor` reads.
    """

    function: Function
    factors: set[int] = set()
    observed: list[Observed] = []
    priors: dict[int, Made] = {}


def sums_of(survey: Survey, function: Function) -> Sums:
    """Expand what a function of the survey samples: its locations and priors as sums of sites.

    Raises `RecursionError` where an expression is nested too deeply.
    """
    reader = Reader(survey, function)
    reader.evaluate_all(reader.at.run)
    return reader.sums


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


class Reader(Expansion):
    """Reads the expressions of one function, and notes what it samples."""

    def __init__(self, survey: Survey, function: Function) -> None:
        super().__init__(survey, function)
        self.sums = Sums(function)
        self._left = LONGEST

    def form(self, node: ast.expr) -> Form:
        """What an expression adds up to."""
        self._left -= 1
        if self._left < 0:
            return DATA
        if GIVEN in node.__dict__:
            return at_line(self._given_value(node), node.lineno)
        made = self._form(node)
        return replace(made, text=made.text or self._written(node)) if made.is_data else made

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
                terms = self.form(value).terms
                if attribute in ("T", "mT", "at"):
                    return Form(each(terms, layout=None))
                told = attribute in ("shape", "ndim", "dtype", "size")
                return DATA if told else Form(hidden(terms, f".{attribute}"))
            case ast.Subscript():
                return self._subscript(node)
            case ast.UnaryOp(op=op, operand=operand):
                form = self.form(operand)
                if isinstance(op, ast.USub):
                    return scaled(form, -1.0)
                return form if isinstance(op, ast.UAdd) else Form(hidden(form.terms, "a test"))
            case ast.BinOp():
                left, right = self.form(node.left), self.form(node.right)
                return operation(node, left, right, self._text_of(node), self.fresh)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                self.form(test)
                choice = next(self.fresh)
                return either([(0, self.form(body)), (1, self.form(orelse))], choice)
            case ast.Call():
                return self._call(node)
            case ast.Tuple(elts=elements) | ast.List(elts=elements):
                parts = tuple(self.form(element) for element in elements)
                return replace(apart(parts, self.fresh), parts=parts)
            case ast.Dict(values=values):
                return lost("a dictionary", *map(self.form, values))
            case ast.NamedExpr(value=value) | ast.Starred(value=value):
                return self.form(value)
            case ast.Lambda():
                return Form(function=node)
            case ast.GeneratorExp(elt=elt) | ast.ListComp(elt=elt):
                return self._comprehension(node.generators, elt)
        inside = (part for part in ast.iter_child_nodes(node) if isinstance(part, ast.expr))
        is_test = isinstance(node, (ast.Compare, ast.BoolOp))
        why = "a test" if is_test else "an expression that isn't followed"
        return lost(why, *map(self.form, inside))

    def _comprehension(self, generators: list[ast.comprehension], elt: ast.expr) -> Form:
        own = dict(self.at.own)
        for generator in generators:
            over = self.form_at(generator.iter, replace(self.at, own=own))
            one = Form(each(over.terms, single=True))
            own = {**own, **dict(bound_to(generator.target, one))}
        return Form(self.form_at(elt, replace(self.at, own=own)).terms)

    def _subscript(self, node: ast.Subscript) -> Form:
        known = self.element(node)
        if known is not None:
            return at_line(known, node.lineno)
        owner, index = self.form(node.value), node.slice
        if owner.parts is not None and isinstance(index, ast.Constant):
            place = index.value
            if type(place) is int and -len(owner.parts) <= place < len(owner.parts):
                return owner.parts[place]
        if not owner.terms:
            return DATA
        picked, single = "", False
        items: list[Item[str]] = []
        for item in index.elts if isinstance(index, ast.Tuple) else [index]:
            if isinstance(item, ast.Slice):
                single = single or bool(item.lower or item.upper or item.step)
                items.append("whole")
                continue
            number = self.form(item)
            if number.terms:
                return lost("an index that is sampled", owner, number)
            kind = item_of(self.resolve, item)
            if isinstance(kind, str):
                items.append(kind)
                continue
            items.append((ast.unparse(item),))
            if number.number is not None:
                single = True
            else:
                picked = ast.unparse(index).strip("()")
        told = not (single or owner.loose)
        return Form(
            tuple(
                replace(
                    term,
                    picked=term.picked or picked,
                    single=term.single or single,
                    layout=layout_after(term.layout, items) if told else None,
                    picks=picks_of(term, items) if told else (),
                )
                for term in owner.terms
            )
        )

    # Calls

    def _call(self, node: ast.Call) -> Form:
        name = self.resolve(node.func)
        match name:
            case "numpyro.sample":
                return self._sample(node)
            case "numpyro.deterministic":
                value = argument(node, 1, "value")
                return DATA if value is None else self.form(value)
            case "numpyro.factor":
                self.sums.factors.update(*(form.sites for form in self._given(node)))
                return DATA
            case str() if name in SCAN:
                return self._scan(node)
            case str() if name.startswith("numpyro.distributions."):
                return self._distribution(node, name.removeprefix("numpyro.distributions."))
            case str() if name.startswith(ARRAY_MODULES):
                text = self._text_of(node)
                return array_function(node, name, self._given(node), text, self.fresh)
        if name is None or name.startswith("."):
            followed = self.follow(node)
            if followed is not None:
                return followed
        given = self._given(node)
        if isinstance(node.func, ast.Attribute) and name is None:
            owner = self.form(node.func.value)
            if owner.made is not None:  # ``Normal(...).to_event(1)``
                return owner
            text = self._text_of(node)
            return array_method(node, node.func.attr, owner, given, text, self.fresh)
        if isinstance(node.func, ast.Name) and name is None and node.func.id == "sum":
            return given[0] if len(given) == 1 else Form(both(*given))
        if name == "numpyro.plate" or not any(form.terms for form in given):
            return DATA
        return lost(f"'{ast.unparse(node.func)}', which isn't followed", *given)

    def _given(self, node: ast.Call) -> list[Form]:
        return [self.form(part) for part in given_to(node)]

    def _sample(self, node: ast.Call) -> Form:
        prior_node = argument(node, 1, "fn")
        prior = DATA if prior_node is None else self.form(prior_node)
        made, site = prior.made, self._site_of(node)
        if site is None:
            observed = not is_none(argument(node, 2, "obs"))
            return DATA if observed else lost("an unnamed site", *arguments(prior))
        if is_observed(site):
            self.sums.observed.append(observed_as(site, prior, node.lineno))
            return DATA
        if made is not None or prior.terms:
            told = made or Made("", {"": Form(both(prior))}, {})
            self.sums.priors.setdefault(site.index, told)
        shown = site.shape is not None and site.step is None
        layout = own_layout(len(site.shape or ())) if shown else None
        return Form((Term((site.index,), node.lineno, layout=layout),))

    def _site_of(self, node: ast.Call) -> Site | None:
        """The site of the function itself that a call samples, perhaps in the body of a scan."""
        function, own = self.at.run.function, self.sums.function
        index = function.sampled.get(node)
        if index is None or function is own:
            return None if index is None else own.sites[index]
        of_body = (s for s in own.sites if s.scan is not None and s.scan.body == function.name)
        return next((s for s in of_body if s.step is not None and s.step.index == index), None)

    def _scan(self, node: ast.Call) -> Form:
        """``scan(body, init, xs)``: the body is read once, its arguments are data."""
        body, why = argument(node, 0, "f"), "the state of a scan"
        carried = lost(why, *self._given(node))
        function = self.form(body).function if isinstance(body, ast.Name) else None
        if not isinstance(function, Function) or self.at.depth >= DEEPEST:
            return carried
        declared = function.node.args
        names = [part.arg for part in [*declared.posonlyargs, *declared.args]]
        returned = self.run(function, dict.fromkeys(names, carried))
        state = lost(why, *returned)
        outputs = [form.parts[1] for form in returned if form.parts and len(form.parts) == 2]
        if outputs:
            return Form(both(outputs[0]), parts=(state, outputs[0]))
        return Form(both(carried, state))

    def _distribution(self, node: ast.Call, family: str) -> Form:
        known = FAMILIES.get(family)
        names = [name for name, _ in known.arguments] if known else []
        forms, count = self._given(node), len(node.args)
        starred = any(isinstance(part, ast.Starred) for part in node.args)
        if starred or (known and count > len(names)):
            return lost(f"the arguments of {family}", *forms)
        keys = names[:count] if known else [f"{at}" for at in range(count)]
        keys += [keyword.arg or "**" for keyword in node.keywords]
        given = dict(zip(keys, forms, strict=True))
        inner = next((form.made for form in given.values() if form.made), None)
        if inner is not None and family in WRAPPING:
            return Form(made=inner)
        if inner is not None:
            parts = (part for form in given.values() for part in (form, *arguments(form)))
            given = {"": lost(f"the distribution {family}", *parts)}
        nodes = map(ast.unparse, given_to(node)) if self.at.depth == 0 else ()
        return Form(made=Made(family, given, dict(zip(keys, nodes, strict=False))))

    # Text

    def _text_of(self, node: ast.expr) -> str:
        """An expression as it is written, "" if it stands in another function."""
        return "" if self.at.depth else ast.unparse(node)

    def _written(self, node: ast.expr) -> str:
        """How a value without sites can be written in the function itself; "" if it can't."""
        parts = walk(node)
        calls = [part for part in parts if isinstance(part, ast.Call)]
        if not all((self.resolve(call.func) or "").startswith(ARRAY_MODULES) for call in calls):
            return ""
        texts: dict[ast.AST, str] = {}
        texts |= {part: self._spelled(part) for part in parts if isinstance(part, ast.Name)}
        texts |= {part: self._given_value(part).text for part in parts if GIVEN in part.__dict__}
        if not all(texts.values()):
            return ""
        if all(isinstance(part, ast.Name) and text == part.id for part, text in texts.items()):
            return ast.unparse(node)
        return ast.unparse(copied(node, {part: parsed(text) for part, text in texts.items()}))

    def _spelled(self, node: ast.Name) -> str:
        """How the value of a name can be written in the function itself; "" if it can't."""
        known = self.variable(node.id)
        if known is None:
            elsewhere = self.at.depth and node.id in self.sums.function.timeline
            return "" if elsewhere or "@" in node.id else node.id
        return known.text

    def _given_value(self, node: ast.AST) -> Form:
        """The value of an argument that stands in the place of a helper's parameter."""
        return self.value(getattr(node, GIVEN), self.at.run)


def given_to(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def bound_to(target: ast.expr, form: Form) -> Iterator[tuple[str, Form]]:
    """What the names of a comprehension's target stand for."""
    match target:
        case ast.Name(id=name):
            yield name, form
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            for part in parts:
                yield from bound_to(part, Form(hidden(form.terms, "a part of a tuple")))
        case ast.Starred(value=inner):
            yield from bound_to(inner, form)


def arguments(prior: Form) -> Sequence[Form]:
    return [*prior.made.arguments.values()] if prior.made else [prior]


def observed_as(site: Site, prior: Form, line: int) -> Observed:
    """An observed site whose distribution is this, by a call on that line."""
    made = prior.made
    if made is None:
        return Observed(site, "", "", {"": Form(both(prior))}, line)
    placed = next((name for name in PLACING if name in made.arguments), "")
    forms = made.arguments
    terms = forms[placed].terms if placed else ()
    if placed == "logits" and made.family.removesuffix("Logits") in CLASSES:
        # What is in the argument of a function of logits is no summand of them.
        shown = (term if term.group else replace(term, softmax=True) for term in terms)
        forms = {**forms, placed: Form(tuple(shown))}
    return Observed(site, made.family, placed, forms, terms[0].line if terms else line)
