"""The config: what is read from it, and the full message of every mistake."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from reparam_rewrite.config.reading import Config, ParentRule, Settings, read_config
from reparam_rewrite.config.schema import config_schema
from reparam_rewrite.messages import Place, Refusal

WHOLE = """\
functions = ["model", "Forecaster.model", "outer.inner"]

chain = ["mu", "a", "b", "z", "A", "B", "C"]

[defaults]
coefficient = "shared"
init = 0.5
learn = true
reduce = "sum"
name = "xi_{child}_{parent}"

[sites.a]
offset = "mu"

[sites.B]
offset = ["mu", "w"]
reduce = "error"

[sites.A]
init = 1
name = "{{{child}}}"

[sites.A.offset]
mu = {}
z  = { init = 1.0, learn = false }
b  = false
x  = { value = " x_bar * beta ", center = 20, coefficient = "elementwise", name = "gamma" }
y  = { center = "mean( y )" }
"""


def read(text: str) -> Config:
    return read_config(text.encode(), "o.toml")


def mistakes(data: str | bytes) -> str:
    """All the messages for a config that is refused, as they are printed."""
    with pytest.raises(Refusal) as refusal:
        read_config(data.encode() if isinstance(data, str) else data, "o.toml")
    return "\n".join(str(problem) for problem in refusal.value.diagnostics)


def at(line: int, column: int) -> Place:
    return Place("o.toml", line, column)


# What is read


def test_functions_and_chain_are_names_with_their_places() -> None:
    config = read(WHOLE)
    assert [(f.name, f.place) for f in config.functions] == [
        ("model", at(1, 14)),
        ("Forecaster.model", at(1, 23)),
        ("outer.inner", at(1, 43)),
    ]
    (chain,) = config.chains
    assert "".join(entry.name for entry in chain) == "muabzABC"
    assert chain[1].place == at(3, 16)


def test_several_chains() -> None:
    config = read('chain = [["mu", "a"], ["mu", "b"]]')
    assert [[entry.name for entry in chain] for chain in config.chains] == [
        ["mu", "a"],
        ["mu", "b"],
    ]


def test_defaults() -> None:
    assert read(WHOLE).defaults == Settings(coefficient="shared", init=0.5, reduce="sum")
    assert read('chain = ["mu", "a"]').defaults == Settings(
        coefficient="elementwise", init=0.0, learn=True, reduce="mean", name="xi_{child}_{parent}"
    )


def test_sites_in_the_order_of_the_file() -> None:
    config = read(WHOLE)
    assert [(site.name, site.place) for site in config.sites.values()] == [
        ("a", at(12, 8)),
        ("B", at(15, 8)),
        ("A", at(19, 8)),
    ]


@pytest.mark.parametrize(
    ("offset", "parents"),
    [
        ('"mu"', [ParentRule(parent="mu", place=at(2, 10))]),
        (
            '["mu", "z"]',
            [ParentRule(parent="mu", place=at(2, 11)), ParentRule(parent="z", place=at(2, 17))],
        ),
        ("{ mu = {} }", [ParentRule(parent="mu", place=at(2, 12))]),
        (
            "{ mu.learn = false }",
            [ParentRule(parent="mu", place=at(2, 12), overrides={"learn": False})],
        ),
    ],
)
def test_forms_of_offset(offset: str, parents: list[ParentRule]) -> None:
    assert list(read(f"[sites.a]\noffset = {offset}").sites["a"].parents) == parents


def test_offset_table() -> None:
    assert list(read(WHOLE).sites["A"].parents) == [
        ParentRule(parent="mu", place=at(24, 1)),
        ParentRule(parent="z", place=at(25, 1), overrides={"init": 1.0, "learn": False}),
        ParentRule(parent="b", place=at(26, 1), keep=False),
        ParentRule(
            parent="x",
            place=at(27, 1),
            value="x_bar * beta",
            center=20.0,
            places={"value": at(27, 16), "center": at(27, 43)},
            overrides={"coefficient": "elementwise", "name": "gamma"},
        ),
        ParentRule(parent="y", place=at(28, 1), center="mean( y )", places={"center": at(28, 17)}),
    ]


def test_settings_of_a_parent_win_over_those_of_its_site_and_those_over_the_defaults() -> None:
    config = read(WHOLE)
    of_defaults = Settings(coefficient="shared", init=0.5, reduce="sum")
    of_site = msgspec.structs.replace(of_defaults, init=1.0, name="{{{child}}}")
    assert config.settings("a", "mu") == of_defaults
    assert config.settings("C", "mu") == of_defaults  # of the chain alone
    assert config.settings("B", "w") == msgspec.structs.replace(of_defaults, reduce="error")
    assert config.settings("A", "a") == of_site  # of the chain, with a table for the child
    assert config.settings("A", "z") == msgspec.structs.replace(of_site, learn=False)


def test_how_the_models_are_called_by_verify() -> None:
    config = read('chain = ["a", "b"]\n[verify]\nargs = "(8,), {}"\nfunction = "Model.run"')
    assert (config.verify.args, config.verify.function) == ("(8,), {}", "Model.run")
    config = read('chain = ["a", "b"]\n[verify]\npredict_args = "example.py:new_args"')
    assert config.verify.predict_args == "example.py:new_args"
    assert read('chain = ["a", "b"]').verify.args is None


def test_numbers_may_be_integers() -> None:
    init = read(WHOLE).settings("A", "mu").init
    assert (init, type(init)) == (1.0, float)


def test_rule_of_a_pair() -> None:
    config = read(WHOLE)
    assert config.rule("A", "x") is config.sites["A"].parents[3]
    assert config.rule("A", "a") is None
    assert config.rule("C", "a") is None


@pytest.mark.parametrize(
    ("child", "parent", "place", "why"),
    [
        ("A", "x", at(27, 1), "its key in the offset table"),
        ("A", "b", at(26, 1), "its key, though it drops the pair"),
        ("a", "mu", at(13, 10), "the string"),
        ("B", "w", at(16, 17), "the string in the list"),
        ("A", "a", at(3, 31), "the child in the chain"),
        ("C", "unknown", at(3, 41), "the child in the chain, for want of the parent"),
        ("unknown", "mu", at(1, 1), "nothing names it"),
    ],
)
def test_place_of_pair(child: str, parent: str, place: Place, why: str) -> None:
    assert read(WHOLE).place_of_pair(child, parent) == place, why


def test_place_of_pair_is_in_the_chain_that_has_both() -> None:
    config = read('chain = [["mu", "a"],\n ["nu", "a"]]')
    assert config.place_of_pair("a", "mu") == at(1, 17)
    assert config.place_of_pair("a", "nu") == at(2, 9)


def test_source_line_ends_only_at_a_line_feed() -> None:
    config = read_config('\ufeffchain = ["mu",\r\n"a\u2028b"]\r\n'.encode(), "o.toml")
    assert [config.source_line(at(line, 1)) for line in (1, 2, 3, 4)] == [
        'chain = ["mu",',
        '"a\u2028b"]',
        "",
        "",
    ]


WARNED = """[sites.a.offset]\nx = { value = 'f("\\d")' }"""


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('chain = ["mu", "a"]\n[sites.a]\noffset = "z"', "the union of chain and offset"),
        ('chain = ["mu", "a"]\n[sites.a]', "an empty table for a site of a chain"),
        ('chain = ["mu", "a"]\n[sites.a]\nlearn = false', "settings for a site of a chain"),
        ('chain = ["mu", "a"]\n[sites]\n[defaults]', "empty tables"),
        ('chain = [["mu", "a"], ["nu", "mu", "a"]]', "a pair in two chains"),
        ('sites.a.offset = "mu"', "dotted keys"),
        ('[sites."enc.loc"]\noffset = "enc/scale"', "names that Python would not allow"),
        ('[sites.a.offset]\n"any *" = { value = "x" }', "a label that is no name of a site"),
        ('[sites.a.offset]\na = { value = "x" }', "a label that is the child"),
        ("[sites.a.offset]\nx = { value = '''f(\nx,\n)''' }", "an expression over lines"),
        (WARNED, "an expression that Python warns of"),
    ],
)
def test_accepted(text: str, why: str) -> None:
    assert read(text), why
    assert read_config(text.replace("\n", "\r\n").encode(), "o.toml"), why


def test_expressions_do_not_warn(recwarn: pytest.WarningsRecorder) -> None:
    read(WARNED)
    assert not recwarn.list


# What is refused. Each row: the config, and all that is printed.

TOP = [
    (
        "",
        """\
o.toml:1:1: the config configures nothing: it has no 'chain', 'conditional' or [sites.<site>]
hint: write, for example, [sites.a] and under it offset = "mu".""",
    ),
    (
        "# nothing\n[defaults]\ninit = 1.0",
        """\
o.toml:1:1: the config configures nothing: it has no 'chain', 'conditional' or [sites.<site>]
    # nothing
    ^
hint: write, for example, [sites.a] and under it offset = "mu".""",
    ),
    (
        'chains = ["mu", "a"]',
        """\
o.toml:1:1: unknown key 'chains'
    chains = ["mu", "a"]
    ^
hint: did you mean 'chain'?""",
    ),
    (
        '[prove]\n[sites.a]\noffset = "mu"',
        """\
o.toml:1:2: unknown key 'prove'
    [prove]
     ^
hint: the valid keys are 'functions', 'chain', 'conditional', 'defaults', 'axes', 'sites' \
and 'verify'.""",
    ),
    (
        'chain = ["mu", "a"]\n[verify]\narg = "()"\nfunction = "a b"\nargs = " "',
        """\
o.toml:3:1: unknown key 'arg' in [verify]
    arg = "()"
    ^
hint: did you mean 'args'?
o.toml:4:12: 'a b' is not the name of a function
    function = "a b"
               ^
hint: write 'model', 'Class.method' or 'outer.inner'.
o.toml:5:8: 'args' is empty
    args = " "
           ^""",
    ),
    (
        'chain = ["mu", "a"]\n[verify]\nargs = ["example.py"]',
        """\
o.toml:3:8: 'args' must be a string, not an array
    args = ["example.py"]
           ^""",
    ),
    (
        'init = 1.0\nchain = ["mu", "a"]',
        """\
o.toml:1:1: unknown key 'init'
    init = 1.0
    ^
hint: 'init' goes in [defaults], [sites.<site>] or the table of a parent.""",
    ),
    (
        "defaults = 1\nsites = 1979-05-27",
        """\
o.toml:1:12: [defaults] must be a table, not an integer
    defaults = 1
               ^
hint: write a line [defaults], and its keys below.
o.toml:2:9: [sites] must be a table, not a date or a time
    sites = 1979-05-27
            ^
hint: write a line [sites], and its keys below.""",
    ),
]

FUNCTIONS = [
    (
        'functions = "model"\nchain = ["mu", "a"]',
        """\
o.toml:1:13: 'functions' must be an array of strings, not a string
    functions = "model"
                ^
hint: write functions = ["model"].""",
    ),
    (
        'functions = []\nchain = ["mu", "a"]',
        """\
o.toml:1:13: 'functions' is empty
    functions = []
                ^
hint: leave it out to rewrite the only function that samples the sites.""",
    ),
    (
        'functions = ["f", 1.5, "", "f", "my-model", "a.class", "a..b"]\nchain = ["mu", "a"]',
        """\
o.toml:1:19: 'functions' must hold strings, not a float
    functions = ["f", 1.5, "", "f", "my-model", "a.class", "a..b"]
                      ^
o.toml:1:24: the name of a function is empty
    functions = ["f", 1.5, "", "f", "my-model", "a.class", "a..b"]
                           ^
o.toml:1:28: 'f' is already in this array
    functions = ["f", 1.5, "", "f", "my-model", "a.class", "a..b"]
                               ^
hint: take one of them out.
o.toml:1:33: 'my-model' is not the name of a function
    functions = ["f", 1.5, "", "f", "my-model", "a.class", "a..b"]
                                    ^
hint: write 'model', 'Class.method' or 'outer.inner'.
o.toml:1:45: 'a.class' is not the name of a function
    functions = ["f", 1.5, "", "f", "my-model", "a.class", "a..b"]
                                                ^
hint: write 'model', 'Class.method' or 'outer.inner'.
o.toml:1:56: 'a..b' is not the name of a function
    functions = ["f", 1.5, "", "f", "my-model", "a.class", "a..b"]
                                                           ^
hint: write 'model', 'Class.method' or 'outer.inner'.""",
    ),
]

CHAINS = [
    (
        'chain = "mu"',
        """\
o.toml:1:9: 'chain' must be an array, not a string
    chain = "mu"
            ^
hint: write chain = ["mu", "a"].""",
    ),
    (
        'chain = ["mu"]',
        """\
o.toml:1:9: a chain needs at least two sites
    chain = ["mu"]
            ^
hint: each site of a chain is offset by those that are sampled before it.""",
    ),
    (
        'chain = [["mu", "a"], []]',
        """\
o.toml:1:23: a chain needs at least two sites
    chain = [["mu", "a"], []]
                          ^
hint: each site of a chain is offset by those that are sampled before it.""",
    ),
    (
        'chain = [["mu", "a"], ["b"]]',
        """\
o.toml:1:23: a chain needs at least two sites
    chain = [["mu", "a"], ["b"]]
                          ^
hint: each site of a chain is offset by those that are sampled before it.""",
    ),
    (
        'chain = ["mu", ["a", "b"]]',
        """\
o.toml:1:16: 'chain' mixes the names of one chain with arrays, which are several chains
    chain = ["mu", ["a", "b"]]
                   ^
hint: write chain = [["mu", "a"], ["nu", "b"]] for several.""",
    ),
    (
        'chain = ["mu", "a", "", true,\n  "a", "beta_*"]',
        """\
o.toml:1:21: the name of a site is empty
    chain = ["mu", "a", "", true,
                        ^
o.toml:1:25: 'chain' must hold strings, not a boolean
    chain = ["mu", "a", "", true,
                            ^
o.toml:2:3: 'a' is already in this array
    "a", "beta_*"]
    ^
hint: take one of them out.
o.toml:2:8: 'beta_*' is a glob, and one site must be named here
    "a", "beta_*"]
         ^
hint: only [sites.<site>] takes a glob; name each of the sites that 'beta_*' is for.""",
    ),
]

CONDITIONAL = [
    (
        'conditional = "mu"',
        """\
o.toml:1:15: 'conditional' must be an array of strings or a table, not a string
    conditional = "mu"
                  ^
hint: write conditional = ["mu", "a"].""",
    ),
    (
        "conditional = []",
        """\
o.toml:1:15: 'conditional' names no site
    conditional = []
                  ^
hint: name the sites in the order in which they are to be sampled.""",
    ),
    (
        'conditional = ["a", "a"]',
        """\
o.toml:1:21: 'a' is already in this array
    conditional = ["a", "a"]
                        ^
hint: take one of them out.""",
    ),
    (
        'conditional = ["a", 1]',
        """\
o.toml:1:21: 'conditional' must hold strings, not an integer
    conditional = ["a", 1]
                        ^""",
    ),
    (
        """\
[conditional]
given = ["mu"]""",
        """\
o.toml:1:2: [conditional] has no 'order'
    [conditional]
     ^
hint: write order = ["mu", "a"].""",
    ),
    (
        """\
[conditional]
order = []""",
        """\
o.toml:2:9: 'conditional' names no site
    order = []
            ^
hint: name the sites in the order in which they are to be sampled.""",
    ),
    (
        """\
[conditional]
order = ["a"]
given = []""",
        """\
o.toml:3:9: 'given' names no site
    given = []
            ^
hint: leave it out.""",
    ),
    (
        """\
[conditional]
order = ["a", "b"]
given = ["b"]""",
        """\
o.toml:3:10: 'b' is in 'order' too
    given = ["b"]
             ^
hint: take one of them out.""",
    ),
    (
        """\
[conditional]
order = ["a"]
form = "exactt"
""",
        """\
o.toml:3:8: 'form' must be 'exact', 'sequential' or 'rotated', not 'exactt'
    form = "exactt"
           ^
hint: did you mean 'exact'?""",
    ),
    (
        """\
[conditional]
order = ["a"]
noise = "sigma"
""",
        """\
o.toml:3:9: [conditional.noise] must be a table, not a string
    noise = "sigma"
            ^
hint: write a line [conditional.noise], and its keys below.""",
    ),
    (
        """\
[conditional]
order = ["a"]
noise = { y = 1.0 }""",
        """\
o.toml:3:15: 'y' must be a string, not a float
    noise = { y = 1.0 }
                  ^""",
    ),
    (
        """\
[conditional]
order = ["a"]
data = "a.csv"
""",
        """\
o.toml:3:8: 'data' must be the name of an .npz
    data = "a.csv"
           ^
hint: name an .npz that is beside the generated file, such as 'offsets.npz'.""",
    ),
    (
        """\
conditional = ["a"]
chain = ["mu", "a"]""",
        """\
o.toml:1:16: 'a' is offset by a chain too
    conditional = ["a"]
                   ^
hint: take it out of one of the two.""",
    ),
    (
        """\
conditional = ["a"]
sites.b.conditional = { scale = "s" }""",
        """\
o.toml:2:9: 'b' isn't in 'conditional'
    sites.b.conditional = { scale = "s" }
            ^
hint: add it there, or take this out.""",
    ),
    (
        """\
conditional = ["a"]
sites.a.offset = "mu"
""",
        """\
o.toml:2:9: 'a' is in 'conditional', which takes the whole site
    sites.a.offset = "mu"
            ^
hint: take the site out of 'conditional', or leave this out.""",
    ),
    (
        """\
conditional = ["a"]
sites.a.conditional = "s"
""",
        """\
o.toml:2:23: [sites.a.conditional] must be a table, not a string
    sites.a.conditional = "s"
                          ^
hint: write a line [sites.a.conditional], and its keys below.""",
    ),
    (
        """\
conditional = ["a"]
sites.a.conditional = { scal = "s" }""",
        """\
o.toml:2:25: unknown key 'scal' in [sites.a.conditional]
    sites.a.conditional = { scal = "s" }
                            ^
hint: did you mean 'scale'?""",
    ),
    (
        """\
[conditional]
order = ["a", 1]
given = "mu"
""",
        """\
o.toml:2:15: 'order' must hold strings, not an integer
    order = ["a", 1]
                  ^
o.toml:3:9: 'given' must be an array of strings, not a string
    given = "mu"
            ^""",
    ),
]

SETTINGS = [
    (
        'chain = ["mu", "a"]\n'
        '[defaults]\ncoefficient = "elementwize"\nreduce = 3\ninit = "1"\nlearn = 1',
        """\
o.toml:3:15: 'coefficient' must be 'elementwise', 'shared', 'matrix' or an array of axes, \
not 'elementwize'
    coefficient = "elementwize"
                  ^
hint: did you mean 'elementwise'?
o.toml:4:10: 'reduce' must be 'mean', 'sum' or 'error', not an integer
    reduce = 3
             ^
o.toml:5:8: 'init' must be a number, an array or the name of an .npz
    init = "1"
           ^
hint: name an .npz that is beside the generated file, such as 'offsets.npz'.
o.toml:6:9: 'learn' must be a boolean, not an integer
    learn = 1
            ^""",
    ),
    (
        '[sites.a]\noffset = "mu"\nreduce = "none"\ninit = true\nname = ["a"]',
        """\
o.toml:3:10: 'reduce' must be 'mean', 'sum' or 'error', not 'none'
    reduce = "none"
             ^
o.toml:4:8: 'init' must be a number, not a boolean
    init = true
           ^
o.toml:5:8: 'name' must be a string, not an array
    name = ["a"]
           ^""",
    ),
    (
        "[sites.a.offset]\n"
        "b = { init = nan }\n"
        "c = { init = 1e999 }\n"
        "d = { init = 1" + "0" * 310 + " }",
        """\
o.toml:2:14: 'init' must be a finite number, not nan
    b = { init = nan }
                 ^
o.toml:3:14: 'init' must be a finite number, not inf
    c = { init = 1e999 }
                 ^
o.toml:4:14: 'init' is too large for a float
    d = { init = 1"""
        + "0" * 310
        + """ }
                 ^""",
    ),
    (
        "[sites.a.offset]\n"
        'b = { name = "" }\n'
        'c = { name = "xi_{site}" }\n'
        'd = { name = "xi_{child!r}" }\n'
        'e = { name = "xi_{parent:>3}" }\n'
        'f = { name = "xi_{child" }\n'
        'g = { name = "xi_{}" }',
        """\
o.toml:2:14: 'name' is empty
    b = { name = "" }
                 ^
hint: a name is needed, such as 'xi_{child}_{parent}'.
o.toml:3:14: 'name' cannot fill in '{site}'
    c = { name = "xi_{site}" }
                 ^
hint: only {child} and {parent} can be filled in; a literal brace is doubled.
o.toml:4:14: 'name' cannot fill in '{child!r}'
    d = { name = "xi_{child!r}" }
                 ^
hint: only {child} and {parent} can be filled in; a literal brace is doubled.
o.toml:5:14: 'name' cannot fill in '{parent:>3}'
    e = { name = "xi_{parent:>3}" }
                 ^
hint: only {child} and {parent} can be filled in; a literal brace is doubled.
o.toml:6:14: 'name' is not a template: expected '}' before end of string
    f = { name = "xi_{child" }
                 ^
hint: only {child} and {parent} can be filled in; a literal brace is doubled.
o.toml:7:14: 'name' cannot fill in '{}'
    g = { name = "xi_{}" }
                 ^
hint: only {child} and {parent} can be filled in; a literal brace is doubled.""",
    ),
    (
        '[defaults]\nchain = ["mu", "a"]\noffset = "mu"\nvalue = "x"\nlern = true',
        """\
o.toml:2:1: unknown key 'chain' in [defaults]
    chain = ["mu", "a"]
    ^
hint: 'chain' goes to the top of the file, before the first [table].
o.toml:3:1: unknown key 'offset' in [defaults]
    offset = "mu"
    ^
hint: 'offset' goes in [sites.<site>].
o.toml:4:1: unknown key 'value' in [defaults]
    value = "x"
    ^
hint: 'value' goes in the table of a parent, in [sites.<site>.offset].
o.toml:5:1: unknown key 'lern' in [defaults]
    lern = true
    ^
hint: did you mean 'learn'?""",
    ),
]

SITES = [
    (
        '[sites.a]\nofset = "mu"',
        """\
o.toml:2:1: unknown key 'ofset' in [sites.a]
    ofset = "mu"
    ^
hint: did you mean 'offset'?""",
    ),
    (
        "[sites.a]\nscale_tril = false\n[sites.b]\nscale_tril = 2.0\n[sites.c]\n"
        'scale_tril = "L"\nscale = 0.5\ncentered = 0.5',
        """\
o.toml:2:14: 'scale_tril' must be true or an expression
    scale_tril = false
                 ^
hint: leave it out.
o.toml:4:14: 'scale_tril' must be a boolean or a string, not a float
    scale_tril = 2.0
                 ^
o.toml:6:1: 'scale' and 'scale_tril' both say what the scale of the base is
    scale_tril = "L"
    ^
hint: take one of them out.
o.toml:8:1: 'centered' and 'scale' both say what the scale of the base is
    centered = 0.5
    ^
hint: take one of them out.""",
    ),
    (
        '[sites."a b"]\nquux = "dct"',
        """\
o.toml:2:1: unknown key 'quux' in [sites."a b"]
    quux = "dct"
    ^
hint: the valid keys are 'coefficient', 'init', 'learn', 'reduce', 'name', \
'offset', 'scale', 'centered', 'scale_tril', 'basis', 'reparam', 'args', 'transform' and \
'conditional'.""",
    ),
    (
        "[sites.a]\nscale = 0\n[sites.b]\nscale = -1.5\n[sites.c]\nscale = true",
        """\
o.toml:2:9: 'scale' must be above 0, not 0.0
    scale = 0
            ^
o.toml:4:9: 'scale' must be above 0, not -1.5
    scale = -1.5
            ^
o.toml:6:9: 'scale' must be a number or a string, not a boolean
    scale = true
            ^""",
    ),
    (
        '[sites.a]\nreparam = "LocScaleReparm"\n[sites.b]\nreparam = "NeuTraReparam"',
        """\
o.toml:2:11: there is no reparameterizer 'LocScaleReparm'
    reparam = "LocScaleReparm"
              ^
hint: did you mean 'LocScaleReparam'?
o.toml:4:11: NeuTraReparam can't be used: it needs a guide that was trained before, which a source \
file doesn't have
    reparam = "NeuTraReparam"
              ^""",
    ),
    (
        '[sites.a]\nreparam = "HaarReparam"\nargs = { dmi = -1 }\noffset = "mu"',
        """\
o.toml:3:10: HaarReparam has no argument 'dmi'
    args = { dmi = -1 }
             ^
hint: it takes dim and flip.
o.toml:4:1: 'offset' can't go with 'reparam'
    offset = "mu"
    ^
hint: HaarReparam takes the whole site; leave one of the two out.""",
    ),
    (
        '[sites.a]\nargs = { dim = -1 }\nscale = 2\n[sites.b]\nreparam = "ExplicitReparam"',
        """\
o.toml:2:1: 'args' needs 'reparam'
    args = { dim = -1 }
    ^
hint: name the class: reparam = "LocScaleReparam".
o.toml:5:11: 'ExplicitReparam' and 'transform' go together
    reparam = "ExplicitReparam"
              ^
hint: write transform = "dist.transforms.SoftplusTransform().inv", for example.""",
    ),
    (
        'chain = ["mu", "a"]\n[sites.a]\nreparam = "CircularReparam"',
        """\
o.toml:3:11: 'a' is in a chain, so it can't have 'reparam' too
    reparam = "CircularReparam"
              ^
hint: take the site out of the chain, or leave 'reparam' out.""",
    ),
    (
        '[sites.a]\nscale = "1 /"',
        """\
o.toml:2:9: 'scale' is not a Python expression: invalid syntax
    scale = "1 /"
            ^
hint: write one as it could stand in the model, such as 'x_bar * beta'.""",
    ),
    (
        "[sites.a]\nscale = { init = 0 }\n[sites.b]\nscale = { innit = 1.0 }",
        """\
o.toml:2:18: a scale must be above 0
    scale = { init = 0 }
                     ^
o.toml:4:11: unknown key 'innit' in [sites.b.scale]
    scale = { innit = 1.0 }
              ^
hint: did you mean 'init'?""",
    ),
    (
        '[sites.a]\nscale = { by = "s", power = 2 }\n[sites.b]\nscale = { power = 0.5 }',
        """\
o.toml:2:29: a power must be from 0 to 1, not 2.0
    scale = { by = "s", power = 2 }
                                ^
o.toml:4:11: 'power' needs 'by'
    scale = { power = 0.5 }
              ^
hint: write { by = "sigma", power = 0.5 }.""",
    ),
    (
        '[sites.a]\nscale = { by = "a" }\n[sites.b]\nscale = { by = "s", init = 2.0 }',
        """\
o.toml:2:16: 'a' cannot be offset by itself
    scale = { by = "a" }
                   ^
hint: name a site that is sampled before it, or take it out.
o.toml:4:21: 'init' does nothing beside 'by'
    scale = { by = "s", init = 2.0 }
                        ^
hint: with 'by' the scale is a power of that site; only 'power' can be learned.""",
    ),
    (
        "[sites.a]\nscale = { by = 1 }",
        """\
o.toml:2:16: 'by' must be a string, not an integer
    scale = { by = 1 }
                   ^""",
    ),
    (
        '[sites.a]\nscale = { by = "s", power = { init = -0.1 } }',
        """\
o.toml:2:38: a power must be from 0 to 1, not -0.1
    scale = { by = "s", power = { init = -0.1 } }
                                         ^""",
    ),
    (
        '[sites.a]\nbasis = "dtc"\n[sites.b]\nbasis = { dim = -1 }',
        """\
o.toml:2:9: 'basis' must be 'dct' or 'haar', not 'dtc'
    basis = "dtc"
            ^
hint: did you mean 'dct'?
o.toml:4:9: the basis has no 'kind'
    basis = { dim = -1 }
            ^
hint: write kind = "dct" or "haar".""",
    ),
    (
        '[sites.a]\nbasis = { kind = "dct", dim = 0 }\n'
        '[sites.b]\nbasis = { kind = "haar", smooth = 1 }',
        """\
o.toml:2:31: 'dim' counts from the right: -1 is the last axis, not 0
    basis = { kind = "dct", dim = 0 }
                                  ^
o.toml:4:26: 'smooth' belongs to the basis "dct"
    basis = { kind = "haar", smooth = 1 }
                             ^""",
    ),
    (
        '[sites.a]\nbasis = { kind = "dct", dim = [-1, 0] }\n'
        '[sites.b]\nbasis = { kind = "dct", dim = [-1, -1] }\n'
        '[sites.c]\nbasis = { kind = "dct", dim = [-1, 0.5] }\n'
        '[sites.d]\nbasis = { kind = "dct", dim = [] }',
        """\
o.toml:2:31: 'dim' counts from the right: -1 is the last axis, not 0
    basis = { kind = "dct", dim = [-1, 0] }
                                  ^
o.toml:4:31: 'dim' must name at least one axis, and each once
    basis = { kind = "dct", dim = [-1, -1] }
                                  ^
o.toml:6:31: 'dim' must be an integer or an array of integers, not an array
    basis = { kind = "dct", dim = [-1, 0.5] }
                                  ^
o.toml:8:31: 'dim' must name at least one axis, and each once
    basis = { kind = "dct", dim = [] }
                                  ^""",
    ),
    (
        '[sites.enc.loc]\noffset = "mu"',
        """\
o.toml:1:12: unknown key 'loc' in [sites.enc]
    [sites.enc.loc]
               ^
hint: a site whose name has a dot is quoted: [sites."enc.loc"].""",
    ),
    (
        '[sites]\na = "mu"\n[[sites.b]]\noffset = "mu"',
        """\
o.toml:2:5: [sites.a] must be a table, not a string
    a = "mu"
        ^
hint: write a line [sites.a], and its keys below.
o.toml:3:9: [sites.b] must be a table, not an array
    [[sites.b]]
            ^
hint: write a line [sites.b], and its keys below.""",
    ),
    (
        '[sites."beta_*"]\noffset = "mu"\n[sites.""]\noffset = "mu"\n[sites."a[0]"]',
        """\
o.toml:3:8: the name of a site is empty
    [sites.""]
           ^
o.toml:5:8: [sites."a[0]"] configures nothing: 'a[0]' has no 'offset' and is in no chain
    [sites."a[0]"]
           ^
hint: add an offset, or add the site to a chain.""",
    ),
    (
        'chain = ["mu", "b"]\n[sites.a]\ninit = 1.0\n[sites.b]\ninit = 1.0',
        """\
o.toml:2:8: [sites.a] configures nothing: 'a' has no 'offset' and is in no chain
    [sites.a]
           ^
hint: add an offset, or add the site to a chain.""",
    ),
    # What is wrong with the chain may be why the site is not in it.
    (
        'chain = "a"\n[sites.a]\ninit = 1.0\n[sites.b.offset]\nmu = false',
        """\
o.toml:1:9: 'chain' must be an array, not a string
    chain = "a"
            ^
hint: write chain = ["mu", "a"].""",
    ),
]

OFFSETS = [
    (
        "[sites.a]\noffset = 1\n"
        '[sites.b]\noffset = ["mu", 2, "mu", "b", ""]\n'
        "[sites.c]\noffset = []",
        """\
o.toml:2:10: 'offset' must be a string, an array of strings or a table, not an integer
    offset = 1
             ^
hint: name the site that 'a' is to be sampled around: offset = "mu".
o.toml:4:17: 'offset' must hold strings, not an integer
    offset = ["mu", 2, "mu", "b", ""]
                    ^
o.toml:4:20: 'mu' is already in this array
    offset = ["mu", 2, "mu", "b", ""]
                       ^
hint: take one of them out.
o.toml:4:26: 'b' cannot be offset by itself
    offset = ["mu", 2, "mu", "b", ""]
                             ^
hint: name a site that is sampled before it, or take it out.
o.toml:4:31: the name of a site is empty
    offset = ["mu", 2, "mu", "b", ""]
                                  ^
o.toml:6:10: the 'offset' of 'c' is empty
    offset = []
             ^
hint: name what 'c' is offset by, or leave 'offset' out.""",
    ),
    (
        '[sites.a]\noffset = "a"\n[sites.b]\noffset = ""\n'
        '[sites.c.offset]\n[sites.d]\noffset = "x?"',
        """\
o.toml:2:10: 'a' cannot be offset by itself
    offset = "a"
             ^
hint: name a site that is sampled before it, or take it out.
o.toml:4:10: the name of a site is empty
    offset = ""
             ^
o.toml:5:10: the 'offset' of 'c' is empty
    [sites.c.offset]
             ^
hint: name what 'c' is offset by, or leave 'offset' out.
o.toml:7:10: 'x?' is a glob, and one site must be named here
    offset = "x?"
             ^
hint: only [sites.<site>] takes a glob; name each of the sites that 'x?' is for.""",
    ),
    (
        '[sites.a.offset]\na = {}\n"b*" = {}\n"" = {}\nc = true\n"d e" = "x"\ninit = 1.0',
        """\
o.toml:2:1: 'a' cannot be offset by itself
    a = {}
    ^
hint: name a site that is sampled before it, or take it out.
o.toml:3:1: 'b*' is a glob, and one site must be named here
    "b*" = {}
    ^
hint: only [sites.<site>] takes a glob; name each of the sites that 'b*' is for.
o.toml:4:1: the name of a site is empty
    "" = {}
    ^
o.toml:5:5: 'c' must be a table or false, not true
    c = true
        ^
hint: write c = {} for an offset with every default.
o.toml:6:9: 'd e' must be a table or false, not a string
    "d e" = "x"
            ^
hint: write "d e" = {} for an offset with every default.
o.toml:7:8: 'init' must be a table or false, not a float
    init = 1.0
           ^
hint: the keys of 'offset' are the parents; a parent's settings are a table: \
mu = { init = ... }, and those of every parent go in [sites.a].""",
    ),
    (
        "[sites.a.offset]\nmu = { offset = 'z', centre = 1.0 }\n[sites.a.offset.z]\nknots = 2",
        """\
o.toml:2:8: unknown key 'offset' in [sites.a.offset.mu]
    mu = { offset = 'z', centre = 1.0 }
           ^
hint: 'offset' goes in [sites.<site>].
o.toml:2:22: unknown key 'centre' in [sites.a.offset.mu]
    mu = { offset = 'z', centre = 1.0 }
                         ^
hint: did you mean 'center'?
o.toml:4:1: unknown key 'knots' in [sites.a.offset.z]
    knots = 2
    ^
hint: the valid keys are 'coefficient', 'init', 'learn', 'reduce', 'name', 'value', 'center', \
'per' and 'weight'.""",
    ),
    (
        'chain = ["mu", "a", "beta"]\n[sites.a.offset]\nbeto = false\na = false\n'
        "[sites.z.offset]\nmu = false\nx = {}",
        """\
o.toml:3:1: there is no 'beto' to drop: it is in no chain with 'a'
    beto = false
    ^
hint: did you mean 'beta'?
o.toml:4:1: 'a' cannot be offset by itself
    a = false
    ^
hint: name a site that is sampled before it, or take it out.
o.toml:6:1: there is no 'mu' to drop: 'z' is in no chain
    mu = false
    ^
hint: without a chain, leave out the parents that are not wanted.""",
    ),
]

EXPRESSIONS = [
    ('value = "x +"', 9, "'value' is not a Python expression: invalid syntax"),
    ('value = "x = 1"', 9, "'value' is not a Python expression: invalid syntax"),
    ('value = "x # y"', 9, "'value' may not end in a comment"),
    ('value = "(y := x)"', 9, "'value' may not hold an assignment (':=')"),
    ('value = "f(lambda: (yield))"', 9, "'value' may not hold 'yield'"),
    ('value = "f(lambda: (yield from x))"', 9, "'value' may not hold 'yield'"),
    ('value = "await x"', 9, "'value' may not hold 'await'"),
    ('value = "[y async for y in x]"', 9, "'value' may not hold 'async for'"),
    ('value = "f(*x)"', 9, "'value' may not hold a starred expression"),
    ('value = "x, y"', 9, "'value' is a tuple, not a number or an array"),
    ("value = 1.0", 9, "'value' must be a string, not a float"),
    ("center = true", 10, "'center' must be a number or a string, not a boolean"),
    ("center = -inf", 10, "'center' must be a finite number, not -inf"),
    ('center = "x["', 10, "'center' is not a Python expression: '[' was never closed"),
    ('center = "(y := x)"', 10, "'center' may not hold an assignment (':=')"),
]

NOT_TOML = [
    (
        b"[sites.a]\noffset = mu\n",
        """\
o.toml:2:10: not TOML: invalid value
    offset = mu
             ^
hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.""",
    ),
    (
        b'[sites.a]\noffset = "mu"\n[sites.a]\ninit = 1.0',
        """\
o.toml:3:9: not TOML: cannot declare [sites.a] twice
    [sites.a]
            ^
hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.""",
    ),
    (
        b'chain = [\n  "mu",\n  "a"\n\n',
        """\
o.toml:3:6: not TOML: unclosed array
    "a"
       ^
hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.""",
    ),
    (
        b"\xef\xbb\xbfchain == 1\r\n",
        """\
o.toml:1:8: not TOML: invalid value
    chain == 1
           ^
hint: strings need quotes, brackets come in pairs, a table is there once: see toml.io.""",
    ),
    (
        b'chain = ["mu",\r\n  "\xc3\xa4\xff"]\r\n',
        """\
o.toml:2:5: not UTF-8: the byte 0xff
    "\u00e4\ufffd"]
      ^
hint: save the file as UTF-8.""",
    ),
    (
        b"\xff\xfe",
        """\
o.toml:1:1: not UTF-8: the byte 0xff
    \ufffd\ufffd
    ^
hint: save the file as UTF-8.""",
    ),
]


@pytest.mark.parametrize(
    ("text", "printed"), [*TOP, *FUNCTIONS, *CHAINS, *CONDITIONAL, *SETTINGS, *SITES, *OFFSETS]
)
def test_refused(text: str, printed: str) -> None:
    assert mistakes(text) == printed


@pytest.mark.parametrize(("given", "column", "message"), EXPRESSIONS)
def test_refused_in_the_table_of_a_parent(given: str, column: int, message: str) -> None:
    printed = mistakes(f"[sites.a.offset.x]\n{given}").split("\nhint: ")[0]
    assert printed == f"o.toml:2:{column}: {message}\n    {given}\n    {' ' * (column - 1)}^"


@pytest.mark.parametrize("key", ["value", "center"])
def test_an_empty_expression_is_refused(key: str) -> None:
    assert mistakes(f"[sites.a.offset.x]\n{key} = ' '") == (
        f"o.toml:2:{len(key) + 4}: '{key}' is empty\n"
        f"    {key} = ' '\n"
        f"    {' ' * (len(key) + 3)}^\n"
        "hint: a Python expression is needed, such as 'x_bar * beta'."
    )


@pytest.mark.parametrize(("data", "printed"), NOT_TOML)
def test_not_toml(data: bytes, printed: str) -> None:
    assert mistakes(data) == printed


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("[" * 9999 + "]" * 9999, "o.toml:1:1: not TOML: values are nested too deeply"),
        ("1" * 9999, "o.toml:1:1: not TOML: exceeds the limit (4300 digits) for integer string"),
    ],
)
def test_values_that_python_cannot_hold(value: str, message: str) -> None:
    assert mistakes(f"a = {value}").startswith(message)


def test_problems_are_in_the_order_of_the_file() -> None:
    with pytest.raises(Refusal) as refusal:
        read('[sites.a]\nlearn = 1\nofset = 2\ninit = ""\n[defaults]\nname = 1\n[site]')
    assert [str(problem.place) for problem in refusal.value.diagnostics] == [
        "o.toml:2:9",
        "o.toml:3:1",
        "o.toml:4:8",
        "o.toml:6:8",
        "o.toml:7:2",
    ]


# What the definition is good for besides


def test_every_key_is_described_in_a_json_schema() -> None:
    tables = {name: table["properties"] for name, table in config_schema()["$defs"].items()}
    pairs = {"Settings", "ParentTable"}
    sites = {"SiteTable", "ScaleTable", "PowerTable", "CenteredTable", "BasisTable", "EffectTable"}
    assert set(tables) == {"ConfigTable", "ConditionalTable", "VerifyTable"} | pairs | sites
    described = [
        bool(key.get("description")) for table in tables.values() for key in table.values()
    ]
    assert all(described)


def test_reading_a_config_imports_nothing_heavy() -> None:
    code = (
        "import sys; from reparam_rewrite.config.reading import read_config\n"
        'read_config(b\'chain = ["mu", "a"]\', "o.toml")\n'
        "print({'libcst', 'jax', 'numpyro', 'click'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
