"""Calls at once: their order, what they raise, and that they run at once."""

import contextvars
import threading

import pytest

from tf_discrete._internal import concurrent_calls


@pytest.fixture(params=[1, 3])
def workers(request, monkeypatch):
    monkeypatch.setattr(concurrent_calls, "number", lambda: request.param)
    return request.param


def test_results_come_in_order_and_calls_run_at_once(workers):
    barrier = threading.Barrier(workers, timeout=60)

    def meet(number):
        barrier.wait()  # Returns only where as many calls as workers wait for one another.
        return number

    assert list(concurrent_calls.in_order(meet, range(2 * workers))) == list(range(2 * workers))


def test_arguments_are_read_as_they_are_needed(workers):
    read = []

    def arguments():
        for number in range(100):
            read.append(number)
            yield number

    results = concurrent_calls.in_order(lambda number: number, arguments())
    assert next(results) == 0 and len(read) <= 2 * workers
    results.close()


@pytest.mark.parametrize("where", ["call", "argument"])
def test_an_error_ends_the_calls(workers, where):
    def arguments():
        yield 1
        if where == "argument":
            raise KeyError("bad")
        yield 0
        yield 2

    with pytest.raises(KeyError if where == "argument" else ZeroDivisionError):
        list(concurrent_calls.in_order(lambda number: 1 // number, arguments()))


def test_calls_see_the_context_of_the_caller(workers):
    variable = contextvars.ContextVar("variable", default=0)
    variable.set(7)
    assert list(concurrent_calls.in_order(lambda _: variable.get(), range(4))) == [7] * 4


def test_there_is_one_call_at_a_time_on_an_accelerator(monkeypatch):
    monkeypatch.setattr(concurrent_calls.tf.config, "list_logical_devices", lambda kind: [kind])
    assert concurrent_calls.number() == 1
    monkeypatch.setattr(concurrent_calls.tf.config, "list_logical_devices", lambda kind: [])
    monkeypatch.setattr(
        concurrent_calls.os, "sched_getaffinity", lambda _: range(64), raising=False
    )
    assert concurrent_calls.number() == concurrent_calls.MOST
