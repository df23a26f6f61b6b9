"""Writes stand-ins for the bindings of compiled languages.

Each member has its types, so that the compiler holds the programs against them; `serve.py` does the rest.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.chilkat.signatures import PROPERTIES, SIGNATURES

HERE = Path(__file__).parent
CLASSES = sorted({kind for kind, _ in SIGNATURES})
Takes = list[tuple[str, str]]


def full(kind: str) -> str:
    """A class with its prefix."""
    return kind if kind.startswith("Ck") else f"Ck{kind}"


def lower(name: str) -> str:
    """With its first letter in lower case."""
    return name[0].lower() + name[1:]


def methods(kind: str) -> Iterator[tuple[str, str, Takes]]:
    """Name, what it gives, and what it takes."""
    for (owner, name), (gives, takes) in SIGNATURES.items():
        if owner == kind:
            words = takes.split()
            yield name, gives, list(zip(words[::2], words[1::2], strict=True))


def c(folder: Path, *, wide: bool) -> None:
    """Headers for C."""
    suffix, text = ("W", "const wchar_t *") if wide else ("", "const char *")
    types = {"string": text, "int": "int ", "bool": "BOOL ", "": "void "}
    types |= {kind: f"H{full(kind)}{suffix} " for kind in CLASSES}
    handles = [f"typedef struct {full(kind)}{suffix}_ *H{full(kind)}{suffix};" for kind in CLASSES]
    for kind in CLASSES:
        name = f"{full(kind)}{suffix}"
        lines = ["#pragma once", '#include "handles.h"']
        lines.append(
            f'static H{name} {name}_Create(void) {{ return (H{name})bridge("new", 0, "{full(kind)}", ""); }}'
        )
        lines.append(f'static void {name}_Dispose(H{name} h) {{ bridge("drop", (long)h, "", ""); }}')
        for member, gives, takes in methods(kind):
            spelled = lower(member) if gives == "string" else member
            lines.append(
                _c_function(types, f"{name}_{spelled}", f"H{name} ", spelled, gives, takes, wide=wide)
            )
        for member, gives in PROPERTIES.get(kind, {}).items():
            spelled = lower(member) if gives == "string" else f"get{member}"
            real = lower(member) if gives == "string" else f"get_{member}"
            lines.append(_c_function(types, f"{name}_{spelled}", f"H{name} ", real, gives, [], wide=wide))
            put = [("value", gives)]
            lines.append(
                _c_function(types, f"{name}_put{member}", f"H{name} ", f"put_{member}", "", put, wide=wide)
            )
        (folder / f"C_{name}.h").write_text("\n".join(lines) + "\n")
    (folder / "handles.h").write_text("\n".join(["#pragma once", '#include "bridge.h"', *handles]) + "\n")
    (folder / "bridge.h").write_text((HERE / "c" / "bridge.h").read_text())


def _c_function(
    types: Mapping[str, str], name: str, own: str, real: str, gives: str, takes: Takes, *, wide: bool
) -> str:
    parameters = "".join(f", {types[kind]}{each}" for each, kind in takes)
    kinds = "".join(
        {"string": "w" if wide else "s", "int": "i", "bool": "b"}.get(kind, "o") for _, kind in takes
    )
    values = "".join(
        f", {'' if kind in ('string', 'int', 'bool') else '(long)'}{each}" for each, kind in takes
    )
    call = f'bridge("call", (long)h, "{real}", "{kinds}"{values})'
    body = {"": f"{call};", "string": f"{call}; return bridge_{'wide' if wide else 'narrow'}();"}
    result = f"return {call};" if gives in ("int", "bool") else f"return ({types[gives]}){call};"
    return f"static {types[gives]}{name}({own}h{parameters}) {{ {body.get(gives, result)} }}"


def cpp(folder: Path, *, wide: bool) -> None:
    """Headers for C++."""
    suffix, text = ("W", "const wchar_t *") if wide else ("", "const char *")
    types = {"string": text, "int": "int ", "bool": "bool ", "": "void "}
    (folder / "bridge.h").write_text((HERE / "c" / "bridge.h").read_text())
    for kind in CLASSES:
        name = f"{full(kind)}{suffix}"
        others = {each for _, gives, takes in methods(kind) for each in (gives, *(one for _, one in takes))}
        used = sorted(others & set(CLASSES))
        lines = [
            "#pragma once",
            '#include "bridge.h"',
            *(f"#include <{full(each)}{suffix}.h>" for each in used),
        ]
        lines += [
            f"class {name} {{ public: long number;",
            f'{name}() : number(bridge("new", 0, "{full(kind)}", "")) {{}}',
            f"explicit {name}(long number) : number(number) {{}}",
            f'~{name}() {{ bridge("drop", number, "", ""); }}',
        ]
        for member, gives, takes in methods(kind):
            spelled = lower(member) if gives == "string" else member
            lines.append(_cpp_method(types, suffix, spelled, spelled, gives, takes))
        for member, gives in PROPERTIES.get(kind, {}).items():
            spelled = lower(member) if gives == "string" else f"get_{member}"
            lines.append(_cpp_method(types, suffix, spelled, spelled, gives, []))
            lines.append(_cpp_method(types, suffix, f"put_{member}", f"put_{member}", "", [("value", gives)]))
        (folder / f"{name}.h").write_text("\n".join([*lines, "};"]) + "\n")


def _cpp_method(types: Mapping[str, str], suffix: str, name: str, real: str, gives: str, takes: Takes) -> str:
    parameters = ", ".join(
        f"{types[kind]}{each}" if kind in types else f"{full(kind)}{suffix} &{each}" for each, kind in takes
    )
    letters = {"string": "w" if suffix else "s", "int": "i", "bool": "b"}
    kinds = "".join(letters.get(kind, "o") for _, kind in takes)
    values = "".join(
        f", {'(int)' if kind == 'bool' else ''}{each}{'' if kind in types else '.number'}"
        for each, kind in takes
    )
    call = f'bridge("call", number, "{real}", "{kinds}"{values})'
    width = "wide" if suffix else "narrow"
    if gives == "string":
        return f"{types[gives]}{name}({parameters}) {{ {call}; return bridge_{width}(); }}"
    if gives in types:
        return f"{types[gives]}{name}({parameters}) {{ {'return ' if gives else ''}{call}; }}"
    kind = f"{full(gives)}{suffix}"
    return f"{kind} *{name}({parameters}) {{ long made = {call}; return made ? new {kind}(made) : nullptr; }}"


def java(folder: Path) -> None:
    """Classes for Java and Kotlin."""
    package = folder / "com" / "chilkatsoft"
    package.mkdir(parents=True)
    (package / "Bridge.java").write_text((HERE / "java" / "Bridge.java").read_text())
    types = {"string": "String", "int": "int", "bool": "boolean", "": "void"}
    boxed = {"string": "String", "int": "Integer", "bool": "Boolean"}
    for kind in CLASSES:
        name = full(kind)
        lines = [
            "package com.chilkatsoft;",
            f"public class {name} {{ final long number;",
            f'public {name}() {{ number = (Long) Bridge.ask("new", 0, "{name}"); }}',
            f"{name}(long number) {{ this.number = number; }}",
        ]
        members = [
            (lower(one) if gives == "string" else one, gives, takes) for one, gives, takes in methods(kind)
        ]
        for member, gives in PROPERTIES.get(kind, {}).items():
            members.append((lower(member) if gives == "string" else f"get_{member}", gives, []))
            members.append((f"put_{member}", "", [("value", gives)]))
        for member, gives, takes in members:
            parameters = ", ".join(f"{types.get(one, full(one))} {each}" for each, one in takes)
            values = "".join(f", {each}{'' if one in types else '.number'}" for each, one in takes)
            call = f'Bridge.ask("call", number, "{member}"{values})'
            if gives in boxed:
                body = f"return ({boxed[gives]}) {call};"
            elif not gives:
                body = f"{call};"
            else:
                body = f"Object made = {call}; return made == null ? null : new {full(gives)}((Long) made);"
            lines.append(f"public {types.get(gives, full(gives))} {member}({parameters}) {{ {body} }}")
        (package / f"{name}.java").write_text("\n".join([*lines, "}"]) + "\n")


def csharp(folder: Path) -> None:
    """One file for C#."""
    types = {"string": "string", "int": "int", "bool": "bool", "": "void"}
    lines = [(HERE / "csharp" / "Bridge.cs").read_text(), "namespace Chilkat {"]
    for kind in CLASSES:
        lines += [
            f"public class {kind} : Numbered {{",
            f'public {kind}() {{ Number = (long)Bridge.Ask("new", 0, "{full(kind)}"); }}',
            f"internal {kind}(long number) {{ Number = number; }}",
        ]
        for member, gives, takes in methods(kind):
            parameters = ", ".join(f"{types.get(one, one)} {each}" for each, one in takes)
            call = f'Bridge.Ask("invoke", Number, "{member}"{"".join(f", {each}" for each, _ in takes)})'
            body = f"return ({types[gives]}){call};" if gives in types and gives else f"{call};"
            if gives not in types:
                body = f"object made = {call}; return made == null ? null : new {gives}((long)made);"
            lines.append(f"public {types.get(gives, gives)} {member}({parameters}) {{ {body} }}")
        for member, gives in PROPERTIES.get(kind, {}).items():
            get = f'get {{ return ({types[gives]})Bridge.Ask("get", Number, "{member}"); }}'
            put = f'set {{ Bridge.Ask("put", Number, "{member}", value); }}'
            lines.append(f"public {types[gives]} {member} {{ {get} {put} }}")
        lines.append("}")
    (folder / "Chilkat.cs").write_text("\n".join([*lines, "}"]) + "\n")


def go(folder: Path) -> None:
    """A package for Go."""
    package = folder / "src" / "chilkat"
    package.mkdir(parents=True)
    (package / "bridge.go").write_text((HERE / "go" / "bridge.go").read_text())
    types = {"string": "string", "int": "int", "bool": "bool"}
    lines = ["package chilkat"]
    for kind in CLASSES:
        lines += [
            f"type {kind} struct {{ id int }}",
            f"func (own *{kind}) number() int {{ return own.id }}",
            f'func New{kind}() *{kind} {{ return &{kind}{{ask("new", 0, "{full(kind)}").(int)}} }}',
            f'func (own *{kind}) Dispose{kind}() {{ ask("drop", own.id, "") }}',
        ]
        for member, gives, takes in methods(kind):
            parameters = ", ".join(f"{each} {types.get(one, f'*{one}')}" for each, one in takes)
            call = f'ask("invoke", own.id, "{member}"{"".join(f", {each}" for each, _ in takes)})'
            head = f"func (own *{kind}) {member}({parameters})"
            if gives == "string":
                lines.append(
                    f"{head} *string {{ text, ok := {call}.(string); if !ok {{ return nil }}; return &text }}"
                )
            elif gives in types:
                lines.append(f"{head} {types[gives]} {{ return {call}.({types[gives]}) }}")
            elif gives:
                made = f"made, ok := {call}.(int); if !ok {{ return nil }}; return &{gives}{{made}}"
                lines.append(f"{head} *{gives} {{ {made} }}")
            else:
                lines.append(f"{head} {{ {call} }}")
        for member, gives in PROPERTIES.get(kind, {}).items():
            lines.append(
                f'func (own *{kind}) {member}() {gives} {{ return ask("get", own.id, "{member}").({gives}) }}'
            )
            lines.append(
                f'func (own *{kind}) Set{member}(value {gives}) {{ ask("put", own.id, "{member}", value) }}'
            )
    (package / "chilkat.go").write_text("\n".join(lines) + "\n")
