"""The folder of an exact index: changes, kills, several processes, damage, and what it refuses."""

import json
import shutil
import signal

import numpy as np
import pytest

from tests import forked
from tests.codes.exact import searched
from tests.models import small_models
from tf_discrete import codes
from tf_discrete._internal import locking
from tf_discrete.codes.exact import building, duplicate_report, index_manifest, probing

ITEMS = searched.clustered(24, 2, 60)
PACKED = codes.pack(ITEMS)


@pytest.fixture
def index(tmp_path):
    return codes.ExactIndex.build(tmp_path / "index", PACKED, 24)


def all_items(index):
    """Every id and its code, by id."""
    chunks = list(index.items(size=7))
    ids = np.concatenate([chunk[0] for chunk in chunks])
    assert len(set(ids.tolist())) == len(ids) == len(index)
    packed = np.concatenate([chunk[1] for chunk in chunks])
    return dict(zip(ids.tolist(), map(bytes, packed), strict=True))


def test_a_stream_and_an_array_give_the_same_index(tmp_path, index):
    chunks = ((np.arange(i, i + 6)[::-1], PACKED[i : i + 6][::-1]) for i in range(0, 60, 6))
    streamed = codes.ExactIndex.build(tmp_path / "other", chunks, 24, memory_codes=7)
    assert all_items(streamed) == all_items(index)
    assert (streamed._store.base.words[1:] > streamed._store.base.words[:-1]).all()
    assert index.num_bytes == sum(
        path.stat().st_size for path in (tmp_path / "index").rglob("*") if path.is_file()
    )


def test_an_index_knows_its_model_and_metadata(tmp_path):
    model = small_models.make()
    encoded = codes.encode_batches(model, [small_models.data()])
    index = searched.build(tmp_path / "index", encoded, 3, model=model, metadata={"from": "here"})
    again = codes.ExactIndex.open(tmp_path / "index")
    assert (again.model, again.metadata) == (codes.model_digest(model), {"from": "here"})
    again.check_model(model)
    with pytest.raises(ValueError, match="must be those of the model of the index"):
        index.check_model("0" * 64)


def test_a_record_that_was_not_finished_is_left_out(tmp_path, index):
    index.add(PACKED[:3], ids=[100, 101, 102])
    log = next((tmp_path / "index").glob("log-*"))
    before, wanted = log.stat().st_size, all_items(index)
    index.add(PACKED[3:5], ids=[103, 104])
    index.delete([0])
    data = log.read_bytes()
    for length in range(before, len(data)):
        log.write_bytes(data[:length])
        found = all_items(codes.ExactIndex(tmp_path / "index"))
        assert (found == wanted) == (103 not in found) and (0 in found)
    log.write_bytes(data[:before] + bytes(500))  # The file had grown when the power failed.
    opened = codes.ExactIndex(tmp_path / "index")
    assert all_items(opened) == wanted
    opened.add(PACKED[7:8], ids=[300])
    assert all_items(codes.ExactIndex(tmp_path / "index")) == {**wanted, 300: bytes(PACKED[7])}


def test_a_record_that_was_damaged_is_refused(tmp_path, index):
    index.add(PACKED[:3], ids=[100, 101, 102])
    index.delete([5])
    log = next((tmp_path / "index").glob("log-*"))
    data = log.read_bytes()
    for place in range(len(data) - 4):  # The end mark of the last record may be missing.
        log.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(ValueError, match="must be a file of an exact index"):
            codes.ExactIndex(tmp_path / "index")


_WRITER = """
import sys
from tf_discrete import codes
import numpy as np
index = codes.ExactIndex.open("index")
packed = np.frombuffer(b"abc", np.uint8).reshape(1, 3)
for number in range(1000, 100000):
    index.add(packed, ids=[number])
    print("added", number, flush=True)
    index.delete([number - 1000])
    print("deleted", number - 1000, flush=True)
    if number % 3 == 0:
        index.compact()
"""


@pytest.mark.parametrize("lines", [1, 4, 9])
def test_nothing_acknowledged_is_lost_in_a_kill(tmp_path, index, lines):
    wanted = all_items(index)
    process = forked.start("-c", _WRITER, cwd=tmp_path, stdout=tmp_path / "out")
    while (tmp_path / "out").exists() is False or (
        (tmp_path / "out").read_text().count("\n") < lines
    ):
        assert process.poll() is None
    process.kill()
    assert process.wait() == -signal.SIGKILL
    for line in (tmp_path / "out").read_text().splitlines():
        word, number = line.split()
        if word == "added":
            wanted[int(number)] = b"abc"
        else:
            del wanted[int(number)]
    opened = codes.ExactIndex.open(tmp_path / "index", verify=True)
    found = all_items(opened)
    # The change that the kill met may be there or not.
    assert len(set(found.items()) ^ set(wanted.items())) <= 1
    opened.compact()
    assert all_items(opened) == found
    assert len(list((tmp_path / "index").iterdir())) == 3


_KILLED_AT_EACH_STEP = """
import os, shutil, signal, sys
import numpy as np
from tf_discrete import codes
from tf_discrete.codes.exact import log

packed = np.frombuffer(b"abc", np.uint8).reshape(1, 3)
changes = {
    "add": lambda index: index.add(packed, ids=[1000]),
    "delete": lambda index: index.delete([0]),
    "compact": lambda index: index.compact(),
}

def kill_at(step):
    steps, fsync, write = iter(range(1, 10**9)), os.fsync, log._write

    def passed():
        if next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def in_two(file, data):
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            write(file, part)
            passed()

    os.fsync, log._write = lambda file: (passed(), fsync(file), passed()), in_two
    sys.addaudithook(lambda event, _: passed() if event == "open" or event[:3] == "os." else None)

for name, change in changes.items():
    for step in range(1, 1000):
        folder = shutil.copytree("index", f"{name}-{step}")
        child = os.fork()
        if not child:
            index = codes.ExactIndex.open(folder)
            kill_at(step)
            change(index)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if not status:
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
    print(name, step - 1)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_the_old_state_or_the_new(tmp_path, index):
    """The steps are all calls that open, write, sync, rename or remove files."""
    index.add(PACKED[:3], ids=[100, 101, 102])
    index.delete([5])
    before = all_items(index)
    added, deleted = {**before, 1000: b"abc"}, {**before}
    del deleted[0]
    ended = forked.run("-c", _KILLED_AT_EACH_STEP, cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    steps = {line.split()[0]: int(line.split()[1]) for line in ended.stdout.splitlines()}
    for (name, count), after in zip(steps.items(), (added, deleted, before), strict=True):
        assert 10 < count < 999
        found = []
        for step in range(1, count + 1):
            opened = codes.ExactIndex.open(tmp_path / f"{name}-{step}", verify=True)
            found.append(all_items(opened))
            assert found[-1] in (before, after), (name, step)
            opened.add(PACKED[7:8], ids=[2000])
            opened.compact()
            assert all_items(opened) == {**found[-1], 2000: bytes(PACKED[7])}
            assert len(list((tmp_path / f"{name}-{step}").iterdir())) == 3
        assert (found[0], found[-1]) == (before, after)


def test_a_compaction_that_fails_changes_nothing(tmp_path, index, monkeypatch):
    index.delete([1])
    wanted = all_items(index)

    def fail(*_):
        raise OSError("no space")

    monkeypatch.setattr(index_manifest, "write", fail)
    with pytest.raises(OSError, match="no space"):
        index.compact()
    monkeypatch.undo()
    assert all_items(index) == wanted == all_items(codes.ExactIndex.open(tmp_path / "index", True))
    index.compact()
    assert all_items(index) == wanted
    assert len(list((tmp_path / "index").iterdir())) == 3


def test_one_process_writes_and_others_read(tmp_path, index):
    with locking.lock(tmp_path / "index"):
        for write in (
            lambda: index.add(PACKED[:1], ids=[99]),
            lambda: index.delete([1]),
            index.compact,
        ):
            with pytest.raises(locking.InUseError, match="written by one process at a time"):
                write()
        assert all_items(codes.ExactIndex(tmp_path / "index")) == all_items(index)
    reader, other = codes.ExactIndex(tmp_path / "index"), codes.ExactIndex(tmp_path / "index")
    before = all_items(reader)
    other.add(PACKED[:1], ids=[99])
    index.delete([99])  # Reads first what the other has written.
    other.compact()
    index.add(PACKED[:1], ids=[98])
    assert all_items(reader) == before and reader.search(PACKED[:1], 1).distances.item() == 0
    assert all_items(codes.ExactIndex(tmp_path / "index")) == {**before, 98: bytes(PACKED[0])}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda index: index.add(PACKED[:1], ids=[3]), "An id must be new.*such as 3"),
        (lambda index: index.add(PACKED[:2], ids=[99, 99]), "ids must be distinct"),
        (lambda index: index.add(PACKED[:2], ids=[99]), "one for each code"),
        (lambda index: index.add(PACKED[:1, :2], ids=[99]), "take 3 bytes each"),
        (lambda index: index.add(PACKED[:1], ids=[0.5]), "ids must be integers"),
        (lambda index: index.add(PACKED[:1], ids=np.uint64([2**63])), "ids must be at most"),
        (lambda index: index.delete([3, 77]), "1 ids that are not there, such as 77"),
        (lambda index: index.search(PACKED[:0], 1), "at least one query"),
        (lambda index: index.search(PACKED[:1], 61), "k must be at least 1 and at most"),
        (lambda index: index.search(PACKED[:1, :1], 1), "take 3 bytes each"),
        (lambda index: index.search(ITEMS[:1], 1), "packed codes, uint8"),
        (lambda index: index.search_radius(PACKED[:1], -1), "radius must be at least 0"),
        (lambda index: index.delete([2]) or index.near_duplicates(1), "Call compact"),
        (lambda index: index.delete(np.arange(60)) or index.compact(), "at least one code"),
    ],
    ids=range(14),
)
def test_what_an_index_refuses(index, change, message):
    with pytest.raises(ValueError, match=message):
        change(index)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"packed": PACKED[:0]}, "at least one code"),
        ({"packed": PACKED | 1, "num_variables": 23}, "no codes of these sizes"),
        (
            {"packed": np.full([2, 2], 255, np.uint8), "num_variables": 4, "num_categories": 10},
            "no codes",
        ),
        ({"ids": [0] * 60}, "Each id must come once.*id 0"),
        ({"packed": iter([([1], PACKED[:1])]), "ids": [1]}, "ids must be None"),
        ({"metadata": {"a": object()}}, "metadata"),
        ({"memory_codes": 0}, "memory_codes must be at least 1"),
        ({"packed": PACKED.tolist()}, "packed must be an array uint8"),
        ({"packed": [[1, 2], [3, 4]], "num_variables": 16}, "packed must be an array uint8"),
        ({"packed": 3}, "packed must be an array uint8"),
        ({"packed": "abc"}, "packed must be an array uint8"),
    ],
    ids=range(11),
)
def test_what_building_refuses(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        codes.ExactIndex.build(
            tmp_path / "index", **{"packed": PACKED, "num_variables": 24, **options}
        )
    assert not list(tmp_path.iterdir())


def test_only_an_index_is_replaced(tmp_path, index):
    with pytest.raises(FileExistsError, match="not written over"):
        codes.ExactIndex.build(tmp_path / "index", PACKED[:5], 24)
    index.add(PACKED[:1], ids=[70])
    assert len(codes.ExactIndex.build(tmp_path / "index", PACKED[:5], 24, overwrite=True)) == 5
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    with pytest.raises(FileExistsError, match="Only a code index"):
        codes.ExactIndex.build(tmp_path / "mine", PACKED, 24, overwrite=True)


def test_an_index_that_was_built_again_is_not_changed_through_the_old_one(tmp_path, index):
    before = all_items(index)
    again = codes.ExactIndex.build(tmp_path / "index", PACKED[::-1], 24, overwrite=True)
    wanted = all_items(again)
    for change in (
        lambda: index.delete([5]),
        lambda: index.add(PACKED[:1], ids=[99]),
        index.compact,
    ):
        with pytest.raises(ValueError, match="Open the index again.*Received: path="):
            change()
    assert all_items(index) == before
    assert all_items(codes.ExactIndex.open(tmp_path / "index", verify=True)) == wanted
    again.delete([5])


def test_an_index_is_not_changed_while_it_is_built_again(tmp_path, index):
    def chunks():
        with pytest.raises(locking.InUseError, match="written by one process at a time"):
            index.delete([5])
        yield np.arange(60), PACKED

    codes.ExactIndex.build(tmp_path / "index", chunks(), 24, overwrite=True)
    with locking.lock(tmp_path / "index"):
        with pytest.raises(locking.InUseError, match="written by one process at a time"):
            codes.ExactIndex.build(tmp_path / "index", PACKED, 24, overwrite=True)


def test_an_index_that_is_replaced_while_it_is_opened_is_read_as_one(tmp_path, index, monkeypatch):
    """The manifest is that of the old index, and the files next to it would be those of the new one."""
    read, replaced = index_manifest.read, []

    def read_and_replace(folder):
        found = read(folder)
        if not replaced:
            replaced.append(True)
            codes.ExactIndex.build(tmp_path / "index", PACKED[::-1], 24, overwrite=True)
        return found

    monkeypatch.setattr(index_manifest, "read", read_and_replace)
    opened = codes.ExactIndex.open(tmp_path / "index", verify=True)
    assert all_items(opened) == dict(enumerate(map(bytes, PACKED[::-1])))


def test_files_that_are_damaged_or_missing_are_refused(tmp_path, index):
    folder, wanted = tmp_path / "index", all_items(index)
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix != ".bin" or path.parent != folder:  # The log may end anywhere.
            path.write_bytes(data[:-2])
            with pytest.raises(ValueError, match="must be a file of an exact index"):
                codes.ExactIndex(folder)
            path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
            with pytest.raises(ValueError, match="must be a file of an exact index"):
                codes.ExactIndex.open(folder, verify=True)
        path.unlink()
        with pytest.raises((ValueError, FileNotFoundError), match="must be|missing"):
            codes.ExactIndex(folder)
        path.write_bytes(data)
    assert all_items(codes.ExactIndex.open(folder, verify=True)) == wanted
    with pytest.raises(FileNotFoundError, match="must be the folder of an index"):
        codes.ExactIndex.open(tmp_path / "nothing")


def test_a_manifest_of_another_version_is_refused(tmp_path, index):
    path = tmp_path / "index" / index_manifest.NAME
    stored = json.loads(path.read_text())
    for change in ({"format_version": 9}, {"order": None}, {"files": {}}, {"num_variables": 23}):
        path.write_text(json.dumps({**stored, **change}))
        with pytest.raises(ValueError, match="must be a file of an exact index"):
            codes.ExactIndex(tmp_path / "index")


def test_the_memory_for_building_is_bounded(tmp_path, monkeypatch):
    """No array of all codes is made: what is sorted at once has the codes of a run, whatever comes."""
    largest = []
    sort = building.Runs.add

    def watched(self, words, ids):
        largest.append(len(ids))
        sort(self, words, ids)

    monkeypatch.setattr(building.Runs, "add", watched)
    parts = []
    merged = building.Runs.merged
    monkeypatch.setattr(
        building.Runs,
        "merged",
        lambda self: (parts.append(len(part[1])) or part for part in merged(self)),
    )
    items = searched.clustered(40, 2, 3000)
    searched.build(tmp_path / "index", items, 2, memory_codes=256)
    assert max(largest) == 256 and sum(parts) == 3000 and max(parts) < 1024


def test_near_duplicates_are_those_of_comparing_all(tmp_path):
    items = searched.clustered(20, 3, 400)
    names = np.arange(400)[::-1].copy()
    index = searched.build(tmp_path / "index", items, 3, ids=names)
    report = index.near_duplicates(3, max_pairs=50)
    wanted = codes.near_duplicates(items[::-1], 3, 3, max_pairs=10**6)
    counts = np.bincount(wanted.distances, minlength=4)
    assert report.pairs_by_distance.tolist() == counts.tolist()
    same = codes.collisions(items[::-1], 3, max_groups=5)
    assert (report.num_items, report.num_distinct) == (same.num_items, same.num_distinct)
    assert report.num_colliding == same.num_colliding
    for one, other in zip(report.groups, same.largest, strict=False):
        assert one.tolist() == other.tolist()
    lowest = {bytes(code): i for i, code in reversed(list(enumerate(items[::-1].astype(np.uint8))))}
    distinct = {
        (int(d), *sorted((lowest[bytes(a)], lowest[bytes(b)])))
        for (a, b), d in zip(
            items[::-1][wanted.pairs].astype(np.uint8), wanted.distances, strict=True
        )
        if d
    }
    listed = [
        (int(d), *pair) for d, pair in zip(report.distances, report.pairs.tolist(), strict=True)
    ]
    assert listed == sorted(distinct)[:50]
    alone = index.near_duplicates(0)
    assert alone.pairs_by_distance.tolist() == counts[:1].tolist() and not len(alone.pairs)


@pytest.mark.parametrize("hits", [1, 7, 200])
def test_near_duplicates_are_held_a_few_at_once(tmp_path, monkeypatch, hits):
    items = searched.clustered(20, 3, 300)
    items[:40, 2:] = 0  # Up to 9 codes, all of them near.
    index = searched.build(tmp_path / "index", items, 3)
    wanted = index.near_duplicates(3, max_pairs=50)
    monkeypatch.setattr(duplicate_report, "_HITS", hits)
    held = []
    merge = probing.Probing._merge

    def watched(self):
        merge(self)
        held.append(len(self._owner))

    monkeypatch.setattr(probing.Probing, "_merge", watched)
    found = index.near_duplicates(3, max_pairs=50)
    assert held and max(held) <= hits
    assert max(len(pairs[0]) for pairs in duplicate_report._near(index._store.base, 3)) <= hits
    assert found.pairs_by_distance.tolist() == wanted.pairs_by_distance.tolist()
    assert found.pairs.tolist() == wanted.pairs.tolist()
    assert found.distances.tolist() == wanted.distances.tolist()


def test_a_large_group_of_equal_codes_is_listed_by_its_lowest_ids(tmp_path, monkeypatch):
    items = np.zeros([30, 16], int)
    items[25:] = 1
    index = searched.build(tmp_path / "index", items, 2)
    monkeypatch.setattr(duplicate_report, "MAX_GROUP_IDS", 7)
    report = index.near_duplicates(0)
    assert [group.tolist() for group in report.groups] == [list(range(7)), list(range(25, 30))]
    assert report.group_sizes.tolist() == [25, 5]


def test_a_folder_may_be_moved(tmp_path, index, monkeypatch):
    wanted = all_items(index)
    shutil.move(tmp_path / "index", tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path.parent)
    assert all_items(codes.ExactIndex(tmp_path / "elsewhere")) == wanted


_FULL = """
import resource
import numpy as np
from tf_discrete import codes
packed = np.random.default_rng(0).integers(0, 256, [500, 8], np.uint8)
index = codes.ExactIndex.build("index", packed, 64)
resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))
for write in (
    lambda: codes.ExactIndex.build("other", packed, 64),
    lambda: index.add(packed, ids=range(1000, 1500)),
    index.compact,
):
    try:
        write()
    except OSError as error:
        assert "enough free space" in str(error), error
        print("refused", flush=True)
index.add(packed[:3], ids=range(1000, 1003))
"""


def test_a_full_disk_leaves_the_index_as_it_was(tmp_path):
    ended = forked.run("-c", _FULL, cwd=tmp_path)
    assert (ended.returncode, ended.stdout.split()) == (0, ["refused"] * 3), ended.stderr
    assert not (tmp_path / "other").exists()
    assert len(codes.ExactIndex.open(tmp_path / "index", verify=True)) == 503
