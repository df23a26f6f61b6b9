"""Files from before consumers had places."""

from pathlib import Path

import apsw
import pytest

from listenkey.base.clock import DAY
from listenkey.core.consumer import ConsumerId, Cursor
from listenkey.store.base import Place
from listenkey.store.sqlite import open_sqlite, schema
from listenkey.store.sqlite.pace import Pace
from tests.conformance.homes import Recorder
from tests.conformance.making import START

PACE = Pace(reserve_bytes=4096)


async def test_consumers_of_an_older_file_are_where_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Topics and addresses too, and none of them is forgotten for having no time of its last use."""
    with monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        store = open_sqlite(tmp_path, durability="full", pace=PACE)
        store.start(Recorder())
        await store.add_account("alice", START)
        await store.close()
    db = apsw.Connection(str(tmp_path / "listenkey.db"))
    db.executemany(
        "INSERT INTO consumer VALUES(1, 's', ?, ?, 'epoch', 1, 3, 2)",
        [("one", ""), ("one", "spot.executionReport"), ("one@192.0.2.1", "")],
    )
    db.close()
    store = open_sqlite(tmp_path, durability="full", pace=PACE)
    store.start(Recorder())
    await store.trim_journals(START - 7 * DAY, 1000, START)
    cursor = Cursor("epoch", 1, 3, 2)
    assert store.read_places(ConsumerId(1, "s", "one")) == {"": cursor, "spot.executionReport": cursor}
    assert store.find_place(ConsumerId(1, "s", "one@192.0.2.1")) == Place(cursor, START)
    await store.close()
