"""Results of the commands on standard output: tables, sentences and JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.measure import Measurement
from rich.table import Table

from adi.cli.screen import OUT
from adi.durations import duration_text

if TYPE_CHECKING:
    from adi.data.coding import Unknown
    from adi.data.manifest import Manifest
    from adi.runs.metrics import Metrics

FEW_VALIDATION = 500
"""With fewer validation rows the standard error of a recall is above .02, more than most epochs gain or lose."""

FEW_OUTSIDE = 0.01
"""A larger share of test rows whose item is not in the corpus is worth a sentence."""

MOST_NAMED = 3
"""The largest number of domains with few validation rows that are named."""


def say(content: str | Table) -> None:
    """Print a sentence or a table. A table that does not fit is wider than the terminal; no word or number is cut."""
    if isinstance(content, Table):
        for column in content.columns:
            if column.no_wrap:  # rich would cut its cells
                column.min_width = max(cell_len(str(cell)) for cell in (column.header, *column.cells))
        narrowest = Measurement.get(OUT, OUT.options.update(max_width=1_000_000), content).minimum
        content.width = narrowest if narrowest > OUT.width else None
    OUT.print(content)


def say_json(content: object) -> None:
    """Print one line of JSON, the result of a command; a value that is not JSON, such as NaN, is a bug."""
    OUT.out(json.dumps(content, allow_nan=False))


def plain_table(title: str | None, *columns: str) -> Table:
    """A table narrow enough for ten columns on a terminal of 80 characters."""
    return Table(*columns, title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)


def counts_table(manifest: "Manifest") -> Table:
    """The numbers of rows, users and items in each domain of a prepared dataset."""
    table = plain_table(f"{manifest.rows.read:,} rows read, {manifest.rows.kept:,} kept", "domain")
    columns = ["train", "validation", "test", "users", "items", "corpus"]
    some = ("duplicates", "seen", "outside")
    columns += [name for name in some if any(getattr(counts, name) for counts in manifest.by_domain.values())]
    for column in columns:
        table.add_column(column, justify="right")
    for domain, counts in manifest.by_domain.items():
        table.add_row(domain, *(f"{getattr(counts, column):,}" for column in columns))
    return table


def left_out(manifest: "Manifest", folder: str) -> list[str]:
    """Sentences on what a prepared dataset in a folder leaves out: rows of the log and of tables, and values."""
    sentences = []
    if manifest.rows.set_aside:
        sentences.append(f"Set aside: {_by_reason(manifest.rows.set_aside)} (see {folder}/set_aside.parquet)")
    for name, rows in manifest.tables.items():
        if rows.set_aside:
            sentences.append(f"Set aside of table {name}: {_by_reason(rows.set_aside)}")
    for feature, values in manifest.ignored_values.items():
        sentences.append(f"Not a finite number, taken as missing: {values:,} values of feature {feature}")
    return sentences


def repeats(manifest: "Manifest") -> list[str]:
    """Sentences on duplicates in the log, and on test rows whose item the user had before."""
    counts = manifest.by_domain.values()
    duplicates, seen = (sum(getattr(domain, name) or 0 for domain in counts) for name in ("duplicates", "seen"))
    sentences = []
    if duplicates:
        same, remedy = "user, item, domain and time", "Leave them out"
        if manifest.time is None:
            same, remedy = "user, item and domain", "If they are not repeats, leave them out"
        sentence = f"{same}. {remedy}: duplicates: drop under interactions in the schema."
        if "duplicate" in manifest.rows.set_aside:
            sentence = f"{same}, but not in the context."
        sentences.append(f"Duplicates: {duplicates:,} rows equal another in {sentence}")
    if seen and not manifest.repeats:
        share = seen / sum(domain.test for domain in counts)
        sentences.append(
            f"Seen: {seen:,} test rows ({share:.1%}) are of an item that the user had before, which lists leave out. "
            "If such an item may be retrieved again: repeats: true in the schema."
        )
    return sentences


def outside_corpus(manifest: "Manifest") -> str | None:
    """A sentence on test rows whose item is not in the corpus, with the recall that is left; None up to 1 % of them."""
    counts = [domain for domain in manifest.by_domain.values() if domain.test]
    outside = sum(domain.outside or 0 for domain in counts)
    share = outside / sum(domain.test for domain in counts)
    if share <= FEW_OUTSIDE:
        return None
    most = sum(1 - (domain.outside or 0) / domain.test for domain in counts) / len(counts)
    return (
        f"Outside: {outside:,} test rows ({share:.1%}) are of an item that is not in the corpus of their domain: the "
        f"mean recall against it is {most:.3f} at most. If such items can be retrieved: corpus in the schema."
    )


def few_validation(manifest: "Manifest") -> str | None:
    """A sentence on the domains with too few validation rows to choose an epoch by; None where there are none."""
    few = sorted(
        (counts.validation, name) for name, counts in manifest.by_domain.items() if counts.validation < FEW_VALIDATION
    )
    if not few:
        return None
    named = ", ".join(f"{name} {rows:,}" for rows, name in few[:MOST_NAMED])
    more = f" and under {FEW_VALIDATION} in {len(few) - MOST_NAMED:,} more" if len(few) > MOST_NAMED else ""
    fewest = few[0][0]
    error = f" On {fewest} the standard error of a recall of a half is {0.5 / fewest**0.5:.3f}." if fewest else ""
    remedy = {
        "users": "Unless validation_least under split in the schema was lowered, no more can be held out",
        "time": "More: validation under split in the schema, 0.5 at most",
    }[manifest.validation_by]
    return f"Few validation rows to choose the best epoch by: {named}{more}.{error} {remedy}."


def next_step(manifest: "Manifest", out: Path) -> str:
    """The commands that come after `adi prepare`: a baseline first, which takes seconds, then a model."""
    baseline = f"adi train {out} --model item-knn --out baseline"
    if not any(counts.validation for counts in manifest.by_domain.values()):
        return (
            f"Next: {baseline}. Other models need validation rows, and there are none: users need three rows or more "
            "in a domain, or give validation under split in the schema a larger share."
        )
    return f"Next: {baseline}, and: adi train {out} --model adi-se --out run"


def long_half_lives(manifest: "Manifest") -> str | None:
    """A sentence on half-lives of trends that are longer than the log; None where there are none."""
    trend = manifest.trend
    if trend is None or trend.span is None:
        return None
    lives = trend.half_lives + (trend.co_clicks.half_lives if trend.co_clicks else ()) + trend.audience
    longer = sorted({life for life in lives if life > trend.span})
    if not longer:
        return None
    lengths = (trend.span, *longer)
    span, *texts = (duration_text(length) if manifest.time == "timestamp" else f"{length:g}" for length in lengths)
    return (
        f"Half-lives longer than the log, which spans {span}: {', '.join(texts)}. Such a count is nearly that of all "
        "clicks so far, and what a model learns from it may not hold once the log is longer."
    )


def drift(manifest: "Manifest") -> str | None:
    """A sentence on a log whose newest rows say more about what comes next than all rows do; None for any other."""
    measured = manifest.drift
    if measured is None:
        return None
    return (
        f"Drift: popularity with a half-life of {measured.half_life} finds {measured.recall:.0%} of the validation "
        f"rows in lists of 50, of all time {measured.recall_of_all:.0%}. So newer rows count more in trainings "
        "(row_half_life). Lists are better still if they know the clicks before each query: trend in the schema "
        "(docs/trends.md)."
    )


def _by_reason(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in rows.items())


def metrics_table(metrics: "Metrics", names: Sequence[str], title: str) -> Table:
    """The named measures of each domain and their means; an asterisk marks small domains."""
    table = plain_table(title)
    table.add_column("domain", no_wrap=True)
    for name in ("queries", "corpus", *names):
        table.add_column(name, justify="right")
    for domain, measures in metrics.domains.items():
        values = [number(measures[name]) for name in names]
        name = f"{domain} *" if domain in metrics.small else domain
        table.add_row(name, f"{measures['queries']:,}", f"{measures['corpus']:,}", *values)
    table.add_section()
    table.add_row("mean", "", "", *(number(metrics.mean[name]) for name in names))
    table.add_row("over queries", "", "", *(number(metrics.mean_over_queries[name]) for name in names))
    return table


def small_domains(metrics: "Metrics") -> list[str]:
    """A sentence on the domains whose measures say little; none where there are none."""
    if not metrics.small:
        return []
    names, in_mean = ", ".join(metrics.small), "left out of" if metrics.left_out else "in"
    return [f"* fewer than 100 test rows, or no more items than the shortest list: {names}; {in_mean} the mean."]


def seen_items(metrics: "Metrics") -> list[str]:
    """A sentence on the queries for an item of the user's history; none where there are none."""
    groups = [group for groups in metrics.breakdown.get("item_in_history", {}).values() for group in groups]
    others = [group for group in groups if group.group == "0"]
    total, new = (sum(group.queries for group in some) for some in (groups, others))
    if new == total:
        return []
    sentence = f"{total - new:,} of the {total:,} queries ask for an item of the user's history"
    sentence += ", which lists leave out: misses." if metrics.exclude_seen else "."
    if new:
        name = f"recall@{metrics.ks[0]}"
        recall = sum((group.measures[name] or 0) * group.queries for group in others) / new
        sentence += f" Over the others, {name} is {number(recall)}."
    return [sentence]


def other_data(unknown: Sequence["Unknown"], prepared: Path | None, model: str) -> list[str]:
    """Sentences on a run that is used on another dataset: the values there that it does not know, by feature."""
    if prepared is None:
        return []
    if not unknown:
        return [f"{model} has no weights: it is fitted to the training rows of {prepared}."]
    lines = [str(counted) for counted in unknown if counted.unknown]
    return [f"Unknown to the run in {prepared}:", *lines] if lines else [f"The run knows all values in {prepared}."]


def number(value: float | None) -> str:
    """A measure with four decimals; a dash where it is undefined."""
    return "–" if value is None else f"{value:.4f}"
