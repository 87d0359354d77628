"""The file's text as the survey needs it: where a node stands, how it is written, its comments.

``# reparam: skip`` on the statement of a site leaves that site alone, whatever the config asks::

    a = numpyro.sample("a", dist.Normal(0, 1))  # noqa: E501  # reparam: skip, it is pinned down

The word may stand behind other comments, and a reason behind the word.
"""

from __future__ import annotations

import ast
import re
import warnings
from itertools import accumulate

from reparam_rewrite.messages import Diagnostic, Place, Refusal, nearest
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
        """Where a node starts, for messages."""
        offset = self.offset(node.lineno, node.col_offset)
        return Place(self.path, node.lineno, offset - self._starts[node.lineno - 1] + 1)

    def segment(self, node: ast.expr | ast.stmt) -> Segment:
        """The text of a node, and where in the file that is."""
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.offset(node.lineno, node.col_offset)
        end = self.offset(node.end_lineno, node.end_col_offset)
        return Segment(start, end, self.text[start:end])

    def unparsed(self, node: ast.expr) -> str:
        """A node that stands nowhere in the file, with the quotes that the file has most of."""
        text = ast.unparse(node)
        plain = self.text.count("'") < self.text.count('"') and not {'"', "\\"} & set(text)
        return text.replace("'", '"') if plain else text

    def stands_alone(self, node: ast.stmt) -> bool:
        """Has the statement its lines to itself: no header before it, no semicolon?"""
        place = self.segment(node)
        before = self.text[self._starts[node.lineno - 1] : place.start]
        after = self.text[place.end : self._starts[node.end_lineno or 0]].strip()
        continued = node.lineno > 1 and self.lines[node.lineno - 2].rstrip("\r").endswith("\\")
        return not before.strip(" \t\f\ufeff") and after[:1] in ("", "#") and not continued


def parse(path: str, text: str) -> ast.Module:
    """The tree of a file. Raises `Refusal` with the position that Python gives."""
    try:
        with warnings.catch_warnings():
            # An invalid escape in the model is the model's own business.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        place = Place(path, error.lineno or 1, max(1, error.offset or 1))
        hint = "the model must parse before it can be rewritten."
        shown = (error.text or "").rstrip("\r\n")
        raise Refusal(Diagnostic(place, f"not valid Python: {error.msg}", hint, shown)) from None
    except (RecursionError, MemoryError, ValueError) as error:
        raise Refusal(Diagnostic(path, f"Python can't parse this file: {error}")) from None


#: What a file must have for any of its comments to be looked at.
HINT = re.compile(r"#.*skip|#.*re?param", re.IGNORECASE)

SKIP = re.compile(r"reparam\s*:\s*skip(?![\w-])(?!\s*=)", re.IGNORECASE)

WORDS = re.compile(r"([a-z]+)[\s_-]*(?:rewrite)?[\s_-]*([:=]?)[\s_-]*([a-z]*)(.*)", re.IGNORECASE)

#: What other programs call it.
SYNONYMS = ("disable", "exclude", "ignore", "no", "none", "noqa", "off")

#: How sure it is that it was meant.
CLEAR = {"unknown": 0, "misspelt": 1, "skip": 2}


def comments_in(path: str, text: str) -> dict[int, Comment]:
    """The comments of a file that are for the rewriter, or seem to be, by their lines."""
    if not HINT.search(text):
        return {}
    import io
    import tokenize

    found: dict[int, Comment] = {}
    stream = io.StringIO(text.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        for token in tokenize.generate_tokens(stream.readline):
            line, column = token.start
            parts = token.string.split("#")[1:] if token.type == tokenize.COMMENT else []
            for part in parts:  # each behind a ``#``
                said, kind = part.strip(), meant(part.strip())
                if kind and (line not in found or CLEAR[kind] > CLEAR[found[line].kind]):
                    found[line] = Comment(Place(path, line, column + 1), f"# {said}", kind)
                column += 1 + len(part)
    except (tokenize.TokenError, SyntaxError):  # after the last token that matters
        pass
    return found


def meant(said: str) -> str:
    """Is it "skip", "misspelt", or "unknown": perhaps prose that begins as the comment does?"""
    if SKIP.match(said):
        return "skip"
    words = WORDS.match(said)
    if words is None:
        return ""
    head, colon, word, rest = words.groups()
    is_head = head.lower() == "reparam" or nearest(head, ["reparam"], cutoff=0.85) != []
    is_word = word.lower() in SYNONYMS or nearest(word, ["skip"], cutoff=0.7) != []
    if is_head and is_word and (colon or not rest.strip()):
        return "misspelt"
    both = re.search(r"\breparam\b", said, re.IGNORECASE) and re.search(r"\bskip\b", said)
    return "unknown" if both or (is_head and colon) else ""


def lines_of(statement: ast.stmt) -> range:
    """The lines of a statement; of one with a block inside, those of its head."""
    last = statement.end_lineno or statement.lineno
    if hasattr(statement, "body") or hasattr(statement, "cases"):
        heads = (statement, *getattr(statement, "items", ()))
        parts = (part for head in heads for part in ast.iter_child_nodes(head))
        ends = [part.end_lineno or 0 for part in parts if isinstance(part, ast.expr)]
        last = max([statement.lineno, *ends])
    return range(statement.lineno, last + 1)
