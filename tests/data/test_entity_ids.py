import numpy as np
import pyarrow as pa
import pytest

from adi.data.entity_ids import EntityIds
from adi.errors import AdiError

IDS = sorted(["", "a", "ab", "b", "été", "z", "本", "🙂"], key=str.encode)


@pytest.fixture(params=[3, 100], ids=["in parts", "in one part"])
def ids(tmp_path, request) -> EntityIds:
    table = pa.table({"index": pa.array(range(len(IDS)), pa.int32()), "key": IDS})
    with pa.ipc.new_file(tmp_path / "item.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=request.param)
    return EntityIds(tmp_path / "item.arrow")


def test_numbers_and_ids_find_each_other(ids) -> None:
    assert len(ids) == len(IDS)
    assert [ids.key(number) for number in range(len(IDS))] == IDS
    assert [ids.find(key) for key in IDS] == list(range(len(IDS)))
    assert ids.keys_of(np.array([5, 0, 5], dtype=np.int32)) == [IDS[5], IDS[0], IDS[5]]
    assert ids.keys_of(np.array([7, 3, 0, 6, 2, 1, 5, 4])) == [IDS[number] for number in (7, 3, 0, 6, 2, 1, 5, 4)]
    assert ids.keys_of(np.array([], dtype=np.int32)) == []


@pytest.mark.parametrize("key", ["0", "aa", "abc", "été ", "zz", "🙃"])
def test_an_id_that_is_not_there_is_not_found(ids, key) -> None:
    assert ids.find(key) is None


def test_prefixes(ids) -> None:
    assert ids.starting("a", 10) == ["a", "ab"]
    assert ids.starting("a", 1) == ["a"]
    assert ids.starting("", 3) == IDS[:3]
    assert ids.starting("q", 3) == []


def test_no_ids_at_all(tmp_path) -> None:
    schema = pa.schema({"index": pa.int32(), "key": pa.string()})
    with pa.ipc.new_file(tmp_path / "user.arrow", schema):
        pass
    none = EntityIds(tmp_path / "user.arrow")
    assert (len(none), none.find("a"), none.starting("", 5)) == (0, None, [])


def test_a_missing_or_broken_file_is_refused(tmp_path) -> None:
    with pytest.raises(AdiError, match=r"user\.arrow: cannot be read .* Prepare the dataset again"):
        EntityIds(tmp_path / "user.arrow")
    (tmp_path / "user.arrow").write_bytes(b"ARROW1 cut off")
    with pytest.raises(AdiError, match="cannot be read"):
        EntityIds(tmp_path / "user.arrow")
