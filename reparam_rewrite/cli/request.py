"""What the program is asked for when it is to rewrite: the options, as one value."""

from __future__ import annotations

from typing import NamedTuple


class Request(NamedTuple):
    """What is asked for. Without a `model` it is every target of the nearest pyproject.toml."""

    model: str | None
    config: str | None
    output: str | None
    diff: bool
    check: bool
    force: bool
    fail_on_change: bool
    form: str
    quiet: bool
    verbose: bool
    color: str

    @property
    def writes(self) -> bool:
        return not (self.diff or self.check)

    @property
    def trusts_digests(self) -> bool:
        """Is it enough that an output says it is up to date, without an account of its sites?"""
        return self.loudness < 2 and not self.force and self.form != "json"

    @property
    def loudness(self) -> int:
        """How much is said of a site: 0 nothing, 1 a line, 2 a longer one."""
        return 0 if self.quiet else 1 + self.verbose
