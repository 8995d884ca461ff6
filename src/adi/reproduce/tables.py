"""The tables and figures of the paper as grids: which models, with which settings, on which data sets.

This is the one place that says what each runs. A row is a model with settings that differ from those tuned for the data
set (`adi.reproduce.tuned`); rows of two tables that come to the same are trained once (`adi.reproduce.cells`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adi.errors import AdiError, suggestion
from adi.reproduce import paper
from adi.reproduce.datasets import DATASETS, MARKETPLACE
from adi.reproduce.paper import Published

Family = Literal["baseline", "compared", "adi"]
Form = Literal["any", "ours", "literal"]


@dataclass(frozen=True)
class Row:
    """One row of a table, or one point of a curve.

    Settings `beyond_domains` are so much more than the data set has domains. `method` is the row of the paper's table
    that this one stands for; where the paper's ADI is here twice, `form` tells its default form from the literal one.
    `networks` is a curve's x, the number of shared networks. `absent` says why a data set has not got the row.
    """

    label: str
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    beyond_domains: Mapping[str, int] = field(default_factory=dict)
    method: str | None = None
    family: Family = "compared"
    form: Form = "any"
    networks: int | None = None
    absent: Mapping[str, str] = field(default_factory=dict)

    def settings_on(self, dataset: str) -> dict[str, Any]:
        """What the row sets on a data set."""
        counted = {name: DATASETS[dataset].domains + more for name, more in self.beyond_domains.items()}
        return {**self.settings, **counted}


@dataclass(frozen=True)
class Table:
    """`measure` heads it; `published` is what the paper has in its place, if that is numbers."""

    name: str
    title: str
    about: str
    datasets: tuple[str, ...]
    rows: tuple[Row, ...]
    measure: str = "recall@50"
    published: Published | None = None
    kind: Literal["methods", "curve", "interest"] = "methods"


CORPUS_DATASETS = ("globo-news", "globo-news-random", "globo-news-time", "complete-journey", MARKETPLACE)

BASELINES = (
    Row("popularity", "popularity", family="baseline"),
    Row("item-kNN, all domains", "item-knn", {"scope": "all"}, family="baseline"),
    Row("item-kNN, own domain", "item-knn", {"scope": "domain"}, family="baseline"),
    Row("user-kNN", "user-knn", family="baseline"),
    Row(
        "EASE",
        "ease",
        family="baseline",
        absent={"complete-journey": "it inverts a matrix of 53,991 × 53,991 items"},
    ),
    Row("MIND", "mind", family="baseline"),
    Row("LightGCN", "lightgcn", family="baseline"),
)

COMPARED = (
    Row("DNN-Single", "dnn-single", method="DNN-Single"),
    Row("DNN", "dnn", method="DNN"),
    Row("Shared-Bottom", "shared-bottom", method="Shared-Bottom"),
    Row("Cross-Stitch", "cross-stitch", method="Cross-Stitch"),
    Row("MMoE", "mmoe", method="MMoE"),
    Row("PLE", "ple", method="PLE"),
    Row("STAR", "star"),
)

TABLE_2 = Table(
    "table2",
    "Table 2: the comparing methods",
    "Every model on the same inputs and with networks of the same size: the paper's comparing methods, ADI in its four "
    "variants and in the paper's literal form, and baselines of our own.",
    CORPUS_DATASETS,
    (
        *BASELINES,
        *COMPARED,
        Row("ADI-LT", "adi-lt", method="ADI-LT", family="adi", form="ours"),
        Row("ADI-VA", "adi-va", method="ADI-VA", family="adi", form="ours"),
        Row("ADI-SE", "adi-se", method="ADI-SE", family="adi", form="ours"),
        Row("ADI-SE (MAX)", "adi-se-max", method="ADI-SE (MAX)", family="adi", form="ours"),
        Row("ADI-SE, literal", "adi-paper", method="ADI-SE", family="adi", form="literal"),
    ),
    published=paper.TABLE_2[500],
)

TABLE_3 = Table(
    "table3",
    "Table 3: public data of three markets",
    "The data of the paper's Table 3: purchases in three markets, ids alone. There is one feature to a side, so that "
    "there is no interest adaptation, and ADI has no variants.",
    ("xmrec-wsdm22",),
    (
        *BASELINES,
        *COMPARED,
        Row("ADI", "adi-se", method="ADI", family="adi", form="ours"),
        Row("ADI, literal", "adi-paper", method="ADI", family="adi", form="literal"),
    ),
    measure="recall@10",
    published=paper.TABLE_3,
)

TABLE_6 = Table(
    "table6",
    "Table 6: fusion of shared and domain-specific networks",
    "How ADI-SE joins the outputs of its shared and its domain-specific networks.",
    CORPUS_DATASETS,
    (
        Row("SUM", "adi-se", {"fusion": "sum"}, method="SUM", family="adi"),
        Row("Network-Mul", "adi-se", {"fusion": "network-mul"}, method="Network-Mul", family="adi"),
        Row("CONCAT", "adi-se", {"fusion": "concat"}, method="CONCAT", family="adi"),
    ),
    published=paper.TABLE_6,
)

TABLE_7 = Table(
    "table7",
    "Table 7: ablation",
    "ADI-SE without self-training (ST), without the adaptation layer (DIAL), and without batch norm by domain (DSBN). "
    "The default form has no batch norm; in the last row the literal form has one for all domains together.",
    CORPUS_DATASETS,
    (
        Row("ADI-SE", "adi-se", {"self_training": True}, method="ADI-SE", family="adi", form="ours"),
        Row("w/o ST", "adi-se", {}, method="w/o ST", family="adi", form="ours"),
        Row("w/o ST & DIAL", "adi-se", {"adaptation": "none"}, method="w/o ST & DIAL", family="adi", form="ours"),
        Row("literal: ADI-SE", "adi-paper", {"self_training": True}, method="ADI-SE", family="adi", form="literal"),
        Row("literal: w/o ST", "adi-paper", {}, method="w/o ST", family="adi", form="literal"),
        Row(
            "literal: w/o ST & DIAL",
            "adi-paper",
            {"adaptation": "none"},
            method="w/o ST & DIAL",
            family="adi",
            form="literal",
        ),
        Row(
            "literal: w/o ST & DIAL & DSBN",
            "adi-paper",
            {"adaptation": "none", "norm": "batch"},
            method="w/o ST & DIAL & DSBN",
            family="adi",
            form="literal",
        ),
    ),
    published=paper.TABLE_7,
)

TABLE_8 = Table(
    "table8",
    "Table 8: where the SE-blocks sit",
    "One block for all domains (1-SE), one for each domain (3-SE, of three domains), or one in each network (4-SE).",
    CORPUS_DATASETS,
    (
        Row("1-SE", "adi-se", {"adaptation": "se-global"}, method="1-SE", family="adi"),
        Row("3-SE", "adi-se", {"adaptation": "se"}, method="3-SE", family="adi"),
        Row("4-SE", "adi-se", {"adaptation": "se-network"}, method="4-SE", family="adi"),
    ),
    published=paper.TABLE_8,
)


def _mmoe(count: int) -> Row:
    """MMoE of as many networks as the others have; its default is one more than there are domains."""
    more = {} if count == 1 else {"experts": count}
    return Row(f"MMoE, K = {count}", "mmoe", beyond_domains=more, method="MMoE", networks=count)


FIGURE_3 = Table(
    "figure3",
    "Figure 3: the number of shared networks",
    "Every network has the same size, and at each number the three methods have equally many: D domain-specific and K "
    "shared ones in PLE and ADI, D + K experts in MMoE, all of them shared. In the paper PLE and ADI rise with K; MMoE "
    "rises, then falls.",
    CORPUS_DATASETS,
    tuple(
        row
        for count in (1, 2, 3, 4, 5)
        for row in (
            _mmoe(count),
            Row(f"PLE, K = {count}", "ple", {"shared_networks": count}, method="PLE", networks=count),
            Row(f"ADI, K = {count}", "adi-se", {"shared_networks": count}, method="ADI", family="adi", networks=count),
        )
    ),
    kind="curve",
)

FIGURE_5 = Table(
    "figure5",
    "Figure 5: what each domain looks at",
    "The mean weight that the adaptation layer gives to each feature in each domain, and what recall in that domain "
    "loses when the feature is zeroed behind it. Where weights tell what matters, the two rank the features alike.",
    CORPUS_DATASETS,
    (
        Row("ADI-SE", "adi-se", family="adi"),
        Row("ADI-VA", "adi-va", family="adi"),
    ),
    kind="interest",
)

TABLES = {table.name: table for table in (TABLE_2, TABLE_3, TABLE_6, TABLE_7, TABLE_8, FIGURE_3, FIGURE_5)}


def tables_named(name: str) -> tuple[Table, ...]:
    """One table, or all of them; raises `AdiError` with the known names for an unknown one."""
    if name == "all":
        return tuple(TABLES.values())
    if name not in TABLES:
        known = (*TABLES, "all")
        raise AdiError(f"'{name}' is no table that can be reproduced ({', '.join(known)}).{suggestion(name, known)}")
    return (TABLES[name],)


def datasets_of(tables: Iterable[Table], chosen: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """The data sets that each table runs on, by its name: all that it has, or those chosen of them.

    Of several tables, one that has none of those chosen is left out. Raises `AdiError` for a name that no table has.
    """
    tables = tuple(tables)
    known = tuple(dict.fromkeys(dataset for table in tables for dataset in table.datasets))
    wanted = known if chosen is None else tuple(chosen)
    for name in wanted:
        if name not in known:
            runs = f"{tables[0].name} runs" if len(tables) == 1 else "the tables run"
            raise AdiError(f"--datasets: '{name}': {runs} on {', '.join(known)}.{suggestion(name, known)}")
    kept = {table.name: tuple(name for name in table.datasets if name in wanted) for table in tables}
    return {name: datasets for name, datasets in kept.items() if datasets}
