"""The rewriter as a command of LibCST's own tool, for whole trees::

    python -m libcst.tool codemod -x reparam_rewrite.codemod.ReparamCommand \
        --config offsets.toml models/

The files themselves are rewritten, to the bytes that the command line writes elsewhere.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import libcst as cst
from libcst.codemod import CodemodCommand, CodemodContext, SkipFile

from reparam_rewrite.config.reading import Config, config_at
from reparam_rewrite.messages import Refusal
from reparam_rewrite.plan.resolve import is_concerned
from reparam_rewrite.rewriting import rewrite
from reparam_rewrite.source.document import Document
from reparam_rewrite.source.reading import read
from reparam_rewrite.survey import survey


class Refused(Exception):
    """Nothing was done to a file, for the reasons in the message."""

    def __str__(self) -> str:
        # Behind the name of this class, where the tool prints it, messages would not line up.
        return f"\n{super().__str__()}"


class ReparamCommand(CodemodCommand):
    """Rewrites the models of a file; files that sample no configured site are skipped."""

    DESCRIPTION = "Rewrite NumPyro models with the offsets that a config asks for."

    @staticmethod
    def add_args(arg_parser: argparse.ArgumentParser) -> None:
        words = {"metavar": "FILE", "help": "The offsets, a TOML file."}
        arg_parser.add_argument("--config", "-c", required=True, type=config_of, **words)
        # A formatter would change lines that have nothing to do with the sites.
        arg_parser.set_defaults(no_format=True)

    def __init__(self, context: CodemodContext, config: Config) -> None:
        super().__init__(context)
        self._config = config

    def transform_module_impl(self, tree: cst.Module) -> cst.Module:
        """The rewritten module.

        Raises `SkipFile` where the config has nothing to say, and `Refused` with every reason why
        what it asks for can't be done.
        """
        try:
            document = self._document(tree)
            module = document.module
            if not is_concerned(survey(module.path, module.text), self._config):
                raise SkipFile("it samples none of the sites that the config offsets")
            result = rewrite(document, self._config)
        except Refusal as refusal:
            raise Refused(str(refusal)) from None
        return tree if result.data == document.data else cst.parse_module(result.data)

    def _document(self, tree: cst.Module) -> Document:
        """The file as it is on the disk, of which the tree may have lost something."""
        name = self.context.filename
        if name is None or not Path(name).is_file():
            return read("<stdin>" if name is None else name, tree.code)
        data = Path(name).read_bytes()
        if data != tree.bytes and cst.parse_module(data).bytes != tree.bytes:
            data = tree.bytes  # another command has been there before
        shown = os.path.relpath(name) if Path(name).is_relative_to(Path.cwd()) else name
        return read(shown, data)


def config_of(path: str) -> Config:
    """The config in a file, read once for all files. Raises what argparse shows."""
    try:
        return config_at(path)
    except Refusal as refusal:
        raise argparse.ArgumentTypeError(f"\n{refusal}") from None
