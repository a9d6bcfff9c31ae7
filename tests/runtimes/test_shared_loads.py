"""What is loaded once and freed with its last share."""

from __future__ import annotations

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from albert_export.runtimes.shared_loads import Lease, SharedLoads


def test_the_second_share_loads_nothing_and_the_last_frees() -> None:
    freed: list[str] = []
    loads: SharedLoads[str] = SharedLoads(freed.append)
    made: list[int] = []

    def load() -> str:
        made.append(1)
        return f"load {len(made)}"

    first, second = loads.acquire("a", load), loads.acquire("a", load)
    assert (first.value, second.value, len(loads)) == ("load 1", "load 1", 1)
    first.release()
    first.release()
    assert freed == []
    second.release()
    assert (freed, len(loads)) == (["load 1"], 0)
    assert loads.acquire("a", load).value == "load 2"


class Thing:
    """What a weak reference can point to."""


@pytest.mark.parametrize("shared", [True, False])
def test_a_lease_that_was_given_back_holds_nothing(shared: bool) -> None:
    loads: SharedLoads[Thing] = SharedLoads()
    lease = loads.acquire("a", Thing) if shared else Lease(Thing(), lambda: None)
    thing = weakref.ref(lease.value)
    assert thing() is not None
    lease.release()
    assert thing() is None, "whoever keeps a closed runtime must not keep its memory"


def test_a_lease_is_given_back_once_however_many_threads_do_it() -> None:
    for _ in range(200):
        given: list[int] = []
        lease = Lease(None, lambda given=given: given.append(1))  # type: ignore[misc]
        start = threading.Barrier(4)

        def work(lease: Lease[None] = lease, start: threading.Barrier = start) -> None:
            start.wait()
            lease.release()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert given == [1]


def test_other_keys_are_other_loads() -> None:
    loads: SharedLoads[object] = SharedLoads()
    assert loads.acquire(1, object).value is not loads.acquire(2, object).value


def test_a_load_that_fails_is_tried_again() -> None:
    loads: SharedLoads[str] = SharedLoads()

    def fail() -> str:
        raise RuntimeError("out of memory")

    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            loads.acquire("a", fail)
        assert len(loads) == 0
    assert loads.acquire("a", lambda: "there").value == "there"


def test_many_threads_load_once_at_a_time_and_leave_nothing() -> None:
    alive = 0
    most = 0
    lock = threading.Lock()

    def load() -> object:
        nonlocal alive, most
        with lock:
            alive += 1
            most = max(most, alive)
        return object()

    def free(_: object) -> None:
        nonlocal alive
        with lock:
            alive -= 1

    loads: SharedLoads[object] = SharedLoads(free)

    def work(_: int) -> None:
        for _ in range(50):
            lease: Lease[object] = loads.acquire("a", load)
            assert lease.value is not None
            lease.release()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert (alive, len(loads), most) == (0, 0, 1), "one is freed before the next is loaded"
