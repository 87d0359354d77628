"""Shell completion, in the shells themselves: what Tab offers."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.cli import environment

#: zsh doesn't look for commands in folders that are spelt with "..".
SCRIPTS = Path(os.path.normpath(sys.executable)).parent

#: bash calls this function with the words so far, and reads COMPREPLY.
ASK = """\
set -e
eval "$(_REPARAM_REWRITE_COMPLETE=bash_source reparam-rewrite)"
complete -p reparam-rewrite >&2
compopt() { COMPREPLY=("(${@: -1})"); }
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_reparam_rewrite_completion reparam-rewrite
printf '%s\\n' "${COMPREPLY[@]}"
"""

bash = pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")


def with_scripts(**changes: str) -> dict[str, str]:
    return environment(PATH=f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", **changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.py", "model.ipynb", "notes.txt", "offsets.toml", "verse.py", ".hidden.py"):
        (tmp_path / name).write_text("")
    for name in ("configs/deep.toml", "models/first.py", "models/second.ipynb", "empty/readme"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def offered(folder: Path, *words: str) -> set[str]:
    """What bash is told to offer for the last of the words."""
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", "reparam-rewrite", *words],
        cwd=folder,
        env=with_scripts(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split("\n")) - {""}


FILES = {"model.py", "model.ipynb", "verse.py", "configs/", "models/", "empty/"}


@bash
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([""], {"bench", "demo", "fit", "schema", "suggest", "tune", "verify", *FILES}),
        (["ver"], {"verify", "verse.py"}),
        (["--check", "ver"], {"verse.py"}),
        (["mo"], {"model.py", "model.ipynb", "models/"}),
        (["models/"], {"models/first.py", "models/second.ipynb"}),
        (["models/f"], {"models/first.py"}),
        (["./m"], {"./model.py", "./model.ipynb", "./models/"}),
        ([".h"], {".hidden.py"}),
        (["conf"], {"(dirnames)"}),
        (["none"], set()),
        (["none/x"], set()),
        (["model.py", "--c"], {"--config", "--check", "--color"}),
        (["model.py", "--config", ""], {"offsets.toml", "configs/", "models/", "empty/"}),
        (["model.py", "-c", "configs/"], {"configs/deep.toml"}),
        (["model.py", "-o", "mod"], {"model.py", "model.ipynb", "models/"}),
        (["model.py", "--color", ""], {"auto", "always", "never"}),
        (["--config", "offsets.toml", "ver"], {"verse.py"}),
        (["verify", "mod"], {"model.py", "model.ipynb", "models/"}),
        (["verify", "model.py", "ver"], {"verse.py"}),
        (["verify", "model.py", "--sk"], {"--skip"}),
        (["verify", "model.py", "--skip", "grad"], {"gradients"}),
        (["verify", "--config", "off"], {"offsets.toml"}),
        (["verify", "--args", "ver"], {"verse.py"}),
        (["demo", "sto"], {"stochastic_volatility"}),
        (["demo", "radon", "--to", "mod"], {"(dirnames)"}),
        (["schema", ""], {"config", "targets"}),
        (["schema", "--"], {"--help"}),
    ],
    ids=lambda words: " ".join(sorted(words) if isinstance(words, set) else words),
)
def test_what_bash_offers(words: list[str], expected: set[str], folder: Path) -> None:
    assert offered(folder, *words) == expected


@bash
def test_names_that_must_be_quoted_are_left_to_bash(folder: Path) -> None:
    (folder / "my model.py").write_text("")
    assert offered(folder, "my") == {"(default)"}


#: What is typed at a prompt, and what stands there then.
TYPED = [
    ("reparam-rewrite models/f\t", "models/first.py"),
    (" --config off\t", "offsets.toml"),
    (" -o x", "-o x"),
]


@bash
def test_tab_in_bash(folder: Path) -> None:
    """At a real prompt, where readline inserts what is offered."""
    setup = 'eval "$(_REPARAM_REWRITE_COMPLETE=bash_source reparam-rewrite)"\n'
    shown = typed(["bash", "--norc", "--noprofile", "-i"], folder, setup)
    assert "reparam-rewrite models/first.py --config offsets.toml -o x" in shown


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_tab_in_zsh(folder: Path) -> None:
    setup = (
        "autoload -Uz compinit; compinit -u -D\n"
        'eval "$(_REPARAM_REWRITE_COMPLETE=zsh_source reparam-rewrite)"\n'
    )
    shown = typed(["zsh", "-f", "-i"], folder, setup)
    assert "reparam-rewrite models/first.py --config offsets.toml -o x" in shown


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reparam-rewrite models/f", {"models/first.py"}),
        ("reparam-rewrite ver", {"verify", "verse.py"}),
        ("reparam-rewrite model.py --config off", {"offsets.toml"}),
        ("reparam-rewrite verify model.py --skip grad", {"gradients"}),
    ],
)
def test_what_fish_offers(line: str, expected: set[str], folder: Path) -> None:
    code = "_REPARAM_REWRITE_COMPLETE=fish_source reparam-rewrite | source; complete -C $argv[1]"
    done = subprocess.run(
        ["fish", "--no-config", "-c", code, line],
        cwd=folder,
        env=with_scripts(HOME=str(folder)),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert {found.split("\t")[0] for found in done.stdout.splitlines()} == expected, done.stderr


def typed(shell: list[str], folder: Path, setup: str) -> str:
    """What a terminal shows of the command line `TYPED` in an interactive shell."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.execvpe(shell[0], shell, with_scripts(PS1="> ", TERM="dumb", HOME=str(folder)))
    try:
        os.write(terminal, f"{setup}echo rea''dy\n".encode())
        seen = shown_until(terminal, "ready")
        for part, there in TYPED:
            os.write(terminal, part.encode())
            seen += shown_until(terminal, there)
        return re.sub(".\x08", "", seen.replace("\a", "")).replace("  ", " ")
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(terminal)


def shown_until(terminal: int, text: str) -> str:
    """What is printed up to `text`, or until nothing more is printed for a while."""
    seen = ""
    while text not in seen and select.select([terminal], [], [], 20)[0]:
        seen += os.read(terminal, 4096).decode(errors="replace")
    return seen
