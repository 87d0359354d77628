"""What of a cell is IPython's own, and that it is put back as it was."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reparam_rewrite.source.magics import NEWLINE, Hidden, heading, hide, restore
from reparam_rewrite.source.placeholders import MAGIC


def magics(code: str) -> list[str]:
    """What is hidden; the rest must parse, and all must come back."""
    hidden = hide(code)
    ast.parse(hidden.text)
    assert restore(hidden) == code
    assert NEWLINE.findall(hidden.text) == NEWLINE.findall(code)
    return [magic for _, magic in hidden.magics]


@pytest.mark.parametrize(
    ("code", "hidden"),
    [
        ("%matplotlib inline", ["%matplotlib inline"]),
        ("x = 1\n%time f(x)\ny = 2", ["%time f(x)"]),
        ("!pip install numpyro", ["!pip install numpyro"]),
        ("!!ls\n", ["!!ls"]),
        ("!ls \\\n  -l \\\n  data\nx = 1", ["!ls \\\n  -l \\\n  data"]),
        ("!ls \\\r\n  -l\r\nx = 1\r\n", ["!ls \\\r\n  -l"]),
        ("!echo it's", ["!echo it's"]),
        ("%cd (data", ["%cd (data"]),
        ("if x:\n    %time f()\nelse:\n    !ls", ["%time f()", "!ls"]),
        ("def f():\n\t%debug", ["%debug"]),
        ("?dist.Normal", ["?dist.Normal"]),
        ("??dist", ["??dist"]),
        ("dist.Normal?", ["dist.Normal?"]),
        ("x = 1\n  \n%time?\nf??", ["%time?", "f??"]),
        ("dist.Normal?  # what is it?", ["dist.Normal?"]),
        ("files = !ls data", ["!ls data"]),
        ("a, b = !ls \\\n  -l", ["!ls \\\n  -l"]),
        ("x.y[0] = %env HOME", ["%env HOME"]),
        ("a = b = %env HOME", ["%env HOME"]),
        ("f(a=1); x =%pwd", ["%pwd"]),
        ("pip install -U numpyro", ["pip install -U numpyro"]),
        ("x = 1\nconda install numpyro -y", ["conda install numpyro -y"]),
        ("cd ../data", ["cd ../data"]),
        ("load_ext autoreload\n%autoreload 2", ["load_ext autoreload", "%autoreload 2"]),
        ("%%time\nf()", ["%%time"]),
    ],
)
def test_what_is_hidden(code: str, hidden: list[str]) -> None:
    assert magics(code) == hidden


@pytest.mark.parametrize(
    "code",
    [
        "x = (1\n     % 2)",
        "x = 1 \\\n  % 2",
        "x = '''\n%time\n!ls\nwhat?\n'''",
        'x = """it\'s\n%d\n""" % 3',
        "x = 'a\\\n%b'",
        "x = 'it\\'s' # %time?",
        "# what?\n# %time\n",
        "x = a != b",
        "x == 1, x >= 2, x <= 3\nx %= 2",
        "cat = 3\ncat in [3]\ncat and 4\ncat is not None\nrm -3\nls",
        'f"{x!r}"',
        "",
        "\n\n",
        "x = [\n1\n% 2,\n'?'\n]",
        "lambda: 0;",
    ],
)
def test_what_is_python(code: str) -> None:
    assert magics(code) == []


@pytest.mark.parametrize(
    ("code", "head"),
    [
        ("x = 1", ""),
        ("%time x", ""),
        ("%%time\nx", "%%time\n"),
        ("\n  \n%%capture out --no-stderr\n\nx", "\n  \n%%capture out --no-stderr\n"),
        ("%%time\r\n%%capture\r\nx", "%%time\r\n%%capture\r\n"),
        ("%%timeit -n 3 x = 1", "%%timeit -n 3 x = 1"),
        ("# first\n%%time\nx", ""),
        ("%%bash\nls", None),
        ("%%time\n%%bash\nls", None),
        ("%%!\nls", None),
        ("%%python3\nx", None),
    ],
)
def test_cell_magics(code: str, head: str | None) -> None:
    assert heading(code) == head


def test_stand_ins_are_numbered_on() -> None:
    first = hide("%a\n%b")
    second = hide("%c", len(first.magics))
    assert first.text == f"{MAGIC}0()\n{MAGIC}1()"
    assert second.text == f"{MAGIC}2()"


@pytest.mark.parametrize("text", ["", f"{MAGIC}0()\n{MAGIC}0()", f"{MAGIC}0(1)", f"{MAGIC}1()"])
def test_a_stand_in_that_is_lost_or_doubled_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=MAGIC):
        restore(Hidden(text, ((f"{MAGIC}0()", "%time"),)))


PIECES = [
    "%",
    "!",
    "?",
    "=",
    "(",
    ")",
    "'",
    '"""',
    "\\",
    "\n",
    "\r\n",
    " ",
    "x",
    "pip install y",
    "#",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES)).map("".join) | st.text())
def test_any_text_comes_back(code: str) -> None:
    hidden = hide(code)
    assert restore(hidden) == code
    assert NEWLINE.findall(hidden.text) == NEWLINE.findall(code)
