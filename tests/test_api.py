"""``from reparam_rewrite import rewrite``: what a program calls."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reparam_rewrite
from reparam_rewrite import Met, Refusal, rewrite
from reparam_rewrite.config.writing import to_toml
from tests.support.cases import CASES, FIXTURES, golden
from tests.support.cli import run
from tests.support.mistakes import OFFSETS, PLAIN
from tests.support.notebooks import IMPORTS, MODEL, notebook

GRAND_MEAN = FIXTURES / "grand_mean"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_path_gives_the_bytes_of_the_fixtures(case: Path) -> None:
    result = rewrite(case / "model.py", case / "offsets.toml")
    assert result.code == golden(case)


def test_text_gives_text_and_bytes_give_bytes() -> None:
    text = rewrite(PLAIN, OFFSETS).code
    assert isinstance(text, str)
    assert 'numpyro.param("xi_a_mu", jnp.zeros(n)) * mu' in text
    assert rewrite(PLAIN.encode(), OFFSETS).code == text.encode()


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "head", ["", "\ufeff", "# -*- coding: latin-1 -*-\n# Müller\n", "# ξ\n"], ids=ascii
)
def test_text_keeps_its_line_ends_its_mark_and_its_declared_encoding(
    head: str, newline: str
) -> None:
    source = (head + PLAIN).replace("\n", newline)
    code = rewrite(source, OFFSETS).code
    assert code.startswith(head.replace("\n", newline))
    assert code.count("\n") == code.count(newline)
    assert code == head.replace("\n", newline) + rewrite(PLAIN.replace("\n", newline), OFFSETS).code


def test_text_that_its_declared_encoding_lacks_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        rewrite(f"# coding: ascii\n# ξ\n{PLAIN}", OFFSETS)
    assert str(caught.value) == (
        "<source>: '\\u03be' can't be encoded as ascii\nhint: correct the declared encoding."
    )


def test_the_diff_is_that_of_the_command_line(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(PLAIN)
    (tmp_path / "offsets.toml").write_text(OFFSETS)
    (tmp_path / ".git").mkdir()  # whose paths a diff has
    printed = run(tmp_path, tmp_path / "model.py", "-c", "offsets.toml", "--diff", "-q").out
    assert rewrite(tmp_path / "model.py", tmp_path / "offsets.toml").diff() == printed.decode()


def test_the_diff_of_text_has_its_path_or_a_stand_in() -> None:
    assert rewrite(PLAIN, OFFSETS).diff().splitlines()[1:3] == ["--- a/model.py", "+++ b/model.py"]
    named = rewrite(PLAIN, OFFSETS, path="/other.py").diff()
    assert named.splitlines()[1:3] == ["--- a/other.py", "+++ b/other.py"]


def test_the_diff_of_what_is_rewritten_already_is_empty() -> None:
    again = rewrite(rewrite(PLAIN, OFFSETS).code, OFFSETS)
    assert (again.diff(), again.already) == ("", True)


def test_sites_say_what_was_done() -> None:
    source = PLAIN.replace(
        '    numpyro.sample("y"',
        '    b = numpyro.sample("b", D())  # reparam: skip\n    numpyro.sample("y"',
    )
    config = OFFSETS + "[sites.b]\nscale = 2.0\n"
    a, b = rewrite(source, config, path="m.py").sites
    assert (a.site, a.function, a.path, a.line) == ("a", "model", "m.py", 8)
    assert (a.parents, a.config_line, a.skipped) == (("mu",), 1, False)
    assert (a.details, a.notes) == (("shape (n,)",), ())
    assert (b.site, b.line, b.parents, b.config_line, b.skipped) == ("b", 9, ("scale",), 3, True)


def test_sites_say_how_they_meet_their_parents() -> None:
    source = PLAIN.replace("mu + a", "mu + a[g]").replace("(n, y=None)", "(n, g, y=None)")
    config = '[sites.a.offset]\nmu = { value = "x * mu", per = "g" }\n'
    (a,) = rewrite(source.replace("(n, g,", "(n, g, x,"), config).sites
    assert a.meets == (Met("mu", "x * mu per g", "config"),)
    (a,) = rewrite(PLAIN, OFFSETS).sites
    assert a.meets == (Met("mu", "mu", "number"),)


def test_a_notebook_by_its_path() -> None:
    data = notebook(IMPORTS, MODEL)
    result = rewrite(data, OFFSETS, path="model.ipynb")
    assert b"xi_a_mu" in result.code
    assert result.sites[0].path == "model.ipynb:cell 2"
    assert rewrite(data.decode(), OFFSETS, path="model.ipynb").code.encode() == result.code


def test_line_length_is_what_generated_code_is_broken_at() -> None:
    narrow = rewrite(PLAIN, 'sites.a.offset = "mu"', line_length=40).code
    assert max(map(len, narrow.splitlines())) > 40  # of the source itself
    assert narrow != rewrite(PLAIN, 'sites.a.offset = "mu"').code


# Configs


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_dictionary_is_the_config_that_its_toml_is(case: Path) -> None:
    import tomllib

    config = tomllib.loads((case / "offsets.toml").read_text())
    assert rewrite(case / "model.py", config).code == golden(case)


SCALARS = st.text() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


@given(st.dictionaries(st.text(), VALUES))
def test_every_name_and_value_of_a_dictionary_is_read_as_it_is(config: dict[str, object]) -> None:
    import tomllib

    assert tomllib.loads(to_toml(config, "c")) == config


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (
            {"sites": {"a": {"ofset": "mu"}}},
            "<config>:2:1: unknown key 'ofset' in [sites.a]\n"
            '    ofset = "mu"\n'
            "    ^\n"
            "hint: did you mean 'offset'?",
        ),
        (
            {"sites": {"a": {"offset": None}}},
            "<config>: the value of sites.a.offset is a NoneType, which TOML doesn't have\n"
            "hint: strings, booleans, numbers, lists and dictionaries can be in a config.",
        ),
        ({"sites": {1: {}}}, "<config>: the key 1 of [sites] is not a string"),
        (
            "offsets.toml",
            "<config>: the config is the text 'offsets.toml', which isn't TOML\n"
            "hint: a path is given as Path('offsets.toml').",
        ),
        ("\udc80 = 1", "<config>:1:1: not UTF-8: the byte 0xed"),
    ],
)
def test_mistakes_of_configs(config: str | dict[str, object], says: str) -> None:
    with pytest.raises(Refusal) as caught:
        rewrite(PLAIN, config)
    assert str(caught.value).startswith(says)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="the model does not exist"):
        rewrite(tmp_path / "model.py", OFFSETS)
    with pytest.raises(Refusal, match="the config does not exist"):
        rewrite(PLAIN, tmp_path / "offsets.toml")


def test_a_path_as_a_text_is_refused() -> None:
    with pytest.raises(Refusal) as caught:
        rewrite("models/trend.py", OFFSETS)
    assert str(caught.value) == (
        "<source>: the source is the text 'models/trend.py', which is no model\n"
        "hint: a path is given as Path('models/trend.py')."
    )


def test_other_types_are_mistakes_of_the_program() -> None:
    with pytest.raises(TypeError, match="source must be str, bytes or a path, not int"):
        rewrite(1, OFFSETS)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="config must be str, a path or a dictionary, not bytes"):
        rewrite(PLAIN, b"")  # type: ignore[call-overload]


# Refusals


def test_a_refusal_is_the_message_and_its_parts() -> None:
    with pytest.raises(Refusal) as caught:
        rewrite(PLAIN, '[sites.a]\noffset = ["sigma", "tau"]')
    assert str(caught.value) == (
        "<config>:2:11: 'model' samples no site 'sigma'\n"
        '    offset = ["sigma", "tau"]\n'
        "              ^\n"
        "hint: it samples 'a', 'mu' and 'y'.\n"
        "<config>:2:20: 'model' samples no site 'tau'\n"
        '    offset = ["sigma", "tau"]\n'
        "                       ^\n"
        "hint: it samples 'a', 'mu' and 'y'."
    )
    assert [d.message for d in caught.value.diagnostics] == [
        "'model' samples no site 'sigma'",
        "'model' samples no site 'tau'",
    ]


def test_a_refusal_comes_back_from_another_process() -> None:
    with pytest.raises(Refusal) as caught:
        rewrite("model = ", OFFSETS)
    sent = pickle.loads(pickle.dumps(caught.value))
    assert (str(sent), sent.diagnostics) == (str(caught.value), caught.value.diagnostics)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep = PLAIN.replace("dist.Normal(0, 1)", f"dist.Normal({'-' * 5000}1, 1)", 1)
    with pytest.raises(Refusal):
        rewrite(deep, OFFSETS)


# The package


def modules_after(line: str) -> set[str]:
    code = f"import sys; {line}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=FIXTURES.parent,
    )
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_else() -> None:
    assert modules_after("import reparam_rewrite") - modules_after("pass") == {"reparam_rewrite"}


def test_all_that_is_exported_is_there_and_nothing_else() -> None:
    for name in reparam_rewrite.__all__:
        assert getattr(reparam_rewrite, name) is not None
    assert set(reparam_rewrite.__all__) <= set(dir(reparam_rewrite))
    with pytest.raises(AttributeError, match="no attribute 'rewrites'"):
        reparam_rewrite.rewrites  # type: ignore[attr-defined]  # noqa: B018


def test_types_are_known_to_those_who_call_it(tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    (tmp_path / "program.py").write_text(
        "from pathlib import Path\n"
        "from reparam_rewrite import Refusal, rewrite\n"
        "reveal_type(rewrite('', '').code)\n"
        "reveal_type(rewrite(b'', {'sites': {}}).code)\n"
        "reveal_type(rewrite(Path(), Path()).code)\n"
        "reveal_type(rewrite('', '').sites[0].parents)\n"
        "reveal_type(Refusal('').diagnostics)\n"
        "rewrite(1, '')\n"
        "import reparam_rewrite\n"
        "reparam_rewrite.rewrites\n"
    )
    command = [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith("program.py")]
    said = [line.split(": ", 1)[1] for line in lines]
    revealed = [line.partition('"')[2].rstrip('"') for line in said if "Revealed" in line]
    assert [line.replace("builtins.", "") for line in revealed] == [
        "str",
        "bytes",
        "bytes",
        "tuple[str, ...]",
        "tuple[reparam_rewrite.messages.Diagnostic, ...]",
    ]
    errors = [line for line in said if line.startswith("error")]
    assert any("[call-overload]" in line for line in errors)
    assert any("[attr-defined]" in line for line in errors)
