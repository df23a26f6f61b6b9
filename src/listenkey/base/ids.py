"""Names and identifiers: their alphabets, and how new ones are written.

Random bytes are handed in; nothing here draws them.
"""

import re
from typing import Final

from listenkey.base.errors import Refused

ACCOUNT_NAME: Final = re.compile(r"(?!\.\.?\Z)[a-z0-9._-]{1,64}\Z")
"""Not `.` and `..`, which programs take out of the path of a URL."""
API_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")
_CROCKFORD: Final = "0123456789abcdefghjkmnpqrstvwxyz"


def check_account_name(name: str) -> str:
    """The name itself, or `Refused("bad_name")`."""
    if not ACCOUNT_NAME.match(name):
        what = "an account name is 1 to 64 of a-z 0-9 . _ -, and neither . nor .."
        raise Refused(what, "choose another name", code="bad_name")
    return name


def check_api_key(key: str) -> str:
    """The API key itself, or `Refused("bad_api_key")`."""
    if not API_KEY.match(key):
        raise Refused("an API key is 1 to 128 of A-Z a-z 0-9 _ -", "choose another key", code="bad_api_key")
    return key


def encode(random: bytes) -> str:
    """Bytes as lower-case Crockford base 32: no padding, no letters that look like digits."""
    bits = int.from_bytes(random, "big")
    digits = (len(random) * 8 + 4) // 5
    return "".join(_CROCKFORD[(bits >> (5 * place)) & 31] for place in reversed(range(digits)))


def mask_api_key(key: str) -> str:
    """What may be shown of an API key: the first and last four of 16 and more characters, else nothing."""
    return f"{key[:4]}…{key[-4:]}" if len(key) >= 16 else "…"
