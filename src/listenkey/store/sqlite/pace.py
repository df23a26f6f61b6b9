"""How much is done at once, and when: the numbers that were measured, and that tests make small."""

import msgspec

from listenkey.base.clock import DAY, Micros


class Pace(msgspec.Struct, frozen=True):
    """Sizes and limits of the store's work."""

    batch_weight: int = 1_024
    """Events and other members in one commit, about: more of them gain little and delay those who wait."""
    batches_a_slice: int = 4
    """Under load, a slice of long work gets a turn after so many batches."""

    idle_seconds: float = 2.0
    """So long without anything to do, and what is not indexed yet is."""
    index_events: int = 65_536
    """So many events without an entry in the index are put into it even when there is no idle moment."""
    index_slice: int = 256
    """Entries in one commit of the index."""

    trim_journals: int = 100
    """Journals in one commit of a trim."""
    trim_rows: int = 500
    """Rows in one commit of a trim, where they lie side by side."""
    trim_scattered_rows: int = 200
    """Rows that lie apart, each in a page of its own, cost more."""
    trim_ids: int = 4_000
    """Ids of events that one commit of a trim looks at ..."""
    trim_id_slices: int = 50
    """... and how many commits a trim spends on that; the next one goes on."""
    ids_kept: Micros = DAY
    """How long an event's id is known at least, however short journals are kept."""
    places_kept: Micros = DAY
    """The same for places of filters and addresses that nobody uses."""
    ended_kept: Micros = 30 * DAY
    """How long an ended key is listed, and a past ban counted."""

    log_pages: int = 2_000
    """A write-ahead log of so many pages is to begin anew, which it can only once all of it is moved. Below
    4,062 its index in shared memory never has to grow."""
    move_pages: int = 400
    """So many pages not yet moved have the checkpointer go to work. Many small moves disturb commits less."""
    move_pause: float = 0.1
    """Seconds between two moves: pages that are written again meanwhile are moved once."""
    stall_pages: int = 800
    """The writer does not stop for more pages than these, be the log as long as it may ..."""
    overdue_pages: int = 8_000
    """... up to here."""

    reserve_bytes: int = 16 * 1024 * 1024
    """Disk space kept back for keys: what a full log needs to be moved, and as much again for commits."""
    writer_cache_kib: int = 163_840
    """Enough for what extensions of a million keys touch."""
    reader_cache_kib: int = 32_768
    small_file_pages: int = 16_384
    """Files up to this size are checked whole at each start."""


DEFAULT = Pace()
