"""The tables of the grid: valid settings in every cell, the paper's rows, and every model."""

import pytest

from adi.errors import AdiError
from adi.models.catalog import MODELS
from adi.reproduce.datasets import DATASETS, MARKETPLACE
from adi.reproduce.lines import lines_of
from adi.reproduce.tables import TABLES, tables_named
from adi.sources.catalog import SOURCES
from adi.training.settings import settings_for

PARTS = [(table, dataset) for table in TABLES.values() for dataset in table.datasets]


@pytest.mark.parametrize(("table", "dataset"), PARTS, ids=lambda one: getattr(one, "name", one))
@pytest.mark.parametrize("quick", [False, True])
def test_the_settings_of_every_cell_are_valid(table, dataset, quick) -> None:
    lines = lines_of(table, dataset, seeds=3, quick=quick)
    assert len(lines) == len(table.rows) - sum(dataset in row.absent for row in table.rows)
    for line in lines:
        for cell in line.cells:
            assert settings_for(MODELS[cell.model], cell.config).model
            assert ("training" in cell.config) == (len(line.cells) == 3)  # a model without randomness has one seed
            if quick and "training" in cell.config:
                assert cell.config["training"]["epochs"] == 1


def test_table_2_runs_every_model_of_the_catalog() -> None:
    needs_trends = {"co-clicks"}  # which no data set of the tables has
    assert {row.model for row in TABLES["table2"].rows} == set(MODELS) - needs_trends


def test_every_data_set_is_known_and_its_domains_are_counted() -> None:
    assert set(DATASETS) == {dataset for _, dataset in PARTS}
    assert {one.source for one in DATASETS.values()} - {MARKETPLACE} <= set(SOURCES)


@pytest.mark.parametrize("table", [table for table in TABLES.values() if table.published], ids=lambda table: table.name)
def test_every_row_of_the_papers_table_is_here(table) -> None:
    assert {row.method for row in table.rows if row.method} == set(table.published.recall)
    for form in {row.form for row in table.rows} - {"any"}:
        methods = [row.method for row in table.rows if row.method and row.form in ("any", form)]
        assert len(methods) == len(set(methods))


def test_the_default_form_has_no_batch_norm_by_domain() -> None:
    """Otherwise Table 7 would lack a row."""
    assert settings_for(MODELS["adi-se"]).model.norm == "none"
    assert settings_for(MODELS["adi-paper"]).model.norm == "domain"
    ours = [row.method for row in TABLES["table7"].rows if row.form == "ours"]
    assert ours == ["ADI-SE", "w/o ST", "w/o ST & DIAL"]


@pytest.mark.parametrize(("dataset", "domains"), [(MARKETPLACE, 3), ("globo-news", 4)])
def test_figure_3_compares_as_many_networks_at_each_number(dataset, domains) -> None:
    for line in lines_of(TABLES["figure3"], dataset, seeds=1, quick=False):
        model = line.cells[0].config["model"]
        specific = 0 if line.row.model == "mmoe" else domains
        shared = (model["experts"] or domains + 1) if line.row.model == "mmoe" else model["shared_networks"]
        assert specific + shared == domains + line.row.networks
        assert tuple(model["networks"]) == settings_for(MODELS[line.row.model]).model.networks


def test_data_sets_have_the_settings_of_their_source_or_their_own() -> None:
    globo, random, *others = (
        [cell.config for line in lines_of(TABLES["table2"], dataset, seeds=1, quick=False) for cell in line.cells]
        for dataset in ("globo-news", "globo-news-random", "globo-news-time", MARKETPLACE)
    )
    assert random == globo
    assert globo not in others


def test_tables_compare_networks_without_a_blend() -> None:
    for name in ("table2", "table3", "table6", "table7", "table8"):
        for dataset in TABLES[name].datasets:
            for line in lines_of(TABLES[name], dataset, seeds=1, quick=False):
                is_blended = [
                    cell.config["training"]["blend"] != [] for cell in line.cells if "training" in cell.config
                ]
                assert not any(is_blended)


def test_both_forms_of_adi_have_one_size_on_data_of_ids_alone() -> None:
    lines = lines_of(TABLES["table3"], "xmrec-wsdm22", seeds=1, quick=False)
    cells = {line.row.label: line.cells[0] for line in lines if line.row.family == "adi"}
    assert {label: cell.key for label, cell in cells.items()} == {"ADI": "adi-se-0", "ADI, literal": "adi-paper-0"}
    assert {cell.config["model"]["embedding_sets"] for cell in cells.values()} == {8}
    assert {cell.config["model"]["embedding_dim"] for cell in cells.values()} == {64}


def test_two_tower_models_of_a_data_set_have_one_size() -> None:
    for dataset, table in (("xmrec-wsdm22", "table3"), ("globo-news", "table2"), ("globo-news-random", "table2")):
        sizes = {
            (line.cells[0].config["model"]["embedding_dim"], line.cells[0].config["model"]["dim"])
            for line in lines_of(TABLES[table], dataset, seeds=1, quick=False)
            if "training" in line.cells[0].config
        }
        assert len(sizes) == 1, dataset


def test_names() -> None:
    assert tables_named("all") == tuple(TABLES.values())
    assert tables_named("figure5") == (TABLES["figure5"],)
    with pytest.raises(
        AdiError, match=r"table: 'table4' is not one of table2, .*figure5, live, all\. Did you mean 'table"
    ):
        tables_named("table4")


def test_table_9_trains_no_more_than_table_2() -> None:
    cells = {
        name: {cell for line in lines_of(TABLES[name], MARKETPLACE, seeds=3, quick=False) for cell in line.cells}
        for name in ("table2", "table9")
    }
    assert cells["table9"] < cells["table2"]
    assert len(cells["table9"]) == 9
