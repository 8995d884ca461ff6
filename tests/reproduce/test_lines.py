"""Cells: shared by rows with equal settings, distinct otherwise, and in an order that fills tables early."""

import pytest

from adi.errors import AdiError
from adi.reproduce import lines
from adi.reproduce.lines import distinct_cells, lines_of, only_models
from adi.reproduce.tables import TABLES, Row, Table
from adi.reproduce.tuned import Tuned, read_tuned, tuned_settings


def keys(name, dataset="marketplace", seeds=1):
    lines = lines_of(TABLES[name], dataset, seeds=seeds, quick=False)
    return {line.row.label: [cell.key for cell in line.cells] for line in lines}


def test_a_row_with_default_settings_is_the_plain_cell() -> None:
    assert keys("table6") == {
        "SUM": ["adi-se,fusion=sum-0"],
        "Network-Mul": ["adi-se,fusion=network-mul-0"],
        "CONCAT": ["adi-se-0"],
    }
    assert keys("table8")["3-SE"] == keys("table7")["w/o ST"] == keys("figure5")["ADI-SE"] == ["adi-se-0"]
    assert keys("figure3")["ADI, K = 1"] == ["adi-se-0"]
    assert keys("figure3", "globo-news")["MMoE, K = 3"] == ["mmoe,experts=7-0"]


def test_what_differs_from_the_tuned_settings_names_the_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = Tuned(two_tower={"dim": 32}, models={"adi-se": {"fusion": "sum"}})
    monkeypatch.setattr(lines, "read_tuned", lambda dataset: tuned)
    assert keys("table6") == {
        "SUM": ["adi-se-0"],
        "Network-Mul": ["adi-se,fusion=network-mul-0"],
        "CONCAT": ["adi-se,fusion=concat-0"],
    }


def test_a_later_seed_comes_after_every_row_of_an_earlier_one() -> None:
    lines = [
        line
        for name, dataset in (("table6", "globo-news"), ("table8", "globo-news"), ("table6", "marketplace"))
        for line in lines_of(TABLES[name], dataset, seeds=2, quick=False)
    ]
    names = ["adi-se,fusion=sum", "adi-se,fusion=network-mul", "adi-se"]
    more = ["adi-se,adaptation=se-global", "adi-se,adaptation=se-network"]
    assert [(cell.dataset, cell.name, cell.seed) for cell in distinct_cells(lines)] == [
        (dataset, name, seed)
        for dataset, expected in (("globo-news", [*names, *more]), ("marketplace", names))
        for seed in (0, 1)
        for name in expected
    ]


def test_only_some_models() -> None:
    parts = {("figure3", "marketplace"): lines_of(TABLES["figure3"], "marketplace", seeds=1, quick=False)}
    parts |= {("table6", "marketplace"): lines_of(TABLES["table6"], "marketplace", seeds=1, quick=False)}
    chosen = only_models(parts, ["ple"])
    assert [(part, len(lines)) for part, lines in chosen.items()] == [(("figure3", "marketplace"), 5)]
    assert only_models(parts, None) is parts
    with pytest.raises(AdiError, match=r"only: no row is of model 'pel' \(mmoe, ple, adi-se\)\. Did you mean 'ple'"):
        only_models(parts, ["adi-se", "pel"])


def test_settings_for_every_two_tower_model_then_for_one_then_for_a_row() -> None:
    tuned = Tuned(two_tower={"dim": 32, "lr": 0.5, "epochs": 7}, models={"dnn": {"lr": 0.25, "epochs": 3}})
    dnn, adi_se = (tuned_settings(tuned, model, {"epochs": 2}) for model in ("dnn", "adi-se"))
    assert (dnn.model.dim, dnn.training.lr, dnn.training.epochs) == (32, 0.25, 2)
    assert (adi_se.model.dim, adi_se.training.lr, adi_se.training.epochs) == (32, 0.5, 2)
    assert tuned_settings(tuned, "popularity", {}).training is None


def test_a_model_or_setting_that_does_not_exist_is_named() -> None:
    rows = (Row("new", "nonesuch"), Row("old", "adi-se", {"fusoin": "sum"}))
    for row, words in zip(rows, ("'nonesuch' is not a model", "setting 'fusoin' does not exist"), strict=True):
        with pytest.raises(AdiError, match=words):
            lines_of(Table("t", "T", "", ("marketplace",), (row,)), "marketplace", seeds=1, quick=False)


def test_a_settings_file_of_another_form_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adi.reproduce.tuned.files", lambda _: tmp_path)
    (tmp_path / "settings").mkdir()
    path = tmp_path / "settings" / "marketplace.yaml"
    path.write_text("two_towers: {dim: 3}\nmodels: {}\n")
    with pytest.raises(AdiError, match=r"(?s)marketplace\.yaml: .*two_towers: is not a known key"):
        read_tuned("marketplace")
    path.write_text("two_tower: {}\nmodels: {adi-sf: {dim: 3}}\n")
    with pytest.raises(AdiError, match="'adi-sf' is not a model"):
        read_tuned("marketplace")
    path.write_text("two_tower: [\n")
    with pytest.raises(AdiError, match=r"marketplace\.yaml: not readable as YAML"):
        read_tuned("marketplace")
