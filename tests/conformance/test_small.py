import pytest

from listenkey.base.clock import DAY, MINUTE
from listenkey.base.errors import Refused, StoreError
from listenkey.core.records import Ban, Token
from listenkey.store.base import Reservation, Store
from tests.conformance.homes import Home, Recorder
from tests.conformance.making import START


async def test_a_window_never_counts_less_than_was_reserved(store: Store, home: Home) -> None:
    """Blocks are read back by bucket and window, the highest count of each, until the window is over."""
    window = (START, START + MINUTE)
    await store.reserve([Reservation("ip", *window, 100), Reservation("uid", *window, 10)], START)
    await store.reserve([Reservation("ip", *window, 50), Reservation("uid", *window, 20)], START + 1)
    await store.reserve([Reservation("ip", START + MINUTE, START + 2 * MINUTE, 5)], START + 2)
    held = [
        Reservation("ip", *window, 100),
        Reservation("ip", START + MINUTE, START + 2 * MINUTE, 5),
        Reservation("uid", *window, 20),
    ]
    assert store.read_reservations(START + MINUTE - 1) == held
    assert store.read_reservations(START + MINUTE) == held[1:2]
    killed = home.after_kill().open()
    assert killed.read_reservations(START + MINUTE - 1) == held
    await killed.close()


async def test_windows_that_are_over_leave_the_store(store: Store) -> None:
    """Reserving sweeps up what is over, so that buckets of the past do not pile up."""
    await store.reserve([Reservation(f"bucket-{n}", START, START + 1, 1) for n in range(200)], START)
    await store.reserve([Reservation("now", START + 1, START + 2, 1)], START + 1)
    assert store.read_reservations(0) == [Reservation("now", START + 1, START + 2, 1)]


async def test_bans_are_kept_with_their_strikes(store: Store, home: Home) -> None:
    """A ban is put, put again as it grows, and read with all its fields, also by the next process."""
    ban = Ban("b1", "ip:10.0.0.1", "binance-spot", START, START + MINUTE, 1)
    breaker = Ban("b2", "uid:7", "bingx", START, START + MINUTE, 1, 100410)
    await store.put_ban(ban, START)
    await store.put_ban(breaker, START)
    grown = Ban("b1", "ip:10.0.0.1", "binance-spot", START, START + DAY, 2)
    await store.put_ban(grown, START)
    assert store.read_bans() == [grown, breaker]
    killed = home.after_kill().open()
    assert killed.read_bans() == [grown, breaker]
    await killed.close()


async def test_a_lifted_ban_is_gone(store: Store) -> None:
    """Lifting tells which ban it was, and there is none to lift twice."""
    ban = Ban("b1", "ip:10.0.0.1", "binance-spot", START, START + MINUTE, 3, 100410)
    await store.put_ban(ban, START)
    assert await store.lift_ban("b1", START) == ban
    assert store.read_bans() == []
    with pytest.raises(Refused) as refusal:
        await store.lift_ban("b1", START)
    assert refusal.value.code == "unknown_ban"


async def test_a_past_ban_counts_for_a_month(store: Store) -> None:
    """Strikes of a ban that is over still count, and are forgotten a month after its end."""
    await store.put_ban(Ban("b1", "ip", "binance-spot", START, START + MINUTE, 3), START)
    await store.trim_journals(0, 10, START + MINUTE + 30 * DAY)
    assert len(store.read_bans()) == 1
    await store.trim_journals(0, 10, START + MINUTE + 30 * DAY + 1)
    assert store.read_bans() == []


async def test_tokens_are_kept_until_they_are_revoked(store: Store, home: Home) -> None:
    """Tokens are listed with scope and digest, also by the next process, and revoked once."""
    tokens = [Token("t1", "admin", b"digest 1", START), Token("t2", "publish", b"digest 2", START)]
    for token in reversed(tokens):
        assert await store.add_token(token, START) == token
    assert store.read_tokens() == tokens
    killed = home.after_kill().open()
    assert killed.read_tokens() == tokens
    await killed.close()
    assert await store.revoke_token("t1", START) == tokens[0]
    assert store.read_tokens() == tokens[1:]
    with pytest.raises(Refused) as refusal:
        await store.revoke_token("t1", START)
    assert refusal.value.code == "unknown_token"


async def test_settings_are_kept(store: Store, home: Home) -> None:
    """A value is read as it was put last, and what was never put is not there."""
    assert store.read_setting("check") is None
    await store.put_setting("check", b"\x00one", START)
    await store.put_setting("check", b"two", START)
    await store.put_setting("other", b"", START)
    assert (store.read_setting("check"), store.read_setting("other")) == (b"two", b"")
    killed = home.after_kill().open()
    assert killed.read_setting("check") == b"two"
    await killed.close()


async def test_the_latest_time_never_runs_back(home: Home) -> None:
    """The latest time that anything carried is there after a restart, whatever it was that carried it."""
    store = home.open()
    store.start(Recorder())
    await store.put_setting("a", b"", START + 5)
    await store.put_setting("a", b"", START + 3)
    assert store.read_latest_time() == START + 5
    killed = home.after_kill()
    await store.close()
    for place in (home, killed):
        store = place.open()
        assert store.read_latest_time() == START + 5
        await store.close()


async def test_what_was_asked_before_the_close_is_done(home: Home) -> None:
    """Closing waits for everything asked for before it; what comes later fails and says why."""
    store = home.open()
    store.start(Recorder())
    asked = [store.add_account(f"account-{number}", START) for number in range(20)]
    closing = store.close()
    await closing
    assert [(await future).name for future in asked] == [f"account-{number}" for number in range(20)]
    with pytest.raises(StoreError, match="closed"):
        await store.add_account("late", START)
    await store.close()
    store = home.open()
    assert len(store.read_accounts("", 100)) == 20
    assert store.find_account("late") is None
    await store.close()
