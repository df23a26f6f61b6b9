"""The steps of one REST call: headers, one quick request, whether it went through, status and body."""

from typing import Final

from listenkey.reference.chilkat.script import Script
from listenkey.reference.chilkat.steps import Ref, Step
from listenkey.reference.describe import Call, Product

BASE: Final = "http://127.0.0.1:8080"
UNLOCKED: Final = (
    "Unlock Chilkat once, at the start of your program and before any of this.",
    "A version that was never unlocked tries itself out for 30 days.",
)


def call_steps(product: Product, call: Call, *, signed: bool) -> tuple[Script, tuple[Step, ...]]:
    """The whole program for one call."""
    script = Script()
    settings(script, f"{BASE}/{product.name}", signed=signed)
    given = inputs(script, product, call)
    prepare(script, call)
    if signed:
        prepare_signing(script)
    script.comment(f"{call.title}.")
    request(script, product, call, given, "resp", signed=signed)
    script.show("resp", "StatusCode")
    script.show("resp", "BodyStr")
    return script, script.end()


def settings(script: Script, base: str, *, signed: bool) -> None:
    """The variables that a reader changes first."""
    script.comment(*UNLOCKED)
    script.comment("Where to send it, and with which API key.")
    script.assign("baseUrl", base)
    script.assign("apiKey", "demo-key")
    if signed:
        script.assign("apiSecret", "demo-secret")


def inputs(script: Script, product: Product, call: Call) -> dict[str, Ref]:
    """A variable for each parameter that the call takes, its signature apart."""
    auth = product.dialect.auth
    signing = {auth.timestamp_parameter, auth.recv_window_parameter, auth.signature_parameter}
    return {
        each.name: script.assign(each.name, each.sample)
        for each in call.parameters
        if each.name not in signing
    }


def prepare(script: Script, call: Call) -> None:
    """An Http object with the credential in its header."""
    script.comment("The API key travels in a header.")
    script.new("http", "Http")
    script.call("http", "SetRequestHeader", call.header, Ref("apiKey"))


def prepare_signing(script: Script) -> None:
    """A clock, and HMAC-SHA256 keyed with the secret. Older versions have other defaults, so all is set."""
    script.comment("Signatures are HMAC-SHA256, in hexadecimal and lower case.")
    script.new("clock", "CkDateTime")
    script.new("crypt", "Crypt2")
    for member, value in (
        ("HashAlgorithm", "sha256"),
        ("MacAlgorithm", "hmac"),
        ("EncodingMode", "hex_lower"),
        ("Charset", "utf-8"),
    ):
        script.put("crypt", member, value)
    script.call("crypt", "SetMacKeyString", Ref("apiSecret"))


def request(
    script: Script, product: Product, call: Call, given: dict[str, Ref], into: str, *, signed: bool
) -> None:
    """One call, and leave if it did not reach the server."""
    url = _signed_url(script, product, call, given) if signed else _url(script, call, given)
    script.call("http", "QuickRequest", call.method, url, into=into)
    script.leave_unless_done("http")


def _url(script: Script, call: Call, given: dict[str, Ref]) -> Ref:
    query = _query(given)
    return script.join("url", Ref("baseUrl"), call.path, *(("?", *query) if query else ()))


def _signed_url(script: Script, product: Product, call: Call, given: dict[str, Ref]) -> Ref:
    """The parameters, the time in milliseconds (to the second), and a signature over all of it."""
    auth = product.dialect.auth
    script.call("clock", "SetFromCurrentSystemTime")
    seconds = script.call("clock", "GetAsUnixTimeStr", False, into="seconds")
    query = _query(given)
    between = "&" if query else ""
    signed = script.join("query", *query, f"{between}{auth.timestamp_parameter}=", seconds, "000")
    signature = script.call("crypt", "MacStringENC", signed, into="signature")
    return script.join(
        "url", Ref("baseUrl"), f"{call.path}?", signed, f"&{auth.signature_parameter}=", signature
    )


def _query(given: dict[str, Ref]) -> list[str | Ref]:
    parts: list[str | Ref] = []
    for name, value in given.items():
        parts += [f"&{name}=" if parts else f"{name}=", value]
    return parts
