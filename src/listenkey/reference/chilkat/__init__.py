"""Programs for users of the Chilkat library: one description of what is called, each language as data."""

from collections.abc import Iterator, Sequence
from typing import Final

from listenkey.reference.chilkat.language import Evidence, Language, languages
from listenkey.reference.chilkat.life import life_steps
from listenkey.reference.chilkat.render import render
from listenkey.reference.chilkat.rest import call_steps
from listenkey.reference.chilkat.script import Script
from listenkey.reference.chilkat.steps import Step
from listenkey.reference.describe import Product
from listenkey.reference.program import Program

LIBRARY: Final = "Chilkat 11.6.1"
_EVIDENCE: Final[dict[Evidence, str]] = {
    "listen_key": "Its form is that of Chilkat's own page for a listen key in this language.",
    "page": "Its form is that of Chilkat's own pages for REST calls in this language.",
    "source": "Its frame and how objects are made were seen in programs for this binding; how calls are"
    " written is inferred from its kin.",
    "inferred": "Its form is inferred from that of {note}; Chilkat has no page that was at hand.",
    "memory": "Its form is general knowledge of the binding, which no page confirms: check it first.",
}
_SHOWN: Final = ("listen_key", "page")


def programs(product: Product) -> Sequence[Program]:
    """For every call and every stream of a product, the program in each language."""
    scripts = list(_scripts(product))
    return tuple(
        _program(product, language, of, label, script, steps)
        for of, label, script, steps in scripts
        for language in languages()
    )


def _scripts(product: Product) -> Iterator[tuple[str, str, Script, tuple[Step, ...]]]:
    for call in product.calls:
        if call.signature != "required":
            yield call.kind, "", *call_steps(product, call, signed=False)
        if call.signature != "ignored":
            yield call.kind, "signed", *call_steps(product, call, signed=True)
    for stream in product.streams:
        yield f"life:{stream.name}", "", *life_steps(product, stream)


def _program(
    product: Product, language: Language, of: str, label: str, script: Script, steps: tuple[Step, ...]
) -> Program:
    return Program(
        language=f"chilkat-{language.name}{f'-{label}' if label else ''}",
        title=f"{language.title} (Chilkat{f', {label}' if label else ''})",
        lexer=language.lexer,
        file=language.file.format(
            product=product.name, of="-".join((of.replace(":", "-"), label)).rstrip("-")
        ),
        text=render(language, script, steps),
        of=of,
        needs=language.needs,
        executed=_executed(language),
        why_not="" if language.executed else _why_not(language, of),
    )


def _executed(language: Language) -> str:
    """With what it was run, and where its form comes from unless Chilkat itself shows it so."""
    if not language.executed or language.evidence in _SHOWN:
        return language.executed
    return f"{language.executed}. {_evidence(language)}".removesuffix(".")


def _why_not(language: Language, of: str) -> str:
    """How far it was checked, and where its form comes from."""
    sentences = [
        f"Not run in its own language: each of its calls, in order, was performed on {LIBRARY}.",
        _evidence(language),
    ]
    if of.startswith("life:"):
        sentences.append("How the socket's calls are written follows from that.")
    return " ".join(sentences)


def _evidence(language: Language) -> str:
    sentence = _EVIDENCE[language.evidence].format(note=language.note)
    return f"{sentence} {language.note}" if language.note and language.evidence in _SHOWN else sentence
