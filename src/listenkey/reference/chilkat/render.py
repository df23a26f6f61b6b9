"""Writes the steps of a program in a language, by that language's data alone."""

from collections.abc import Iterable, Iterator, Sequence

from listenkey.reference.chilkat.language import Language, fill, of_kind
from listenkey.reference.chilkat.literal import write_text
from listenkey.reference.chilkat.members import members
from listenkey.reference.chilkat.script import SUCCESS, Script
from listenkey.reference.chilkat.steps import (
    Argument,
    Assign,
    Blank,
    Call,
    Comment,
    Condition,
    Count,
    Dispose,
    Flag,
    Get,
    If,
    Join,
    Leave,
    New,
    Number,
    Print,
    Put,
    Read,
    Ref,
    Step,
    Text,
    While,
)

INDENT = "    "
BUILDER = "StringBuilder"


def render(language: Language, script: Script, steps: Sequence[Step]) -> str:
    """The whole text of the program, with a line end behind the last line."""
    return _Writer(language, script).program(steps)


class _Writer:
    def __init__(self, language: Language, script: Script) -> None:
        self._language = language
        self._kinds = dict(script.kinds)
        self._made = set(script.made)
        self._known: list[str] = []
        """Variables in the order in which they appear."""
        self._classes: list[str] = []
        self._passed: set[str] = set()
        self._temps: set[str] = set()
        self._builders: list[str] = []
        self._depth = 0
        self._lines: list[str] = []

    def program(self, steps: Sequence[Step]) -> str:
        for step in steps:
            self._step(step)
        blocks = {
            "{includes}": [fill(self._language.include, _class_places(each)) for each in self._classes],
            "{declarations}": list(self._declarations()),
            "{steps}": "\n".join(self._lines).strip("\n").split("\n"),
        }
        lines: list[str] = []
        for line in self._language.frame.splitlines():
            block = blocks.get(line.strip())
            margin = line[: len(line) - len(line.lstrip())]
            lines += [f"{margin}{each}" for each in block] if block is not None else [self._units(line)]
        return "\n".join(_tidy(lines)) + "\n"

    # Statements, one for each kind of step.

    def _step(self, step: Step) -> None:
        match step:
            case Blank():
                self._lines.append("")
            case Comment():
                self._write(fill(self._language.comment, {"text": step.text}))
            case New():
                self._new(step.name, step.type)
            case Call():
                self._call(step)
            case Print():
                self._print(step)
            case If() | While():
                self._block(step)
            case Dispose():
                self._dispose(step)
            case Leave():
                self._write(self._language.leave)
            case _:
                self._assignment(step)

    def _assignment(self, step: Assign | Join | Read | Put | Count) -> None:
        match step:
            case Assign():
                self._let(step.name, self._value(step.value))
            case Join():
                self._join(step)
            case Read():
                self._read(step.name, step.value)
            case Put():
                value = self._argument(step.value)
                self._write(fill(self._language.put, self._member(step.object, step.member, value=value)))
            case Count():
                self._write(fill(self._language.count, self._variable(step.name)))

    def _new(self, name: str, kind: str) -> None:
        language = self._language
        self._know(name, kind)
        self._made.add(name)
        places = self._variable(name) | _class_places(kind)
        self._write(fill(language.new, places))
        first = len(self._made & set(self._known)) == 1
        if language.test_new_of == "each" or (language.test_new_of == "first" and first):
            self._write(fill(language.test_new, places))

    def _call(self, step: Call) -> None:
        language = self._language
        gives = members()[self._kinds[step.object]][step.member].gives
        for each in step.arguments:
            if isinstance(each, Ref) and language.pass_object and self._kinds[each.name] in members():
                self._passed.add(each.name)
                self._write(fill(language.pass_object, self._variable(each.name)))
        places = self._member(step.object, step.member, self._arguments(step))
        expression = fill(of_kind(language.call, _key(gives)), places)
        if not step.into or (language.drop_unasked and not step.asked):
            self._write(fill(language.void, places | {"call": expression}))
        elif language.let_call:
            self._know(step.into, gives)
            own = places | self._result(step.into) | _class_places(gives, "Result")
            self._write(fill(of_kind(language.let_call, _key(gives)), own))
        else:
            self._let(step.into, expression)

    def _arguments(self, step: Call) -> str:
        takes = members()[self._kinds[step.object]][step.member].takes
        written = [self._argument(each) for each in step.arguments]
        label = self._language.label
        return self._language.separator.join(
            value if place == 0 else fill(label, {"label": takes[place][0]}) + value
            for place, value in enumerate(written)
        )

    def _print(self, step: Print) -> None:
        if isinstance(step.value, Ref):
            kind, value = self._kinds[step.value.name], self._ref(step.value.name)
        else:
            kind, value = self._gives(step.value), self._get(step.value)
        self._write(fill(of_kind(self._language.show, kind), {"value": value}))

    def _block(self, step: If | While) -> None:
        language = self._language
        condition = self._condition(step.condition)
        loop = isinstance(step, While)
        self._write(fill(language.loop if loop else language.if_then, {"condition": condition}))
        self._inside(step.body if isinstance(step, While) else step.then)
        if isinstance(step, If) and step.otherwise:
            self._write(language.if_else)
            self._inside(step.otherwise)
        self._write(language.loop_end if loop else language.if_end)

    def _inside(self, steps: Iterable[Step]) -> None:
        self._depth += 1
        for step in steps:
            self._step(step)
        self._depth -= 1

    def _dispose(self, step: Dispose) -> None:
        if step.failed and not self._language.dispose_failed:
            return
        for name in (*step.names, *self._builders):
            origin = "created" if name in self._made else "returned"
            places = self._variable(name) | _class_places(self._kinds[name])
            self._write(fill(of_kind(self._language.dispose, origin), places))

    def _join(self, step: Join) -> None:
        """With the language's own sign, or as Chilkat's users do where it has none."""
        language = self._language
        if len(step.parts) == 1 or language.concat:
            parts = language.concat.join(self._value(each) for each in step.parts)
            self._let(step.name, fill(language.joined, {"parts": parts}) if len(step.parts) > 1 else parts)
            return
        builder = f"sb{step.name[0].upper()}{step.name[1:]}"
        if builder in self._builders:
            self._call(Call(builder, "Clear"))
        else:
            self._new(builder, BUILDER)
            self._builders.append(builder)
        for each in step.parts:
            self._call(Call(builder, "Append", (each,), SUCCESS, asked=False))
        self._call(Call(builder, "GetAsString", (), step.name))

    def _read(self, name: str, value: Get) -> None:
        if self._language.let_get:
            self._know(name, self._gives(value))
            places = self._member(value.object, value.member) | self._result(name)
            self._write(fill(of_kind(self._language.let_get, self._gives(value)), places))
        else:
            self._let(name, self._get(value))

    def _let(self, name: str, value: str) -> None:
        language, kind = self._language, self._kinds.get(name, "bool")
        first = name not in self._known
        self._know(name, kind)
        table = language.first if first and language.first else language.let
        type_name = of_kind(language.types, kind if kind not in members() else "returned")
        places = self._variable(name) | _class_places(kind)
        places |= {"value": value, "type": fill(type_name, places)}
        self._write(fill(of_kind(table, _key(kind)), places))

    # Expressions.

    def _condition(self, condition: Condition) -> str:
        left = condition.left
        language = self._language
        written = self._ref(left.name) if isinstance(left, Ref) else self._get(left)
        places = {
            "left": written,
            "sign": language.signs[condition.sign],
            "right": self._value(condition.right),
        }
        return fill(language.compare, places)

    def _get(self, value: Get) -> str:
        kind = self._gives(value)
        if self._language.temps:
            temp = of_kind(self._language.temps, kind)
            self._temps.add(temp)
            places = self._member(value.object, value.member) | {"into": temp}
            self._write(fill(of_kind(self._language.let_get, kind), places))
            return temp
        return fill(of_kind(self._language.get, kind), self._member(value.object, value.member))

    def _argument(self, argument: Argument) -> str:
        value = self._value(argument)
        if isinstance(argument, Ref):
            kind = _key(self._kinds[argument.name])
        else:
            kind = {Text: "string", Number: "int", Flag: "bool"}[type(argument)]
        places = {"value": value} | (self._variable(argument.name) if isinstance(argument, Ref) else {})
        return fill(of_kind(self._language.argument, kind), places)

    def _value(self, value: Argument) -> str:
        match value:
            case Text():
                return write_text(self._language, value.value)
            case Number():
                return str(value.value)
            case Flag():
                return self._language.true if value.value else self._language.false
            case Ref():
                return self._ref(value.name)

    # Places of templates.

    def _ref(self, name: str) -> str:
        return fill(self._language.ref, self._variable(name))

    def _variable(self, name: str) -> dict[str, str]:
        forms = {"name": name, "Name": name[0].upper() + name[1:]}
        var = fill(of_kind(self._language.names, _key(self._kinds[name])), forms)
        return forms | {"var": var, "ref": fill(self._language.ref, forms | {"var": var})}

    def _result(self, name: str) -> dict[str, str]:
        places = self._variable(name)
        return {"into": places["var"], "Into": places["Name"]}

    def _member(self, target: str, member: str, arguments: str = "", value: str = "") -> dict[str, str]:
        language = self._language
        origin = "created" if target in self._made else "returned"
        spelled = language.spelled.get(member, member)
        opening = language.openings.get(member, language.opening)
        places = self._variable(target) | _class_places(self._kinds[target])
        return places | {
            "on": fill(of_kind(language.on, origin), places),
            "Member": spelled,
            "member": language.spelled.get(member, member[0].lower() + member[1:]),
            "args": f"{opening}{arguments}" if arguments else "",
            "more": f"{language.separator}{arguments}" if arguments else "",
            "value": value,
        }

    def _gives(self, value: Get) -> str:
        return members()[self._kinds[value.object]][value.member].gives

    def _know(self, name: str, kind: str) -> None:
        self._kinds.setdefault(name, kind)
        if name not in self._known:
            self._known.append(name)
        if kind in members() and kind not in self._classes:
            self._classes.append(kind)

    def _declarations(self) -> Iterator[str]:
        declare = self._language.declare
        for temp in sorted(self._temps):
            kind = next(kind for kind, name in self._language.temps.items() if name == temp)
            yield from fill(of_kind(declare, kind), {"var": temp}).splitlines()
        for name in self._known:
            kind = self._kinds[name]
            origin = "created" if name in self._made else "returned"
            keys = [origin if kind in members() else kind, *(["passed"] if name in self._passed else [])]
            for key in keys:
                places = self._variable(name) | _class_places(kind)
                template = declare.get(key, "" if key == "passed" else declare.get("any", ""))
                yield from fill(template, places).splitlines()

    def _units(self, line: str) -> str:
        units = ", ".join(fill(self._language.units, _class_places(each)) for each in self._classes)
        return fill(line, {"units": units})

    def _write(self, lines: str) -> None:
        """Lines at the depth of the moment; a language without a word for something writes none."""
        if not lines:
            return
        self._lines += [f"{INDENT * self._depth}{line}" if line else "" for line in lines.split("\n")]


def _key(kind: str) -> str:
    """The entry of a table for a kind: all classes are `object`."""
    return "object" if kind in members() else kind


def _class_places(kind: str, suffix: str = "") -> dict[str, str]:
    """A class in the bindings' three manners."""
    own = kind.startswith("Ck")
    return {
        f"class{suffix}": kind,
        f"Ck{suffix}": kind if own else f"Ck{kind}",
        f"Cko{suffix}": f"Cko{kind.removeprefix('Ck')}",
        f"Chilkat{suffix}": kind if own else f"Chilkat{kind}",
    }


def _tidy(lines: Iterable[str]) -> Iterator[str]:
    """Never two empty lines in a row, nor one at either end of the program."""
    before = ""
    for line in lines:
        if line.strip() or before.strip():
            yield line.rstrip()
        before = line
