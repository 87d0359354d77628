"""Where keys and values stand: by example, and for any document that can be written."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reparam_rewrite.config.toml_places import KeyPath, header, places
from tests.support.counted import lines_executed

# Each row: a document, and for its paths the (line, column) of the key and of the value.
SHAPES = [
    ("a = 1", {("a",): ((1, 1), (1, 5))}),
    ("  a=1 # b = 2\n# c = 3\n\nd\t=\t4", {("a",): ((1, 3), (1, 5)), ("d",): ((4, 1), (4, 5))}),
    ("a = 1\r\nb = 2\r\n", {("a",): ((1, 1), (1, 5)), ("b",): ((2, 1), (2, 5))}),
    ('"a b" = 1', {("a b",): ((1, 1), (1, 9))}),
    ("'a\"' = 1", {('a"',): ((1, 1), (1, 8))}),
    (r'"\u0061\"=" = 1', {('a"=',): ((1, 1), (1, 15))}),
    ('"" = 1', {("",): ((1, 1), (1, 6))}),
    ('"ä" = "ö" # ü', {("ä",): ((1, 1), (1, 7))}),
    (
        'a . "b.c" . d = 1',
        {
            ("a",): ((1, 1), (1, 1)),
            ("a", "b.c"): ((1, 5), (1, 5)),
            ("a", "b.c", "d"): ((1, 13), (1, 17)),
        },
    ),
    (
        '[ a . "b c" ] # [d]\nx = 1',
        {
            ("a",): ((1, 3), (1, 3)),
            ("a", "b c"): ((1, 7), (1, 7)),
            ("a", "b c", "x"): ((2, 1), (2, 5)),
        },
    ),
    ("[a.b]\n[a]", {("a",): ((2, 2), (2, 2)), ("a", "b"): ((1, 4), (1, 4))}),
    (
        "[[x]]\na = 1\n[[x]]\n[x.y]\nb = 2",
        {
            ("x",): ((1, 3), (1, 3)),
            ("x", 0): ((1, 3), (1, 3)),
            ("x", 0, "a"): ((2, 1), (2, 5)),
            ("x", 1): ((3, 3), (3, 3)),
            ("x", 1, "y"): ((4, 4), (4, 4)),
            ("x", 1, "y", "b"): ((5, 1), (5, 5)),
        },
    ),
    (
        "a = [ # one ]\n  1,\n  [2, 'x,]'], # two\n]\nb = []",
        {
            ("a",): ((1, 1), (1, 5)),
            ("a", 0): ((2, 3), (2, 3)),
            ("a", 1): ((3, 3), (3, 3)),
            ("a", 1, 0): ((3, 4), (3, 4)),
            ("a", 1, 1): ((3, 7), (3, 7)),
            ("b",): ((5, 1), (5, 5)),
        },
    ),
    (
        "a = { b.c = {}, d = [{e = 1}] }",
        {
            ("a",): ((1, 1), (1, 5)),
            ("a", "b"): ((1, 7), (1, 7)),
            ("a", "b", "c"): ((1, 9), (1, 13)),
            ("a", "d"): ((1, 17), (1, 21)),
            ("a", "d", 0): ((1, 22), (1, 22)),
            ("a", "d", 0, "e"): ((1, 23), (1, 27)),
        },
    ),
    ('a = """\nb = 1\n[c]""""" # d\ne = 1', {("a",): ((1, 1), (1, 5)), ("e",): ((4, 1), (4, 5))}),
    ('a = """"b\\""""\nc = 1', {("a",): ((1, 1), (1, 5)), ("c",): ((2, 1), (2, 5))}),
    ("a = '''\\'b''''\nc = 1", {("a",): ((1, 1), (1, 5)), ("c",): ((2, 1), (2, 5))}),
    ('a = """"""\nb = ["", \'\']', {("a",): ((1, 1), (1, 5)), ("b",): ((2, 1), (2, 5))}),
    ("a = 1979-05-27 07:32:00 # x\nb = 1", {("a",): ((1, 1), (1, 5)), ("b",): ((2, 1), (2, 5))}),
]


@pytest.mark.parametrize(("text", "expected"), SHAPES)
def test_places(text: str, expected: dict[KeyPath, Any]) -> None:
    found = places(text)
    assert set(found) == set(paths_in(tomllib.loads(text)))
    assert {path: tuple(found[path]) for path in expected} == expected


@pytest.mark.parametrize(
    ("keys", "shown"),
    [(("a",), "[a]"), (("a", "b c", ""), '[a."b c".""]'), (('"\\',), r'["\"\\"]')],
)
def test_header(keys: tuple[str, ...], shown: str) -> None:
    assert header(*keys) == shown


def paths_in(value: object, path: KeyPath = ()) -> Iterator[KeyPath]:
    """The path of everything in what tomllib has read."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from paths_in(entry, (*path, key))
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from paths_in(entry, (*path, index))


def value_at(value: Any, path: KeyPath) -> Any:
    for key in path:
        value = value[key]
    return value


# Random documents: random data, written with a random choice wherever TOML leaves one.

TEXTS = st.text(st.sampled_from("ab_.-# =[]{},'\"\\\n\täλ😀\u2028"), max_size=8)
KEYS = st.one_of(st.sampled_from(["a", "b", "c-1", "1", "1979-05-27"]), TEXTS)
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.datetimes(min_value=datetime.datetime(1000, 1, 1)),
    st.dates(min_value=datetime.date(1000, 1, 1)),
    st.times(),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


class Writer:
    """Writes data as TOML; `choose` decides between the equivalent ways."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def choose(self, *ways: str) -> str:
        return self.draw(st.sampled_from(ways))

    def space(self) -> str:
        return self.choose("", " ", "\t ")

    def blank(self) -> str:
        return self.choose("", " ", "\n", '  # ä = [1, "\n\t', "\r\n")

    def end(self) -> str:
        return self.space() + self.choose("\n", "\r\n", "# b = '''\n", "\n\n # [x]\n")

    def basic(self, text: str) -> str:
        every = self.draw(st.booleans())
        escape = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
        return '"' + "".join(f"\\U{ord(c):08x}" if every else escape.get(c, c) for c in text) + '"'

    def string(self, text: str) -> str:
        ways = [self.basic(text)]
        if not set("'\n") & set(text):
            ways.append(f"'{text}'")
        if "'''" not in text and not text.endswith("'''"):
            ways.append(f"'''\n{text}'''")
        if '"""' not in text:
            escaped = text.replace("\\", "\\\\")
            ways.append(f'"""\n{escaped}"""')
        return self.choose(*ways)

    def key(self, key: str) -> str:
        ways = [self.basic(key)]
        if re.fullmatch(r"[A-Za-z0-9_-]+", key):
            ways += [key] * 3
        if not set("'\n") & set(key):
            ways.append(f"'{key}'")
        return self.choose(*ways)

    def pair(self, key: str, value: Any) -> str:
        name = self.key(key)
        while isinstance(value, dict) and len(value) == 1 and self.draw(st.booleans()):
            ((key, value),) = value.items()
            name += f"{self.space()}.{self.space()}{self.key(key)}"
        return f"{name}{self.space()}={self.space()}{self.value(value)}"

    def value(self, value: Any) -> str:
        if isinstance(value, str):
            return self.string(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, list):
            text = self.blank()
            for index, entry in enumerate(value):
                last = index == len(value) - 1
                text += self.value(entry) + self.blank()
                text += (self.choose("", ",") if last else ",") + self.blank()
            return f"[{text}]"
        if isinstance(value, dict):
            pairs = [f"{self.space()}{self.pair(*item)}{self.space()}" for item in value.items()]
            return f"{{{','.join(pairs)}}}" if pairs else f"{{{self.space()}}}"
        if isinstance(value, datetime.datetime):
            return value.isoformat(self.choose("T", " ")) + self.choose("", "Z", "+01:00")
        if isinstance(value, datetime.date | datetime.time):
            return value.isoformat()
        return repr(value)

    def table(self, table: dict[str, Any], above: tuple[str, ...] = ()) -> str:
        """The pairs of a table, then the tables in it that get headers of their own."""
        text, below = self.choose("", "\n", "# c\n"), ""
        for key, value in table.items():
            path = (*above, key)
            headed = bool(value) and self.draw(st.booleans())
            if isinstance(value, dict) and headed:
                below += self.header(path, "[", "]") + self.table(value, path)
            elif isinstance(value, list) and headed and all(isinstance(e, dict) for e in value):
                for entry in value:
                    below += self.header(path, "[[", "]]") + self.table(entry, path)
            else:
                text += self.space() + self.pair(key, value) + self.end()
        return text + below

    def header(self, path: tuple[str, ...], opening: str, closing: str) -> str:
        keys = f"{self.space()}.{self.space()}".join(self.key(key) for key in path)
        return f"{self.space()}{opening}{self.space()}{keys}{self.space()}{closing}{self.end()}"


@st.composite
def documents(draw: st.DrawFn) -> str:
    return Writer(draw).table(draw(DOCUMENTS))


@given(documents())
def test_any_document(text: str) -> None:
    """Every path of the data has a place, nothing else has, and the text there spells it."""
    data = tomllib.loads(text)
    found = places(text)
    assert set(found) == set(paths_in(data))
    lines = text.split("\n")
    for path, (key, value) in found.items():
        if isinstance(path[-1], str):
            assert key_at(rest(lines, key)) == path[-1]
        if key != value or isinstance(path[-1], int):
            # What starts at the value is, up to some line's end or closing mark, the value.
            assert any(
                read == value_at(data, path) for read in values_at(rest(lines, value))
            ) or opens_table(lines, value)


def rest(lines: list[str], position: tuple[int, int]) -> str:
    line, column = position
    return "\n".join([lines[line - 1][column - 1 :], *lines[line:]])


def key_at(text: str) -> str:
    """The key that `text` starts with, as tomllib reads it."""
    token = re.match(r"[A-Za-z0-9_-]+|'[^']*'|\"(\\.|[^\"\\])*\"", text)
    assert token, text
    (key,) = tomllib.loads(f"{token.group()} = 1")
    return key


def values_at(text: str) -> Iterator[Any]:
    """Every value that some start of `text` spells."""
    for end in range(1, len(text) + 1):
        try:
            yield tomllib.loads(f"v = {text[:end]}")["v"]
        except tomllib.TOMLDecodeError:
            continue


def opens_table(lines: list[str], position: tuple[int, int]) -> bool:
    """Does a header, which has no value, name what is at `position`?"""
    line, column = position
    return lines[line - 1][: column - 1].lstrip().startswith("[[")


def test_ten_times_the_text_takes_ten_times_the_steps() -> None:
    site = '[sites.a%d.offset] # one\nmu = { init = 1.0, learn = false }\n"z" = {center = "a"}\n'
    short, tall = ("".join(site % i for i in range(sites)) for sites in (20, 200))
    assert lines_executed(lambda: places(tall)) < 10.5 * lines_executed(lambda: places(short))


def test_lines_of_an_array_take_a_few_steps_each() -> None:
    text = "a = [" + "1, # " + "x" * 100_000 + "\n" * 100_000 + "]"
    assert lines_executed(lambda: places(text)) < 4 * 100_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('a = """' + '"" \\" ' * 50_000 + '"""', id="string"),
        pytest.param("a = 1 # " + "x " * 100_000, id="comment"),
    ],
)
def test_a_long_token_is_one_step(text: str) -> None:
    assert lines_executed(lambda: places(text)) < 2 * lines_executed(lambda: places("a = 1\n"))
