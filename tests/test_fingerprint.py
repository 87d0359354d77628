"""What is layout, and what is code: the fingerprint of a text."""

from __future__ import annotations

import pytest

from reparam_rewrite.source.fingerprint import fingerprint, fingerprint_of_file
from reparam_rewrite.source.notebook_stamp import body_of, code_of

SAME = {
    "blanks": ("x = f( 1,2 )\n", "x = f(1, 2)\n"),
    "lines": ("x = f(1, 2)\n", "x = f(\n\n    1,\n    2,\n)\n"),
    "a continuation": ("x = 1 + 2\n", "x = 1 + \\\n    2\n"),
    "semicolons": ("x = 1; y = 2\n", "x = 1\ny = 2\n"),
    "a block on a line": ("if x: y = 1\n", "if x:\n    y = 1\n"),
    "tabs": ("def f():\n    return 1\n", "def f():\n\treturn 1\n"),
    "line ends": ("x = 1\ny = 2\n", "x = 1\r\ny = 2\r\n"),
    "old line ends": ("x = 1\ny = 2\n", "x = 1\ry = 2\r"),
    "the end of the file": ("x = 1", "x = 1\n\n\n"),
    "quotes": ("x = 'a'\n", 'x = "a"\n'),
    "quotes in quotes": ("x = 'a\"b'\n", 'x = "a\\"b"\n'),
    "a prefix": ("x = u'a'\n", 'x = "a"\n'),
    "a raw prefix": ("x = R'a'\n", 'x = r"a"\n'),
    "strings next to each other": ('x = "a" "b"\n', 'x = "ab"\n'),
    "a long string": ('x = "aaa bbb"\n', 'x = (\n    "aaa "\n    "bbb"\n)\n'),
    "an f-string": ("x = f'{a!r:>{n}} b'\n", 'x = f"{a!r:>{n}} b"\n'),
    "an f-string in parts": ('x = f"{a} b" f"{c}"\n', 'x = f"{a} b{c}"\n'),
    "an f-string and a string": ('x = f"{a}" "b" "c"\n', 'x = f"{a}bc"\n'),
    "an f-string without fields": ('x = "a" f"b"\n', 'x = "ab"\n'),
    "an f-string with blanks": ('x = f"{ a }"\n', 'x = f"{a}"\n'),
    "escapes": ('x = "\\xAB\\u00e9"\n', 'x = "\\xab\\u00E9"\n'),
    "numbers": ("x = 0XFF, 1E5, 10L_0\n".replace("L", ""), "x = 0xff, 1e5, 100\n"),
    "parentheses": ("return_ = (x)\n", "return_ = x\n"),
    "return": ("def f():\n    return (1, 2)\n", "def f():\n    return 1, 2\n"),
    "del": ("del (a)\n", "del a\n"),
    "del of several": ("del (a, b)\n", "del a, b\n"),
    "for": ("for (a, b) in (c):\n    pass\n", "for a, b in c:\n    pass\n"),
    "with": ("with (a as b, c):\n    pass\n", "with a as b, c:\n    pass\n"),
    "print": ("print((1))\n", "print(1)\n"),
    "a class": ("class A():\n    pass\n", "class A:\n    pass\n"),
    "a trailing comma": ("f(a, b,)\n", "f(a, b)\n"),
    "a docstring": (
        'def f():\n  """One.\n\n  Two.  \n  """\n',
        "def f():\n    '''One.\n\n    Two.\n    '''\n",
    ),
    "a docstring with tabs": (
        'def f():\n\t"""One.\n\n\tTwo."""\n',
        'def f():\n  """One.\n\n  Two."""\n',
    ),
    "a docstring of an attribute": (
        'class A:\n  x = 1\n  """One.\n\n  Two."""\n',
        'class A:\n    x = 1\n    """One.\n\n    Two."""\n',
    ),
    "imports": ("import os\nimport abc\n", "import abc\nimport os\n"),
    "one import a line": ("from a import b, c\n", "from a import b\nfrom a import c\n"),
    "imports of modules": ("import a, b\n", "import a\nimport b\n"),
    "an import twice": ("import a\nimport a\n", "import a\n"),
    "an import with its own name": ("import a as a\n", "import a\n"),
    "imports in brackets": ("from a import (\n    b,\n    c\n)\n", "from a import c, b\n"),
    "imports in a function": (
        "def f():\n    import b\n    import a\n",
        "def f():\n    import a\n    import b\n",
    ),
    "a comment's blank": ("x = 1 #c\n", "x = 1  # c\n"),
    "a comment in brackets": ("x = [  # c\n    1]\n", "x = [1]  # c\n"),
    "a noqa on a split import": (
        "from a import b, c  # noqa: E402\nx = 1\n",
        "from a import b  # noqa: E402\nfrom a import c  # noqa: E402\nx = 1\n",
    ),
    "comments of joined imports": (
        "from a import b  # one\nfrom a import c  # two\n",
        "from a import b, c  # one; two\n",
    ),
    "a comment above a sorted import": (
        "import b\n# of a\nimport a\n",
        "# of a\nimport a\nimport b\n",
    ),
    "a type comment": ("x = f(a)  # type: ignore\n", "x = f(\n    a\n)  # type: ignore\n"),
    "lambda": ("f = lambda x:(x)\n", "f = lambda x: x\n"),
    "what isn't Python": ("%time\n", "%time  \n\n"),
}

OTHER = {
    "a name": ("x = 1\n", "y = 1\n"),
    "a number": ("x = 1\n", "x = 2\n"),
    "a type": ("x = 1\n", "x = 1.0\n"),
    "a truth": ("x = 1\n", "x = True\n"),
    "bytes": ("x = 'a'\n", "x = b'a'\n"),
    "a blank in a string": ("x = 'a b'\n", "x = 'a  b'\n"),
    "an indent in a string": ("x = '''\na'''\n", "x = '''\n  a'''\n"),
    "a field": ("x = f'{a}'\n", "x = f'a'\n"),
    "a format": ("x = f'{a:1}'\n", "x = f'{a:2}'\n"),
    "a conversion": ("x = f'{a!r}'\n", "x = f'{a!s}'\n"),
    "parentheses that group": ("x = a * (b + c)\n", "x = a * b + c\n"),
    "a tuple": ("x = (1)\n", "x = (1,)\n"),
    "a tuple in a call": ("f(1, 2)\n", "f((1, 2))\n"),
    "an index": ("x[1]\n", "x[1,]\n"),
    "order": ("a()\nb()\n", "b()\na()\n"),
    "a block": ("if x:\n    a()\nb()\n", "if x:\n    a()\n    b()\n"),
    "else": ("if x:\n    a()\nelse:\n    b()\n", "if x:\n    a()\nelif y:\n    b()\n"),
    "a dictionary": ("x = {**a}\n", "x = {None: a}\n"),
    "a keyword": ("f(a=b)\n", "f(b)\n"),
    "a star": ("f(*a)\n", "f(a)\n"),
    "an operator": ("x = a - b\n", "x = a + b\n"),
    "a comparison": ("x = a is b\n", "x = a is not b\n"),
    "a decorator": ("@f\ndef g(): pass\n", "def g(): pass\n"),
    "a default": ("def g(a, b=1): pass\n", "def g(a=1, b=1): pass\n"),
    "async": ("async def f(): pass\n", "def f(): pass\n"),
    "global": ("def f():\n    global x\n", "def f():\n    nonlocal_ = x\n"),
    "del of an item": ("del a[0]\n", "del a\n"),
    "a docstring's words": ('"""One."""\n', '"""Two."""\n'),
    "a docstring's lines": ('"""One.\nTwo."""\n', '"""One. Two."""\n'),
    "an import": ("import a\n", "import b\n"),
    "the name of an import": ("import a as b\n", "import a as c\n"),
    "what is imported": ("from a import b\n", "from c import b\n"),
    "a relative import": ("from .a import b\n", "from a import b\n"),
    "where is imported": ("import a\ndef f(): x\n", "def f():\n    import a\n    x\n"),
    "a comment": ("x = 1  # a\n", "x = 1  # b\n"),
    "a new comment": ("x = 1\n", "x = 1  # b\n"),
    "a comment less": ("x = 1\n# a\n# a\n", "x = 1\n# a\n"),
    "comments in another order": ("x = 1\n# a\n# b\n", "x = 1\n# b\n# a\n"),
    "a comment that was code": ("x = 1\ny = 1\n", "x = 1\n# y = 1\n"),
    "a comment in a string": ("x = '# a'\n", "x = ''  # a\n"),
    "what isn't Python": ("%time a\n", "%time (a)\n"),
}


@pytest.mark.parametrize(("one", "other"), SAME.values(), ids=SAME)
def test_layout(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize(("one", "other"), OTHER.values(), ids=OTHER)
def test_code(one: str, other: str) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_the_encoding_and_a_mark_are_layout() -> None:
    text = "x = 'é'\n"
    assert fingerprint_of_file(text.encode()) == fingerprint_of_file(text.encode("utf-8-sig"))
    declared = "# coding: latin-1\n" + text
    assert fingerprint_of_file(declared.encode("latin-1")) == fingerprint(declared)
    assert fingerprint_of_file(b"\xff\xff") != fingerprint_of_file(b"\xff\xfe")


def test_it_is_the_same_in_all_versions_of_python() -> None:
    text = 'import a\n\n\ndef f(x: int = 0xFF):  # é\n    return f"{x!r:>{3}} é" "b", 1.5, ...\n'
    assert fingerprint(text) == "c2d15c7e182321f3"


def test_an_expression_may_be_deep() -> None:
    assert fingerprint("x = " + " + ".join(["a"] * 900) + "\n") != fingerprint("x = a\n")


# -- cells of notebooks ----------------------------------------------------------------------------

CELLS = [
    ("%matplotlib inline\nx = f( 1 )", "%matplotlib inline\nx = f(1)\n", True),
    ("%%time\nx=1", "%%time\nx = 1", True),
    ("%%time\nx=1", "%%timeit\nx = 1", False),
    ("%%bash\nls a", "%%bash\nls  a", False),
    ("!pip install a\nx=1", "!pip install b\nx = 1", False),
    ("%time f(a*(b+c))\nx=1", "%time f(a*b+c)\nx=1", False),
    ("import b, a\nfiles = !ls", "import a\nimport b\n\nfiles = !ls\n", True),
    ("x = a*(b+c)\n%time y", "x = a*b+c\n%time y", False),
    ("plot( x );", "plot(x);", True),
    ("broken(", "broken( (", False),
]


@pytest.mark.parametrize(("one", "other", "same"), CELLS)
def test_a_cell(one: str, other: str, same: bool) -> None:
    """A magic counts as it is written, and what stands beside it as Python."""

    def code(text: str) -> str:
        return code_of(body_of({"cells": [{"cell_type": "code", "source": text}]}))

    assert (code(one) == code(other)) is same
