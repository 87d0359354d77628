"""The file's text as the survey needs it: where a node stands and how it is written."""

from __future__ import annotations

import ast
from itertools import accumulate

from reparam_rewrite.messages import Place
from reparam_rewrite.survey.comments import comments_in, lines_of
from reparam_rewrite.survey.values import Comment, Segment


class Text:
    """The decoded file with its line starts.

    `ast` counts columns in UTF-8 bytes and lines as the tokenizer does (LF, CRLF, CR); people and
    string slices count characters.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        lines = text.replace("\r\n", "\r\0").replace("\r\0", "\0\n").replace("\r", "\n")
        # Same length as `text`, with every line end a "\n" in its last character.
        self.lines = lines.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self.lines)]
        #: Those for the rewriter, by their lines.
        self.comments = comments_in(path, text)

    def comments_on(self, statement: ast.stmt) -> tuple[Comment, ...]:
        """The comments for the rewriter on the lines of a statement."""
        if not self.comments:
            return ()
        return tuple(self.comments[line] for line in lines_of(statement) if line in self.comments)

    def offset(self, line: int, column: int) -> int:
        """The character offset of `ast`'s 1-based line and UTF-8 byte column."""
        text = self.lines[line - 1]
        if not text.isascii():
            column = len(text.encode("utf-8", "surrogatepass")[:column].decode("utf-8", "ignore"))
        return self._starts[line - 1] + column

    def place(self, node: ast.expr | ast.stmt) -> Place:
        offset = self.offset(node.lineno, node.col_offset)
        return Place(self.path, node.lineno, offset - self._starts[node.lineno - 1] + 1)

    def segment(self, node: ast.expr | ast.stmt) -> Segment:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.offset(node.lineno, node.col_offset)
        end = self.offset(node.end_lineno, node.end_col_offset)
        return Segment(start, end, self.text[start:end])

    def stands_alone(self, node: ast.stmt) -> bool:
        """Has the statement its lines to itself: no header before it, no semicolon?"""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.offset(node.lineno, node.col_offset)
        before = self.text[self._starts[node.lineno - 1] : start]
        end = self.offset(node.end_lineno, node.end_col_offset)
        after = self.text[end : self._starts[node.end_lineno]].strip()
        continued = node.lineno > 1 and self.lines[node.lineno - 2].rstrip("\r").endswith("\\")
        return not before.strip(" \t\f\ufeff") and after[:1] in ("", "#") and not continued
