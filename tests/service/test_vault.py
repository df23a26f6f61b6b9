import stat
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from listenkey.base.errors import SecretError
from listenkey.service.vault import Vault, digest_of, load_master_secret
from tests.core.making import listen_key

SECRET = b"a master secret of some length"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX = "0123456789abcdef"
VAULT = Vault(SECRET)
KNOWN = "wCJ8tEqKt8kbjDx8T9zdZHeEMYy0yQJLAOoQ2q6DnQuP6Ed42VvW3ZVfgTQDklsB"


# Key strings -------------------------------------------------------------------------------------------


def test_a_key_has_one_string():
    """I1: the string that was given out is found again by every later process with the same secret."""
    key = listen_key()
    assert Vault(SECRET).key_string(key, LETTERS, 64) == VAULT.key_string(key, LETTERS, 64)


def test_strings_given_out_once_stay_what_they_are():
    """A change of the derivation would end every key in the field; this one is from when it was settled."""
    assert VAULT.key_string(listen_key(), LETTERS, 64) == KNOWN


@pytest.mark.parametrize(
    "change",
    [
        {"id": 2},
        {"account_id": 8},
        {"key_space": "binance-spot"},
        {"scope": "BTCUSDT"},
        {"holder": "another"},
        {"nonce": b"m" * 16},
        {"master_version": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_each_part_of_a_key_s_identity_changes_its_string(change):
    """No two keys share a string, and nobody can make one key's row give another's string."""
    key = listen_key()
    one, other = (VAULT.key_string(which, LETTERS, 64) for which in (key, replace(key, **change)))
    assert sum(a == b for a, b in zip(one, other, strict=True)) < 16


def test_parts_do_not_run_into_each_other():
    """Moving a letter from one part of the identity to the next gives another string."""
    one = VAULT.key_string(replace(listen_key(), scope="AB", holder="C"), LETTERS, 64)
    other = VAULT.key_string(replace(listen_key(), scope="A", holder="BC"), LETTERS, 64)
    assert one != other


def test_what_changes_in_a_key_s_life_does_not_change_its_string():
    """An extension, an end and a renamed account leave the string alone."""
    key = listen_key()
    later = replace(key, expires_at=1, state="closed", ended_at=1, account="bob", created_at=1, digest=b"")
    assert VAULT.key_string(later, LETTERS, 64) == VAULT.key_string(key, LETTERS, 64)


def test_another_master_secret_gives_other_strings():
    """At rest, key strings are only to be had with the secret."""
    assert Vault(SECRET + b"!").key_string(listen_key(), LETTERS, 64) != VAULT.key_string(
        listen_key(), LETTERS, 64
    )


@given(st.lists(st.sampled_from(LETTERS + "_-"), min_size=2, unique=True).map("".join), st.integers(1, 200))
def test_strings_fit_the_venue_s_alphabet_and_length(alphabet, length):
    """Whatever a dialect asks for."""
    string = VAULT.key_string(listen_key(), alphabet, length)
    assert len(string) == length
    assert set(string) <= set(alphabet)


@pytest.mark.parametrize("alphabet", [LETTERS, HEX, "abc"])
def test_every_letter_is_as_likely_as_every_other(alphabet):
    """A biased alphabet would be easier to guess. Chi-square over many strings, far beyond chance."""
    counts = Counter()
    for number in range(2000):
        counts.update(VAULT.key_string(listen_key(number), alphabet, 64))
    expected = 2000 * 64 / len(alphabet)
    chi_square = sum((counts[letter] - expected) ** 2 / expected for letter in alphabet)
    freedom = len(alphabet) - 1
    assert chi_square < freedom + 6 * (2 * freedom) ** 0.5


def test_letters_do_not_depend_on_their_place():
    """The first and the last letter vary like any other."""
    strings = [VAULT.key_string(listen_key(number), HEX, 64) for number in range(400)]
    assert all(len({string[place] for string in strings}) == 16 for place in range(64))


# Secrets -----------------------------------------------------------------------------------------------


@given(st.text(max_size=80))
def test_a_sealed_secret_is_opened_again(secret):
    """By this process or by the next one."""
    assert Vault(SECRET).unseal(VAULT.seal(secret, "id"), "id") == secret.encode()


def test_a_secret_is_not_readable_as_it_lies():
    """Nor does the same secret look the same twice."""
    one, two = VAULT.seal("a secret of alice", "id"), VAULT.seal("a secret of alice", "id")
    assert one != two
    assert b"alice" not in one


@pytest.mark.parametrize(
    "vault, sealed, api_key_id",
    [
        (VAULT, VAULT.seal("secret", "one"), "two"),
        (Vault(b"x" * 32), VAULT.seal("secret", "one"), "one"),
        (VAULT, VAULT.seal("secret", "one")[:-1], "one"),
        (VAULT, b"\x00" + VAULT.seal("secret", "one")[1:], "one"),
        (VAULT, VAULT.seal("secret", "one")[:12], "one"),
        (VAULT, b"short", "one"),
        (VAULT, b"", "one"),
    ],
    ids=["another id", "another master secret", "cut", "changed", "only a nonce", "too short", "empty"],
)
def test_what_was_not_sealed_so_is_not_opened(vault, sealed, api_key_id):
    """A secret is bound to its API key's id: rows cannot be swapped."""
    with pytest.raises(SecretError):
        vault.unseal(sealed, api_key_id)


def test_a_wrong_master_secret_is_noticed():
    """By the check value that the store keeps, which says nothing of the secret itself."""
    Vault(SECRET).verify(VAULT.check_value)
    with pytest.raises(SecretError) as error:
        Vault(b"another secret altogether").verify(VAULT.check_value)
    assert "LISTENKEY_MASTER_SECRET" in error.value.remedy
    assert SECRET not in VAULT.check_value


def test_each_use_of_the_master_secret_has_a_key_of_its_own():
    """What one leaks opens nothing of the others."""
    assert len({VAULT.check_value, VAULT._key_root}) == 2


def test_a_digest_tells_strings_apart_and_takes_any_text():
    """I8: what a client sends need not be what can be encoded."""
    texts = ["", "a", "b", "é", "\ud800", "\udfff", "?"]
    digests = {digest_of(text) for text in texts}
    assert len(digests) == len(texts)
    assert {len(digest) for digest in digests} == {16}


# Where the master secret comes from --------------------------------------------------------------------


def test_a_given_secret_comes_first(tmp_path):
    """Then no file is read or made."""
    assert load_master_secret("x" * 16, "nowhere", tmp_path, make=True) == b"x" * 16
    assert list(tmp_path.iterdir()) == []


def test_a_named_file_comes_next(tmp_path):
    """With or without a line's end."""
    (tmp_path / "secret").write_text("y" * 32 + "\n")
    assert load_master_secret("", str(tmp_path / "secret"), tmp_path / "data", make=True) == b"y" * 32


def test_the_folder_s_own_file_is_made_once(tmp_path):
    """Readable by its owner only, long, and the same the next time."""
    made = load_master_secret("", "", tmp_path, make=True)
    path = tmp_path / "master-secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(made) == 64
    assert load_master_secret("", "", tmp_path, make=True) == made
    assert load_master_secret("", "", tmp_path, make=False) == made


@pytest.mark.parametrize("file, make", [("nowhere", True), ("", False)])
def test_a_missing_file_is_reported_and_not_made_up(tmp_path, file, make):
    """A fresh secret for a store that has one already would end every key in it."""
    with pytest.raises(SecretError):
        load_master_secret("", str(tmp_path / file) if file else "", tmp_path, make=make)
    assert list(tmp_path.iterdir()) == []


def test_a_short_secret_is_refused(tmp_path):
    """Sixteen characters at least, whichever way it comes; and it is not repeated in the message."""
    (tmp_path / "secret").write_text("tooshort\n")
    for secret, file in (("tooshort", ""), ("", str(tmp_path / "secret"))):
        with pytest.raises(SecretError) as error:
            load_master_secret(secret, file, tmp_path, make=True)
        assert "tooshort" not in str(error.value)
