"""The requests of a collection in the order in which they run: a key's life first, then what goes wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

from listenkey.dialect.model import FailureKind
from listenkey.reference.describe import Answer, Call, FailureRow, Parameter, Product
from listenkey.reference.postman.examples import answer_example, failure_examples, removal_example
from listenkey.reference.postman.parts import Query, make_item, make_request
from listenkey.reference.postman.scripts import KEY, done, forget, refused
from listenkey.reference.postman.tokens import token_item


def items(product: Product) -> list[dict[str, Any]]:
    """All requests of a product. Each call is made at most twice, so that limits by the second hold too."""
    create, extend, close = (product.call(kind) for kind in ("create", "extend", "close"))
    space = product.dialect.key_space
    return [
        *_life(product, create, done(create.answers[0], space, keeps=True)),
        *_life(product, extend, done(extend.answers[0], space, keeps=False)),
        *_without_key(product, close),
        *_life(product, close, done(close.answers[0], space, keeps=False)),
        *_gone(product, extend),
        *_failing(product, create, "api_key_missing", "Create without an API key", header=False),
        *_without_symbol(product, create),
        *_forged(product, create),
        *(token_item(product, each) for each in product.dialect.token_calls),
    ]


def _life(product: Product, call: Call, tests: list[str]) -> Iterator[dict[str, Any]]:
    query = _query(call)
    request = _request(call, query)
    examples = [
        answer_example(product, request, call.answers[0]),
        *([removal_example(request, call.era)] if call.era else []),
        *failure_examples(product, call, request),
    ]
    yield make_item(call.title, request, tests, examples, _call_words(call))


def _gone(product: Product, extend: Call) -> Iterator[dict[str, Any]]:
    """The key of the run is closed by now."""
    failure = _row(extend, "listen_key_unknown")
    if failure is not None:
        tests = [*refused(failure), *forget()]
        yield _failed(
            product, extend, "Extend a key that is gone", failure, _request(extend, _query(extend)), tests
        )


def _without_key(product: Product, close: Call) -> Iterator[dict[str, Any]]:
    keys = [each.name for each in close.parameters if each.role == "listen_key"]
    if not keys:
        return
    title, query = "Close without a listen key", _query(close, without=keys)
    nothing = next((each for each in close.answers if each.status == 204), None)
    if nothing is not None:
        request = _request(close, query)
        tests = done(nothing, product.dialect.key_space, keeps=False)
        yield make_item(
            title, request, tests, [answer_example(product, request, nothing)], _sentence(nothing)
        )
        return
    yield from _failing(product, close, "listen_key_missing", title, query=query)


def _without_symbol(product: Product, create: Call) -> Iterator[dict[str, Any]]:
    if _row(create, "symbol_missing") is not None:
        scope = next(each.name for each in create.parameters if each.role == "scope")
        query = _query(create, without=[scope])
        yield from _failing(product, create, "symbol_missing", f"Create without a {scope}", query=query)


def _forged(product: Product, create: Call) -> Iterator[dict[str, Any]]:
    query = _query(create)
    for row in query:
        if row["key"] == product.dialect.auth.signature_parameter:
            row["value"] = "0" * 64
    yield from _failing(product, create, "signature_wrong", "Create with a wrong signature", query=query)


def _failing(
    product: Product,
    call: Call,
    kind: FailureKind,
    title: str,
    *,
    query: Query | None = None,
    header: bool = True,
) -> Iterator[dict[str, Any]]:
    """A request that is refused in this way, where the call can meet it."""
    failure = _row(call, kind)
    if failure is not None:
        request = _request(call, _query(call) if query is None else query, header=header)
        yield _failed(product, call, title, failure, request, refused(failure))


def _failed(
    product: Product, call: Call, title: str, failure: FailureRow, request: dict[str, Any], tests: list[str]
) -> dict[str, Any]:
    examples = failure_examples(product, call, request, (failure.kind,))
    return make_item(title, request, tests, examples, f"{failure.meaning} {failure.remedy}")


def _row(call: Call, kind: FailureKind) -> FailureRow | None:
    return next((each for each in call.failures if each.kind == kind), None)


def _request(call: Call, query: Query, *, header: bool = True) -> dict[str, Any]:
    return make_request(call.method, call.path, call.header if header else "", query)


def _query(call: Call, *, without: Sequence[str] = ()) -> Query:
    return [_parameter(each) for each in call.parameters if each.name not in without]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    row: dict[str, Any] = {
        "key": parameter.name,
        "value": f"{{{{{name}}}}}" if (name := _variable(parameter)) else parameter.sample,
        "description": parameter.meaning,
    }
    # A window is a matter of taste: shown, and left to its default.
    return row if name or parameter.required else {**row, "disabled": True}


def _variable(parameter: Parameter) -> str:
    """The variable that gives a parameter its value; empty where the sample is as good as any."""
    scripted = {"listen_key": KEY, "timestamp": parameter.name, "signature": parameter.name}
    return scripted.get(parameter.role, "")


def _call_words(call: Call) -> str:
    words = [_sentence(call.answers[0])]
    if (era := call.era) is not None:
        words.append(
            f"The venue removed this call on {era.since} and answers {era.status} since. {era.replaced_by}"
        )
    words.append("\n".join(f"- {_code(row)}: {row.meaning} {row.remedy}" for row in call.failures))
    return "\n\n".join(words)


def _code(row: FailureRow) -> str:
    return str(row.status) if row.code is None else f"{row.status}, code {row.code}"


def _sentence(answer: Answer) -> str:
    return f"{answer.status}: {answer.when}"
