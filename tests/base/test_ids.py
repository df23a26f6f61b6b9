import pytest
from hypothesis import given
from hypothesis import strategies as st

from listenkey.base.errors import Refused
from listenkey.base.ids import check_account_name, check_api_key, encode, mask_api_key


@pytest.mark.parametrize("name", ["a", "alice", "bot-7", "a.b_c-d", "0", "a" * 64, "...", ".a"])
def test_account_names_that_are_allowed(name):
    """1 to 64 of a-z 0-9 . _ -"""
    assert check_account_name(name) == name


@pytest.mark.parametrize("name", ["", "a" * 65, "Alice", "a b", "a/b", "a\n", "é", "a:b", "а", ".", ".."])
def test_account_names_that_are_not(name):
    """A name goes into paths and lines of text, where it means nothing else: programs take `.` and `..` out
    of a path, so that such an account could never be removed."""
    with pytest.raises(Refused) as refusal:
        check_account_name(name)
    assert refusal.value.code == "bad_name"


@pytest.mark.parametrize("key", ["k", "demo-key", "A_b-9", "x" * 128])
def test_api_keys_that_are_allowed(key):
    """1 to 128 of A-Z a-z 0-9 _ -, of no fixed length."""
    assert check_api_key(key) == key


@pytest.mark.parametrize("key", ["", "x" * 129, "a b", "a.b", "a\n", "é", "a=b"])
def test_api_keys_that_are_not(key):
    """A key travels in a header, and so has no character that means something there."""
    with pytest.raises(Refused) as refusal:
        check_api_key(key)
    assert refusal.value.code == "bad_api_key"


def test_a_refused_api_key_is_not_repeated():
    """I7: an API key with a slip in it is nearly the API key."""
    with pytest.raises(Refused) as refusal:
        check_api_key("nearly right!")
    assert "nearly" not in str(refusal.value)


def test_ids_have_no_letters_that_look_like_digits():
    """People read ids aloud and type them."""
    assert set(encode(bytes(range(256)))) <= set("0123456789abcdefghjkmnpqrstvwxyz")


@given(st.binary(min_size=1, max_size=40))
def test_ids_are_the_bytes_and_nothing_else(random):
    """Different bytes never give the same id, and equally many give equally long ones."""
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    number = 0
    for letter in encode(random):
        number = number * 32 + digits.index(letter)
    assert number == int.from_bytes(random, "big")
    assert len(encode(random)) == -(-len(random) * 8 // 5)


@pytest.mark.parametrize(
    "key, shown",
    [
        ("", "…"),
        ("short", "…"),
        ("x" * 15, "…"),
        ("abcd" + "x" * 8 + "wxyz", "abcd…wxyz"),
        ("ab" * 32, "abab…abab"),
    ],
)
def test_of_an_api_key_only_its_ends_are_shown(key, shown):
    """I7: enough to tell one's keys apart; of a short key, which the ends would give away, nothing."""
    assert mask_api_key(key) == shown
