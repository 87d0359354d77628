"""Notebooks: what is rewritten in them, that all else keeps its bytes, and what is refused."""

from __future__ import annotations

import codecs
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reparam_rewrite.messages import Refusal
from reparam_rewrite.source.cells import CellDocument
from reparam_rewrite.source.json_text import Span, after_blank, parts, spelled, splice
from reparam_rewrite.source.reading import read
from tests.support.cli import Ran, run
from tests.support.notebooks import (
    IMPORTS,
    IMPORTS_AFTER,
    MODEL,
    MODEL_AFTER,
    OFFSETS,
    code,
    notebook,
    rewritten_notebook,
    sources,
    text,
)


def refused(data: bytes, config: str = OFFSETS) -> str:
    """The message of a refusal."""
    with pytest.raises(Refusal) as caught:
        rewritten_notebook(data, config)
    return str(caught.value)


def after(*cells: str, config: str = OFFSETS, width: int = 88) -> list[str]:
    """The sources of a notebook once it is rewritten."""
    return sources(rewritten_notebook(notebook(*cells), config, width).data)


# -- what changes, and what stays ----------------------------------------------------------------


AROUND = [
    text("# Offsets\n\n![plot](attachment:plot.png)"),
    code(""),
    text("raw λ", "raw"),
    code("model;", execution_count=None, outputs=[]),
]
AROUND[0]["attachments"] = {"plot.png": {"image/png": "AAAA"}}


@pytest.mark.parametrize("minor", range(6))
@pytest.mark.parametrize("form", [list, str])
@pytest.mark.parametrize(
    "dumped",
    [
        {"indent": 1},
        {"indent": 2, "sort_keys": True},
        {"indent": 4, "ensure_ascii": True},
        {"indent": "\t"},
        {"indent": None},
        {"indent": None, "separators": (",", ":")},
    ],
    ids=["indent 1", "indent 2, sorted", "indent 4, ascii", "tabs", "one line", "compact"],
)
def test_every_form_of_the_file_is_kept(minor: int, form: type, dumped: dict[str, Any]) -> None:
    """As if the same writer had written the rewritten notebook."""
    around = AROUND if minor else [{**cell} for cell in AROUND]
    if not minor:
        around[0].pop("attachments")  # new in 4.1
    before = notebook(IMPORTS, *around, MODEL, minor=minor, form=form, **dumped)
    wanted = notebook(IMPORTS_AFTER, *around, MODEL_AFTER, minor=minor, form=form, **dumped)
    assert rewritten_notebook(before).data == wanted
    nbformat.validate(nbformat.reads(wanted.decode(), as_version=nbformat.NO_CONVERT))


def test_what_nbformat_writes_is_kept(tmp_path: Path) -> None:
    cells = [nbformat.v4.new_code_cell(source) for source in (IMPORTS, MODEL)]
    book = nbformat.v4.new_notebook(cells=cells)
    nbformat.write(book, tmp_path / "model.ipynb")
    result = rewritten_notebook((tmp_path / "model.ipynb").read_bytes())
    for cell, source in zip(cells, (IMPORTS_AFTER, MODEL_AFTER), strict=True):
        cell["source"] = source
    nbformat.write(book, tmp_path / "wanted.ipynb")
    assert result.data == (tmp_path / "wanted.ipynb").read_bytes()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8], ids=["", "byte order mark"])
@pytest.mark.parametrize("end", ["", "\n", "\n\n "])
def test_line_ends_of_the_json_are_kept(newline: str, mark: bytes, end: str) -> None:
    def dressed(data: bytes) -> bytes:
        return mark + (data.decode().rstrip("\n") + end).replace("\n", newline).encode()

    before, wanted = notebook(IMPORTS, MODEL), notebook(IMPORTS_AFTER, MODEL_AFTER)
    assert rewritten_notebook(dressed(before)).data == dressed(wanted)


def odd(imports: str, model: str) -> bytes:
    """Keys in any order, blanks anywhere, escapes that nobody needs, numbers as they are spelt."""
    lines = " ,".join(json.dumps(line) for line in model.splitlines(True))
    return (
        '{ "nbformat_minor" :4,\n\t"metadata":{"x":1.50e+3,"y":"\\u00e9\\/","z":"\\ud800"},'
        '"nbformat": 4,"cells":[ {"source" : "caf\\u00e9 \\ud83d\\ude00","metadata":{},'
        '"cell_type":"markdown"},'
        '{"outputs":[{"output_type":"stream","name":"stdout","text":"\\udcff"}],'
        f'"source":{json.dumps(imports)},"execution_count":null,"metadata":{{}},"cell_type":"code"}},'
        f'\n{{"cell_type":"code","metadata":{{}},"source":[  {lines}\n ]  ,'
        '"execution_count":7 ,"outputs":[]} ]}'
    ).encode()


def test_odd_json_is_kept() -> None:
    assert rewritten_notebook(odd(IMPORTS, MODEL)).data == odd(IMPORTS_AFTER, MODEL_AFTER)


def test_lines_that_stay_keep_their_escapes() -> None:
    """``\\/`` and ``\\u0022`` in lines of a changed cell; new lines are written as usual."""
    data = notebook(IMPORTS, "# a/b, é\n" + MODEL, form=str)
    escaped = data.replace(b"# a/b", b"# a\\/b").replace("é\\n".encode(), b"\\u00e9\\u000a")
    found = rewritten_notebook(escaped).data
    assert b'"# a\\/b, \\u00e9\\u000adef model' in found
    assert sources(found)[1] == "# a/b, é\n" + MODEL_AFTER
    data = notebook(IMPORTS, "# a/b, é\n" + MODEL)
    assert b'"# a\\/b, ' in rewritten_notebook(data.replace(b"# a/b", b"# a\\/b")).data


GREEK = MODEL.replace('"a"', '"ψ"').replace("mu", "μ")


@pytest.mark.parametrize("form", [list, str])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_new_lines_are_escaped_where_the_file_escapes(form: type, ascii_only: bool) -> None:
    data = notebook(IMPORTS, GREEK, form=form, ensure_ascii=ascii_only)
    found = rewritten_notebook(data, '[sites."ψ"]\noffset = "μ"\n').data
    assert found.isascii() is ascii_only
    assert 'numpyro.param("xi_ψ_μ", jnp.zeros(n)) * μ' in sources(found)[1]


def test_new_lines_are_not_escaped_where_nothing_needed_it() -> None:
    data = notebook(IMPORTS, MODEL, ensure_ascii=True, metadata={}).replace(b"\\u00e9", b"e")
    data = data.replace(b"\\u03be", b"xi")
    config = '[sites.a]\noffset = "mu"\nname = "ξ"\n'
    assert 'param(\\"ξ\\"' in rewritten_notebook(data, config).data.decode()


def test_one_line_of_a_list_gets_more() -> None:
    """Nothing shows what stands between lines where there is only one."""
    one = "import numpyro, numpyro.distributions as dist"
    for dumped in ({"indent": 2}, {"indent": None}, {"indent": None, "separators": (",", ":")}):
        new = "from numpyro.infer.reparam import ExplicitReparam"
        found = rewritten_notebook(notebook(one, MODEL, **dumped)).data
        wanted = [line + "\n" for line in IMPORTS_AFTER.splitlines()]
        wanted[1:3] = [one + "\n"]
        wanted[-1] = new
        assert found == notebook("".join(wanted), MODEL_AFTER, **dumped)


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n    ", "\n# end", "\n    # end", "  # end"])
def test_the_end_of_a_cell_is_kept(end: str) -> None:
    found = after(IMPORTS + "\n\nn = 3" + end, MODEL + end)
    assert found == [IMPORTS_AFTER + "\n\nn = 3" + end, MODEL_AFTER + end]


def test_semicolons_that_hide_outputs_stay() -> None:
    cells = ["x = 1;", IMPORTS, MODEL + "\n\n\nmodel(3);", "plot(x); show();"]
    assert after(*cells) == [cells[0], IMPORTS_AFTER, MODEL_AFTER + "\n\n\nmodel(3);", cells[3]]


def test_a_model_and_its_imports_in_one_cell() -> None:
    (found,) = after(f"{IMPORTS}\n\n\n{MODEL}")
    assert found == f"{IMPORTS_AFTER}\n\n\n{MODEL_AFTER}"


def test_cells_with_windows_line_ends() -> None:
    def windows(source: str) -> str:
        return source.replace("\n", "\r\n")

    assert after(windows(IMPORTS), windows(MODEL)) == [windows(IMPORTS_AFTER), windows(MODEL_AFTER)]


def test_a_second_pass_changes_nothing() -> None:
    once = rewritten_notebook(notebook("%matplotlib inline", IMPORTS, MODEL))
    twice = rewritten_notebook(once.data)
    assert not once.already
    assert (twice.already, twice.data) == (True, once.data)


def test_output_stays_formatted(tmp_path: Path) -> None:
    """A notebook that ruff has nothing to say of stays one."""
    plain = f'"""Offsets"""\n\n%matplotlib inline\n{IMPORTS}\n\n%load_ext autoreload'
    (tmp_path / "model.ipynb").write_bytes(rewritten_notebook(notebook(plain, MODEL)).data)
    for command in (["format", "--check"], ["check", "--select=I001"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", "--no-cache", "model.ipynb"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_lines_are_as_long_as_asked() -> None:
    parents = 'chain = [["mu", "nu", "a"]]'
    model = MODEL.replace("    with", '    nu = numpyro.sample("nu", dist.Normal(0, 1))\n    with')
    narrow, wide = (after(IMPORTS, model, config=parents, width=width)[1] for width in (60, 120))
    assert max(map(len, narrow.splitlines())) <= 60 < max(map(len, wide.splitlines()))


# -- where new imports go ------------------------------------------------------------------------


def test_imports_go_to_the_cell_that_imports_numpyro() -> None:
    cells = [
        "import pandas",
        "# Helpers\nimport jax\ndef load():\n    pass",
        IMPORTS,
        "import arviz",
    ]
    assert after(*cells, MODEL) == [*cells[:2], IMPORTS_AFTER, cells[3], MODEL_AFTER]


def test_imports_below_a_definition_of_another_cell_are_used() -> None:
    """In a module the import of `jnp` would come too late to be relied on."""
    cells = ["def load():\n    pass", f"import jax.numpy as jnp\n{IMPORTS}"]
    assert after(*cells, MODEL) == [cells[0], IMPORTS_AFTER, MODEL_AFTER]


def test_imports_below_the_model_are_not() -> None:
    """Nor is their name taken."""
    found = after(IMPORTS, MODEL, "import jax.numpy as jnp")
    wanted = [cell.replace("jnp", "jnp_2") for cell in (IMPORTS_AFTER, MODEL_AFTER)]
    assert found == [*wanted, "import jax.numpy as jnp"]


@pytest.mark.parametrize("top", ["#@title Imports\n", "# %%\n# Imports\n", "%config X.y = 1\n\n"])
def test_the_top_of_the_cell_stays_its_top(top: str) -> None:
    assert after(top + IMPORTS, MODEL) == [top + IMPORTS_AFTER, MODEL_AFTER]


def test_imports_go_below_an_installation() -> None:
    install = "!pip install -q numpyro \\\n  arviz\n"
    found = after("import pandas", install + IMPORTS, MODEL)
    assert found == ["import pandas", install + IMPORTS_AFTER, MODEL_AFTER]


INSIDE = MODEL.replace("    mu = ", "    import numpyro, numpyro.distributions as dist\n    mu = ")

OWN = """\
import jax.numpy as jnp
from numpyro.distributions.transforms import AffineTransform
from numpyro.infer.reparam import ExplicitReparam"""


@pytest.mark.parametrize(
    "top",
    ["", "%%time\n", "# Of all groups.\n", "%load_ext watermark\n"],
    ids=["model alone", "cell magic", "comment", "magic"],
)
def test_imports_stay_beside_those_in_the_model(top: str) -> None:
    first = "from __future__ import annotations\nimport pandas\n!pip install numpyro"
    unchanged, found = after(first, top + INSIDE)
    assert unchanged == first
    line = "import numpyro, numpyro.distributions as dist\n"
    wanted = OWN.replace("jnp\n", f"jnp\n{line}") + "\n"
    head = f"{top}def model(n, y=None):\n"
    assert found.startswith(head + textwrap.indent(wanted, "    ") + "    mu = ")


def test_imports_that_are_tried_take_no_more() -> None:
    tried = "try:\n    import numpyro\nexcept ImportError:\n    raise"
    near = "import numpyro.distributions as dist\n\n\n"
    found = after(tried, "import pandas", near + MODEL)
    assert found[:2] == [tried, "import pandas"]
    top, bottom = OWN.split("\n", 1)
    assert found[2].partition("\n\n\n")[0] == f"{top}\n{near.strip()}\n{bottom}"


# -- magics --------------------------------------------------------------------------------------


def test_a_notebook_as_people_write_them() -> None:
    cells = [
        "# Setup\n!pip install -q numpyro \\\n  arviz\n%matplotlib inline",
        "%%bash\nls -l | grep model",
        f"import os\n\n%env JAX_PLATFORMS=cpu\n{IMPORTS}\n\n%load_ext autoreload\n%autoreload 2",
        "files = !ls data\nhome = %env HOME\n?dist.Normal\nnumpyro.sample?",
        "def show(x):\n    %time print(x)\n    !echo {x}\n    return x;",
        "%%writefile helper.py\ndef model(",
        f"\n%%capture out\n%%time\n{MODEL}",
        "await model.run();\nlen(files)",
        "pip install more",
        "%%timeit -n 3\nmodel(3)",
    ]
    found = after(*cells)
    cells[2] = cells[2].replace(IMPORTS, IMPORTS_AFTER)
    cells[6] = cells[6].replace(MODEL, MODEL_AFTER)
    assert found == cells


def test_magics_around_what_is_rewritten_stay() -> None:
    def with_magics(model: str) -> str:
        top = "def model(n, y=None):\n"
        lines = "    %time y\n    here = !pwd \\\n      -P\n"
        return model.replace(top, top + lines) + "\n    %debug\n\nmodel?"

    assert after(IMPORTS, with_magics(MODEL)) == [IMPORTS_AFTER, with_magics(MODEL_AFTER)]


@pytest.mark.parametrize(
    "cell",
    ["%%html\n<b>", "%%javascript\nlet x = 1", "%%sh\nls", "%%python2\nprint 1", "%%R\nx <- 1"],
)
def test_cells_of_other_languages_are_left_out(cell: str) -> None:
    assert after(IMPORTS, cell, MODEL) == [IMPORTS_AFTER, cell, MODEL_AFTER]


def test_a_cell_that_the_editor_has_in_another_language_is_left_out() -> None:
    sql = code("SELECT * FROM y", metadata={"vscode": {"languageId": "sql"}})
    python = code(MODEL, metadata={"vscode": {"languageId": "python"}})
    assert sources(rewritten_notebook(notebook(IMPORTS, sql, python)).data)[1:] == [
        "SELECT * FROM y",
        MODEL_AFTER,
    ]


def test_a_cell_that_is_broken_on_purpose_is_left_out() -> None:
    broken = code("print 'old'", metadata={"tags": ["raises-exception"]})
    assert sources(rewritten_notebook(notebook(IMPORTS, broken, MODEL)).data)[1] == "print 'old'"


def test_a_declared_encoding_means_nothing_in_a_cell() -> None:
    top = "# -*- coding: latin-1 -*-\n"
    found = after(f"{top}# é\n{IMPORTS}", MODEL + "  # ξ")
    assert found == [f"{top}# é\n{IMPORTS_AFTER}", MODEL_AFTER + "  # ξ"]


def test_a_later_cell_may_import_from_the_future() -> None:
    future = "from __future__ import annotations"
    assert after(IMPORTS, future, MODEL) == [IMPORTS_AFTER, future, MODEL_AFTER]


# -- accounts and messages -----------------------------------------------------------------------


def test_accounts_name_the_cell() -> None:
    (account,) = rewritten_notebook(
        notebook(text("# A"), IMPORTS, "%%bash\nls", f"%%time\n{MODEL}")
    ).accounts
    assert f"{account.path}:{account.line}" == "model.ipynb:cell 4:5"


def test_problems_name_the_cell() -> None:
    observed = notebook(text("# A"), IMPORTS, "!ls \\\n  -l\n" + MODEL)
    assert refused(observed, '[sites.y]\noffset = "mu"\n') == (
        "model.ipynb:cell 3:7:9: 'y' is observed: there is nothing to reparameterize\n"
        '    numpyro.sample("y", dist.Normal(mu + a, 1), obs=y)\n'
        "    ^\n"
        "hint: only latent sites can be offset; take it out of the config."
    )


def test_lines_in_messages_name_the_cell() -> None:
    assert refused(notebook(IMPORTS, "", MODEL), '[sites.mu]\noffset = "a"\n') == (
        "offsets.toml:2:10: 'a' is sampled after 'mu' (line 4 of cell 3, after line 2 of cell 3) "
        "and can't be moved up: line 5 of cell 3 needs 'mu' of line 2 of cell 3\n"
        '    offset = "a"\n'
        "             ^\n"
        "hint: an offset can only use what was sampled before; swap the two or drop one."
    )


def test_a_name_that_looks_like_a_line_is_told_as_it_is() -> None:
    named = MODEL.replace('"mu"', '"line 4"')
    message = refused(notebook(IMPORTS, "", named), '[sites."line 4"]\noffset = "a"\n')
    assert message.splitlines()[0] == (
        "offsets.toml:2:10: 'a' is sampled after 'line 4' "
        "(line 4 of cell 3, after line 2 of cell 3) "
        "and can't be moved up: line 5 of cell 3 needs 'mu' of line 2 of cell 3"
    )
    said = refused(notebook(IMPORTS, MODEL), '[sites."model.ipynb:1"]\noffset = "a"\n')
    assert said.startswith("offsets.toml:1:8: 'model' samples no site 'model.ipynb:1'\n")


def test_a_function_in_two_cells() -> None:
    assert refused(notebook(IMPORTS, MODEL, "# Better:\n" + MODEL)) == (
        "model.ipynb:cell 3:2:1: 'model' is defined in more than one place "
        "(line 1 of cell 2 and line 2 of cell 3)\n"
        "    def model(n, y=None):\n"
        "    ^\n"
        "hint: give each definition a name of its own."
    )


def test_two_functions_with_the_site() -> None:
    message = refused(notebook(IMPORTS, MODEL, MODEL.replace("model", "other")))
    assert "model.ipynb:cell 2:1" in message
    assert "model.ipynb:cell 3:1" in message


def test_cells_that_do_not_parse() -> None:
    cells = [IMPORTS, "%%time\n%matplotlib inline\nx = (1\n", MODEL, "  y = 1", "print 'y'"]
    first, second, third = refused(notebook(*cells)).split("model.ipynb:")[1:]
    assert first == (
        "cell 2:3:5: not valid Python: '(' was never closed\n"
        "    x = (1\n"
        "        ^\n"
        "hint: every code cell must parse before the notebook can be rewritten. If it is broken on "
        "purpose, tag it raises-exception or make it a raw cell.\n"
    )
    assert second.startswith("cell 4:1:2: not valid Python: unexpected indent\n    y = 1\n")
    assert third.startswith("cell 5:1:1: not valid Python: Missing parentheses")


@pytest.mark.parametrize("cell", ["x = '\ud800'", "x = 1\0"])
def test_a_cell_that_is_no_text(cell: str) -> None:
    data = notebook(IMPORTS, cell, MODEL, ensure_ascii=True)
    assert refused(data).startswith("model.ipynb:cell 2: Python can't parse this cell: ")


def test_names_of_the_rewriter() -> None:
    assert refused(notebook(IMPORTS, "_reparam_rewrite_cell_2", MODEL)) == (
        "model.ipynb:cell 2: names with '_reparam_rewrite_' in them are for the rewriter alone\n"
        "hint: call it something else."
    )


# -- what is no notebook -------------------------------------------------------------------------


SAVE = "hint: open it in Jupyter and save it, or convert it: jupyter nbconvert --to notebook FILE."


def changed(**changes: Any) -> bytes:
    return json.dumps({**json.loads(notebook(IMPORTS, MODEL)), **changes}).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(
            b'{"cells": [\n ,]}',
            "model.ipynb:2:2: not a notebook, as it isn't JSON: Expecting value\n    ,]}\n    ^",
            id="not JSON",
        ),
        pytest.param(
            b"",
            "model.ipynb:1:1: not a notebook, as it isn't JSON: Expecting value",
            id="empty",
        ),
        pytest.param(
            b"[]", f"model.ipynb: not a notebook: it says no nbformat\n{SAVE}", id="not an object"
        ),
        pytest.param(
            b'{"cells": "caf\xe9"}',
            "model.ipynb:1:15: byte 0xe9 is not valid utf-8, as all notebooks are\n"
            '    {"cells": "caf\ufffd"}\n'
            "                  ^\n"
            "hint: save the file as UTF-8.",
            id="not UTF-8",
        ),
        pytest.param(
            changed(nbformat=3, worksheets=[]),
            "model.ipynb: a notebook of format 3, and only format 4 can be rewritten\n" + SAVE,
            id="format 3",
        ),
        pytest.param(
            changed(nbformat=5),
            "model.ipynb: no notebook format 5 is known, only 4",
            id="format 5",
        ),
        pytest.param(
            changed(metadata=[]),
            f"model.ipynb: not a valid notebook: [] is not of type 'object'\n{SAVE}",
            id="invalid",
        ),
        pytest.param(
            notebook(IMPORTS, code(MODEL, outputs={})),
            f"model.ipynb:cell 2: not a valid notebook: {{}} is not of type 'array'\n{SAVE}",
            id="invalid cell",
        ),
        pytest.param(
            notebook(
                IMPORTS,
                metadata={"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}},
            ),
            "model.ipynb: a notebook in R, not in Python",
            id="kernel of another language",
        ),
        pytest.param(
            notebook(IMPORTS, metadata={"language_info": {"name": "julia"}}),
            "model.ipynb: a notebook in julia, not in Python",
            id="another language",
        ),
        pytest.param(
            notebook(text("# Only words"), "%%bash\nls"),
            "model.ipynb: the notebook has no cell of Python",
            id="no code",
        ),
        pytest.param(
            b'{"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [\n'
            b'  {"cell_type": "code", "source": "", "execution_count": null, "source": "x",\n'
            b'   "metadata": {}, "outputs": []}]}',
            "model.ipynb:2:64: the key 'source' is there twice: which one counts?\n"
            '    {"cell_type": "code", "source": "", "execution_count": null, "source": "x",\n'
            "                                                                 ^\n" + SAVE,
            id="a key twice",
        ),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    assert refused(data) == message


def test_long_lines_of_json_are_not_shown() -> None:
    data = notebook(IMPORTS, MODEL, indent=None).replace(b'"cells"', b'"cells": [], "cells"')
    assert refused(data).startswith("model.ipynb:1:15: the key 'cells' is there twice")
    assert "import numpyro" not in refused(data)


def test_nbformat_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nbformat", None)
    assert refused(notebook(IMPORTS, MODEL)) == (
        "model.ipynb: notebooks are read with nbformat, which isn't installed\n"
        'hint: install it: pip install "reparam-rewrite[notebooks]"'
    )


@pytest.mark.parametrize("metadata", [{}, {"language_info": {"name": "python"}}])
def test_a_notebook_that_says_less_is_python(metadata: dict[str, Any]) -> None:
    assert rewritten_notebook(notebook(IMPORTS, MODEL, metadata=metadata)).accounts


def test_editors_that_leave_ids_out_or_put_more_in_are_forgiven() -> None:
    data = notebook(IMPORTS, code(MODEL, colour="red"))
    for number in range(2):
        data = data.replace(b'   "id": "cell-%d"' % number, b'   "size": 1')
    assert sources(rewritten_notebook(data).data) == [IMPORTS_AFTER, MODEL_AFTER]


# -- the command line ----------------------------------------------------------------------------


ARGUMENTS = ("model.ipynb", "--config", "offsets.toml")

ACCOUNT = "model.ipynb:cell 3:4 a <- mu (offsets.toml:1)\n"

PLAIN = notebook(IMPORTS, text("# The model"), MODEL)

WANTED = notebook(IMPORTS_AFTER, text("# The model"), MODEL_AFTER)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A notebook and its config."""
    (tmp_path / "model.ipynb").write_bytes(PLAIN)
    (tmp_path / "offsets.toml").write_text(OFFSETS)
    return tmp_path


def test_prints_the_rewritten_notebook(folder: Path) -> None:
    assert run(folder, *ARGUMENTS) == Ran(0, WANTED, ACCOUNT)
    assert run(folder, *ARGUMENTS, "-o", "-", "-q") == Ran(0, WANTED, "")


def test_writes_the_rewritten_notebook(folder: Path) -> None:
    to = ("-o", "new.ipynb")
    missing = f"{ACCOUNT}new.ipynb does not exist yet\n"
    assert run(folder, *ARGUMENTS, *to, "--check") == Ran(1, b"", missing)
    assert run(folder, *ARGUMENTS, *to) == Ran(0, b"", ACCOUNT + "wrote new.ipynb\n")
    wrote = (folder / "new.ipynb").read_bytes()
    notebook = json.loads(wrote)
    assert notebook["metadata"].pop("reparam_rewrite")["model"] == "model.ipynb"
    assert notebook == json.loads(WANTED)
    fresh = "new.ipynb is up to date\n"
    assert run(folder, *ARGUMENTS, *to, "--check") == Ran(0, b"", fresh)
    assert (folder / "model.ipynb").read_bytes() == PLAIN
    once_more = run(folder, "new.ipynb", "--config", "offsets.toml")
    assert once_more == Ran(
        0,
        wrote,
        "new.ipynb is rewritten already: nothing changed. "
        "To apply another config, rewrite the plain model.\n",
    )


def test_the_diff_applies(folder: Path) -> None:
    """To the notebook as it is: not a line of it changes but in the two cells."""
    ran = run(folder, *ARGUMENTS, "--diff")
    assert (ran.status, ran.err) == (0, ACCOUNT)
    removed = [line for line in ran.out.splitlines() if line.startswith(b"-")]
    assert len(removed) == 3  # the header, the last import without its line end, the sample
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "apply"], cwd=folder, input=ran.out, check=True)
    assert (folder / "model.ipynb").read_bytes() == WANTED


def test_a_longer_account(folder: Path) -> None:
    long = ACCOUNT.replace("\n", " in model, shape (n,); mu one number\n")
    assert run(folder, *ARGUMENTS, "-v").err == long


def test_a_capital_suffix(folder: Path) -> None:
    (folder / "model.ipynb").rename(folder / "MODEL.IPYNB")
    assert run(folder, "MODEL.IPYNB", "-c", "offsets.toml", "-q") == Ran(0, WANTED, "")


def test_a_notebook_takes_the_line_length_of_its_folder(folder: Path) -> None:
    (folder / "pyproject.toml").write_text("[tool.black]\nline-length = 40\n")
    assert run(folder, *ARGUMENTS, "-q").out == rewritten_notebook(PLAIN, width=40).data != WANTED


def test_a_notebook_is_not_written_as_python(folder: Path) -> None:
    assert run(folder, *ARGUMENTS, "-o", "out.py") == Ran(
        2,
        b"",
        "out.py: the model is a notebook, and so is what it is rewritten into\n"
        "hint: name an output that ends in .ipynb.\n",
    )
    assert not (folder / "out.py").exists()


@pytest.mark.parametrize("model", ["model.py", "-"])
def test_python_is_not_written_as_a_notebook(folder: Path, model: str) -> None:
    module = f"{IMPORTS}\n\n\n{MODEL}\n".encode()
    (folder / "model.py").write_bytes(module)
    assert run(folder, model, *ARGUMENTS[1:], "-o", "out.ipynb", stdin=module) == Ran(
        2,
        b"",
        "out.ipynb: the model is Python, and what it is rewritten into is no notebook\n"
        "hint: name an output that ends in .py.\n",
    )


# -- any text ------------------------------------------------------------------------------------


VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@settings(deadline=None)
@given(VALUES, st.sampled_from([None, 0, 1, "\t"]), st.booleans())
def test_positions_are_those_of_the_values(value: Any, indent: Any, ascii_only: bool) -> None:
    written = f" {json.dumps(value, indent=indent, ensure_ascii=ascii_only)}\n"
    start = after_blank(written)
    assert written[start:] == written.lstrip(" ")
    if isinstance(value, dict):
        found = {key: at(written, part) for key, part in parts(written, start)}
        assert repr(found) == repr(value)
    elif isinstance(value, list):
        assert repr([at(written, part) for _, part in parts(written, start)]) == repr(value)


def at(written: str, span: Span) -> Any:
    return json.loads(written[span.start : span.end])


@settings(deadline=None)
@given(st.text(), st.text(), st.booleans(), st.sampled_from([list, str]))
def test_any_source_is_spelled(old: str, new: str, escape: bool, form: type) -> None:
    value = old.splitlines(True) if form is list else old
    written = f'{{"source": {json.dumps(value, ensure_ascii=escape, indent=1)}}}'
    span = dict(parts(written, 0))["source"]
    if old:
        assert spelled(written, span, old, escape) == written[span.start : span.end]
        found = json.loads(spelled(written, span, new, escape))
        assert isinstance(found, form)
        assert "".join(found) == new
    assert splice(written, []) == written


CODE = st.sampled_from(
    [
        "x = 1",
        "",
        "  ",
        "# end",
        "%time x",
        "def f():\n    !ls \\\n -l",
        "'''a\nb'''",
        "f?",
        "y = %z",
    ]
)


def joined_cells(data: bytes) -> CellDocument:
    document = read("model.ipynb", data)
    assert isinstance(document, CellDocument)
    return document


@settings(deadline=None)
@given(
    st.lists(st.lists(CODE, min_size=1).map("\n".join), min_size=1),
    st.sampled_from(["\n", "\r\n"]),
)
def test_cells_that_are_joined_come_apart(cells: list[str], newline: str) -> None:
    data = notebook(*(cell.replace("\n", newline) for cell in cells))
    joined = joined_cells(data)
    assert joined.changed_in(joined.module.text) == {}
    for border, cell in zip(joined.borders, joined.cells, strict=True):
        count = len(cell.hidden.text.splitlines())
        for line in range(1, count + 1):
            assert joined.cell_at(border + line) == (cell, line)


@pytest.mark.parametrize(
    "lost", ["_reparam_rewrite_cell_1\n", "_reparam_rewrite_cell_2\n", "_reparam_rewrite_magic_0()"]
)
def test_a_border_that_is_lost_is_an_error(lost: str) -> None:
    joined = joined_cells(notebook("%time x", "y = 1"))
    with pytest.raises(ValueError, match="_reparam_rewrite_"):
        joined.changed_in(joined.module.text.replace(lost, ""))


# -- the rewritten notebook runs -----------------------------------------------------------------


def test_the_rewritten_notebook_is_the_same_model() -> None:
    """Its density, with the determinant of the change of variables, is the plain one's."""
    import numpy as np

    from tests.support.execution import assert_equivalent, load_model

    model = MODEL.replace("    with", '    tau = numpyro.sample("tau", dist.Gamma(2, 3))\n    with')
    model = model.replace("dist.Normal(0, 1))\n        num", "dist.Normal(mu, tau))\n        num")
    config = '[sites.a]\noffset = ["mu", "tau"]\n[sites.tau]\noffset = "mu"\n'
    before = notebook("%matplotlib inline", IMPORTS, "!ls", "def helper():\n    pass", model)
    runs = [
        load_model("\n".join(source for source in sources(data) if source[0] not in "%!"))
        for data in (before, rewritten_notebook(before, config).data)
    ]
    assert_equivalent(*runs, (3,), {"y": np.array([0.5, -1.0, 2.0])})
