"""Calls of scan: the body is read where it is run, as one step and as all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from msgspec.structs import replace

from reparam_rewrite.survey.calls import argument, is_none
from reparam_rewrite.survey.data import data_in
from reparam_rewrite.survey.outputs import Results
from reparam_rewrite.survey.scans import (
    Outputs,
    body_of,
    first_of,
    length_of,
    numbered,
    parameters,
    reads_argument,
    returns_once,
    stacked,
)
from reparam_rewrite.survey.shapes import shape_of
from reparam_rewrite.survey.values import Binding, Scan, Shape


class Steps(Results):
    """Reads the bodies of scans."""

    def _scan(self, statement: ast.stmt, call: ast.Call, header: bool) -> None:
        """Read the body of a scan, if it can be followed, and add what it samples."""
        scoped = body_of(self._index, self._scoped, call)
        if scoped is None or self._runner is not None:
            return
        xs, init = argument(call, 2, "xs"), argument(call, 1, "init")
        scan = Scan(
            body=scoped.name,
            statement=self._number(statement),
            indent=statement.col_offset,
            place=self._text.place(call),
            length=length_of(self, call),
            definition=self._number(scoped.node),
            first=self._number(first_of(scoped.node)),
            inner_indent=first_of(scoped.node).col_offset,
            argument=parameters(scoped.node)[1],
            passes=not is_none(xs) or reads_argument(scoped.node),
        )
        walk = type(self)(self._index, self._text, scoped, self._shared, self.facts, self)
        carry, slices = parameters(scoped.node)
        data = data_in(self, xs).union(*(data_in(self, part) for part in scoped.node.body))
        body = walk.run(
            **{
                carry: self._parameter(init, data, sliced=False),
                slices: self._parameter(xs, sliced=True),
            }
        )
        body.runner, body.run_at = self.function.name, scan.statement
        self._blocks = walk._blocks
        self.bodies[scoped.name] = body
        carried, outputs = walk._returned if returns_once(scoped.node) else (None, None)
        for index, shape in self._carried(carried, init):
            if body.sites[index].shape is None:
                body.amend(replace(body.sites[index], shape=shape))
        indices = {}
        around = self._text.comments_on(statement)
        self.function.commented.update(around if body.sites else ())
        for site in body.sites:
            indices[site.index] = len(self.function.sites)
            own = replace(
                site,
                index=len(self.function.sites),
                statement=scan.statement,
                indent=statement.col_offset,
                alone=header or self._text.stands_alone(statement),
                frames=tuple(self._frames),
                variable=None,
                plate_shape=None,
                comments=(*site.comments, *around),
            )
            self.function.add(stacked(own, site, scan))
        self.function.taken |= body.taken
        self.function.params |= body.params
        self._scans[call] = numbered(outputs, indices)

    def _carried(
        self, carried: Outputs, init: ast.expr | None
    ) -> Iterator[tuple[int, Shape | None]]:
        """The sites that a body hands on have the shapes of the `init` in their place."""
        if isinstance(carried, int) and init is not None:
            yield carried, shape_of(self, init)
        parts = self._parts(init) if isinstance(carried, tuple) and init is not None else None
        if isinstance(carried, tuple) and parts is not None and len(parts) == len(carried):
            for site, shape in zip(carried, parts, strict=True):
                if isinstance(site, int):
                    yield site, shape

    def _parameter(
        self, node: ast.expr | None, more: frozenset[str] = frozenset(), *, sliced: bool
    ) -> Binding:
        """What a body's parameter stands for, given the scan's `init`, or else its `xs`.

        `more` is the data that earlier steps may have put into it.
        """

        def one(whole: Shape | None) -> Shape | None:
            return whole[1:] if whole and sliced else None if sliced else whole

        version, data = self._timeline.version(), data_in(self, node) | more
        if node is None or is_none(node):
            return Binding(version, data=data)
        parts = self._parts(node)
        if parts is not None:
            return Binding(version, parts=tuple(map(one, parts)), data=data)
        return Binding(version, shape=one(shape_of(self, node)), data=data)
