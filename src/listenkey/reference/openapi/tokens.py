"""The call that makes a listen token, for products that have one."""

from typing import Final

from listenkey.dialect.api import TokenCall
from listenkey.dialect.model import FailureKind
from listenkey.reference.describe import SAMPLE_SYMBOL, Answer, Call, Parameter, Product
from listenkey.reference.shapes import Json

_OF_SYMBOLS: Final = frozenset[FailureKind](("symbol_missing", "symbol_unknown", "parameter_illegal"))
_OF_KEYS: Final = frozenset[FailureKind](("listen_key_missing", "listen_key_unknown", "parameter_empty"))


def token_call(product: Product, row: TokenCall) -> Call:
    """It as a call like the others."""
    known = {
        each.kind: each
        for each in (*(failure for call in product.calls for failure in call.failures), *product.elsewhere)
    }
    create = product.call("create")
    kinds = ({each.kind for each in create.failures} | _OF_SYMBOLS) - _OF_KEYS
    return Call(
        create.kind,
        "Create a listen token",
        row.method,
        row.path,
        create.header,
        create.signature,
        create.permission,
        tuple(_symbol(row)),
        row.weight,
        tuple(each for each in product.dialect.limits.buckets if each.name in row.pools),
        (Answer(200, row.success_body, "application/json", "A listen token is good now."),),
        tuple(each for kind, each in known.items() if kind in kinds),
        None,
    )


def _symbol(row: TokenCall) -> list[Parameter]:
    meaning = "The trading pair, for an isolated account."
    return (
        [Parameter(row.symbol_parameter, False, meaning, SAMPLE_SYMBOL, "scope")]
        if row.symbol_parameter
        else []
    )


def token_parameters(row: TokenCall) -> list[Json]:
    """All of its parameters."""
    found: list[Json] = []
    if row.isolated_parameter:
        meaning = "Whether the token is for one pair's isolated account."
        found.append(_query(row.isolated_parameter, {"type": "boolean"}, meaning))
    found += [_query(each.name, {"type": "string"}, each.meaning) for each in _symbol(row)]
    meaning = f"How long the token is good, in milliseconds; {row.longest_ms} if not sent, and at most."
    return [*found, _query(row.validity_parameter, {"type": "integer", "minimum": 1}, meaning)]


def _query(name: str, schema: Json, meaning: str) -> Json:
    return {"name": name, "in": "query", "required": False, "description": meaning, "schema": schema}
