"""What does a call do beside giving a value, as far as the name of what it calls tells?

One table answers for the functions of other modules, Python's builtins and the methods of arrays,
distributions and containers. What isn't in it may do anything. Everybody who has to know what a
call may do to its arguments, to names or to the rest of the program asks `effect_of_call`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace


class Effect(Struct, frozen=True):
    """What a call may do, from "nothing but compute" to "anything", which is the default.

    `quiet`: it changes no value in place and binds no name. `computes`: neither does it anything
    else that shows, as printing and sampling do. `pure`: moreover it gives the same value whenever
    and wherever it is made.
    `mutates`: it is known to change what it is given. `calls`: it may call a function that it is
    given. `returns`: what it is given may be what it gives back, or be in that. `iterates`: it
    goes through what it is given, which runs a generator. `immutable`: nothing can change
    in place what it gives back.
    """

    quiet: bool = False
    computes: bool = False
    pure: bool = False
    mutates: bool = False
    calls: bool = True
    returns: bool = True
    iterates: bool = False
    immutable: bool = False


#: What isn't known may do anything.
ANYTHING = Effect()

COMPUTES = Effect(quiet=True, computes=True, pure=True, calls=False, returns=False)
MUTATES = Effect(mutates=True, calls=False, returns=False)

#: What the functions of a module do unless their own names say otherwise, most special first.
MODULES: dict[str, Effect] = {
    "jax.numpy.": replace(COMPUTES, immutable=True),
    "jax.nn.": replace(COMPUTES, immutable=True),
    "jax.lax.": COMPUTES,  # some give lists
    "jax.scipy.special.": replace(COMPUTES, immutable=True),
    "jax.scipy.optimize.": ANYTHING,  # these run what they are given
    "jax.scipy.sparse.": ANYTHING,
    "jax.scipy.": Effect(quiet=True, calls=False, returns=False, immutable=True),
    "jax.random.": Effect(quiet=True, calls=False, returns=False, immutable=True),
    "numpy.random.": Effect(calls=False, returns=False),  # it has a state
    "numpy.ndarray.": ANYTHING,
    "numpy.": COMPUTES,
    "scipy.special.": COMPUTES,
    "math.": COMPUTES,
    "numpyro.distributions.": COMPUTES,
    "numpyro.contrib.": ANYTHING,
    "numpyro.infer.": ANYTHING,  # it runs models
    "numpyro.util.": ANYTHING,
    "numpyro.": Effect(quiet=True),
    "builtins.": Effect(calls=False),
}

#: Modules whose functions compute arrays.
ARRAY_MODULES = (
    "jax.numpy.",
    "numpy.",
    "jax.nn.",
    "jax.scipy.special.",
    "scipy.special.",
    "jax.lax.",
)


def words(text: str) -> frozenset[str]:
    """The words of a text: a set of names that is short to write."""
    return frozenset(text.split())


#: What runs a function in its own way: more than once, on slices, or under a trace of its own.
RUNNERS = words("scan cond vmap pmap while_loop fori_loop switch")

#: Functions of the modules above that call what they are given, which may do anything.
HIGHER_ORDER = RUNNERS | words(
    """apply_along_axis apply_over_axes associative_scan composite custom_linear_solve custom_root
    fromfunction frompyfunc funm map piecewise platform_dependent reduce reduce_window scatter_apply
    vectorize"""
)

#: What fills an array of a shape that it is given first, and what takes one to that shape.
FILLING = words("empty full ones zeros")
EXPANDING = FILLING | words("expand expand_by")

#: Functions of the modules above that change what they are given, or files and settings.
IN_PLACE = words(
    """at copyto fill_diagonal fromfile fromregex genfromtxt load loadtxt memmap nested_iters nditer
    place put put_along_axis putmask save savetxt savez savez_compressed set_printoptions setbufsize
    seterr seterrcall"""
)

#: Functions of JAX that give a list of arrays, which may be changed.
SEVERAL = words("array_split broadcast_arrays dsplit hsplit meshgrid split vsplit")

#: Functions of JAX that may give the very array which they are given first, or a view of it.
SHARING = words("from_dlpack reshape")

#: NumPy's functions that write into an array which they are given as this argument, by position.
OUT = {
    name: position
    for position, names in {
        1: """abs absolute acos acosh arccos arccosh arcsin arcsinh arctan arctanh asin asinh atan
        atanh bitwise_count bitwise_invert bitwise_not cbrt ceil conj conjugate cos cosh deg2rad
        degrees exp exp2 expm1 fabs fix floor frexp invert isfinite isinf isnan isnat isneginf
        isposinf log log10 log1p log2 logical_not modf nan_to_num negative positive rad2deg radians
        reciprocal rint sign signbit sin sinh spacing sqrt square tan tanh trunc""",
        2: """add all amax amin any arctan2 argmax argmin around atan2 bitwise_and
        bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor choose concat concatenate
        copysign divide divmod dot equal float_power floor_divide fmax fmin fmod gcd greater
        greater_equal heaviside hypot lcm ldexp left_shift less less_equal logaddexp logaddexp2
        logical_and logical_or logical_xor matmul matvec max maximum median min minimum mod multiply
        nanargmax nanargmin nanmax nanmedian nanmin nextafter not_equal outer pow power ptp
        remainder right_shift round stack subtract true_divide vecdot vecmat""",
        3: """clip compress cumprod cumsum mean nancumprod nancumsum nanmean nanpercentile nanprod
        nanquantile nanstd nansum nanvar percentile prod quantile std sum take var""",
        4: "is_busday",
        5: "busday_count trace",
        6: "busday_offset",
    }.items()
    for name in names.split()
}

#: The same of SciPy's special functions, of which most take one array.
OUT_OF_SPECIAL = dict.fromkeys(words("beta betaln binom gammainc gammaincc xlog1py xlogy"), 2)

#: Keywords that say into what to write, or that what is given is written over.
WRITING = words("inplace out overwrite_input")

PURE_BUILTINS = words("abs bool float int len max min range round sum tuple list")
QUIET_BUILTINS = words(
    """all any dict divmod enumerate format frozenset isinstance pow print repr reversed set
    slice sorted str type zip"""
)


def effects(prefix: str, **flags: frozenset[str]) -> dict[str, Effect]:
    """The effects of functions, of which those that are named under a flag have that one."""
    return {
        prefix + name: Effect(**{flag: name in names for flag, names in flags.items()})
        for name in frozenset().union(*flags.values())
    }


#: Functions whose effect isn't that of their module.
FUNCTIONS: dict[str, Effect] = {
    **effects(
        "builtins.",
        quiet=PURE_BUILTINS | QUIET_BUILTINS,
        computes=PURE_BUILTINS | QUIET_BUILTINS - {"print"},
        pure=PURE_BUILTINS,
        mutates=words("delattr exec next setattr"),
        calls=words("filter map max min sorted"),
        iterates=words(
            """all any dict enumerate filter frozenset list map max min reversed set sorted sum
            tuple zip"""
        ),
    ),
    **effects(
        "numpyro.",
        quiet=words("deterministic factor get_mask param prng_key sample subsample"),
        calls=frozenset(),
        returns=frozenset(),
        immutable=words("param sample"),
    ),
    **{f"numpy.{name}": replace(COMPUTES, iterates=True) for name in ("fromiter", "sum")},
}

PURE_METHODS = words("expand expand_by mask max mean min reshape sum to_event")
QUIET_METHODS = words(
    """all any argmax argmin argsort astype clip copy cumprod cumsum diagonal dot endswith flatten
    format get item items join keys lower nonzero prod ravel repeat replace round split squeeze
    startswith std strip swapaxes tolist trace transpose upper values var"""
)
#: Functions and methods that reduce to a scalar when no axis is given.
REDUCTIONS = words("amax amin max mean median min prod std sum var")
MUTATING_METHODS = words(
    """__delattr__ __delitem__ __setattr__ __setitem__ add append appendleft clear difference_update
    discard exec extend extendleft fill insert intersection_update itemset next partition pop
    popitem popleft put remove resize reverse rotate send setdefault setflags sort
    symmetric_difference_update update"""
)

#: Methods of arrays, distributions, texts and containers.
METHODS = effects(
    "",
    quiet=PURE_METHODS | QUIET_METHODS,
    computes=PURE_METHODS | QUIET_METHODS,
    pure=PURE_METHODS,
    mutates=MUTATING_METHODS,
    iterates=words("join"),
)


@lru_cache(4096)
def effect_of(dotted: str) -> Effect:
    """What the function of that qualified name does, if it isn't told where to put the result."""
    if dotted in FUNCTIONS:
        return FUNCTIONS[dotted]
    effect = next((e for module, e in MODULES.items() if dotted.startswith(module)), ANYTHING)
    name = dotted.rpartition(".")[2]
    if effect is ANYTHING or dotted.startswith(("builtins.", "numpyro.")):
        return effect
    if name in HIGHER_ORDER:
        return replace(ANYTHING, immutable=effect.immutable)
    if name in IN_PLACE:  # those of JAX give another array
        return replace(effect, pure=False) if dotted.startswith("jax.") else MUTATES
    return replace(effect, immutable=effect.immutable and name not in SEVERAL | SHARING)


def effect_of_call(call: ast.Call, dotted: str | None) -> Effect:
    """What a call does; `dotted` is the qualified name of what it calls, if that has one.

    Else it is taken for a call of a method of an array, a distribution or a container.
    """
    module, _, name = (dotted or "").rpartition(".")
    match call.func:
        case _ if dotted is not None:
            effect = effect_of(dotted)
        case ast.Attribute(value=ast.Subscript(value=ast.Attribute(attr="at")), attr=name):
            return COMPUTES if name != "apply" else ANYTHING  # ``x.at[0].set(1.0)`` is another one
        case ast.Attribute(attr=name):
            effect = METHODS.get(name, ANYTHING)
        case _:
            return ANYTHING
    return told_otherwise(call, module, name, effect) if effect.quiet else effect


def told_otherwise(call: ast.Call, module: str, name: str, effect: Effect) -> Effect:
    """The effect of a quiet call whose arguments may say into what to write, or what to call.

    ``np.exp(x, out=x)``, ``np.exp(x, x)``, ``x.clip(0, 1, **options)``, ``max(xs, key=f)``
    """
    count = len(call.args) + (not module)  # with what a method is called of
    if module.startswith(("jax", "numpyro", "math")) or (count < 2 and not call.keywords):
        return effect
    given = {keyword.arg for keyword in call.keywords}
    if not given.isdisjoint(WRITING) or (name == "nan_to_num" and "copy" in given):
        return MUTATES
    if module == "builtins":
        return effect if given.isdisjoint(("key", "file")) else ANYTHING
    if None in given:
        return ANYTHING
    position = OUT_OF_SPECIAL.get(name, 1) if module == "scipy.special" else OUT.get(name, count)
    return MUTATES if count > position else effect


class FileFacts(Struct, frozen=True):
    """What is known of the names of a file, whatever function they are read in.

    `builtins` are those that mean what Python has them for. `own` are the last names of all
    functions of the file, and `impure` those of them that may do more than compute. `fields` are
    attributes that the file sets or declares. `hooks` are its functions that run without a call,
    as operators and properties do, and `hooked`: one of them may do more than compute. `lazy`:
    something in the file runs code when it is iterated over. `spelt` has for names of other modules
    how the file can read them: ``parts.N``.
    """

    builtins: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    impure: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    hooks: frozenset[str] = frozenset()
    hooked: bool = False
    lazy: bool = False
    spelt: Mapping[str, str] = {}
