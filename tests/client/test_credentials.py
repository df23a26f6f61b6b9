"""Keys and secrets: where they come from, and that they go nowhere else."""

import asyncio
import traceback

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

import listenkey
from listenkey.base.errors import Refused
from listenkey.client.credentials import Credentials
from listenkey.client.items import Event, State
from listenkey.wire.client_api import sign

KEY, SECRET = "key-that-nobody-may-see", "secret-that-nobody-may-see"
WAIT = 20


def pem(key, *, password=b""):
    """A private key as its owner has it."""
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    """Nothing of the machine's own."""
    for name in ("KEY", "SECRET"):
        monkeypatch.delenv(f"LISTENKEY_API_{name}", raising=False)
        monkeypatch.delenv(f"LISTENKEY_API_{name}_FILE", raising=False)


async def later():
    """What a vault answers, in its own time."""
    await asyncio.sleep(0)
    return KEY


@pytest.mark.parametrize("source", [KEY, lambda: KEY, later], ids=["text", "function", "coroutine"])
async def test_given_as_it_suits(source):
    """A vault, a rotating key, or plain text."""
    credentials = Credentials(source, source)
    await credentials.refresh()
    assert (credentials.key(), credentials.secret()) == (KEY, KEY)


async def test_a_function_is_asked_before_each_call():
    """A key that was changed while the stream was open is used from then on."""
    keys = iter(["one", "two"])
    credentials = Credentials(lambda: next(keys), "")
    for wanted in ("one", "two"):
        await credentials.refresh()
        assert credentials.key() == wanted


def test_found_in_the_environment(monkeypatch, tmp_path):
    """In containers, and in files that only one user may read."""
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    monkeypatch.setenv("LISTENKEY_API_KEY", KEY)
    monkeypatch.setenv("LISTENKEY_API_SECRET_FILE", str(tmp_path / "secret"))
    credentials = Credentials(None, None)
    assert (credentials.key(), credentials.secret()) == (KEY, SECRET)
    assert Credentials("mine", "").secret() == "", "what is given beats it, also when it is nothing"


def test_a_file_that_is_not_there_is_named(monkeypatch):
    """And not what might have been in it."""
    monkeypatch.setenv("LISTENKEY_API_KEY_FILE", "/nonexistent")
    with pytest.raises(Refused, match="cannot read /nonexistent"):
        Credentials(None, "")


@pytest.mark.parametrize("key", ["key\n", "key\r\nX-Other: 1", " key", "kéy"])
def test_a_key_that_fits_no_header_is_refused_at_once(key):
    """A line break from a file would else be tried again for ever, or be a header of its own."""
    with pytest.raises(Refused, match="characters") as refused:
        listenkey.open_stream("binance-usdm", api_key=key)
    assert "key\n" not in str(refused.value)


def test_nothing_at_all_is_refused_at_once():
    """Before anything is sent."""
    with pytest.raises(Refused, match="LISTENKEY_API_KEY"):
        listenkey.open_stream("binance-usdm")


@pytest.mark.parametrize(
    "make", [ed25519.Ed25519PrivateKey.generate, lambda: rsa.generate_private_key(65537, 2048)]
)
def test_a_private_key_signs_also_when_it_was_written_in_one_line(make):
    """Environments have no lines."""
    text = pem(make())
    credentials = Credentials(KEY, text.replace("\n", "\\n"))
    assert sign(credentials.secret(), b"x")
    assert "PRIVATE" not in sign(credentials.secret(), b"x")


def test_an_encrypted_key_is_refused_with_what_to_do():
    """Asking for the pass phrase is nothing a bot can do at night."""
    text = pem(ed25519.Ed25519PrivateKey.generate(), password=b"pass-phrase")
    with pytest.raises(Refused, match=r"encrypted.*openssl") as refused:
        listenkey.open_stream("binance-spot", api_key=KEY, api_secret=text)
    assert text.splitlines()[1] not in str(refused.value)


@pytest.mark.parametrize("more", [{}, {"gateway": "http://127.0.0.1:1"}])
async def test_what_asking_raises_reaches_the_user(more):
    """A vault that is sealed is no reason to wait in silence."""

    def sealed():
        raise PermissionError("sealed")

    base = {} if more else {"base_url": "http://127.0.0.1:1"}
    async with listenkey.open_stream("binance-usdm", api_key=sealed, **base, **more) as stream:
        assert await stream.next_item() == State("connecting")
        with pytest.raises(PermissionError, match="sealed"):
            await asyncio.wait_for(stream.next_item(), WAIT)


@pytest.mark.parametrize("more", [{}, {"gateway": True}])
async def test_they_are_in_nothing_that_is_shown(gate, caplog, capsys, more):
    """Not in what is logged, represented, told as a state, or raised; whatever goes wrong."""
    caplog.set_level("DEBUG")
    await gate.api_key()
    address = {"gateway": gate.venue} if more else {"base_url": gate.venue}
    seen = []
    stream = listenkey.open_stream("binance-usdm", api_key=KEY, api_secret=SECRET, **address)
    try:
        async with stream:
            seen += [repr(stream), repr(vars(stream)), repr(vars(stream._reader))]
            while (item := await asyncio.wait_for(stream.next_item(), WAIT)) is not None:
                seen.append(repr(item))
    except Refused:
        seen.append(traceback.format_exc())
    seen += [
        record.getMessage()
        for record in caplog.records
        if not record.name.startswith(("httpcore", "websockets"))
    ]
    seen += capsys.readouterr()
    assert any("failed" in each for each in seen)
    assert not [each for each in seen if KEY in each or SECRET in each]


def test_a_venue_that_repeats_them_is_not_repeated():
    """Some echo what they do not know."""
    credentials = Credentials(KEY, SECRET)
    assert credentials.masked(f"unknown key {KEY}, {SECRET}") == "unknown key …, …"


async def test_the_environment_is_enough_to_read_a_stream(gate, monkeypatch):
    """No secret in the program's text."""
    monkeypatch.setenv("LISTENKEY_API_KEY", await gate.api_key())
    async with listenkey.open_stream("binance-usdm", gateway=gate.venue) as stream:
        while (item := await asyncio.wait_for(stream.next_item(), WAIT)) != State("open"):
            assert not isinstance(item, Event)
