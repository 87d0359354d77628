"""May an expression be written a second time, or elsewhere, and does it change anything?

`is_repeatable` and `only_computes` say whether an expression means the same at another place, as
long as what it reads (`reads_of`) does. `acts` says whether what is evaluated may change a value in
place. What exactly it changes, and through which alias, isn't looked into: an expression that reads
what can be changed at all means the same before and after only what is known to change nothing. So
few things have to be known here, and what isn't known does no harm.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Sequence

from reparam_rewrite.survey.calls import is_integer
from reparam_rewrite.survey.effects import (
    ANYTHING,
    REDUCTIONS,
    Effect,
    FileFacts,
    effect_of,
    effect_of_call,
    words,
)
from reparam_rewrite.survey.functions import reached
from reparam_rewrite.survey.index import Index, Scoped, dotted_name
from reparam_rewrite.survey.nodes import kinds, parts_of, root_of, walk
from reparam_rewrite.survey.scopes import Scope, is_read
from reparam_rewrite.survey.values import Use

#: What may mean something else, or do something, when it is written a second time.
UNREPEATABLE = kinds(
    "Await DictComp GeneratorExp Lambda ListComp NamedExpr SetComp Starred Yield YieldFrom"
)

#: Attributes of arrays, whose values do nothing.
OF_ARRAYS = frozenset(["T", "dtype", "ndim", "shape", "size"])

#: Packages whose modules hold functions, classes and numbers.
PACKAGES = ("jax.", "math.", "numpy.", "numpyro.", "scipy.")


def reads_of(scope: Scope, node: ast.AST, *, whole: bool = True) -> frozenset[Use]:
    """The names that an expression reads, under their present bindings.

    Those of the functions that it calls aren't among them. Not `whole`: what it reads are numbers
    and texts, which nothing changes in place, but for what has them: the ``x`` of ``len(x)``.
    """
    found = set()
    stack: list[tuple[ast.AST, bool]] = [(node, not whole)]
    while stack:
        part, alone = stack.pop()
        if isinstance(part, ast.Name):
            binding = scope.binding(part.id)
            era = None if alone or (binding is not None and binding.fixed) else scope.era
            if binding is not None:
                found.add(Use(part.id, binding.version, era))
            elif era is not None and not is_known(scope, part) and not scope.is_constant(part.id):
                found.add(Use(part.id, 0, era))
            continue
        inner = parts_of(part)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            inner = inner[1:]
        alone = alone and not isinstance(part, (ast.Attribute, ast.Call, ast.Subscript))
        stack += [(inside, alone) for inside in inner]
    return frozenset(found)


def reads_in_order(scope: Scope, node: ast.AST) -> list[Use]:
    """The same by name, for what is written or told of one after the other."""
    return sorted(reads_of(scope, node), key=lambda use: (use.name, use.version))


def is_repeatable(scope: Scope, node: ast.AST) -> bool:
    """Can the expression be written a second time, or elsewhere, and mean the same?

    As far as the file shows: see `only_computes` for where an object from elsewhere may do more.
    """
    parts = walk(node)
    if not UNREPEATABLE.isdisjoint(map(type, parts)):
        return False
    called = {part.func for part in parts if isinstance(part, ast.Call)}
    for part in parts:
        match part:
            case ast.Name(id=name):
                hooked = scope.facts.hooked and not is_plain(scope, part)
                if hooked or scope.is_unstable(name):
                    return False
            case ast.Attribute(attr=name, value=held):
                property_ = name in scope.facts.impure and part not in called
                if property_ and not is_array(scope, held):
                    return False
            case ast.Call() if not is_pure_call(scope, part):
                return False
    return True


def only_computes(scope: Scope, node: ast.AST) -> bool:
    """Is the expression repeatable, whatever the objects in it are that the file doesn't show?

    ``net.loc``, ``params["loc"]`` and ``p.mean()`` may sample; an argument of the model is taken
    for an array or a plain container.
    """
    for part in walk(node):
        if not isinstance(part, (ast.Attribute, ast.Subscript)):
            continue
        if is_opaque(scope, part) and not is_known(scope, part):
            return False
    return is_repeatable(scope, node)


def is_opaque(scope: Scope, node: ast.AST) -> bool:
    """May what ``x.y`` or ``x[i]`` reads of `x` be more than a part of an array or a container?"""
    attribute = node.attr if isinstance(node, ast.Attribute) else ""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Attribute) and node.attr in OF_ARRAYS:
            return False
        node = node.value
    if not isinstance(node, ast.Name):
        return False
    if node.id in ("self", "cls"):
        return attribute not in scope.facts.fields | scope.facts.own
    binding = scope.binding(node.id)
    return binding.opaque if binding is not None else not scope.is_constant(node.id)


def is_known(scope: Scope, node: ast.expr) -> bool:
    """Is it of a package that is known to do nothing where it is read?"""
    dotted = scope.resolve(node)
    return dotted is not None and f"{dotted}.".startswith(PACKAGES)


def is_plain(scope: Scope, node: ast.Name) -> bool:
    """Is a name known to be a number, an array, a distribution, a module or a function?"""
    if scope.is_builtin(node.id) or scope.is_constant(node.id) or is_known(scope, node):
        return True
    return is_array(scope, node) or node.id in scope.facts.own


def is_array(scope: Scope, node: ast.expr) -> bool:
    """Is it known to be the value of a site or an array, or a distribution?"""
    binding = scope.binding(node.id) if isinstance(node, ast.Name) else None
    if binding is None:
        return False
    return binding.shape is not None or binding.site is not None or binding.prior is not None


def effect_in(scope: Scope, call: ast.Call) -> Effect:
    """What a call does beside giving a value, where it stands."""
    function = call.func
    dotted = scope.resolve(function)
    if dotted is None and isinstance(function, ast.Name):
        if not scope.is_builtin(function.id):
            return ANYTHING
        dotted = f"builtins.{function.id}"
    if dotted is None and isinstance(function, ast.Attribute):
        held = function.value
        computed = isinstance(held, ast.Call) and effect_in(scope, held).pure
        if function.attr in scope.facts.own and not (computed or is_array(scope, held)):
            return ANYTHING  # it may be the file's own method
    return effect_of_call(call, dotted)


def is_pure_call(scope: Scope, call: ast.Call) -> bool:
    """Does the call do nothing but compute: a builtin, an array function, a distribution?"""
    if isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Constant):
        return call.func.attr == "format"
    effect = effect_in(scope, call)
    if effect.iterates and scope.facts.lazy:  # of a generator, which is spent by use
        names = (scope.binding(part.id) for part in call.args if isinstance(part, ast.Name))
        if any(binding is not None and binding.opaque for binding in names):
            return False
    return effect.pure


def touched_by(scope: Scope, call: ast.Call) -> set[str]:
    """The names of values that a call may change: its object's, and those that it is given.

    ``xs.append(x)``, ``self.shrink()``, ``update(d)``
    """
    dotted = scope.resolve(call.func)
    if effect_in(scope, call).quiet or (dotted is not None and dotted.startswith("numpyro.")):
        return set()
    parts = [*call.args, *(keyword.value for keyword in call.keywords)]
    if isinstance(call.func, ast.Attribute) and dotted is None:
        parts.append(call.func.value)
    starred = (part.value if isinstance(part, ast.Starred) else part for part in parts)
    return {root.id for root in map(root_of, starred) if isinstance(root, ast.Name)}


#: Methods that run without a call but say nothing of what an operator does.
NO_OPERATORS = words("__call__ __enter__ __exit__ __repr__ __str__ __hash__")

OPERATIONS = kinds("BinOp Compare Subscript UnaryOp")

#: What hands on to others, or makes a class, whose body runs.
PAUSES = kinds("AsyncFor Await ClassDef Yield YieldFrom")

#: All that may act; most nodes are names and constants.
ACTING = OPERATIONS | PAUSES | kinds("Assign Attribute AugAssign Call For Starred comprehension")


def acts(scope: Scope, part: ast.AST) -> bool:
    """May this node by itself, without its parts, change something in place?"""
    kind = type(part)
    if kind not in ACTING:
        return False
    facts = scope.facts
    match part:
        case ast.Call():
            effect = effect_in(scope, part)
            runs = effect.iterates and facts.lazy and any(may_run(scope, v) for v in part.args)
            return runs or not effect.quiet
        case ast.Attribute(attr=attr, ctx=ast.Load()):
            return not facts.hooks.isdisjoint((attr, "__getattr__", "__getattribute__"))
        case ast.Attribute() | ast.Subscript(ctx=ast.Store() | ast.Del()):
            return True
        case ast.AugAssign(target=ast.Name(id=name)):
            binding = scope.binding(name)
            return binding is None or not binding.fixed
        case (
            ast.For(iter=given)
            | ast.comprehension(iter=given)
            | ast.Starred(value=given)
            | ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[given])
            | ast.Assign(targets=[ast.Tuple() | ast.List()], value=given)
        ) if facts.lazy:
            return may_run(scope, given)
    if kind in OPERATIONS:
        return any(name.startswith("__") for name in facts.hooks - NO_OPERATORS)
    return kind in PAUSES


def may_run(scope: Scope, given: ast.expr) -> bool:
    """May iterating over it run code? What is held somewhere may be a generator."""
    held = isinstance(given, (ast.Attribute, ast.Name, ast.Subscript))
    return held and not is_fixed(scope, given)


def is_fixed(scope: Scope, node: ast.expr) -> bool:
    """Is it a value that nothing can change in place: a number, or an array of JAX?"""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name):
            binding = scope.binding(name)
            return binding.fixed if binding is not None else scope.is_constant(name)
        case ast.BinOp(left=one, right=other) | ast.IfExp(body=one, orelse=other):
            return is_fixed(scope, one) and is_fixed(scope, other)
        case ast.Tuple(elts=parts):
            return all(is_fixed(scope, part) for part in parts)
        case ast.Subscript(value=ast.Attribute(attr="shape")):
            return is_integer(node.slice)
        case (
            ast.UnaryOp(operand=value)
            | ast.Starred(value=value)
            | ast.NamedExpr(value=value)
            | ast.Attribute(attr="T", value=value)
            | ast.Subscript(value=value)
        ):
            return is_fixed(scope, value)
        case ast.Call(func=ast.Name(id="float" | "int" | "len" as name)):
            return scope.binding(name) is None and scope.resolve(node.func) is None
        case ast.Call(func=function, args=given):
            dotted = scope.resolve(function)
            if dotted == "numpyro.deterministic":
                return len(given) == 2 and is_fixed(scope, given[1])
            if dotted == "jax.numpy.reshape" and given:  # of NumPy's arrays it gives views
                return is_fixed(scope, given[0])
            if dotted is not None:
                return effect_of(dotted).immutable
            if not isinstance(function, ast.Attribute) or function.attr == "tolist":
                return False
            reduces = function.attr in REDUCTIONS and not given and not node.keywords
            return reduces or is_fixed(scope, function.value)
    return scope.resolve(node) is not None


def before(root: ast.AST, node: ast.AST) -> list[ast.AST]:
    """What `root` evaluates before it comes to `node`, which is in it."""
    around = {part: outer for outer in walk(root) for part in parts_of(outer)}
    found: list[ast.AST] = []
    while node is not root:
        outer = around[node]
        parts = in_order(outer)
        found += parts[: parts.index(node)] if node in parts else []
        node = outer
    return found


def in_order(node: ast.AST) -> Sequence[ast.AST]:
    """The parts of a node as they are evaluated, without the targets of an assignment."""
    match node:
        case ast.Assign() | ast.AnnAssign():
            return [node.value] if node.value is not None else []
        case ast.Dict():
            items = zip(node.keys, node.values, strict=True)
            return [part for item in items for part in item if part is not None]
    return parts_of(node)


def bindings_in(node: ast.AST) -> list[ast.NamedExpr]:
    """``(s := 2.0)``, wherever it stands in an expression"""
    return [part for part in walk(node) if type(part) is ast.NamedExpr]


def read_again(node: ast.expr) -> set[str]:
    """The names that an expression binds and reads elsewhere: not of ``dist.Normal(m := -m, 1)``"""
    found = set()
    for binding in bindings_in(node):
        others = set(walk(node)).difference(walk(binding))
        names = {part.id for part in others if isinstance(part, ast.Name)}
        found |= names & {binding.target.id}
    return found


#: Special methods that run where a call or a statement shows it, and those that make texts.
SHOWN = words(
    """__aenter__ __aexit__ __call__ __del__ __delattr__ __delitem__ __enter__ __exit__ __init__
    __init_subclass__ __new__ __post_init__ __repr__ __set__ __set_name__ __setattr__ __setitem__
    __setstate__ __str__"""
)


#: What binds others' names, or lets others run.
OUTWARD = kinds("Await Global Nonlocal Yield YieldFrom")


def facts_of(index: Index) -> FileFacts:
    """What the functions and classes of a file may do, wherever they are called."""
    patched = index.starred or "builtins" in index.aliases.values()
    patched = patched or not index.identifiers.isdisjoint(("__builtins__", "globals"))
    given = frozenset() if patched else frozenset(dir(builtins))
    kept = given - index.module_names - index.globals
    impure = {s.node.name for s in index.functions if not only_computes_in(index, kept, s)}
    readers: dict[str, set[str]] = {}  # by a name or an attribute, the functions that read it
    for scoped in (scoped for scoped in index.functions if scoped.node.name not in impure):
        for part in scoped.parts:
            if isinstance(part, (ast.Attribute, ast.Name)):
                name = part.attr if isinstance(part, ast.Attribute) else part.id
                readers.setdefault(name, set()).add(scoped.node.name)
    impure = reached(readers, impure)
    special = {name for name in impure if name.startswith("__") and name.endswith("__")}
    declared = {
        part.target.id
        for node in index.classes.values()
        for part in node.body
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name)
    }
    return FileFacts(
        builtins=kept,
        own=frozenset(index.by_last),
        impure=frozenset(impure),
        fields=frozenset(index.attributes) | declared,
        hooks=frozenset(index.hooks),
        hooked=bool(special - SHOWN),
        lazy=index.lazy,
    )


def only_computes_in(index: Index, kept: frozenset[str], scoped: Scoped) -> bool:
    """Does a function, but for the file's own functions in it, nothing but compute?"""
    if not scoped.holds.isdisjoint(OUTWARD):
        return False
    for part in scoped.parts:
        if isinstance(part, ast.Call):
            dotted = dotted_name(index.aliases, part.func)
            last = getattr(part.func, "attr", None) or getattr(part.func, "id", "")
            if dotted is None and last in index.by_last:
                continue  # it is looked through itself
            if dotted is None and isinstance(part.func, ast.Name):
                dotted = f"builtins.{last}" if last in kept else f".{last}"
            if not effect_of_call(part, dotted).computes:
                return False
        elif isinstance(part, (ast.Attribute, ast.Subscript)) and not is_read(part):
            return False
    return True
