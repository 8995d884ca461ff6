"""The corpus of each domain and the candidates of test rows: from training rows, or from tables."""

import pytest

from adi.cli.show import counts_table, outside_corpus
from adi.errors import AdiError


def named(rows, *names):
    return [dict(zip(names, row, strict=True)) for row in rows]


class TestCorpus:
    def give(self, workspace, rows):
        workspace.write("offers.jsonl", named(rows, "sku", "shop"))
        workspace.schema["corpus"] = {"path": "offers.jsonl", "item": "sku", "domain": "shop"}

    def test_from_a_table(self, workspace):
        rows = [("z", "a"), ("x", "a"), ("x", "a"), ("new", "b"), ("y", "b"), ("w", "c"), ("", "a"), ("w", None)]
        self.give(workspace, rows)
        manifest = workspace.prepare()
        assert [row["key"] for row in workspace.rows("entities/item")] == ["new", "w", "x", "y", "z"]
        # in a: w and y as training saw them, x also offered, z offered alone; in b: new and y offered, w and x seen
        assert workspace["corpus/item"] == [1, 2, 3, 4, 0, 1, 2, 3]
        assert workspace["corpus/domain"] == [0, 0, 0, 0, 1, 1, 1, 1]
        assert workspace["corpus/count"] == [1, 2, 1, 0, 0, 1, 1, 2]
        assert workspace["corpus/eligible"] == [False, True, False, True, True, False, False, True]
        assert workspace["corpus/offsets"] == [0, 4, 8]
        assert [part.corpus for part in manifest.by_domain.values()] == [2, 2]
        # the test has x in a and z in b
        assert [part.outside for part in manifest.by_domain.values()] == [0, 2]
        assert manifest.tables["corpus.path"].model_dump() == {
            "read": 8, "kept": 5, "set_aside": {"no key": 2, "domain not in the log": 1},
        }  # fmt: skip

    def test_every_item_of_the_data_in_every_domain(self, workspace):
        """Also an item that the log has in another domain only, and one that only a feature table has."""
        workspace.table("items", [{"item": "never", "price": 1.0}], key="item")
        workspace.add("item", name="price", kind="numeric", table="items")
        workspace.schema["corpus"] = "all"
        manifest = workspace.prepare()
        size = manifest.items
        assert "never" in [row["key"] for row in workspace.rows("entities/item")]
        assert {(part.corpus, part.outside) for part in manifest.by_domain.values()} == {(size, 0)}
        assert workspace["corpus/item"] == list(range(size)) * len(manifest.domains)
        assert all(workspace["corpus/eligible"])

    def test_validation_rows_are_seen_and_not_counted(self, workspace, log):
        more = [{"user": "cy", "item": item, "domain": "a", "time": time} for time, item in enumerate(("y", "v", "u"))]
        workspace.write("log.jsonl", [*log, *more])
        workspace.schema["split"]["validation"] = 0.5  # of cy, see test_splitting: v in a, x in b; u is the test
        workspace.prepare()
        assert [row["key"] for row in workspace.rows("entities/item")] == ["u", "v", "w", "x", "y", "z"]
        assert workspace["corpus/item"] == [1, 2, 3, 4, 2, 4]
        assert workspace["corpus/count"] == [0, 1, 2, 2, 1, 2]

    def test_rows_outside_are_said(self, workspace):
        """z of domain b is in its test alone: two of b's two test rows, none of a's two."""
        manifest = workspace.prepare()
        assert [part.outside for part in manifest.by_domain.values()] == [0, 2]
        assert outside_corpus(manifest) == (
            "Outside: 2 test rows (50.0%) are of an item that is not in the corpus of their domain: the mean recall "
            "against it is 0.500 at most. If such items can be retrieved: corpus in the schema."
        )
        assert list(counts_table(manifest).columns[-1].cells) == ["0", "2"]
        few = {name: part.model_copy(update={"test": 100, "outside": 1}) for name, part in manifest.by_domain.items()}
        assert outside_corpus(manifest.model_copy(update={"by_domain": few})) is None
        older = {name: part.model_copy(update={"outside": None}) for name, part in manifest.by_domain.items()}
        assert outside_corpus(manifest.model_copy(update={"by_domain": older})) is None

    def test_a_domain_without_an_eligible_item(self, workspace):
        self.give(workspace, [("x", "a"), ("y", "B")])
        stages = []
        message = r"offers\.jsonl, column 'shop': no item is eligible in domain 'b'\. Add the domain's items, or remove"
        with pytest.raises(AdiError, match=message):
            workspace.prepare(progress=lambda *stage: stages.append(stage))
        assert "writing the rows" not in {stage for stage, _, _ in stages}
        assert workspace.left_behind() == []

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"path": "offer.jsonl"}, r"'offer\.jsonl': no file matches"),
            ({"item": "skuu"}, r"offers\.jsonl: no column 'skuu' \(corpus, the item\)\. Did you mean 'sku'"),
            ({"domain": "market"}, r"offers\.jsonl: no column 'market' \(corpus, the domain\)"),
        ],
    )
    def test_faults_show_before_the_log_is_read(self, workspace, change, message):
        self.give(workspace, [("x", "a"), ("y", "b")])
        workspace.schema["corpus"] |= change
        stages = []
        with pytest.raises(AdiError, match=message):
            workspace.prepare(progress=lambda *stage: stages.append(stage))
        assert "reading the log" not in {stage for stage, _, _ in stages}

    def test_a_column_of_lists(self, workspace):
        self.give(workspace, [(["x"], "a"), (["y"], "b")])
        with pytest.raises(AdiError, match=r"offers\.jsonl, column 'sku': VARCHAR\[\], and corpus, the item is one va"):
            workspace.prepare()

    def test_a_table_without_rows(self, workspace):
        self.give(workspace, [("x", "a")])
        (workspace.folder / "offers.csv").write_text("sku,shop\n")
        workspace.schema["corpus"]["path"] = "offers.csv"
        with pytest.raises(AdiError, match=r"offers\.csv: the table has no rows\. Give it some, or remove corpus"):
            workspace.prepare()


class TestCandidates:
    def give(self, workspace, rows):
        workspace.write("test.jsonl", named([("bo", "w", "b", 9), ("ann", "z", "a", 1), ("eve", "x", "a", 1)],
                                            "user", "item", "domain", "time"))  # fmt: skip
        workspace.write("run.csv", named(rows, "user", "domain", "item"))
        workspace.schema["split"] = {"kind": "files", "test": "test.jsonl", "candidates": "run.csv", "validation": 0}

    def test_of_each_test_row(self, workspace):
        rows = [("bo", "b", "y"), ("bo", "b", "w"), ("ann", "a", "q"), ("ann", "a", "z"), ("ann", "a", "q")]
        rows += [("ann", "b", "x"), ("fay", "a", "x"), ("ann", "c", "x"), ("", "a", "x")]
        self.give(workspace, rows)
        manifest = workspace.prepare()
        assert [row["key"] for row in workspace.rows("entities/item")] == ["q", "w", "x", "y", "z"]
        assert [row["key"] for row in workspace.rows("entities/user")] == ["ann", "bo", "cy", "dee", "eve", "fay"]
        assert workspace["test/user"] == [0, 4, 1]
        # ann's q and z, none of eve, bo's w and y; a pair is a candidate once
        assert workspace["candidates/item"] == [0, 4, 1, 3]
        assert workspace["candidates/offsets"] == [0, 2, 2, 4]
        assert sorted(path.name for path in (workspace.out / "candidates").iterdir()) == ["item.npy", "offsets.npy"]
        assert manifest.candidates
        assert manifest.tables["split.candidates"].model_dump() == {
            "read": 9, "kept": 7, "set_aside": {"no key": 1, "domain not in the log": 1},
        }  # fmt: skip

    def test_a_missing_column(self, workspace):
        self.give(workspace, [("bo", "b", "y")])
        workspace.write("run.csv", [{"user": "bo", "domain": "b", "itm": "y"}])
        message = r"run\.csv: no column 'item' \(split\.candidates, the item\)\. Did you mean 'itm'"
        with pytest.raises(AdiError, match=message):
            workspace.prepare()
        assert workspace.left_behind() == []
