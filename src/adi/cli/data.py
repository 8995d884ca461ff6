"""Commands that lead to a prepared dataset: init, simulate, dataset, prepare."""

from pathlib import Path
from typing import Annotated

import typer

from adi.cli.options import AsJson
from adi.cli.progress import progress_bar, working
from adi.cli.show import (
    counts_table,
    drift,
    few_validation,
    left_out,
    long_half_lives,
    next_step,
    outside_corpus,
    repeats,
    say,
    say_json,
)

Out = Annotated[Path, typer.Option("--out", help="Folder to write; it must be empty or not exist.")]


def init(
    tables: Annotated[
        list[str],
        typer.Argument(help="The log and the tables of users and items: files, globs or addresses in a store."),
    ],
    out: Annotated[Path, typer.Option("--out", help="The schema file to write.")] = Path("schema.yaml"),
    user: Annotated[str | None, typer.Option(help="The log's user column, if the guess fails.")] = None,
    item: Annotated[str | None, typer.Option(help="The log's item column, if the guess fails.")] = None,
    domain: Annotated[str | None, typer.Option(help="The log's domain column, if the guess fails.")] = None,
    time: Annotated[str | None, typer.Option(help="The log's time column, if the guess fails.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a first schema with comments, guessed from your tables.

    Example: [bold]adi init clicks.parquet users.csv items.csv[/]
    """
    from adi.errors import ArgumentError
    from adi.guessing.draft import guess_schema

    if out.exists():
        raise ArgumentError("out", f"{out}: exists already. Remove it, or choose another file.")
    draft = guess_schema(tables, out.parent, user=user, item=item, domain=domain, time=time)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(draft.text, encoding="utf-8")
    if as_json:
        say_json({"schema": str(out), "notes": list(draft.notes)})
        return
    for note in draft.notes:
        say(note)
    say(f"Wrote {out}. Read it, correct it, then: adi prepare {out} --out prepared")


def simulate(
    out: Annotated[Path, typer.Argument(help="Folder to write; it must be empty or not exist.")],
    interactions: Annotated[int, typer.Option(help="Rows of the log.")] = 300_000,
    users: Annotated[int | None, typer.Option(help="Users.", show_default="interactions / 15")] = None,
    items: Annotated[int | None, typer.Option(help="Items.", show_default="interactions / 60, at least 200")] = None,
    domains: Annotated[int, typer.Option(help="Domains; 3 domains have the paper's proportions.")] = 3,
    days: Annotated[int, typer.Option(help="Days that the log covers.")] = 3,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 0,
    shared_strength: Annotated[
        float, typer.Option(help="Strength of the interest that a user has in every domain.")
    ] = 2.5,
    specific_strength: Annotated[
        float, typer.Option(help="Strength of the interest that holds in one domain only.")
    ] = 1.5,
    facets: Annotated[
        int, typer.Option(help="Features of users, and of items, that tell of what is taken in one domain alone.")
    ] = 0,
    facet_strength: Annotated[float, typer.Option(help="Strength of the interest that they make up.")] = 1.5,
    bid_strength: Annotated[float, typer.Option(help="Effect of an item's bid in its domain.")] = 0.5,
    quality_strength: Annotated[float, typer.Option(help="Effect of an item's quality in its domain.")] = 0.5,
    popularity_skew: Annotated[float, typer.Option(help="Exponent of the items' popularity.")] = 0.6,
    trends: Annotated[
        float,
        typer.Option(
            help="Share of attention on items that arrive and fade, and on bursts; above 0, days have busy hours."
        ),
    ] = 0.0,
    profile_strength: Annotated[
        float, typer.Option(help="Share of profile features that tell of the user's interest.")
    ] = 0.6,
    user_overlap: Annotated[float, typer.Option(help="Share of users in two or more domains.")] = 0.49,
    item_overlap: Annotated[float, typer.Option(help="Share of items in two or more domains.")] = 0.79,
    as_json: AsJson = False,
) -> None:
    """Simulate an ads marketplace with known truth: writes tables, schema.yaml and the truth.

    Example: [bold]adi simulate tables --interactions 1000000 --domains 5[/]
    """
    from adi.marketplace.simulation import Marketplace
    from adi.marketplace.simulation import simulate as run

    settings = Marketplace(
        users=users if users is not None else max(interactions // 15, 2),
        items=items if items is not None else max(interactions // 60, 200),
        interactions=interactions,
        domains=domains,
        days=days,
        seed=seed,
        shared_strength=shared_strength,
        specific_strength=specific_strength,
        facets=facets,
        facet_strength=facet_strength,
        bid_strength=bid_strength,
        quality_strength=quality_strength,
        popularity_skew=popularity_skew,
        trends=trends,
        profile_strength=profile_strength,
        user_overlap=user_overlap,
        item_overlap=item_overlap,
    )
    with progress_bar() as bar:
        run(out, settings, bar)
    _wrote(out, as_json=as_json)


def _wrote(out: Path, *, as_json: bool) -> None:
    """Name the folder of tables that was written, and its schema."""
    if as_json:
        say_json({"folder": str(out), "schema": str(out / "schema.yaml")})
    else:
        say(f"Wrote {out}. Next: adi prepare {out}/schema.yaml --out prepared")


def dataset(
    name: Annotated[str, typer.Argument(help="xmrec-wsdm22, globo-news, complete-journey or movielens-1m.")],
    source: Annotated[Path, typer.Option(help="Folder with the published files.")],
    out: Out,
    domain: Annotated[str | None, typer.Option(help="globo-news: the column that is the domain.")] = None,
    values: Annotated[
        str | None, typer.Option(help="globo-news: the values of that column to keep, as in 1,3,4.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Convert a public data set into tables and a schema; docs/datasets.md says where to get each.

    Example: [bold]adi dataset xmrec-wsdm22 --source DIR --out tables[/]
    """
    from adi.sources.catalog import convert

    kept = None if values is None else [value.strip() for value in values.split(",")]
    with working(f"converting {name}"):
        convert(name, source, out, domain=domain, values=kept)
    _wrote(out, as_json=as_json)


def prepare(
    schema: Annotated[Path, typer.Argument(help="schema.yaml, or the folder that holds it.")],
    out: Out,
    engine: Annotated[
        str, typer.Option(help="duckdb, or spark; or a Spark master, such as spark://host:7077 or local[4].")
    ] = "duckdb",
    memory: Annotated[
        str, typer.Option(help="Memory of DuckDB, or of a Spark on this machine; what does not fit goes to disk.")
    ] = "2GB",
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Fail, and name them, where faulty rows or values would be left out."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prepare the tables of a schema for training: arrays on disk, each domain's corpus, what was set aside and why.

    Example: [bold]adi prepare tables/schema.yaml --out prepared[/]
    """
    from adi.preparation.prepare import prepare as run

    with progress_bar() as bar:
        manifest = run(schema, out, engine=engine, memory=memory, strict=strict, progress=bar)
    notes = [*left_out(manifest, str(out)), *repeats(manifest)]
    sentences = (outside_corpus, few_validation, long_half_lives, drift)
    notes += filter(None, (sentence(manifest) for sentence in sentences))
    if as_json:
        content = manifest.model_dump(mode="json", exclude={"files"})
        say_json({"folder": str(out), "notes": notes, **content})
        return
    say(counts_table(manifest))
    for note in notes:
        say(note)
    say(f"Wrote {out}. {next_step(manifest, out)}")
