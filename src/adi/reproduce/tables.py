"""The tables and figures of the paper as grids of models, settings and data sets.

A row is a model with settings on top of those tuned for the data set (`adi.reproduce.tuned`). Rows of two tables with
equal settings are trained once (`adi.reproduce.lines`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from adi.errors import ArgumentError, suggestion
from adi.reproduce import paper
from adi.reproduce.datasets import DATASETS, FACETS, MARKETPLACE
from adi.reproduce.paper import Published

Family = Literal["baseline", "compared", "adi"]
Form = Literal["any", "ours", "literal"]


@dataclass(frozen=True)
class Row:
    """A row of a table, or a point of a curve.

    Args:
        label: the row's name in our table.
        model: a name of `adi.models.catalog.MODELS`.
        settings: in addition to those tuned for the data set.
        beyond_domains: settings whose value is the number of the data set's domains plus this.
        method: the corresponding row of the paper's table.
        family: groups rows by colour.
        form: where the paper's ADI has two rows here, our default form or the paper's literal one.
        networks: the number of shared networks, a curve's x.
        absent: the reason why a data set has no such row, by data set.
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
        """The row's settings on a data set."""
        by_domains = {name: DATASETS[dataset].domains + more for name, more in self.beyond_domains.items()}
        return {**self.settings, **by_domains}


@dataclass(frozen=True)
class Table:
    """A table or figure: `measure` is the one it shows, `published` the paper's numbers, where it has any."""

    name: str
    title: str
    about: str
    datasets: tuple[str, ...]
    rows: tuple[Row, ...]
    measure: str = "recall@50"
    published: Published | None = None
    kind: Literal["methods", "curve", "interest", "online"] = "methods"


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

SEQUENTIAL = Row("sequential rules", "sequential-rules", family="baseline")
PERSONAL = Row(
    "personal popularity",
    "personal-popularity",
    family="baseline",
    absent=dict.fromkeys(
        (name for name in (*CORPUS_DATASETS, FACETS) if name != "complete-journey"),
        "lists leave out the items of the history",
    ),
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

ADI_VARIANTS = (
    Row("ADI-LT", "adi-lt", method="ADI-LT", family="adi", form="ours"),
    Row("ADI-VA", "adi-va", method="ADI-VA", family="adi", form="ours"),
    Row("ADI-SE", "adi-se", method="ADI-SE", family="adi", form="ours"),
    Row("ADI-SE (MAX)", "adi-se-max", method="ADI-SE (MAX)", family="adi", form="ours"),
    Row("ADI-SE, literal", "adi-paper", method="ADI-SE", family="adi", form="literal"),
)

TABLE_2 = Table(
    "table2",
    "Table 2: comparison with other methods",
    "Every model on the same inputs and with networks of the same size: the paper's baselines, ADI in its four "
    "variants and in the paper's literal form, and baselines of our own.",
    (*CORPUS_DATASETS, FACETS),
    (
        *BASELINES,
        SEQUENTIAL,
        PERSONAL,
        *COMPARED,
        *ADI_VARIANTS,
    ),
    published=paper.TABLE_2[500],
)

TABLE_3 = Table(
    "table3",
    "Table 3: public data of three markets",
    "The data of the paper's Table 3: purchases in three markets, ids alone. Each side has a single feature, so there "
    "is no interest adaptation, and ADI has no variants.",
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
    "Three ways in which ADI-SE fuses the outputs of its shared and its domain-specific networks.",
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
    "The default form has no batch norm; in the last row the literal form has one for all domains.",
    (*CORPUS_DATASETS, FACETS),
    (
        Row("ADI-SE", "adi-se", {"self_training": True}, method="ADI-SE", family="adi", form="ours"),
        Row("w/o ST", "adi-se", {}, method="w/o ST", family="adi", form="ours"),
        Row("w/o ST & DIAL", "adi-se", {"adaptation": "none"}, method="w/o ST & DIAL", family="adi", form="ours"),
        Row("w/o ST, VA in place of SE", "adi-va", family="adi"),
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
    "Table 8: position of the SE-blocks",
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
    """MMoE with as many networks as the others; its default is one more than the number of domains."""
    more = {} if count == 1 else {"experts": count}
    return Row(f"MMoE, K = {count}", "mmoe", beyond_domains=more, method="MMoE", networks=count)


FIGURE_3 = Table(
    "figure3",
    "Figure 3: the number of shared networks",
    "All networks have the same size, and for each K the three methods have equally many: D domain-specific and K "
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
    "Figure 5: feature weights by domain",
    "The mean weight that the adaptation layer gives to each feature in each domain, and the fall of recall in that "
    "domain when the feature is zeroed behind the layer. Where weights show importance, the two rank features alike.",
    CORPUS_DATASETS,
    (
        Row("ADI-SE", "adi-se", family="adi"),
        Row("ADI-VA", "adi-va", family="adi"),
    ),
    kind="interest",
)

LIVE = Table(
    "live",
    "A live log",
    "Every model with the clicks before each query at hand: counters as models, and trends in every two-tower model. "
    "The second table is of the frozen test, in which queries know no click of the test.",
    ("globo-news-live", "globo-news-last-live", "globo-news-random-live"),
    (
        Row("clicks, halved every 30 minutes", "popularity", {"half_life": "30m"}, family="baseline"),
        Row("the same with co-clicks", "co-clicks", {"half_life": "30m"}, family="baseline"),
        *BASELINES,
        *COMPARED,
        *ADI_VARIANTS,
    ),
)

TABLE_9 = Table(
    "table9",
    "Table 9: online A/B test, simulated",
    "ADI against DNN on live traffic. The paper’s is Alibaba’s; here the traffic is simulated. Each method’s bundle "
    "serves half of the users of the marketplace, who click by its hidden truth; advertisers pay by a second-price "
    "auction. RPM is revenue per thousand lists, PPC revenue per click, CTR clicks per list.",
    (MARKETPLACE,),
    (
        Row("DNN", "dnn", method="DNN"),
        Row("ADI-SE", "adi-se", method="ADI-SE", family="adi"),
        Row("ADI-VA", "adi-va", method="ADI-VA", family="adi"),
    ),
    kind="online",
)

TABLES = {
    table.name: table for table in (TABLE_2, TABLE_3, TABLE_6, TABLE_7, TABLE_8, TABLE_9, FIGURE_3, FIGURE_5, LIVE)
}


def tables_named(name: str) -> tuple[Table, ...]:
    """The table of a name, or all for "all". Raises `ArgumentError` for an unknown name."""
    if name == "all":
        return tuple(TABLES.values())
    if name not in TABLES:
        known = (*TABLES, "all")
        raise ArgumentError("table", f"'{name}' is not one of {', '.join(known)}.{suggestion(name, known)}")
    return (TABLES[name],)


def datasets_of(tables: Iterable[Table], chosen: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """The data sets of each table by its name: all that it has, or the chosen ones among them.

    A table that has none of the chosen ones is left out. Raises `ArgumentError` for a name that no table has.
    """
    tables = tuple(tables)
    known = tuple(dict.fromkeys(dataset for table in tables for dataset in table.datasets))
    chosen = known if chosen is None else tuple(chosen)
    for name in chosen:
        if name not in known:
            runs = f"{tables[0].name} runs" if len(tables) == 1 else "the tables run"
            raise ArgumentError("datasets", f"'{name}': {runs} on {', '.join(known)}.{suggestion(name, known)}")
    by_table = {table.name: tuple(name for name in table.datasets if name in chosen) for table in tables}
    return {name: datasets for name, datasets in by_table.items() if datasets}
