"""Strings as a language writes them: quotes, escapes, characters by number, literals that grow too long."""

import re

from listenkey.reference.chilkat.language import Form, Language, fill

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def write_text(language: Language, value: str) -> str:
    """An expression for the string. Errors: `ValueError` where the language has no way to write it."""
    pieces = list(_pieces(language, value))
    if len(pieces) == 1:
        return pieces[0]
    if not language.concat:
        raise ValueError(f"{language.title} cannot write {value!r} in one literal")
    return fill(language.joined, {"parts": language.concat.join(pieces)})


def _pieces(language: Language, value: str) -> list[str]:
    written: list[str] = []
    rest = value
    while rest or not written:
        lengths = [_writable(form, rest) for form in language.literals]
        length = max(lengths)
        if length == 0 and rest:
            if not language.char:
                raise ValueError(f"{language.title} cannot write {rest[0]!r}")
            written.append(fill(language.char, {"code": str(ord(rest[0]))}))
            rest = rest[1:]
            continue
        form = language.literals[lengths.index(length)]
        piece = _within(language, form, rest[:length])
        written.append(_literal(form, piece))
        rest = rest[len(piece) :]
    return written


def _writable(form: Form, text: str) -> int:
    """How many characters from the start this form can write."""
    ends = [len(text)]
    if form.forbids and (found := re.search(form.forbids, text)):
        ends.append(found.start())
    if not form.code:
        ends += [found.start() for found in CONTROL.finditer(text) if found[0] not in form.escapes]
    return min(ends)


def _within(language: Language, form: Form, text: str) -> str:
    """As much of the text as one literal may hold."""
    if not language.limit:
        return text
    while len(_literal(form, text)) > language.limit + len(form.open) + len(form.close):
        text = text[: max(1, min(len(text) - 1, language.limit))]
    return text


def _literal(form: Form, text: str) -> str:
    longest_first = sorted(form.escapes, key=len, reverse=True)
    pattern = "|".join([*(re.escape(each) for each in longest_first), CONTROL.pattern])
    return f"{form.open}{re.sub(pattern, lambda found: _escape(form, found[0]), text)}{form.close}"


def _escape(form: Form, text: str) -> str:
    if text in form.escapes:
        return form.escapes[text]
    code = ord(text)
    return fill(form.code, {"dec": f"{code:03d}", "oct": f"{code:03o}", "hex": f"{code:04x}"})
