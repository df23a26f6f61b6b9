"""Each program for a single call, against a gateway that tells what became of the key."""

import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from listenkey.reference.describe import Product
from tests.snippets.running import AT_ONCE, Built, build, rests
from tests.snippets.toolchains import LONG, TOOLCHAINS, present
from tests.support.gateway import Gateway

LANGUAGES = [pytest.param(each, marks=[pytest.mark.toolchain] if each in LONG else []) for each in TOOLCHAINS]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_do_what_they_say(gateway: Gateway, tmp_path: Path, language: str) -> None:
    """A copied program creates, extends or closes a key, prints the answer, and fails where the call does."""
    present(language)
    by_product: dict[str, list[Built]] = defaultdict(list)
    for built in build(language, rests(language), tmp_path):
        by_product[built.product.name].append(built)
    with ThreadPoolExecutor(AT_ONCE) as workers:
        list(workers.map(lambda calls: _three_calls(gateway, language, calls), by_product.values()))


def _three_calls(gateway: Gateway, language: str, calls: list[Built]) -> None:
    product = calls[0].product
    account = gateway.add_account(f"{language}-{product.name}-rest")
    _, key, secret = gateway.add_api_key(account)
    given = {"BASE_URL": f"{gateway.venue}/{product.name}", "API_KEY": key, "API_SECRET": secret}
    by_kind = {built.program.of: built for built in calls}

    created = by_kind["create"].finish(given)
    assert created.status == 0, created.said
    listen_key = re.findall(r'"listenKey"\s*:\s*"(\w+)"', "\n".join(created.printed))
    assert len(listen_key) == 1, created.said
    given["LISTEN_KEY"] = listen_key[0]
    _is(gateway, account, "active", extended=False)

    extended = by_kind["extend"].finish(given)
    assert extended.status == 0, extended.said
    _is(gateway, account, "active", extended=True)
    _refused(product, by_kind, given)

    closed = by_kind["close"].finish(given)
    assert closed.status == 0, closed.said
    _is(gateway, account, "closed", extended=True)


def _is(gateway: Gateway, account: str, state: str, *, extended: bool) -> None:
    (key,) = gateway.listen_keys(account)
    assert key["state"] == state
    assert (key["expires_at"] - key["created_at"] > 3_600_000) == extended


def _refused(product: Product, calls: dict[str, Built], given: dict[str, str]) -> None:
    """With a credential that is not theirs, no program passes for a success, and each says why."""
    bad = [("API_KEY", "nobody", calls["extend"])]
    if product.call("create").signature != "ignored":
        bad += [("API_SECRET", "another", built) for built in calls.values()]
    for name, value, built in bad:
        refused = built.finish(given | {name: value})
        assert refused.status != 0, refused.said
        kind = "api_key_unknown" if name == "API_KEY" else "signature_wrong"
        failure = next(row for row in product.call("extend").failures if row.kind == kind)
        told = built.toolchain.mute.get(failure.status, f'"code":{failure.code}')
        assert told in re.sub(r":\s+", ":", refused.said), refused.said
