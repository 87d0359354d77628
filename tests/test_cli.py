"""What the command line does when all is well, and how it ends when somebody ends it."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from reparam_rewrite import __version__, rewriting
from reparam_rewrite.cli.main import main
from reparam_rewrite.source import files
from tests.support.cli import (
    COMMAND,
    ROOT,
    Ran,
    body,
    environment,
    made_before,
    run,
    shell,
    snapshot,
)
from tests.support.mistakes import HEAD, OFFSETS, PLAIN, model

WITH_Z = model("""
    mu = numpyro.sample("mu", dist.Normal(0, 1))
    z = numpyro.sample("z", dist.Normal(0, 1))
    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
""")

ARGUMENTS = ("model.py", "--config", "offsets.toml")

ACCOUNT = "model.py:8 a <- mu (offsets.toml:1)\n"

ESCAPE = "\x1b["


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model and its config."""
    (tmp_path / "model.py").write_text(PLAIN)
    (tmp_path / "offsets.toml").write_text(OFFSETS)
    return tmp_path


@pytest.fixture
def generated(folder: Path) -> bytes:
    """What the model becomes."""
    ran = run(folder, *ARGUMENTS, "-q")
    assert (ran.status, ran.err) == (0, "")
    return ran.out


def colorless(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


# -- where the output goes ---------------------------------------------------------------------


def test_prints_the_rewritten_model(folder: Path) -> None:
    before = snapshot(folder)
    ran = run(folder, *ARGUMENTS)
    assert (ran.status, ran.err) == (0, ACCOUNT)
    compile(ran.out, "generated", "exec")
    assert b'numpyro.param("xi_a_mu", jnp.zeros(n)) * mu' in ran.out
    assert snapshot(folder) == before


def test_dash_prints_too(folder: Path, generated: bytes) -> None:
    assert run(folder, *ARGUMENTS, "-o", "-") == Ran(0, generated, ACCOUNT)
    assert not (folder / "-").exists()


def test_output_gets_what_would_be_printed(folder: Path, generated: bytes) -> None:
    before = snapshot(folder)
    assert run(folder, *ARGUMENTS, "-o", "out.py") == Ran(0, b"", ACCOUNT + "wrote out.py\n")
    after = snapshot(folder)
    written = after.pop("out.py").content
    assert isinstance(written, bytes) and body(written) == generated
    assert {**after, ".": None} == {**before, ".": None}


def test_output_that_is_up_to_date_is_left_alone(folder: Path) -> None:
    run(folder, *ARGUMENTS, "-o", "out.py")
    os.utime(folder / "out.py", (0, 0))
    before = snapshot(folder)
    ran = run(folder, *ARGUMENTS, "-o", "out.py")
    assert ran == Ran(0, b"", "out.py is up to date\n")
    assert snapshot(folder) == before
    ran = run(folder, *ARGUMENTS, "-o", "out.py", "-v")
    assert ran == Ran(
        0, b"", f"{ACCOUNT[:-1]} in model, shape (n,); mu one number\nout.py is up to date\n"
    )
    assert snapshot(folder) == before


def test_output_that_is_old_is_replaced(folder: Path, generated: bytes) -> None:
    (folder / "out.py").write_bytes(made_before(b"old = 1\n"))
    (folder / "out.py").chmod(0o640)
    assert run(folder, *ARGUMENTS, "-o", "out.py").err == ACCOUNT + "wrote out.py\n"
    assert body((folder / "out.py").read_bytes()) == generated
    assert (folder / "out.py").stat().st_mode & 0o777 == 0o640


def test_model_on_standard_input(folder: Path, generated: bytes) -> None:
    ran = run(folder, "-", "--config", "offsets.toml", stdin=PLAIN.encode())
    assert ran == Ran(0, generated, ACCOUNT.replace("model.py", "<stdin>"))


def test_model_through_a_pipe_to_a_file(folder: Path, generated: bytes) -> None:
    line = "cat model.py | reparam-rewrite - -c offsets.toml -q -o out.py"
    assert shell(folder, line) == Ran(0, b"", "")
    assert body((folder / "out.py").read_bytes()) == generated


def test_from_another_folder(folder: Path, generated: bytes, tmp_path: Path) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    place = tmp_path / "deep" / "down"
    ran = run(place, "../../model.py", "--config", folder / "offsets.toml", "-o", "../out.py")
    assert ran.status == 0
    assert ran.err == (f"../../model.py:8 a <- mu ({folder}/offsets.toml:1)\nwrote ../out.py\n")
    assert body((tmp_path / "deep" / "out.py").read_bytes()) == generated


@pytest.mark.parametrize(
    "names",
    [
        ("my model.py", "my offsets.toml", "my output.py"),
        ("größe μ.py", "κ.toml", "сумма.py"),
        ("model", "offsets", "out"),
        ('it\'s $HOME "quoted".py', "&;.toml", "*.py"),
    ],
    ids=["spaces", "not ASCII", "no extension", "quotes"],
)
def test_names_of_any_kind(folder: Path, generated: bytes, names: tuple[str, str, str]) -> None:
    source, config, output = names
    (folder / "model.py").rename(folder / source)
    (folder / "offsets.toml").rename(folder / config)
    ran = run(folder, source, "--config", config, "-o", output)
    assert ran == Ran(0, b"", f"{source}:8 a <- mu ({config}:1)\nwrote {output}\n")
    assert body((folder / output).read_bytes()) == generated


@pytest.mark.parametrize("options", [(), ("--format", "json"), ("--format", "github", "-v")])
def test_names_that_the_locale_cannot_decode(folder: Path, options: tuple[str, ...]) -> None:
    """In the C locale, where Python is told to leave it at that."""
    (folder / "größe").mkdir()
    (folder / "model.py").rename(folder / "größe" / "модель.py")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = ("größe/модель.py", "--config", "offsets.toml", "-o", "größe/ö.py")
    ran = run(folder, *words, *options, **plain)
    assert ran.status == 0, ran.err
    assert (folder / "größe" / "ö.py").exists()
    if "json" in options:
        assert '"output": "größe/ö.py"' in ran.out.decode()


def test_a_model_that_is_run_in_the_c_locale(folder: Path) -> None:
    """jax can't take the names of files that Python couldn't decode."""
    (folder / "größe").mkdir()
    (folder / "model.py").rename(folder / "größe" / "model.py")
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ran = run(folder, "suggest", "größe/model.py", "--args", "(3,)", **plain)
    assert (ran.status, ran.err) == (0, "")


def test_a_device_that_is_missing_is_no_mistake_of_the_arguments(folder: Path) -> None:
    words = ("suggest", "model.py", "--args", "(3,)")
    ran = run(folder, *words, JAX_PLATFORMS="nonesuch")
    assert (ran.status, ran.out) == (2, b"")
    assert ran.err.startswith("jax finds no device for JAX_PLATFORMS=nonesuch: ")
    assert ran.err.endswith(
        "hint: unset JAX_PLATFORMS, or set it to cpu: models are checked and fitted on the CPU.\n"
    )


def test_name_that_looks_like_an_option(folder: Path, generated: bytes) -> None:
    (folder / "model.py").rename(folder / "--diff")
    assert run(folder, "-q", "-c", "offsets.toml", "--", "--diff") == Ran(0, generated, "")


# -- the account -------------------------------------------------------------------------------


def test_account_names_both_files(folder: Path) -> None:
    (folder / "model.py").write_text("#\n" * 32 + WITH_Z)
    (folder / "offsets.toml").write_text("#\n" * 6 + '[sites.a]\noffset = ["z", "mu"]\n')
    assert run(folder, *ARGUMENTS).err == "model.py:41 a <- mu, z (offsets.toml:7)\n"


def test_account_of_a_chain_is_in_the_order_of_sampling(folder: Path) -> None:
    (folder / "model.py").write_text(WITH_Z)
    (folder / "offsets.toml").write_text('chain = [\n  "a",\n  "mu",\n  "z",\n]\n')
    assert run(folder, *ARGUMENTS).err == (
        "model.py:9 a is moved up above line 6 (offsets.toml:3)\n"
        "model.py:6 mu <- jnp.mean(a) (offsets.toml:3)\n"
        "model.py:7 z <- jnp.mean(a), mu (offsets.toml:4)\n"
    )


def test_account_is_a_line_whatever_the_name(folder: Path) -> None:
    (folder / "model.py").write_text(PLAIN.replace('"a"', r'"a\n\x1bc"'))
    (folder / "offsets.toml").write_text(OFFSETS.replace("sites.a", r'sites."a\n\u001bc"'))
    ran = run(folder, *ARGUMENTS)
    assert (ran.status, ran.err) == (0, ACCOUNT.replace("8 a", r"8 a\n\x1bc"))


def test_quiet_says_nothing(folder: Path, generated: bytes) -> None:
    assert run(folder, *ARGUMENTS, "-q", "-o", "out.py") == Ran(0, b"", "")
    assert run(folder, *ARGUMENTS, "--quiet", "-o", "out.py", "--check") == Ran(0, b"", "")
    (folder / "out.py").write_text("old = 1\n")
    assert run(folder, *ARGUMENTS, "-q", "-o", "out.py", "--check") == Ran(1, b"", "")


def test_quiet_is_not_quiet_about_errors(folder: Path) -> None:
    assert run(folder, "zzz", "-c", "offsets.toml", "-q").err == ("zzz: the model does not exist\n")


def test_verbose_says_more(folder: Path, generated: bytes) -> None:
    ran = run(folder, *ARGUMENTS, "-v")
    assert ran == Ran(0, generated, f"{ACCOUNT[:-1]} in model, shape (n,); mu one number\n")


# -- the diff ----------------------------------------------------------------------------------


@pytest.fixture
def repository(folder: Path) -> Path:
    """A repository that has a model in a sub-folder too."""
    (folder / "sub").mkdir()
    (folder / "sub" / "model.py").write_text(PLAIN)
    subprocess.run(["git", "init", "-q", folder], check=True)
    return folder


@pytest.mark.parametrize("place", [".", "sub"])
@pytest.mark.parametrize("apply_at", [".", "sub"])
@pytest.mark.parametrize(
    ("output", "before"), [(None, None), ("out.py", b"old = 1\n"), ("out.py", None)]
)
def test_diff_applies(
    repository: Path,
    generated: bytes,
    place: str,
    apply_at: str,
    output: str | None,
    before: bytes | None,
) -> None:
    """Without -o to the model; with it to the output, which is there or not."""
    here = repository / place
    if output and before is not None:
        (here / output).write_bytes(before)
    untouched = snapshot(repository)
    ran = run(
        here,
        "model.py",
        "--config",
        repository / "offsets.toml",
        "--diff",
        *(["-o", output] if output else []),
    )
    assert ran.status == 0
    assert snapshot(repository) == untouched
    subprocess.run(["git", "apply"], cwd=repository / apply_at, input=ran.out, check=True)
    # From a sub-folder git leaves out, without a word, what is outside of it.
    applied = place == apply_at or apply_at == "."
    expected = generated if applied else (before if output else PLAIN.encode())
    target = here / (output or "model.py")
    found = target.read_bytes() if target.exists() else None
    assert (body(found) if found and applied and output else found) == expected


def test_diff_of_what_is_up_to_date_is_empty(folder: Path) -> None:
    run(folder, *ARGUMENTS, "-o", "out.py")
    ran = run(folder, *ARGUMENTS, "--diff", "-o", "out.py")
    assert ran == Ran(0, b"", "out.py is up to date\n")


def test_diff_of_standard_input(folder: Path) -> None:
    ran = run(folder, "-", "-c", "offsets.toml", "--diff", "-q", stdin=PLAIN.encode())
    assert (ran.status, ran.err) == (0, "")
    assert b"+    a_reparam = ExplicitReparam(AffineTransform(a_loc, 1))\n" in ran.out


# -- the check ---------------------------------------------------------------------------------


@pytest.mark.parametrize("diff", [False, True])
@pytest.mark.parametrize(
    ("output", "status", "said"),
    [
        ("fresh", 0, "out.py is up to date"),
        ("old", 1, "out.py would change"),
        ("absent", 1, "out.py does not exist yet"),
    ],
)
def test_check(folder: Path, output: str, status: int, said: str, diff: bool) -> None:
    if output == "fresh":
        run(folder, *ARGUMENTS, "-o", "out.py")
    elif output == "old":
        (folder / "out.py").write_bytes(made_before(b"old = 1\n"))
    before = snapshot(folder)
    ran = run(folder, *ARGUMENTS, "-o", "out.py", "--check", *(["--diff"] if diff else []))
    assert (ran.status, ran.err) == (status, f"{ACCOUNT if status else ''}{said}\n")
    assert ran.out.startswith(b"diff --git") is (diff and status == 1)
    assert snapshot(folder) == before


def test_check_sees_a_change_of_any_of_the_three(folder: Path) -> None:
    arguments = (*ARGUMENTS, "-q", "-o", "out.py")
    for name, old, new in [
        ("model.py", "Normal(0, 1)", "Normal(0, 2)"),
        ("offsets.toml", '"mu"', "{ mu = { init = 1.0 } }"),
        ("out.py", "xi_a_mu", "xi"),
    ]:
        assert run(folder, *arguments, "--force").status == 0
        assert run(folder, *arguments, "--check").status == 0
        file = folder / name
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))
        assert run(folder, *arguments, "--check").status == 1, name


def test_one_line_of_the_config_makes_another_experiment(folder: Path, generated: bytes) -> None:
    model_before = snapshot(folder)["model.py"]
    config = folder / "offsets.toml"
    config.write_text(OFFSETS.replace('"mu"', '{ mu = { coefficient = "shared" } }'))
    other = run(folder, *ARGUMENTS, "-q").out
    assert b'numpyro.param("xi_a_mu", 0.0) * mu' in other
    assert other != generated
    assert snapshot(folder)["model.py"] == model_before


def test_second_pass_says_so_and_changes_nothing(folder: Path, generated: bytes) -> None:
    (folder / "done.py").write_bytes(generated)
    said = (
        "done.py is rewritten already: nothing changed. "
        "To apply another config, rewrite the plain model.\n"
    )
    assert run(folder, "done.py", "-c", "offsets.toml") == Ran(0, generated, said)
    assert run(folder, "done.py", "-c", "offsets.toml", "--diff") == Ran(0, b"", said)


# -- bytes that are not ours -------------------------------------------------------------------

STRANGE = model("""
    # prior \u00e9tendu \u00b1 1
    mu = numpyro.sample( 'mu', dist.Normal(0,1) )   # odd  spacing


    with numpyro.plate("n", n):
        a = numpyro.sample("a", dist.Normal(0, 1))
""").replace("odd", "od\td\x0b")


@pytest.mark.parametrize(
    ("data", "newline"),
    [
        (STRANGE.encode(), b"\n"),
        (STRANGE.replace("\n", "\r\n").encode(), b"\r\n"),
        (STRANGE.encode("utf-8-sig"), b"\n"),
        (STRANGE.replace("\n", "\r\n").encode("utf-8-sig"), b"\r\n"),
        (f"# -*- coding: latin-1 -*-\n{STRANGE}".encode("latin-1"), b"\n"),
        (STRANGE.rstrip("\n").encode(), b"\n"),
    ],
    ids=["UTF-8", "CRLF", "byte order mark", "both", "Latin-1", "no newline at the end"],
)
def test_lines_that_are_not_generated_keep_their_bytes(
    folder: Path, data: bytes, newline: bytes
) -> None:
    (folder / "model.py").write_bytes(data)
    ran = run(folder, *ARGUMENTS, "-q")
    assert (ran.status, ran.err) == (0, "")
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    assert ran.out.startswith(mark)
    given, made = data[len(mark) :].split(newline), ran.out[len(mark) :].split(newline)
    # The header of the plate is the only line that is no longer there.
    changed = b'    with numpyro.plate("n", n):'
    rest = iter(made)
    missing = [line for line in given if line != changed and line not in rest]
    assert missing == []
    assert ran.out.endswith(newline) is data.endswith(newline)
    assert ran.out.count(b"\r") == (ran.out.count(b"\n") if newline == b"\r\n" else 0)


def test_long_file(folder: Path, generated: bytes) -> None:
    """One model at the end of four thousand lines."""
    filler = "".join(f"def f{i}(x):\n    return x + {i}\n\n\n" for i in range(1000))
    head, body = HEAD[: HEAD.index("def")], PLAIN[HEAD.index("def") :]
    (folder / "model.py").write_text(head + filler + body)
    ran = run(folder, *ARGUMENTS)
    assert (ran.status, ran.err) == (0, "model.py:4008 a <- mu (offsets.toml:1)\n")
    assert filler.encode() in ran.out
    assert ran.out.replace(filler.encode(), b"") == generated


# -- colour ------------------------------------------------------------------------------------


def on_a_terminal(folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """The status, and all that shows on a terminal which is both outputs."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            env=environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
    finally:
        os.close(theirs)
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as screen:
        while select.select([screen], [], [], 30)[0]:
            try:
                part = screen.read(4096)
            except OSError:  # Linux's way of saying that the other end is closed
                break
            if not part:
                break
            shown += part
    return process.wait(30), shown.decode().replace("\r\n", "\n")


ERROR = ("model.py", "--config", "typo.toml")

MESSAGE = """\
typo.toml:2:10: 'model' samples no site 'sigma'
    offset = "sigma"
             ^
hint: it samples 'a', 'mu' and 'y'.
"""


@pytest.fixture
def typo(folder: Path) -> Path:
    (folder / "typo.toml").write_text('[sites.a]\noffset = "sigma"\n')
    return folder


def test_error_on_a_terminal_is_coloured(typo: Path) -> None:
    status, shown = on_a_terminal(typo, *ERROR)
    assert (status, colorless(shown)) == (2, MESSAGE)
    place, complaint, line, caret, hint = re.split(r"\n|(?<=10:)", shown.rstrip("\n"))
    assert place == f"{ESCAPE}1mtypo.toml:2:10:"
    assert f"{ESCAPE}31m 'model' samples no site 'sigma'" in complaint
    assert line == '    offset = "sigma"'
    assert caret.endswith(f"^{ESCAPE}0m")
    assert hint.startswith(f"{ESCAPE}36mhint: ")


def test_diff_on_a_terminal_is_coloured(folder: Path) -> None:
    plain = run(folder, *ARGUMENTS, "--diff", "-q").out.decode()
    status, shown = on_a_terminal(folder, *ARGUMENTS, "--diff", "-q")
    assert (status, colorless(shown)) == (0, plain)
    starts = {"diff": "1m", "--- ": "1m", "+++ ": "1m", "@@ -": "36m", "+   ": "32m", "-   ": "31m"}
    for line in shown.splitlines():
        code = starts.get(colorless(line)[:4])
        if code:
            assert line.startswith(ESCAPE + code)
            assert line.endswith(f"{ESCAPE}0m")
    assert all(f"{ESCAPE}{code}" in shown for code in starts.values())


def test_an_empty_diff_has_no_colour_and_no_line(folder: Path) -> None:
    (folder / "empty.toml").write_text("chain = []\n")
    words = ("model.py", "--config", "empty.toml", "--diff", "-q", "--color=always")
    assert run(folder, *words) == Ran(0, b"", "")


def test_model_on_a_terminal_is_not_coloured(folder: Path, generated: bytes) -> None:
    assert on_a_terminal(folder, *ARGUMENTS) == (0, generated.decode() + ACCOUNT)


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({"NO_COLOR": "1"}, []),
        ({"TERM": "dumb"}, []),
        ({}, ["--color", "never"]),
    ],
)
def test_no_colour_on_a_terminal(typo: Path, variables: dict[str, str], options: list[str]) -> None:
    assert on_a_terminal(typo, *ERROR, *options, **variables) == (2, MESSAGE)
    _, shown = on_a_terminal(typo, *ARGUMENTS, "--diff", *options, **variables)
    assert ESCAPE not in shown


def test_empty_no_color_means_nothing(typo: Path) -> None:
    """https://no-color.org: only if it is "not an empty string"."""
    assert ESCAPE in on_a_terminal(typo, *ERROR, NO_COLOR="")[1]


def test_colour_without_a_terminal_only_if_asked_for(typo: Path) -> None:
    assert run(typo, *ERROR) == Ran(2, b"", MESSAGE)
    ran = run(typo, *ERROR, "--color", "always", NO_COLOR="1")
    assert ESCAPE in ran.err
    assert colorless(ran.err) == MESSAGE
    assert ESCAPE.encode() not in run(typo, *ARGUMENTS, "--diff").out
    assert ESCAPE.encode() in run(typo, *ARGUMENTS, "--diff", "--color=always").out
    assert ESCAPE.encode() not in run(typo, *ARGUMENTS, "--color=always").out


# -- help, version, ways to start --------------------------------------------------------------


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(tmp_path: Path, option: str) -> None:
    ran = run(tmp_path, option, COLUMNS="80")
    assert (ran.status, ran.err) == (0, "")
    text = ran.out.decode()
    assert all(len(line) <= 80 for line in text.splitlines())
    for parameter in main.params:
        assert max(parameter.opts, key=len) in text or parameter.name == "model"
    for status in (0, 1, 2):
        assert re.search(rf"^ +{status}  \S", text, re.MULTILINE)


def test_examples_of_the_help_work(folder: Path, generated: bytes) -> None:
    text = run(folder, "--help", COLUMNS="80").out.decode()
    examples = re.findall(r"^ +(reparam-rewrite model\.py .*)$", text, re.MULTILINE)
    assert len(examples) == 4
    assert [shell(folder, line).status for line in examples] == [0, 0, 0, 0]
    assert body((folder / "model_reparam.py").read_bytes()) == generated


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(tmp_path: Path, option: str) -> None:
    version = f"reparam-rewrite {__version__}\n".encode()
    assert run(tmp_path, option) == Ran(0, version, "")


def test_help_imports_little(tmp_path: Path) -> None:
    """Not what reads models: neither LibCST nor, ever, jax."""
    code = (
        "import sys\nfrom reparam_rewrite.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n"
        "    assert not {'libcst', 'msgspec', 'jax', 'numpyro', 'tomllib'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True
    )
    assert done.stderr == b""


def test_console_script(folder: Path, generated: bytes) -> None:
    """The script that an installer makes of the entry point."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, name = pyproject["project"]["scripts"]["reparam-rewrite"].split(":")
    script = folder / "reparam-rewrite"
    script.write_text(f"import sys\nfrom {module} import {name}\nsys.exit({name}())\n")
    done = subprocess.run(
        [sys.executable, script, *ARGUMENTS], cwd=folder, env=environment(), capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr.decode()) == (0, generated, ACCOUNT)
    usage = subprocess.run(
        [sys.executable, script, "-h"], env=environment(), capture_output=True, text=True
    )
    assert usage.stdout.startswith("Usage: reparam-rewrite [OPTIONS] [MODEL]\n")


def test_warnings_as_errors(folder: Path, generated: bytes) -> None:
    """Nothing of what is used is deprecated."""
    ran = run(folder, *ARGUMENTS, PYTHONWARNINGS="error")
    assert ran == Ran(0, generated, ACCOUNT)


# -- ends that come early ----------------------------------------------------------------------


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("options", ["", "--diff -o out.py"])
def test_reader_that_has_seen_enough(folder: Path, options: str, unbuffered: str) -> None:
    """More than a pipe holds, so that the program surely meets its end."""
    (folder / "model.py").write_text(PLAIN + "# long\n" * 40000)
    (folder / "out.py").write_text("# old\n" * 40000)
    line = f"reparam-rewrite model.py -c offsets.toml {options} | head -1"
    ran = shell(folder, line, PYTHONUNBUFFERED=unbuffered)
    assert (ran.status, ran.err) == (141, "")
    assert ran.out.count(b"\n") == 1


def test_reader_that_is_gone(folder: Path) -> None:
    """All of the output still waits to be written when that is found out."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, *ARGUMENTS],
        cwd=folder,
        env=environment(PYTHONUNBUFFERED=""),
        stdout=writing,
        stderr=subprocess.PIPE,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_reader_of_everything_that_has_seen_enough(folder: Path) -> None:
    (folder / "model.py").write_text(PLAIN + "# long\n" * 40000)
    ran = shell(folder, "reparam-rewrite model.py -c offsets.toml 2>&1 | head -1")
    assert (ran.status, ran.err, ran.out.count(b"\n")) == (141, "", 1)


@pytest.mark.parametrize("gone", ["2>&-", "2>/dev/full"])
def test_nobody_to_hear_the_account(folder: Path, generated: bytes, gone: str) -> None:
    line = f"reparam-rewrite model.py -c offsets.toml {gone}"
    assert shell(folder, line) == Ran(0, generated, "")
    assert shell(folder, f"{line} -o out.py") == Ran(0, b"", "")
    assert body((folder / "out.py").read_bytes()) == generated
    assert shell(folder, line.replace("model", "gone")) == Ran(2, b"", "")


def test_ctrl_c_while_reading(folder: Path) -> None:
    before = snapshot(folder)
    process = subprocess.Popen(
        [*COMMAND, "-", "--config", "offsets.toml", "-o", "out.py"],
        cwd=folder,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    # More than a pipe holds; once the pipe is empty, the program waits for what else will come.
    process.stdin.write(PLAIN.encode() + b"# more\n" * 100_000)
    process.stdin.flush()
    while fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)) != bytes(4):
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    status = process.wait(30)
    with process.stdout, process.stderr:
        said = process.stdout.read(), process.stderr.read()
    process.stdin.close()
    assert (status, said) == (130, (b"", b"\ninterrupted\n"))
    assert snapshot(folder) == before


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_ctrl_c_while_jax_is_imported(folder: Path, seconds: float) -> None:
    """Which would end the process with SIGABRT if Python raised it there."""
    before = snapshot(folder)
    arguments = ("fit", *ARGUMENTS, "--args", "(3,), {}", "-o", "fitted.toml")
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    maps = Path(f"/proc/{process.pid}/maps")
    while "jaxlib" not in maps.read_text():
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"\ninterrupted\n")
    assert snapshot(folder).keys() == before.keys()


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def broken(*_: object) -> None:
    raise ZeroDivisionError("no reason")


def too_deep(*_: object) -> None:
    raise RecursionError


Capture = pytest.CaptureFixture[str]


def ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, *options: str
) -> tuple[int, str, str]:
    """A run in this process, for what has to be made to happen; the folder stays as it is."""
    monkeypatch.chdir(folder)
    before = snapshot(folder)
    with pytest.raises(SystemExit) as exit_of:
        main([*ARGUMENTS, "-o", "out.py", *options])
    assert snapshot(folder).keys() == before.keys()
    assert isinstance(exit_of.value.code, int)
    return exit_of.value.code, *capsys.readouterr()


@pytest.mark.parametrize("call", ["fsync", "urandom"])
def test_ctrl_c_while_writing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, call: str
) -> None:
    monkeypatch.setattr(os, call, interrupted)
    assert ended(folder, monkeypatch, capsys) == (130, "", "\ninterrupted\n")


def test_disk_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert ended(folder, monkeypatch, capsys) == (
        2,
        "",
        "out.py: cannot write the output: no space left on device\n"
        "hint: make room, or choose another path, or leave out -o to print the result.\n",
    )


def test_output_that_cannot_be_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    (folder / "out.py").write_text("old = 1\n")
    really_open: Callable[..., int] = os.open

    def locked(path: str, *arguments: int) -> int:
        if path == "out.py":
            raise PermissionError(13, "Permission denied")
        return really_open(path, *arguments)

    monkeypatch.setattr(files.os, "open", locked)
    assert ended(folder, monkeypatch, capsys) == (
        2,
        "",
        "out.py: cannot read the output: permission denied\nhint: make it readable (chmod u+r).\n",
    )


def test_output_with_too_long_a_name(folder: Path) -> None:
    before = snapshot(folder)
    name = "x" * 300
    assert run(folder, *ARGUMENTS, "-o", name) == Ran(
        2,
        b"",
        f"{name}: cannot write the output: file name too long\n"
        "hint: choose another path, or leave out -o to print the result.\n",
    )
    assert snapshot(folder) == before


def test_mistake_of_ours(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setattr(rewriting, "rewrite", broken)
    assert ended(folder, monkeypatch, capsys) == (
        2,
        "",
        "model.py: internal error: ZeroDivisionError: no reason\n"
        "hint: nothing was written. Please report this; -v shows the traceback.\n",
    )


def test_mistake_of_ours_with_its_traceback(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(rewriting, "rewrite", broken)
    status, out, err = ended(folder, monkeypatch, capsys, "-v")
    assert (status, out) == (2, "")
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith(
        "ZeroDivisionError: no reason\n"
        "model.py: internal error: ZeroDivisionError: no reason\n"
        "hint: nothing was written. Please report this, with the traceback above.\n"
    )


def test_model_that_is_too_deep(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr(rewriting, "rewrite", too_deep)
    assert ended(folder, monkeypatch, capsys) == (
        2,
        "",
        "model.py: an expression, or an if with many elif, is nested too deeply to be read\n"
        "hint: take it apart.\n",
    )


def test_a_shape_that_is_left_to_run_time_is_said(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "import jax.numpy as jnp\n"
        "import numpyro\n"
        "import numpyro.distributions as dist\n\n\n"
        "def model(group):\n"
        '    v = numpyro.sample("v", dist.Normal(jnp.zeros(3), 1))\n'
        '    a = numpyro.sample("a", dist.Normal(v[group], 1))\n'
    )
    (tmp_path / "offsets.toml").write_text('[sites.a]\noffset = "v"\n')
    command = [sys.executable, "-m", "reparam_rewrite", "model.py", "--config", "offsets.toml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == (
        "model.py:8 a <- v[group] (offsets.toml:1)\n"
        "model.py:8 note: 'v' must broadcast to 'a' when the model runs: "
        "the source doesn't tell both shapes\n"
        "model.py:8 note: how 'a' comes from its base depends on group: "
        "where draws of 'a' are given, they count\n"
    )
