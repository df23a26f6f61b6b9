"""The request for a listen token, where the venue has such tokens beside or instead of listen keys."""

from typing import Any

from listenkey.dialect.api import TokenCall
from listenkey.reference.describe import SAMPLE_SYMBOL, Answer, Product
from listenkey.reference.postman.examples import answer_example
from listenkey.reference.postman.parts import Query, make_item, make_request
from listenkey.reference.postman.scripts import done


def token_item(product: Product, call: TokenCall) -> dict[str, Any]:
    """The request, for the account as a whole; the parameters of one symbol's account are switched off."""
    answer = Answer(
        200, call.success_body, "application/json", "A listen token; it subscribes to the stream."
    )
    request = make_request(call.method, call.path, product.dialect.auth.header, _query(call))
    tests = done(answer, product.dialect.key_space, keeps=False)
    hours = f"{call.longest_ms / 3_600_000:g} hours at most"
    words = f"{answer.status}: {answer.when}\n\nIt is used on the WebSocket API, and lasts {hours}."
    return make_item(
        "Create a listen token", request, tests, [answer_example(product, request, answer)], words
    )


def _query(call: TokenCall) -> Query:
    validity = f"How long it shall last, in milliseconds; {call.longest_ms} at most, and if not sent."
    rows = [(call.validity_parameter, str(call.longest_ms), validity)]
    if call.isolated_parameter:
        rows = [
            (call.isolated_parameter, "true", "For the isolated account of a trading pair."),
            (call.symbol_parameter, SAMPLE_SYMBOL, "The trading pair; with it only."),
            *rows,
        ]
    return [
        {"key": key, "value": value, "description": meaning, "disabled": True} for key, value, meaning in rows
    ]
