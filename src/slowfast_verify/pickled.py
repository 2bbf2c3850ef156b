"""What a pickle would build, told from its opcodes: nothing is imported, called or unpickled.

Called by sniff.py only; runs on the host; may import the standard library.

pickletools.genops would read every argument into memory, and a caffe2 checkpoint is one argument of many megabytes per
layer. So this walk takes the table of opcodes from pickletools and reads the arguments itself: long ones are stepped over,
and what is kept (short strings, small numbers, the keys of dicts) is bounded whatever the file says.
"""

from __future__ import annotations

import pickletools
import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

MAX_OPERATIONS: Final = 2_000_000  # a ViT-H checkpoint with its optimiser takes about 100,000
MAX_TEXT: Final = 200  # a longer string is no key, no storage type and no module name
MAX_KEPT: Final = 32 << 20  # bytes of text that are remembered in all
MAX_LINE: Final = 64 << 10
MAX_NAMES: Final = 1000


class Torn(Exception):
    """The pickle needs bytes beyond the end of the file."""


class Broken(Exception):
    """The bytes are no pickle that any writer would have made."""


@dataclass(frozen=True, slots=True)
class Name:
    """A class or function that loading would import."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Storage:
    """The bytes of a tensor, as torch names them in a persistent id."""

    key: str
    type_name: str
    count: int


class Table:
    """A dict under construction; only its text keys are remembered."""

    def __init__(self) -> None:
        self.keys: list[str] = []


class Row:
    """A list under construction; only its texts are remembered, and how long it is."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.length = 0


class _Other:
    """Stands for every value that nobody needs to know."""


OTHER: Final = _Other()
_MARK: Final = _Other()


@dataclass(frozen=True, slots=True)
class _Operation:
    name: str
    size: int  # bytes of its argument, or one of pickletools' negative codes
    takes: int  # stack entries taken, not counting a mark and what is above it
    to_mark: bool
    gives: int


def _operation(info: pickletools.OpcodeInfo) -> _Operation:
    before = [item.name for item in info.stack_before]
    to_mark = "mark" in before
    takes = before.index("mark") if to_mark else len(before)
    return _Operation(info.name, info.arg.n if info.arg else 0, takes, to_mark, len(info.stack_after))


_OPERATIONS: Final = {info.code.encode("latin-1"): _operation(info) for info in pickletools.opcodes}
_LENGTHS: Final = {
    pickletools.TAKEN_FROM_ARGUMENT1: struct.Struct("<B"),
    pickletools.TAKEN_FROM_ARGUMENT4: struct.Struct("<i"),
    pickletools.TAKEN_FROM_ARGUMENT4U: struct.Struct("<I"),
    pickletools.TAKEN_FROM_ARGUMENT8U: struct.Struct("<Q"),
}
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TEXTS: Final = frozenset(("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "STRING"))
_NUMBERS: Final = frozenset(("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG"))
_IGNORED: Final = frozenset(("PROTO", "FRAME"))


@dataclass
class Walk:
    """One pickle read from `stream`, of which at most `left` bytes remain. After run(): what it holds."""

    stream: BinaryIO
    left: int
    root: object = OTHER
    storages: dict[str, Storage] = field(default_factory=dict)
    names: dict[Name, None] = field(default_factory=dict)  # a set that keeps its order
    texts_seen: set[str] = field(default_factory=set)
    _stack: list[object] = field(default_factory=list)
    _memo: dict[int, object] = field(default_factory=dict)
    _kept: int = 0

    def run(self) -> Walk:
        """Read up to and including STOP; raises Torn or Broken, with all that was learnt so far in place."""
        for _ in range(MAX_OPERATIONS):
            operation = _OPERATIONS.get(self._take(1))
            if operation is None:
                raise Broken("an opcode that does not exist")
            if operation.name == "STOP":
                self.root = self._pop()
                self._stack.clear()
                self._memo.clear()
                return self
            self._do(operation, self._argument(operation))
        raise Broken(f"more than {MAX_OPERATIONS:,} operations")

    # -- bytes ---------------------------------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        data = self.stream.read(count)
        if len(data) != count:
            raise Torn
        self.left -= count
        return data

    def _line(self) -> bytes:
        """Up to the next newline; of a long line (protocol 0 writes an array as one) only the first part is returned."""
        first = b""
        while self.left:
            line = self.stream.readline(min(MAX_LINE, self.left))
            self.left -= len(line)
            first = first or line
            if line.endswith(b"\n"):
                return first[:-1] if first is line else first
            if not line:
                break
        raise Torn

    def _argument(self, operation: _Operation) -> bytes | None:
        """The raw argument; None when it is longer than anything of interest and was stepped over."""
        size = operation.size
        if size >= 0:
            return self._take(size) if size else b""
        if size == pickletools.UP_TO_NEWLINE:
            pair = operation.name in ("GLOBAL", "INST")
            return self._line() + (b"\n" + self._line() if pair else b"")
        length = _LENGTHS[size]
        (count,) = length.unpack(self._take(length.size))
        if count < 0:
            raise Broken("a negative length")
        if count <= MAX_TEXT:
            return self._take(count)
        if count > self.left:
            raise Torn
        self.stream.seek(count, 1)
        self.left -= count
        return None

    # -- values --------------------------------------------------------------------------------------------------------

    def _do(self, operation: _Operation, argument: bytes | None) -> None:
        name, stack = operation.name, self._stack
        if name in _TEXTS:
            stack.append(self._text(name, argument))
        elif name in _NUMBERS:
            stack.append(_number(name, argument))
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _IGNORED:
            return
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("BINPUT", "LONG_BINPUT", "PUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else _index(name, argument)] = self._top()
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            index = _index(name, argument)
            if index not in self._memo:
                raise Broken("a reference to nothing")
            stack.append(self._memo[index])
        elif name == "GLOBAL" or name == "INST":
            module, _, attribute = (argument or b"").decode("latin-1").partition("\n")
            if name == "INST":
                self._to_mark()
            known = self._import(module, attribute)
            stack.append(known if name == "GLOBAL" else OTHER)
        elif name == "STACK_GLOBAL":
            attribute_value, module_value = self._pop(), self._pop()
            if not (isinstance(attribute_value, str) and isinstance(module_value, str)):
                raise Broken("an import without a name")
            stack.append(self._import(module_value, attribute_value))
        elif name in ("EXT1", "EXT2", "EXT4"):
            stack.append(self._import("copyreg", f"extension {_number('BININT1', argument)}"))
        elif name == "BINPERSID":
            self._persistent(self._pop())
            stack.append(OTHER)
        else:
            self._build(operation)

    def _build(self, operation: _Operation) -> None:
        name, stack = operation.name, self._stack
        if name in ("EMPTY_DICT", "DICT"):
            table = Table()
            if name == "DICT":
                table.keys.extend(key for key in self._to_mark()[::2] if isinstance(key, str))
            stack.append(table)
        elif name in ("EMPTY_LIST", "LIST"):
            row = Row()
            if name == "LIST":
                _extend(row, self._to_mark())
            stack.append(row)
        elif name in ("SETITEM", "SETITEMS"):
            items = self._to_mark() if name == "SETITEMS" else [self._pop(), self._pop()][::-1]
            target = self._top()
            if isinstance(target, Table):
                target.keys.extend(key for key in items[::2] if isinstance(key, str))
        elif name in ("APPEND", "APPENDS"):
            items = self._to_mark() if name == "APPENDS" else [self._pop()]
            target = self._top()
            if isinstance(target, Row):
                _extend(target, items)
        elif name in ("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"):
            count = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}.get(name, 0)
            items = self._to_mark() if name == "TUPLE" else [self._pop() for _ in range(count)][::-1]
            stack.append(tuple(items) if len(items) <= 8 else OTHER)  # torch's persistent ids have 4 to 6
        elif name == "REDUCE":
            self._pop()
            stack.append(Table() if self._pop() == Name("collections", "OrderedDict") else OTHER)
        elif name == "BUILD":
            self._pop()
            self._top()
        elif name == "DUP":
            stack.append(self._top())
        elif name == "POP":
            if not stack:
                raise Broken("a stack underflow")
            stack.pop()
        else:
            if operation.to_mark:
                self._to_mark()
            for _ in range(operation.takes):
                self._pop()
            stack.extend([OTHER] * operation.gives)

    def _text(self, name: str, argument: bytes | None) -> object:
        if argument is None or len(argument) > MAX_TEXT or self._kept > MAX_KEPT:
            return OTHER
        self._kept += len(argument) + 64
        text = argument.decode("utf-8", "replace")
        text = text[1:-1] if name == "STRING" else text
        if text in ("blobs", "model_state"):
            self.texts_seen.add(text)
        return text

    def _import(self, module: str, name: str) -> object:
        known = Name(module[:MAX_TEXT], name[:MAX_TEXT])  # a dotted name may lead anywhere in any number of steps: it must be seen
        if known not in self.names and len(self.names) >= MAX_NAMES:
            raise Broken(f"more than {MAX_NAMES:,} imports")
        self.names[known] = None
        return known

    def _persistent(self, identity: object) -> None:
        match identity:
            case ("storage", Name(name=type_name), str(key), _, int(count), *_) if key not in self.storages:
                self.storages[key] = Storage(key, type_name, count)
            case ("storage", Name(), str(), *_) | ("module", *_):
                pass
            case _:
                raise Broken("a persistent id that is not torch's")

    def _top(self) -> object:
        if not self._stack or self._stack[-1] is _MARK:
            raise Broken("a stack underflow")
        return self._stack[-1]

    def _pop(self) -> object:
        value = self._top()
        self._stack.pop()
        return value

    def _to_mark(self) -> list[object]:
        items: list[object] = []
        while self._stack:
            value = self._stack.pop()
            if value is _MARK:
                return items[::-1]
            items.append(value)
        raise Broken("a missing mark")


def _extend(row: Row, items: list[object]) -> None:
    row.length += len(items)
    row.texts.extend(item for item in items if isinstance(item, str))


def _index(name: str, argument: bytes | None) -> int:
    value = _number("INT" if name in ("GET", "PUT") else "BININT1", argument)
    return value if isinstance(value, int) else -1


def _number(name: str, argument: bytes | None) -> object:
    if argument is None or len(argument) > 20:
        return OTHER
    if name in ("INT", "LONG"):
        try:
            return int(argument.rstrip(b"L"))
        except ValueError:
            raise Broken("a number that is none") from None
    return int.from_bytes(argument, "little", signed=name not in ("BININT1", "BININT2"))
