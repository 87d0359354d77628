"""The magics of IPython and Jupyter: ``%%reparam offsets.toml`` above a model, and
``%reparam_tune model (group,), {"y": y}``.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

from reparam_rewrite.messages import Diagnostic, Refusal, printable, too_deep
from reparam_rewrite.source.diff import colored

#: IPython has types of its own, but is no dependency: whoever loads the extension has it.
Shell = Any

HINT = "write %%reparam [--quiet] [--dry-run] FILE."

TUNE_HINT = 'write %reparam_tune MODEL (args), {kwargs}, such as model (group,), {"y": y}.'

#: What stands behind ``%reparam_tune``.
TUNE = re.compile(r"(?P<model>[^\W\d]\w*)(?:\s+(?P<arguments>.*))?", re.DOTALL)

OPTIONS = {"-q": "quiet", "--quiet": "quiet", "-n": "dry", "--dry-run": "dry"}


def load_ipython_extension(shell: Shell) -> None:
    """Define the magics, as ``%load_ext reparam_rewrite`` asks for."""

    def reparam(line: str, cell: str) -> None:
        """Rewrite the model in this cell with the offsets of a config, and define that.

        %%reparam [--quiet] [--dry-run] FILE

        The diff and an account of every site are shown, unless --quiet. With --dry-run they are
        shown and the cell is not executed. The file of the notebook is not changed.
        """
        run(shell, line, cell)

    def reparam_tune(line: str) -> object:
        """Find how a model of this notebook samples best, given its data, and define that.

        %reparam_tune [--diff] [--as NAME] MODEL ARGUMENTS

        ARGUMENTS is an expression for (args, kwargs), such as (group,), {"y": y}, or for args
        alone. What is found is returned, a `Tuned`, and the generated model is MODEL_reparam, or
        NAME. With --diff what changes in the model is shown.
        """
        return tuned(shell, line)

    shell.register_magic_function(reparam, magic_kind="cell", magic_name="reparam")
    shell.register_magic_function(reparam_tune, magic_kind="line", magic_name="reparam_tune")


class Refused(Exception):
    """A cell that was not executed. It is shown as its message alone, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).split("\n")


class Failed(Exception):
    """The rewritten cell raised an error, which has been shown: this one only ends the cell."""

    def _render_traceback_(self) -> list[str]:
        return []


def run(shell: Shell, line: str, cell: str) -> None:
    """Rewrite a cell, show what changed and execute it.

    Raises `Refused` before anything is executed, and `Failed` if the rewritten code fails, so that
    "run all" stops there.
    """
    from reparam_rewrite.cli.report import accounted
    from reparam_rewrite.config.reading import config_at
    from reparam_rewrite.rewriting import rewrite
    from reparam_rewrite.source.diff import hunks
    from reparam_rewrite.source.session import session

    # By the names that the code of cells has for tracebacks. The last number is that of the cell
    # that runs: the shell's own count is behind or ahead of it.
    numbers: dict[str, int] = dict(getattr(shell.compile, "_filename_map", {}))
    label = f"In[{max(numbers.values(), default=shell.execution_count)}]"
    try:
        path, options = arguments(line)
        config = config_at(path)
        called = {name: f"In[{number}]" for name, number in numbers.items()}
        result = rewrite(session(cell, label, shell.user_ns, called), config)
    except Refusal as refusal:
        raise Refused(str(refusal)) from None
    except RecursionError:
        raise Refused(str(too_deep(label))) from None
    code = result.data.decode()
    if "quiet" not in options:
        # The line numbers of the diff are those of the cell below its magic; it has no header.
        old, new = (f"%%reparam {line}\n{text}".encode() for text in (cell, code))
        show(shell, hunks(old, new).decode())
        for account in accounted(result, 1):
            print(printable(account))
    if "dry" in options:
        return
    done = shell.run_cell(code, store_history=False)
    if not done.success:
        raise Failed(str(done.error_before_exec or done.error_in_exec))


def show(shell: Shell, diff: str) -> None:
    """Print a diff, in colours unless the shell has none."""
    if str(shell.colors).lower() != "nocolor" and not os.environ.get("NO_COLOR"):
        diff = colored(diff.encode()).decode()
    print(diff, end="")


def tuned(shell: Shell, line: str) -> object:
    """Tune a model of the notebook, and define what was generated. Raises `Refused`."""
    from reparam_rewrite import tune

    try:
        line, is_shown = taken_out(r"--diff", line)
        line, name = taken_out(r"--as[ =]([^\W\d]\w*)", line)
        wanted = TUNE.fullmatch(line.strip())
        if wanted is None:
            raise Refusal(Diagnostic(None, "no model is given", TUNE_HINT))
        model = shell.user_ns.get(wanted["model"])
        if not callable(model):
            message = f"no function '{wanted['model']}' is defined"
            raise Refusal(Diagnostic(None, message, "execute the cell of the model first."))
        found = tune(model, *given(shell, wanted["arguments"] or "()"))
        made = found.model
    except Refusal as refusal:
        raise Refused(str(refusal)) from None
    name = name or f"{wanted['model']}_reparam"
    shell.push({name: made})
    if is_shown:
        show(shell, found.diff())
    print(f"{name} is {'the model as written' if found.reason else 'the generated model'}")
    return found


def taken_out(option: str, line: str) -> tuple[str, str]:
    """A line without an option, before or behind all else, and its value, or what it is called."""
    found = re.search(rf"^\s*{option}(?=\s)|(?<=\s){option}\s*$", line)
    if found is None:
        return line, ""
    return line[: found.start()] + line[found.end() :], found[found.lastindex or 0]


def given(shell: Shell, expression: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of an expression: a pair (args, kwargs), or args alone. Raises `Refusal`."""
    from reparam_rewrite.running.call import arguments_in

    try:
        value = eval(expression, shell.user_ns)
    except Exception as error:
        message = f"{expression} can't be computed: {type(error).__name__}: {error}"
        raise Refusal(Diagnostic(None, message, TUNE_HINT)) from None
    return arguments_in(value)


def arguments(line: str) -> tuple[str, set[str]]:
    """The path of the config, and the options. Raises `Refusal`."""
    try:
        words = shlex.split(line)
    except ValueError as error:
        raise Refusal(Diagnostic(None, f"%%reparam: {error}", HINT)) from None
    options = {word for word in words if word.startswith("-") and len(word) > 1}
    paths = [word for word in words if word not in options]
    unknown = sorted(options - OPTIONS.keys())
    if unknown or len(paths) != 1:
        message = "%%reparam takes one config" if paths else "no config is given"
        message = f"%%reparam has no option {unknown[0]}" if unknown else message
        raise Refusal(Diagnostic(None, message, HINT))
    return str(Path(paths[0]).expanduser()), {OPTIONS[option] for option in options}
