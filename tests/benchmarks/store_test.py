"""Results as JSON lines: whole records or none, and every damage but a torn last line is named."""

from __future__ import annotations

import json
import multiprocessing
import os

import pytest

from benchmarks import store


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """The folder of the results."""
    monkeypatch.setattr(store, "RESULTS", tmp_path)
    return tmp_path


def test_records_come_back_by_name_and_the_last_counts():
    store.append("t", {"name": "b", "value": 0.1})
    store.append("t", {"name": "a", "value": (1, 2)})
    assert store.append("t", {"name": "b", "value": 1e-300}) == {"name": "b", "value": 1e-300}
    assert list(store.read("t").items()) == [
        ("a", {"name": "a", "value": [1, 2]}),
        ("b", {"name": "b", "value": 1e-300}),
    ]
    assert store.path_of("t").read_text().count("\n") == 3  # Nothing was removed.
    assert store.newest("t", "a") == {"name": "a", "value": [1, 2]} and store.newest("t") is None
    assert store.append("alone", {"value": 1}) == {"name": "alone", "value": 1}
    assert store.newest("alone") == {"name": "alone", "value": 1}
    assert store.read("none") == {}


@pytest.mark.parametrize("torn", range(1, len('{"name": "b"}')))
def test_a_torn_last_line_is_left_out_and_removed(place, torn):
    store.append("t", {"name": "a"})
    with open(place / "t.jsonl", "a") as file:
        file.write('{"name": "b"}'[:torn])
    with pytest.warns(UserWarning, match="t.jsonl, line 2: left out, it has no end"):
        assert list(store.read("t")) == ["a"]
    store.append("t", {"name": "c"})
    assert (place / "t.jsonl").read_text() == '{"name": "a"}\n{"name": "c"}\n'


def test_a_last_line_that_lacks_its_end_only_is_whole(place, recwarn):
    (place / "t.jsonl").write_text('{"name": "a"}\n{"name": "b"}')
    assert list(store.read("t")) == ["a", "b"]
    store.append("t", {"name": "c"})
    assert list(store.read("t")) == ["a", "b", "c"] and not recwarn.list


def test_the_oldest_record_comes_first_whatever_its_name_is():
    for name in ("b", "c", "a", "c"):
        store.append("t", {"name": name})
    assert list(store.oldest_first("t")) == ["b", "a", "c"]
    assert list(store.read("t")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "line", ['{"name": "b"', "", "[1]", '{"value": 1}', '{"name": 3}', '{"name": "a"}{"name": "b"}']
)
@pytest.mark.parametrize("after", ["", '{"name": "c"}\n'])
def test_other_damage_is_an_error_that_names_the_line(place, line, after):
    (place / "t.jsonl").write_text('{"name": "a"}\n' + line + "\n" + after)
    with pytest.raises(ValueError, match=r"Restore the file.*Received: .*t\.jsonl, line 2: b"):
        store.read("t")


def test_a_record_that_is_not_json_leaves_the_file_as_it_was(place):
    store.append("t", {"name": "a"})
    for value in (float("nan"), object()):
        with pytest.raises((ValueError, TypeError)):
            store.append("t", {"name": "b", "value": value})
    assert (place / "t.jsonl").read_text() == '{"name": "a"}\n'


def test_a_write_that_fails_leaves_the_file_as_it_was(place, monkeypatch):
    store.append("t", {"name": "a"})

    def full(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.append("t", {"name": "b"})
    assert (place / "t.jsonl").read_text() == '{"name": "a"}\n'


def _append(folder, process):
    store.RESULTS = folder
    for number in range(20):
        store.append("t", {"name": f"{process}-{number}", "value": "x" * 5000})


def test_writers_at_one_time_do_not_mix(place):
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(place, process)) for process in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert len(store.read("t")) == 80


RECORDED = sorted((store.ROOT / "benchmarks" / "results").glob("*.jsonl"))


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_the_recorded_results_are_whole(path, monkeypatch):
    monkeypatch.setattr(store, "RESULTS", path.parent)
    found = store.read(path.stem)
    assert found and path.read_bytes().endswith(b"\n")
    for record in found.values():
        assert json.loads(json.dumps(record, allow_nan=False)) == record
        assert {"versions", "processor", "cores"} <= set(record["provenance"])
