"""Nine families of weaknesses in small Python functions, found by static rules on the syntax tree; nothing is run."""

from __future__ import annotations

import ast
import re
import stat
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from .code_names import Code, words_of
from .nested_quantifiers import is_explosive
from .weak_inputs import PATHS, last_name, path_rule, query_rule, suffix_rule

__all__ = ["WEAKNESSES", "Weakness", "parse", "weaknesses"]

WEAKNESSES: Mapping[str, str] = MappingProxyType(
    {
        "suffix": "a domain is matched by its end, without a full stop or @ before it",
        "path": "a path is joined from outside parts, and nothing keeps it within its folder",
        "query": "a query is built as text from outside parts",
        "random": "a secret is drawn with random instead of secrets",
        "hash": "a credential is hashed with md5 or sha1",
        "regex": "a regular expression repeats a repeat without bound",
        "temp": "a temporary file has a name that can be foretold",
        "eval": "text from outside is evaluated as code",
        "mode": "mode bits let others in",
    }
)
"""The families, and what each finds."""

_LONGEST = 20_000
_SECRETS = frozenset(
    {"password", "passwd", "pwd", "passphrase", "pin", "secret", "token", "credential", "otp", "salt", "nonce"}
)
_PATTERNED = frozenset(["compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"])
_UNFORESEEN = frozenset({"uuid4", "uuid1", "token_hex", "token_urlsafe", "token_bytes", "mkdtemp"})
_SAFE_RANDOM = frozenset({"random.SystemRandom"})


@dataclass(frozen=True, slots=True)
class Weakness:
    """A place where code is weak.

    Args:
        family: One of :data:`WEAKNESSES`.
        line: Line, from 1.
    """

    family: str
    line: int


def parse(code: str) -> ast.Module | None:
    """The syntax tree of a program; None if it has none, or is longer than 20,000 characters."""
    if len(code) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            # Names that end in a surrogate parse and do not compile.
            compile(tree, "<reply>", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree


def weaknesses(
    code: str, *, sensitive: bool = False, families: Collection[str] = tuple(WEAKNESSES)
) -> frozenset[Weakness]:
    """Find weaknesses by rules alone: what it finds is a pattern, not an attack that works.

    Names are followed through imports, aliases and constants; functions share one scope; what a called function of the
    program does to its arguments is not followed. ``random``, ``hash`` and ``mode`` are weaknesses only where something
    hangs on it: unless ``sensitive`` says so, the names within the function must speak of a password, token or the like
    (``random``, ``hash``), the bits must let everybody write (``mode``), and a fixed name counts only in the folder for
    temporary files (``temp``).

    Args:
        code: A program.
        sensitive: Whether it is known to serve something that must be kept.
        families: Which are looked for.

    Returns:
        Where; empty where nothing was found or the program cannot be read.
    """
    tree = parse(code)
    if tree is None:
        return frozenset()
    read, speaks = Code(tree), _speakers(tree)
    found: set[Weakness] = set()
    for family in families:
        rule = _RULES[family]
        try:
            for node in rule(read, sensitive):
                if sensitive or family not in ("random", "hash") or speaks(node):
                    found.add(Weakness(family, getattr(node, "lineno", 1)))
        except RecursionError:
            # Of a program nested this deep nothing is said.
            continue
    return frozenset(found)


def _speakers(tree: ast.Module) -> Callable[[ast.AST], bool]:
    """Tells of a node whether the innermost function around it speaks of secrets."""
    around: dict[int, ast.AST] = {}

    def walk(node: ast.AST, owner: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            owner = node
        around[id(node)] = owner
        for child in ast.iter_child_nodes(node):
            walk(child, owner)

    try:
        walk(tree, tree)
    except RecursionError:
        return lambda node: False
    return lambda node: any(word.removesuffix("s") in _SECRETS for word in words_of(around.get(id(node), tree)))


# -- the rules: each gives the nodes at which it finds its weakness


def _random(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    for node, name in code.calls():
        if name.startswith(("random.", "numpy.random.")) and name not in _SAFE_RANDOM:
            if not name.startswith("random.SystemRandom"):
                yield node
        elif isinstance(node.func, ast.Attribute):
            made = code.behind(node.func.value)
            if isinstance(made, ast.Call) and code.dotted(made.func) in ("random.Random", "numpy.random.default_rng"):
                yield node


def _hash(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    for node, name in code.calls():
        if any(k.arg == "usedforsecurity" and code.text(k.value) == "False" for k in node.keywords):
            continue
        if name in ("hashlib.md5", "hashlib.sha1", "Crypto.Hash.MD5.new", "Crypto.Hash.SHA1.new"):
            yield node
        elif name == "hashlib.new" and node.args:
            kind = code.text(node.args[0])
            if kind is not None and kind.casefold().replace("-", "") in ("md5", "sha1"):
                yield node


def _regex(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    for node, name in code.calls():
        if name.startswith("re.") and name[3:] in _PATTERNED and node.args:
            parts = code.pieces(node.args[0])
            if is_explosive("".join(part if isinstance(part, str) else "x" for part in parts)):
                yield node


def _temp(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    shared = re.compile(r"^(?:/tmp|/var/tmp)/[^/]*")
    inner: set[int] = set()
    for node in ast.walk(code.tree):
        if id(node) in inner or not isinstance(node, ast.expr):
            continue
        parts: list[str | ast.expr] = []
        if isinstance(node, ast.Call):
            name = code.dotted(node.func)
            if name == "tempfile.mktemp" or (sensitive and _fixed_file(code, node, name)):
                yield node
            elif name in ("os.path.join", *PATHS):
                for k, argument in enumerate(node.args):
                    parts += [*(["/"] if k else []), *code.pieces(argument)]
            elif last_name(node.func) in ("format", "join"):
                parts = code.pieces(node)
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [*code.pieces(_opened(code, node.left)), "/", *code.pieces(node.right)]
        elif isinstance(node, ast.JoinedStr | ast.BinOp) or (
            isinstance(node, ast.Constant) and isinstance(node.value, str)
        ):
            parts = code.pieces(node)
        if not parts:
            continue
        told = "".join(part if isinstance(part, str) else "/tmp" if _is_tempdir(code, part) else "x" for part in parts)
        if shared.match(told) and len(told.removeprefix("/var").removeprefix("/tmp").strip("/")) > 0:
            inner.update(id(part) for part in ast.walk(node))
            if not any(_unforeseen(code, part) for part in parts if not isinstance(part, str)):
                yield node


def _fixed_file(code: Code, node: ast.Call, name: str) -> bool:
    """Whether a file of a name that is always the same is written: foretold wherever it lies."""
    if name in ("open", "io.open") and node.args:
        given = [*node.args[1:2], *(k.value for k in node.keywords if k.arg == "mode")]
        mode = code.text(given[0]) if given else "r"
        return code.text(node.args[0]) is not None and mode is not None and bool(set(mode) & set("wa+"))
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("write_text", "write_bytes"):
        return code.text(_opened(code, node.func.value)) is not None
    return False


def _opened(code: Code, node: ast.expr) -> ast.expr:
    """What stands within ``Path(…)``."""
    node = code.behind(node)
    if isinstance(node, ast.Call) and code.dotted(node.func) in PATHS and len(node.args) == 1:
        return node.args[0]
    return node


def _is_tempdir(code: Code, node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and code.dotted(node.func) == "tempfile.gettempdir"


def _unforeseen(code: Code, node: ast.expr) -> bool:
    """Whether a part of a name cannot be foretold."""
    behind = [value for n in ast.walk(node) if isinstance(n, ast.Name) for value in code.bound.get(n.id, [])]
    return any(last_name(part) in _UNFORESEEN for one in (node, *behind) for part in ast.walk(one)
               if isinstance(part, ast.Name | ast.Attribute))  # fmt: skip


def _eval(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    for node, name in code.calls():
        if name in ("eval", "exec") and node.args:
            given = code.behind(node.args[0])
            if isinstance(given, ast.Call) and code.dotted(given.func) == "compile" and given.args:
                given = given.args[0]
            if code.text(given) is None:
                yield node


def _mode(code: Code, sensitive: bool) -> Iterator[ast.AST]:
    for node, name in code.calls():
        last = last_name(node.func)
        bits: list[ast.expr] = [k.value for k in node.keywords if k.arg == "mode"]
        if name == "os.umask" and node.args and _bits(code, node.args[0]) == 0:
            yield node
        elif name in ("os.chmod", "os.mkdir", "os.makedirs", "os.fchmod"):
            bits += node.args[1:2]
        elif name == "os.open":
            bits += node.args[2:3]
        elif last in ("chmod", "lchmod"):
            bits += node.args[:1]
        elif last != "mkdir":
            continue
        forbidden = 0o077 if sensitive else 0o002
        if any((known := _bits(code, given)) is not None and known & forbidden for given in bits):
            yield node


def _bits(code: Code, node: ast.expr, deep: int = 8) -> int | None:
    """The number that mode bits come to; None where they are not known."""
    node = code.behind(node)
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr) and deep:
        left, right = _bits(code, node.left, deep - 1), _bits(code, node.right, deep - 1)
        # Of bits of which some are not known, the known ones count.
        return None if left is None and right is None else (left or 0) | (right or 0)
    name = code.dotted(node)
    if name.startswith("stat.S_I"):
        found = getattr(stat, name[5:], None)
        return found if isinstance(found, int) else None
    return None


_RULES: Mapping[str, Callable[[Code, bool], Iterator[ast.AST]]] = MappingProxyType(
    {
        "suffix": suffix_rule,
        "path": path_rule,
        "query": query_rule,
        "random": _random,
        "hash": _hash,
        "regex": _regex,
        "temp": _temp,
        "eval": _eval,
        "mode": _mode,
    }
)
