"""Does on Chilkat's own library what a program says, statement by statement.

Nothing is taken on trust: an object has to be there and not given back, a variable has to be declared where
the language wants that, members have to be what their spelling says, and arguments of the right number and
type.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import chilkat
from tests.chilkat.expressions import canonical_swift
from tests.chilkat.signatures import GIVES, TAKES
from tests.chilkat.statements import Grammar
from tests.chilkat.tree import Invoked, Joined, Name, Statement, Value

TURNS = 400


class PerformError(Exception):
    """What a program does wrong."""


class _Left(Exception):
    """The program ended itself."""


@dataclass
class Object:
    """An object of the library, in the program's hands."""

    kind: str
    real: Any
    made: bool
    live: bool = True


@dataclass
class Call:
    """One call that was done, as it is told."""

    kind: str
    member: str
    arguments: list[Any]


@dataclass
class Performer:
    """One run of one program. `after` is told of each call."""

    grammar: Grammar
    after: Callable[[Call], None] = lambda _call: None
    printed: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    left: bool = False

    def __post_init__(self) -> None:
        self._scopes: list[dict[str, Any]] = [{}]
        self._types: list[dict[str, str]] = [{}]
        self._objects: list[Object] = []

    def run(self, statements: list[Statement]) -> None:
        """The whole program. Errors: `PerformError`, with the line."""
        try:
            self._block(statements)
        except _Left:
            self.left = True
        self._check_disposed()

    def _block(self, statements: list[Statement]) -> None:
        for each in statements:
            try:
                self._one(each)
            except PerformError as error:
                if "\n" in str(error):
                    raise
                raise PerformError(f"{error}\n    {each.line}") from None

    def _one(self, statement: Statement) -> None:
        kind, parts = statement.kind, statement.parts
        match kind:
            case "never":
                return
            case "if" | "while" | "if_there":
                self._fork(statement)
            case "leave":
                raise _Left
            case "declare":
                self._declare(parts["var"], parts.get("type", ""))
            case "create" | "create_or_wrap":
                self._create(parts["var"], parts["class"], kind)
            case "wrap":
                self._wrap(parts["var"], self._evaluate(parts["value"]))
            case "dispose":
                self._dispose(parts["var"], parts.get("class", ""))
            case "print":
                self._print(self._evaluate(parts["value"]))
            case "count":
                self._assign(parts["var"], self._variable(parts["var"]) + 1)
            case _:
                self._value_statement(kind, parts)

    def _value_statement(self, kind: str, parts: dict[str, Any]) -> None:
        match kind:
            case "let" | "let_new" | "set":
                value = self._evaluate(parts["value"])
                self._check_set(kind, value)
                if kind == "let_new":
                    self._declare(parts["var"], parts.get("type", ""))
                self._assign(parts["var"], value)
            case "put":
                self._put(self._evaluate(parts["object"]), parts["member"], self._evaluate(parts["value"]))
            case "do" | "command":
                call = parts["value"]
                if not isinstance(call, Invoked):
                    raise PerformError("a value alone does nothing")
                self._evaluate(call)
            case "void" | "keep" | "keep_property" | "keep_either":
                how = {
                    "void": "method",
                    "keep": "method",
                    "keep_property": "property",
                    "keep_either": "either",
                }
                call = Invoked(parts["object"], parts["member"], parts.get("arguments", []), how[kind])
                value = self._evaluate(call)
                if kind != "void":
                    self._assign(parts["var"], value)
            case _:
                raise AssertionError(kind)

    def _fork(self, statement: Statement) -> None:
        turns = 0
        while self._holds(statement):
            self._inside(statement.body)
            turns += 1
            if statement.kind != "while":
                return
            if turns > TURNS:
                raise PerformError("the loop does not end")
        if statement.kind == "if":
            self._inside(statement.otherwise)

    def _inside(self, statements: list[Statement]) -> None:
        self._scopes.append({})
        self._types.append({})
        self._block(statements)
        self._scopes.pop()
        self._types.pop()

    def _holds(self, statement: Statement) -> bool:
        parts = statement.parts
        if statement.kind == "if_there":
            return self._variable(parts["var"]) is not None
        left, right = self._evaluate(parts["left"]), self._evaluate(parts["right"])
        if isinstance(left, Object):
            left = 1
        if self.grammar.number_booleans:
            left, right = int(left), int(right)
        elif isinstance(left, bool) is not isinstance(right, bool):
            raise PerformError(f"{left!r} is compared with {right!r}")
        sign = parts["sign"]
        if sign in ("=", "==", "-eq"):
            return bool(left == right)
        return bool(left != right if sign in ("<>", "!=", "-ne") else left < right)

    # Variables.

    def _declare(self, name: str, kind: str) -> None:
        if not self.grammar.typed:
            return
        if name in self._types[-1]:
            raise PerformError(f"{name} is declared twice")
        self._types[-1][name] = kind
        self._scopes[-1][name] = None

    def _assign(self, name: str, value: Any) -> None:
        for scope, types in zip(reversed(self._scopes), reversed(self._types), strict=True):
            if name in scope:
                _check_type(types.get(name, ""), value, name)
                scope[name] = value
                return
        if self.grammar.typed:
            raise PerformError(f"{name} was never declared")
        self._scopes[0][name] = value

    def _variable(self, name: str) -> Any:
        for scope in reversed(self._scopes):
            if name in scope:
                if scope[name] is None and not self.grammar.typed:
                    return None
                return scope[name]
        raise PerformError(f"{name} is used before there is one")

    def _evaluate(self, expression: Any) -> Any:
        match expression:
            case Value():
                return expression.value
            case Name():
                return self._variable(expression.name)
            case Joined():
                parts = [self._evaluate(each) for each in expression.parts]
                if not all(isinstance(each, str) for each in parts):
                    raise PerformError(f"only strings can be joined: {parts}")
                return "".join(parts)
            case Invoked():
                return self._invoke(expression)
        raise PerformError(f"cannot tell what {expression!r} is worth")

    # Objects.

    def _create(self, name: str, kind: str, how: str) -> None:
        kind = self._class(kind)
        if how == "create_or_wrap" and name in self._handles():
            # The handle for an object that a call gave, and that `pvComObject` puts into it.
            self._assign(name, Object(kind, None, made=False))
            return
        made = Object(kind, _construct(kind), made=True)
        self._objects.append(made)
        if self.grammar.typed and not any(name in scope for scope in self._scopes):
            self._declare(name, "")
        if how == "create_or_wrap":
            made.made = False
        self._assign(name, made)

    def _handles(self) -> set[str]:
        """DataFlex: names of handles that stand for a Variant that holds an object by now."""
        return {
            f"ho{name.removeprefix('v')}"
            for scope in self._scopes
            for name, value in scope.items()
            if name.startswith("v") and isinstance(value, Object)
        }

    def _wrap(self, name: str, value: Any) -> None:
        handle = self._variable(name)
        if not isinstance(handle, Object) or not isinstance(value, Object) or handle.kind != value.kind:
            raise PerformError(f"{name} is no handle for that object")
        self._assign(name, value)

    def _class(self, kind: str) -> str:
        if self.grammar.manner.wide:
            if not kind.endswith("W"):
                raise PerformError(f"{kind} is not the class for wide strings")
            kind = kind.removesuffix("W")
        return _plain(kind)

    def _dispose(self, name: str, kind: str) -> None:
        value = self._variable(name)
        if not isinstance(value, Object):
            raise PerformError(f"{name} is no object that could be given back")
        if not value.live:
            raise PerformError(f"{name} is given back twice")
        if kind and self._class(kind) != value.kind:
            raise PerformError(f"{name} is a {value.kind}, not a {kind}")
        value.live = False

    def _check_disposed(self) -> None:
        """All that the language wants given back was, where the program ended as it should."""
        wanted = self.grammar.disposes
        if wanted == "none" or (self.left and not self.grammar.after_failure):
            return
        for each in self._objects:
            if each.live and (wanted == "all" or not each.made):
                raise PerformError(f"a {each.kind} is never given back")

    def _live(self, value: Any) -> Object:
        if not isinstance(value, Object):
            raise PerformError(f"{value!r} is no object")
        if not value.live:
            raise PerformError(f"a {value.kind} is used that was given back")
        return value

    # Members.

    def _invoke(self, call: Invoked) -> Any:
        target = self._live(self._evaluate(call.target))
        if self.grammar.signs and call.sign != self.grammar.signs[0 if target.made else 1]:
            raise PerformError(f"{call.sign} is not how members of this {target.kind} are reached")
        if call.type and _plain(call.type) != target.kind:
            raise PerformError(f"{call.type} is the wrong class for a {target.kind}")
        member, real = call.member, target.real
        is_property, is_method = hasattr(real, f"get_{member}"), hasattr(real, member)
        lower = member[0].lower() + member[1:]
        gives_text = hasattr(real, lower)
        if not is_property and not is_method:
            raise PerformError(f"{target.kind} has no {member}")
        self._check_spelling(call, target.kind, is_property=is_property, gives_text=gives_text)
        if is_property:
            if call.arguments:
                raise PerformError(f"{member} is a property")
            return getattr(real, lower)() if gives_text else getattr(real, f"get_{member}")()
        arguments = [self._argument(each) for each in call.arguments]
        self._check_arguments(target.kind, member, arguments, call.labels)
        handed = [each.real if isinstance(each, Object) else each for each in arguments]
        given = getattr(real, lower if gives_text else member)(*handed)
        done = Call(target.kind, member, arguments)
        self.calls.append(done)
        self.after(done)
        return self._given(target.kind, member, given)

    def _argument(self, expression: Any) -> Any:
        value = self._evaluate(expression)
        return self._live(value) if isinstance(value, Object) else value

    def _given(self, kind: str, member: str, given: Any) -> Any:
        wanted = GIVES[kind, member]
        known = {"": type(None), "bool": bool}
        if wanted in known and not isinstance(given, known[wanted]):
            raise PerformError(f"{kind}.{member} gives {given!r}, and no {wanted or 'nothing'}")
        if wanted in ("", "bool", "string") or given is None:
            return given
        returned = Object(wanted, given, made=False)
        self._objects.append(returned)
        return returned

    def _check_spelling(self, call: Invoked, kind: str, *, is_property: bool, gives_text: bool) -> None:
        fits = {
            "method": not is_property,
            "property": is_property,
            "either": True,
            "text": gives_text,
            "number": is_property and not gives_text,
            "value-method": not is_property and not gives_text,
            "text-method": not is_property and gives_text,
        }
        if not fits[call.how]:
            raise PerformError(f"{kind}.{call.member} is not spelled as a {call.how}")
        needs_pointer = self.grammar.manner.spelling == "go" and not is_property and gives_text
        if needs_pointer and call.how != "text-method":
            raise PerformError(f"{kind}.{call.member} gives a pointer")

    def _check_arguments(self, kind: str, member: str, arguments: list[Any], labels: list[str]) -> None:
        wanted = TAKES[kind, member]
        if len(wanted) != len(arguments):
            raise PerformError(f"{kind}.{member} takes {len(wanted)} arguments, not {len(arguments)}")
        for (name, type_name), value in zip(wanted, arguments, strict=True):
            if not self._fits(type_name, value):
                raise PerformError(f"{kind}.{member}: {name} is a {type_name}, not {value!r}")
        if any(labels) or self.grammar.manner.spelling in ("cocoa", "swift", "swift2"):
            expected = ["", *(name for name, _ in wanted[1:])][: len(wanted)]
            if wanted and labels != expected:
                raise PerformError(f"{kind}.{member}: labels are {expected}, not {labels}")

    def _fits(self, wanted: str, value: Any) -> bool:
        if wanted == "bool":
            return isinstance(value, bool) or (self.grammar.number_booleans and value in (0, 1))
        if wanted == "int":
            return isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, str) if wanted == "string" else getattr(value, "kind", "") == wanted

    def _put(self, target: Any, member: str, value: Any) -> None:
        real = self._live(target).real
        if self.grammar.manner.spelling == "swift":
            member = canonical_swift(member, [])
        if not hasattr(real, f"put_{member}"):
            raise PerformError(f"{target.kind} has no property {member} that could be set")
        try:
            getattr(real, f"put_{member}")(value)
        except TypeError:
            raise PerformError(f"{target.kind}.{member} cannot be {value!r}") from None
        self.calls.append(Call(target.kind, member, [value]))

    def _check_set(self, kind: str, value: Any) -> None:
        is_object = isinstance(value, Object) or value is None
        if self.grammar.set_objects and is_object is not (kind == "set"):
            raise PerformError("objects are assigned with Set, and nothing else is")

    def _print(self, value: Any) -> None:
        if isinstance(value, Object) or value is None:
            raise PerformError(f"{value!r} cannot be printed")
        self.printed.append(str(value))


def _construct(kind: str) -> Any:
    found = getattr(chilkat, kind if kind.startswith("Ck") else f"Ck{kind}", None)
    if found is None:
        raise PerformError(f"there is no class {kind}")
    return found()


def _plain(kind: str) -> str:
    """A class by its own name: only the one for dates and times keeps its prefix."""
    plain = kind.removeprefix("Ck")
    return f"Ck{plain}" if plain == "DateTime" else plain


_TYPES = {
    "string": str, "String": str, "NSString *": str, "const char *": str, "const wchar_t *": str, "s": str,
    "WideString": str, "PWideChar": str, "nvarchar(4000)": str,
    "bool": bool, "Bool": bool, "boolean": bool, "BOOL": bool,
    "Long": int, "Int32": int, "int": int, "Integer": int, "integer": int, "Int": int, "i": (int, Object),
    "oleobject": Object, "Handle": Object, "Variant": Object, "Boolean": bool,
}  # fmt: skip


def _check_type(kind: str, value: Any, name: str) -> None:
    """What a variable is declared as can hold the value."""
    kind = kind.rstrip(" ") if not kind.endswith("*") else kind
    if not kind or value is None or (kind == "int" and isinstance(value, Object)):
        return
    if kind in _TYPES:
        if not isinstance(value, _TYPES[kind]):
            raise PerformError(f"{name} is a {kind} and cannot hold {value!r}")
        return
    bare = kind.removesuffix("?").removesuffix(" *").rpartition(".")[2]
    for prefix in ("TChilkat", "IChilkat", "Chilkat", "HCk", "Cko", "TCk", "ICk", "Ck"):
        if bare.startswith(prefix):
            bare = bare.removeprefix(prefix)
            break
    wanted = _plain(bare if not bare.endswith("W") or bare == "W" else bare.removesuffix("W"))
    if getattr(value, "kind", "") != wanted:
        raise PerformError(f"{name} is a {kind} and cannot hold {value!r}")
