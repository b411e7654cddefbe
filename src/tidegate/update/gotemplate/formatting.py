"""Go's fmt: print, println, printf and their verbs, for the values that templates have. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from tidegate.update.gotemplate.budget import Budget
from tidegate.update.gotemplate.numbers import format_bits, format_float, shortest
from tidegate.update.gotemplate.values import MISSING, Map, Slice, Struct, Uint8, check_size, encode, type_name

WIDTH_LIMIT = 1_000_000
_DIRECTIVE = re.compile(
    r"%(?P<flags>[-+# 0]*)(?:\[(?P<width_at>[^\]]*)\])?(?P<width>\*|[0-9]+)?"
    r"(?P<dot>\.(?:\[(?P<precision_at>[^\]]*)\])?(?P<precision>\*|[0-9]+)?)?(?:\[(?P<at>[^\]]*)\])?(?P<verb>.)?",
    re.DOTALL,
)
_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}
_INTEGER_VERBS = "bcdoOqxXUvt"


def text_of(value: Any) -> str:
    """`%v`, as a template prints a value."""
    check_size(value)
    return "<no value>" if value is MISSING else _value(value, plus=False, sharp=False)


def sprint(values: Sequence[Any]) -> str:
    """fmt.Sprint: a blank between two operands neither of which is a string."""
    parts: list[str] = []
    for number, value in enumerate(values):
        if number and not isinstance(value, str) and not isinstance(values[number - 1], str):
            parts.append(" ")
        parts.append(_operand(value))
    return "".join(parts)


def sprintln(values: Sequence[Any]) -> str:
    """fmt.Sprintln: a blank between all, and a line break."""
    return " ".join(_operand(value) for value in values) + "\n"


def _operand(value: Any) -> str:
    return "<nil>" if value is MISSING else text_of(value)


def _value(value: Any, *, plus: bool, sharp: bool) -> str:
    if isinstance(value, Struct):
        return _struct(value, plus=plus, sharp=sharp)
    if isinstance(value, Slice):
        return _slice(value, plus=plus, sharp=sharp)
    if isinstance(value, Map):
        return _map(value, plus=plus, sharp=sharp)
    if value is None or value is MISSING:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quote(value) if sharp else value
    if isinstance(value, float):
        return shortest(value)
    if isinstance(value, complex):
        return f"({shortest(value.real)}{format_float(value.imag, 'g', None, plus=True)}i)"
    return f"{value:#x}" if sharp and type_name(value).startswith("uint") else str(int(value))


def _struct(value: Struct, *, plus: bool, sharp: bool) -> str:
    stringer = value.method("String")
    if stringer is not None and not sharp:
        return str(stringer())
    if sharp:
        inside = ", ".join(f"{name}:{_value(item, plus=plus, sharp=True)}" for name, item in value.fields)
        return f"{'&' if value.is_pointer else ''}{value.type}{{{inside}}}"
    parts = [f"{name}:" * plus + _value(item, plus=plus, sharp=False) for name, item in value.fields]
    return f"{'&' if value.is_pointer else ''}{{{' '.join(parts)}}}"


def _slice(value: Slice, *, plus: bool, sharp: bool) -> str:
    if sharp:
        if value.is_nil:
            return f"{value.type}(nil)"
        inside = ", ".join(_element(item, value.type.removeprefix("[]"), plus=plus) for item in value.items)
        return f"{value.type}{{{inside}}}"
    return f"[{' '.join(_value(item, plus=plus, sharp=False) for item in value.items)}]"


def _map(value: Map, *, plus: bool, sharp: bool) -> str:
    if sharp:
        if value.is_nil:
            return f"{value.type}(nil)"
        of = value.type.partition("]")[2]
        pairs = [
            f"{_value(key, plus=plus, sharp=True)}:{_element(item, of, plus=plus)}"
            for key, item in value.sorted_items()
        ]
        return f"{value.type}{{{', '.join(pairs)}}}"
    pairs = [
        f"{_value(key, plus=plus, sharp=False)}:{_value(item, plus=plus, sharp=False)}"
        for key, item in value.sorted_items()
    ]
    return f"map[{' '.join(pairs)}]"


def _element(item: Any, of: str, *, plus: bool) -> str:
    return f"{of}(nil)" if item is None else _value(item, plus=plus, sharp=True)


def quote(text: str, *, ascii_only: bool = False) -> str:
    """strconv.Quote."""
    return '"' + "".join(_quoted(char, '"', ascii_only=ascii_only) for char in text) + '"'


def _quoted(char: str, quote_mark: str, *, ascii_only: bool = False) -> str:
    if char in ('"', "'"):
        return f"\\{char}" if char == quote_mark else char
    if char in _ESCAPES:
        return _ESCAPES[char]
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if is_print(char) and not (ascii_only and code > 127):
        return char
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def is_print(char: str) -> bool:
    """unicode.IsPrint."""
    return char == " " or unicodedata.category(char)[0] in "LMNPS"


def sprintf(template: str, values: Sequence[Any], budget: Budget) -> str:
    """fmt.Sprintf, with its own words for what does not fit (`%!d(string=x)`)."""
    return _Printf(template, values, budget).run()


class _Printf:
    def __init__(self, template: str, values: Sequence[Any], budget: Budget):
        self._template = template
        self._values = [None if value is MISSING else value for value in values]
        self._budget = budget
        self._next = 0
        self._reordered = False
        self._bad_index = False

    def run(self) -> str:
        parts, position = [], 0
        while (start := self._template.find("%", position)) >= 0:
            parts.append(self._template[position:start])
            found = _DIRECTIVE.match(self._template, start)
            assert found is not None
            parts.append(self._budget.text(self._directive(found)))
            position = found.end()
        parts.append(self._template[position:])
        if not self._reordered and self._next < len(self._values):
            extra = ", ".join(
                "<nil>" if value is None else f"{type_name(value)}={text_of(value)}"
                for value in self._values[self._next :]
            )
            parts.append(f"%!(EXTRA {extra})")
        return "".join(parts)

    def _directive(self, found: re.Match[str]) -> str:
        flags = found["flags"]
        self._bad_index = False
        after_index = self._index(found["width_at"])
        width, minus = self._size(found["width"])
        bad = "%!(BADWIDTH)" if width is None and found["width"] == "*" else ""
        if width is not None and after_index and found["width"] != "*":
            self._bad_index = True
        precision: int | None = None
        if found["dot"]:
            self._index(found["precision_at"])
            precision, _ = self._size(found["precision"])
            if found["precision"] == "*" and (precision is None or precision < 0):
                bad += "%!(BADPREC)"
                precision = None
            elif precision is None:
                precision = 0
        self._index(found["at"])
        verb = found["verb"]
        if verb is None:
            return bad + "%!(NOVERB)"
        if verb == "%":
            return bad + "%"
        if self._bad_index:
            return f"{bad}%!{verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"{bad}%!{verb}(MISSING)"
        value = self._values[self._next]
        check_size(value)
        self._next += 1
        left = "-" in flags or minus
        spec = _Spec(flags, abs(width) if width is not None else None, precision, left=left)
        return bad + spec.format(value, verb)

    def _index(self, text: str | None) -> bool:
        if text is None:
            return False
        self._reordered = True
        if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= len(self._values):
            self._bad_index = True
            return True
        self._next = int(text) - 1
        return True

    def _size(self, text: str | None) -> tuple[int | None, bool]:
        if text is None:
            return None, False
        if text != "*":
            return (int(text), False) if len(text) <= 7 and int(text) <= WIDTH_LIMIT else (None, False)
        if self._next >= len(self._values):
            return None, False
        value = self._values[self._next]
        self._next += 1
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > WIDTH_LIMIT:
            return None, False
        return int(value), value < 0


class _Spec:
    """One directive's flags, applied to one value."""

    def __init__(self, flags: str, width: int | None, precision: int | None, *, left: bool):
        self.plus = "+" in flags
        self.sharp = "#" in flags
        self.blank = " " in flags
        self.width = width
        self.precision = precision
        self.left = left
        self.zero = "0" in flags and not left

    def format(self, value: Any, verb: str) -> str:
        """The value by the verb, padded."""
        if verb == "T":
            return self._pad(type_name(value)[: self.precision])
        if value is not None and verb in "pw":
            return self._bad(value, verb)
        if value is None:
            return self._pad("<nil>") if verb == "v" else f"%!{verb}(<nil>)"
        plain = self.width is None and self.precision is None
        if verb == "v" and isinstance(value, Struct | Slice | Map) and (self.sharp or (self.plus and plain)):
            return _value(value, plus=self.plus, sharp=self.sharp)
        if verb == "v":
            self.plus = False
        return self._format(value, verb)

    def _format(self, value: Any, verb: str) -> str:
        if isinstance(value, Struct) and value.method("String") and verb in "vsxXq":
            return self._string(str(value.methods["String"](value)), "s" if verb == "v" else verb)
        if isinstance(value, Slice):
            if verb in "sxX" and value.type == "[]uint8":
                return self._bad(value, verb)
            return f"[{' '.join(self._inner(item, verb) for item in value.items)}]"
        if isinstance(value, Map):
            pairs = [f"{self._inner(key, verb)}:{self._inner(item, verb)}" for key, item in value.sorted_items()]
            return f"map[{' '.join(pairs)}]"
        if isinstance(value, Struct):
            return "&" * value.is_pointer + f"{{{' '.join(self._inner(item, verb) for _, item in value.fields)}}}"
        if isinstance(value, bool):
            return self._pad(_value(value, plus=False, sharp=False)) if verb in "tv" else self._bad(value, verb)
        if isinstance(value, str):
            return self._string(value, verb) if verb in "vsxXq" else self._bad(value, verb)
        if isinstance(value, float):
            return self._float(value, verb) if verb in "vbgGxXfFeE" else self._bad(value, verb)
        if isinstance(value, complex):
            return self._complex(value, verb) if verb in "vbgGxXfFeE" else self._bad(value, verb)
        if isinstance(value, int):
            return self._integer(value, verb)
        return self._pad(_value(value, plus=self.plus, sharp=self.sharp))

    def _inner(self, value: Any, verb: str) -> str:
        """A value inside another: an absent one is the same for every verb, and has no width."""
        return "<nil>" if value is None else self._format(value, verb)

    def _bad(self, value: Any, verb: str) -> str:
        """The value with its type; flags, width and precision still apply to it."""
        sharp, self.sharp = self.sharp, False
        shown = self._format(value, "v")
        self.sharp = sharp
        return f"%!{verb}({type_name(value)}={shown})"

    def _string(self, text: str, verb: str) -> str:
        if verb == "v" and self.sharp:
            return self._pad(quote(text))
        if verb in "xX":
            return self._hex(text, verb)
        if self.precision is not None:
            text = text[: self.precision]
        if verb == "q":
            if self.sharp and "`" not in text and all(is_print(char) or char == "\t" for char in text):
                return self._pad(f"`{text}`")
            return self._pad(quote(text, ascii_only=self.plus))
        return self._pad(text)

    def _hex(self, text: str, verb: str) -> str:
        data = encode(text)
        if self.precision is not None:
            data = data[: self.precision]
        pairs = [f"{byte:02x}" for byte in data]
        prefix = "0x" if self.sharp else ""
        shown = " ".join(prefix + pair for pair in pairs) if self.blank else prefix * bool(pairs) + "".join(pairs)
        return self._pad(shown.upper() if verb == "X" else shown)

    def _float(self, value: float, verb: str) -> str:
        if verb in "bxX":
            return self._pad_blank(format_bits(value, verb))
        text = format_float(value, "g" if verb == "v" else verb, self.precision, plus=self.plus)
        if self.blank and not self.plus and text[0] not in "+-":
            text = f" {text}"
        if text.startswith("+") and not self.plus:
            text = text[1:] if text != "+Inf" else text
        numeric = text[-1].isdigit()
        return self._pad(text, numeric=True) if numeric else self._pad_blank(text)

    def _complex(self, value: complex, verb: str) -> str:
        """Width and precision are each part's; the imaginary one always has a sign."""
        real = self._float(value.real, verb)
        plus, self.plus = self.plus, True
        imaginary = self._float(value.imag, verb)
        self.plus = plus
        return f"({real}{imaginary}i)"

    def _integer(self, value: int, verb: str) -> str:
        if verb == "c":
            return self._pad(_character(value))
        if verb == "q":
            return self._pad("'" + _quoted(_character(value), "'", ascii_only=self.plus) + "'")
        if verb == "U":
            shown = f"U+{value & (2**64 - 1):04X}"
            if self.sharp and 0 <= value < 0x110000 and is_print(_character(value)):
                shown += f" '{chr(value)}'"
            return self._pad_blank(shown)
        if verb not in "vdboOxX":
            return self._bad(value, verb)
        if verb == "v" and self.sharp and type_name(value).startswith("uint"):
            return self._pad(f"{int(value):#x}")
        return self._digits(value, "d" if verb == "v" else verb, sharp=self.sharp and verb != "v")

    def _digits(self, value: int, verb: str, *, sharp: bool) -> str:
        digits = format(abs(int(value)), {"O": "o"}.get(verb, verb))
        if self.precision is not None:
            digits = "" if self.precision == 0 and value == 0 else digits.rjust(self.precision, "0")
            if not digits:
                return " " * (self.width or 0)
        sign = "-" if value < 0 else "+" if self.plus else " " if self.blank else ""
        if self.zero and self.precision is None and self.width is not None:
            digits = digits.rjust(self.width - len(sign), "0")
        prefix = ""
        if verb == "O":
            prefix = "0o"
        elif sharp:
            prefix = {"b": "0b", "o": "" if digits.startswith("0") else "0", "x": "0x", "X": "0X"}.get(verb, "")
        return self._pad_blank(sign + prefix + digits)

    def _pad(self, text: str, *, numeric: bool = False) -> str:
        if self.width is None:
            return text
        missing = max(0, self.width - len(text))
        if self.left:
            return text + " " * missing
        if not self.zero:
            return " " * missing + text
        if numeric and text[:1] in ("+", "-", " "):
            return text[0] + "0" * missing + text[1:]
        return "0" * missing + text

    def _pad_blank(self, text: str) -> str:
        if self.width is None:
            return text
        return text.ljust(self.width) if self.left else text.rjust(self.width)


def _character(value: int) -> str:
    if isinstance(value, Uint8):
        return chr(value)
    return chr(value) if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000 else "\ufffd"
