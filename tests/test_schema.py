"""The JSON Schema: what an editor says of a config is what the program will say."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reparam_rewrite.config import keys as config_values
from reparam_rewrite.config.reading import read_config
from reparam_rewrite.config.schema import SCHEMAS, config_schema, targets_schema, text_of
from reparam_rewrite.config.writing import to_toml
from reparam_rewrite.messages import Refusal
from tests import test_config, test_mistakes
from tests.support.cases import CASES
from tests.support.cli import Ran, run
from tests.support.pages import KEYS, PAGES, blocks

ROOT = Path(__file__).parents[1]

CONFIG = Draft202012Validator(config_schema())
TARGETS = Draft202012Validator(targets_schema())


def complaints(text: str | bytes, validator: Draft202012Validator = CONFIG) -> list[str]:
    """What an editor says of a TOML file."""
    decoded = text.decode() if isinstance(text, bytes) else text
    return [error.message for error in validator.iter_errors(tomllib.loads(decoded))]


def refusal(text: str | bytes) -> str:
    """What the program says of a config, "" if it takes it."""
    try:
        read_config(text if isinstance(text, bytes) else text.encode(), "o.toml")
    except Refusal as refused:
        return str(refused)
    return ""


# The files


@pytest.mark.parametrize("of", SCHEMAS)
def test_the_shipped_file_is_the_schema(of: str, tmp_path: Path) -> None:
    file, make = SCHEMAS[of]
    shipped = (ROOT / "reparam_rewrite/schemas" / file).read_text(encoding="utf-8")
    assert shipped == text_of(make()), "python -m reparam_rewrite.config.schema writes it anew"
    arguments = [] if of == "config" else [of]
    assert run(tmp_path, "schema", *arguments) == Ran(0, shipped.encode(), "")


@pytest.mark.parametrize("make", [config_schema, targets_schema])
def test_it_is_a_schema_of_the_draft_that_it_says(make: Any) -> None:
    schema = make()
    assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$schema"]
    Draft202012Validator.check_schema(schema)


def test_what_can_be_written_instead_is_listed(tmp_path: Path) -> None:
    done = run(tmp_path, "schema", "targts")
    assert done.status == 2
    assert "'targts' is not one of 'config', 'targets'" in done.err


@pytest.mark.parametrize("make", [config_schema, targets_schema])
def test_editors_have_something_to_show_for_every_table_and_key(make: Any) -> None:
    schema = make()
    assert schema["title"]
    for table in schema["$defs"].values():
        assert table["description"]
        for key in table["properties"].values():
            assert key["description"]
    titles = [table.get("title") for table in schema["$defs"].values()]
    assert "[sites.<child>]" in titles or "[tool.reparam-rewrite]" in titles


# What is right


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_configs_of_the_fixtures(case: Path) -> None:
    assert complaints((case / "offsets.toml").read_bytes()) == []


SHOWN = [text for page in PAGES for text in blocks("toml", page)]


@pytest.mark.parametrize("text", [*SHOWN, *(row[1].replace("`, `", "\n") for row in KEYS)])
def test_the_configs_of_the_pages(text: str) -> None:
    if "[tool." not in text:
        assert complaints(text) == []


ACCEPTED = next(mark.args[1] for mark in test_config.test_accepted.pytestmark if mark.args)


@pytest.mark.parametrize(("text", "why"), [*ACCEPTED, (test_config.WHOLE, "all of it")])
def test_what_is_accepted(text: str, why: str) -> None:
    assert complaints(text) == [], why


# What is wrong

REFUSED = [
    *test_config.TOP,
    *test_config.FUNCTIONS,
    *test_config.CHAINS,
    *test_config.CONDITIONAL,
    *test_config.SETTINGS,
    *test_config.SITES,
    *test_config.OFFSETS,
]

#: Faults that a schema can't tell: of two places, of Python, or of numbers that JSON doesn't have.
BEYOND = [
    "has rows of different lengths",
    "can't have 'reparam' too",
    "cannot be offset by itself",
    "configures nothing: '",
    "is not a Python expression",
    "may not hold",
    "may not end in a comment",
    "is a tuple",
    "to drop",
    "isn't in 'conditional'",
    "is in 'conditional', which takes",
    "is in 'order' too",
    "is offset by a chain too",
    "must be a finite number",
    "is too large for a float",
]


def is_beyond(said: str) -> bool:
    """Is every one of the faults one that a schema can't tell?"""
    heads = [line for line in said.splitlines() if re.match(r"o\.toml:\d+:\d+: ", line)]
    return all(any(what in head for what in BEYOND) for head in heads)


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_what_is_refused(text: str, said: str) -> None:
    assert bool(complaints(text)) is not is_beyond(said)


@pytest.mark.parametrize(("given", "_", "message"), test_config.EXPRESSIONS)
def test_what_is_refused_of_a_parent(given: str, _: int, message: str) -> None:
    found = complaints(f"[sites.a.offset.x]\n{given}")
    assert bool(found) is not is_beyond(f"o.toml:1:1: {message}")


MISTAKES = [
    mistake
    for table in vars(test_mistakes).values()
    if isinstance(table, list)
    for mistake in table
    if isinstance(mistake, test_mistakes.Mistake) and isinstance(mistake.config, str)
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.shape)
def test_mistakes_of_users(mistake: test_mistakes.Mistake) -> None:
    """An editor may leave a mistake to the program, but doesn't complain of what is none."""
    assert isinstance(mistake.config, str)
    said = refusal(mistake.config)
    if "not TOML" in said:
        return
    found = complaints(mistake.config)
    assert said or not found
    if "unknown key" in said:
        assert found


def test_some_mistakes_of_users_were_looked_at() -> None:
    assert len(MISTAKES) > 20


# The keys


TABLES = {
    "ConfigTable": ("", 'chain = ["a", "b"]'),
    "Settings": ("[defaults]", 'chain = ["a", "b"]'),
    "SiteTable": ("[sites.c]", 'chain = ["a", "b"]'),
    "ParentTable": ("[sites.c.offset.x]", 'chain = ["a", "b"]'),
    "ScaleTable": ("[sites.c.scale]", 'chain = ["a", "b"]'),
    "PowerTable": ("[sites.c.scale.power]", 'chain = ["a", "b"]'),
    "CenteredTable": ("[sites.c.centered]", 'chain = ["a", "b"]'),
    "BasisTable": ("[sites.c.basis]", 'chain = ["a", "b"]'),
    "VerifyTable": ("[verify]", 'chain = ["a", "b"]'),
    "ConditionalTable": ("[conditional]", ""),
    "EffectTable": ("[sites.c.conditional]", 'conditional = ["c"]'),
}

ALL_KEYS = {key for table in TABLES for key in getattr(config_values, table).__struct_fields__}


def test_every_table_of_the_reader_is_in_the_schema() -> None:
    assert set(config_schema()["$defs"]) == set(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_the_schema_has_the_keys_that_the_reader_takes_and_no_others(table: str) -> None:
    head, top = TABLES[table]
    known = config_schema()["$defs"][table]["properties"]
    for key in sorted(ALL_KEYS | {"other", "targets"}):
        said = refusal(f"{top}\n{head}\n{key} = 1979-05-27" if head else f"{key} = 1979-05-27")
        assert (f"unknown key '{key}'" in said) is (key not in known), key


# Any config at all

NAMES = st.sampled_from(["a", "b", "mu", "x*", "", "enc.loc"])
WORDS = ["elementwise", "shared", "matrix", "mean", "sum", "dct", "haar", "LocScaleReparam"]
TEXTS = st.sampled_from([*WORDS, "", " ", "mu", "x + 1", "xi_{child}", "{x}", "a.b", "a-b", "b*"])
NUMBERS = st.sampled_from([0, 1, -1, 0.5, 2.0, -0.5])
ANYTHING = TEXTS | NUMBERS | st.booleans() | st.lists(NAMES, max_size=3) | st.just({})
#: Values that are likely to be right, so that there is more than one thing to get wrong.
LIKELY: dict[str, Any] = {
    "coefficient": st.sampled_from(["elementwise", "shared", "matrix", ["i"], [], ["i", "i"]]),
    "init": NUMBERS
    | st.sampled_from([[0.5, 1], [[0], [1, 2]], [], ["a"], "x.npz", "a/x.npz", "x"]),
    "learn": st.booleans(),
    "reduce": st.sampled_from(["mean", "sum", "error"]),
    "name": st.sampled_from(["xi", "{child}_{parent}", "{{}}", "{", "{other}"]),
    "value": st.sampled_from(["x", "x * y"]),
    "per": st.sampled_from(["county", "a_mu.npz"]),
    "weight": st.sampled_from(["x", "x * y"]),
    "center": st.sampled_from([1.0, 2, "x"]),
    "kind": st.sampled_from(["dct", "haar"]),
    "dim": st.sampled_from([-1, -2, 0, [-1, -2], [-1, -1], [], [0], ["a"]]),
    "smooth": NUMBERS,
    "flip": st.booleans(),
    "by": NAMES,
    "reparam": st.sampled_from(["LocScaleReparam", "ExplicitReparam", "HaarReparam", "Other"]),
    "args": st.dictionaries(st.sampled_from(["centered", "dim", "dmi"]), NUMBERS, max_size=2),
    "transform": st.sampled_from(["t", ""]),
    "function": st.sampled_from(["model", "Model.run", "a b", ""]),
}


def table(struct: str, **inner: Any) -> Any:
    """A table with some of its keys, each of a likely or of any value, or with a key too many."""
    keys = getattr(config_values, struct).__struct_fields__
    values = {key: inner.get(key, LIKELY.get(key, ANYTHING)) for key in keys}
    odd = {"other": ANYTHING, "offset": ANYTHING} if struct != "SiteTable" else {"other": ANYTHING}
    likely = st.fixed_dictionaries({}, optional=values)
    return likely | likely | likely | st.fixed_dictionaries({}, optional=values | odd)


PARENT = table("ParentTable") | st.booleans() | TEXTS
OFFSET = NAMES | st.lists(NAMES, max_size=3) | st.dictionaries(NAMES, PARENT, max_size=3)
POWER = NUMBERS | table("PowerTable")
SCALE = NUMBERS | TEXTS | table("ScaleTable", power=POWER)
BASIS = TEXTS | table("BasisTable")
EFFECT = table("EffectTable", scale=st.sampled_from(["sigma", 1.0]))
SITE = table("SiteTable", offset=OFFSET, scale=SCALE, basis=BASIS, conditional=EFFECT)
CHAIN = st.lists(NAMES, max_size=4)
ORDER = st.just(["a", "b"]) | CHAIN
EFFECTS = table(
    "ConditionalTable", order=ORDER, given=CHAIN, noise=st.dictionaries(NAMES, TEXTS, max_size=2)
)
CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "chain": st.just(["a", "b", "mu"]) | CHAIN | st.lists(CHAIN, max_size=2) | ANYTHING,
        "conditional": ORDER | EFFECTS | ANYTHING,
        "functions": st.lists(st.sampled_from(["model", "A.b", "a b", ""]), max_size=2) | ANYTHING,
        "defaults": table("Settings"),
        "sites": st.dictionaries(NAMES, SITE, max_size=2) | ANYTHING,
        "axes": st.dictionaries(NAMES, ANYTHING, max_size=2),
        "verify": table("VerifyTable"),
        "other": ANYTHING,
    },
)


@settings(max_examples=1500, deadline=None)
@given(CONFIGS)
@example({"sites": {"a": {"offset": {"x*": {"value": "y"}}}}})
@example({"sites": {"a": {"offset": {"x*": {}}}}})
@example({"chain": [["a", "b"]]})
@example({"chain": []})
def test_editor_and_program_agree_on_any_config(config: dict[str, Any]) -> None:
    text = to_toml(config, "config")
    said, found = refusal(text), complaints(text)
    assert not found or said, "the editor complains of what works"
    if said and not is_beyond(said):
        assert found, "the editor doesn't see what is wrong"


# Targets


@pytest.mark.parametrize(
    "text",
    [
        'targets = [{ model = "m.py", config = "o.toml", output = "r.py" }]',
        '[[targets]]\nmodel = "m/*.py"\nconfig = "o/*.toml"\noutput = "r/*.py"',
        "",
    ],
)
def test_targets(text: str) -> None:
    assert complaints(text, TARGETS) == []


@pytest.mark.parametrize(
    "text",
    [
        '[[targets]]\nmodel = "m.py"\nconfig = "o.toml"',
        '[[targets]]\nmodel = "m.py"\nconfig = "o.toml"\noutput = "r.py"\nformat = "x"',
        '[[targets]]\nmodel = ["m.py"]\nconfig = "o.toml"\noutput = "r.py"',
        '[[targets]]\nmodel = ""\nconfig = "o.toml"\noutput = "r.py"',
        '[targets]\nmodel = "m.py"\nconfig = "o.toml"\noutput = "r.py"',
        'target = [{ model = "m.py", config = "o.toml", output = "r.py" }]',
    ],
)
def test_wrong_targets(text: str) -> None:
    assert complaints(text, TARGETS)


def test_the_keys_of_targets_are_those_that_are_read() -> None:
    targets = pytest.importorskip("reparam_rewrite.source.targets")
    assert list(targets_schema()["$defs"]["TargetTable"]["required"]) == list(targets.KEYS)


def test_schemas_are_json_for_everyone() -> None:
    for file, _ in SCHEMAS.values():
        text = (ROOT / "reparam_rewrite/schemas" / file).read_text(encoding="utf-8")
        assert json.loads(text)["$schema"].endswith("2020-12/schema")
