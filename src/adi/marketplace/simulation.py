"""A simulated ads marketplace of several domains, whose truth is known.

Methods can be tried on it, at any size, against a known answer: how far is a model from the best possible one, and does
it gain from several domains only where they differ? The marketplace is not tuned to any model: it has no network, no
attention and none of ADI's layers, and a strength of 0 removes each effect.

**Interests.** A user u has two interests: groups `g1, g2` with shares `s_u, 1 - s_u`. An item v has a cluster `c(v)`.
With vectors `p, q` of groups and clusters (standard normal, of length L; siblings share half of their variance), one
pair for all domains and one for each domain d, the interest of a group in a cluster is

    a_d(g, c) = shared_strength <p_g, q_c> / sqrt(L)  +  specific_strength <p_g^d, q_c^d> / sqrt(L)

**Facets.** With `facets`, features tell of what is taken in one domain and are noise in the others: each is a feature
of users and one of items, of which groups and clusters have values, x_f(g) and y_f(c). To a_d comes, with a table M_f
of standard normal effects for each of the n_d facets f of the domain (`adi.marketplace.facets`)

    facet_strength / sqrt(n_d) sum over f of M_f[x_f(g), y_f(c)]

**Items.** An item has an effect that is the same for all users: its popularity (Zipf; `rank_v` is a random order, one
for all domains), and its bid and quality in the domain (standard normal), which have no effect in other domains:

    w_d(v) = - popularity_skew log(rank_v)  +  bid_strength bid_dv  +  quality_strength quality_dv

**Clicks.** A click of u in d is an item of the domain's eligible items `V_d`, drawn from the softmax of the true score

    f(v | u, d) = log( s_u exp a_d(g1, c(v)) + (1 - s_u) exp a_d(g2, c(v)) )  +  w_d(v)
    P(v | u, d) = exp f(v | u, d) / sum over v' in V_d of exp f(v' | u, d)

exactly, since it factors into interest, cluster and item (`adi.marketplace.sampler`). Items that the user has clicked
before, in any domain, are left out of `V_d`. Without the specific part, facets, bids and qualities, f is the same
in all domains.

**Time.** A user's clicks fall into visits of about four. One uniform number of the visit selects the interest of its
clicks: each click follows the law above, but the clicks of a visit are correlated, so that recent ones say more. A
visit starts on a uniform day, around the hour of its interest's group.

**Trends.** With `trends`, half of the items are new: they arrive during the log, their attention rises within a quarter
of a half-life, and halves with each half-life from there. Half-lives vary by item around those of the domain: 2 hours
in feed, 8 in search, 24 in cart. A few of the other items have bursts in one domain. An item's attention in a domain at
a moment, `h_d(v, t)`, is 1 for items that last, and adds to the score (`adi.marketplace.attention`):

    f(v | u, d, t) = f(v | u, d)  +  log h_d(v, t)

Peaks are such that what changes has the share `trends` of a domain's attention on average. Visits start, and items
arrive, at the rates of the hours of a day (`adi.marketplace.clock`): nights are quiet, evenings busy. Without trends h
is 1.

**Overlap.** Users are active and items eligible in two or more domains with probability `user_overlap`, `item_overlap`.
Domains are drawn with weights `size^0.5` (users) and `size^0.25` (items): a small domain has fewer users, with fewer
clicks each. Each active user has a click or more; activity is log-normal.

**Features** reflect all this with noise (`adi.marketplace.features`); statistics come from an earlier period, of which
new items have none.

**Split.** The test is the last clicks; with trends it is the clicks of the last eight hours.
"""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adi.data.folder import new_folder
from adi.errors import ArgumentError
from adi.marketplace.attention import draw_attention, save_attention
from adi.marketplace.clicks import Clicks, draw_clicks
from adi.marketplace.clock import FIRST_DAY, HOUR
from adi.marketplace.features import draw_traits, item_tables, named, user_tables
from adi.marketplace.sampler import ClickSampler
from adi.marketplace.schema import schema_text
from adi.marketplace.settings import Marketplace
from adi.marketplace.truth import Truth, draw_truth, save_truth
from adi.marketplace.users import ClickCounts, draw_users
from adi.progress import Report, reporting

__all__ = ["Marketplace", "simulate"]

ROW_GROUPS_PER_PART = 40
"""Row groups of a file of the log: about ten million rows."""


def simulate(out: str | Path, settings: Marketplace | None = None, progress: bool | Report = True) -> None:
    """Simulate a marketplace: write its log, feature tables, ``schema.yaml`` and ``truth/`` into a new folder.

        adi.simulate("market", adi.Marketplace(interactions=1_000_000, users=50_000))

    The log streams to disk: memory depends on the numbers of items and of (group, cluster, domain), not on that of the
    interactions.

    Args:
        out: the folder to write, which must be empty or not exist. It appears when it is complete.
        settings: the size and the strengths of the marketplace.
        progress: show a bar on standard error, in a terminal or a notebook; or a function to report to.

    Raises:
        ArgumentError: if `out` is not free, and for settings with which a domain has no users or items, more users than
            clicks, or too few items for its clicks.
    """
    settings = settings or Marketplace()
    with reporting(progress) as report, new_folder(Path(out)) as folder:
        truth = draw_truth(settings)
        active, activity = np.zeros(settings.domains, dtype=np.int64), np.zeros(settings.domains)
        for block in draw_users(settings):
            active += (block.activity > 0).sum(axis=0)
            activity += block.activity.sum(axis=0)
        _check_domains(settings, active, truth.eligible.sum(axis=0))
        attention = draw_attention(truth)
        (folder / "truth").mkdir()
        save_truth(truth, folder / "truth")
        save_attention(attention, truth, folder / "truth")
        for name, table in item_tables(truth, attention).items():
            pq.write_table(table, folder / f"{name}.parquet")
        (folder / "schema.yaml").write_text(schema_text(settings), encoding="utf-8")
        counts = ClickCounts(settings.domain_sizes, active, activity)
        written = _write_clicks(truth, ClickSampler(truth, attention), counts, folder, report)
        domains = {
            "domain": settings.domain_names,
            "users": active,
            "items": truth.eligible.sum(axis=0),
            "interactions": written,
            "given_up": settings.domain_sizes - written,
        }
        pq.write_table(pa.table(domains), folder / "truth" / "domains.parquet")


def _write_clicks(
    truth: Truth,
    sampler: ClickSampler,
    counts: ClickCounts,
    folder: Path,
    report: Report,
) -> np.ndarray:
    """Draw and write the users' tables and the log, block by block; returns the rows of each domain, (D,)."""
    settings, done = truth.settings, 0
    traits = draw_traits(settings)
    written = np.zeros(settings.domains, dtype=np.int64)
    with _Parts(folder) as parts:
        for block in draw_users(settings):
            block_counts = counts.of(block)
            for name, table in user_tables(truth, traits, block, block_counts).items():
                parts.append(f"{name}.parquet", table)
            clicks = draw_clicks(settings, sampler, block, block_counts, traits.peak_hour)
            part = block.number // ROW_GROUPS_PER_PART
            parts.append(f"interactions/part-{part:05}.parquet", _log_table(settings, clicks))
            written += np.bincount(clicks.domain, minlength=settings.domains)
            done += int(block_counts.sum())
            report("simulating", done, settings.interactions)
    return written


def _check_domains(settings: Marketplace, users: np.ndarray, items: np.ndarray) -> None:
    """Raise `ArgumentError` if the clicks of a domain (D,) cannot be distributed to its users, or over its items."""
    names, sizes = settings.domain_names, settings.domain_sizes
    for name, active, eligible in zip(names, users, items, strict=True):
        if active == 0 or eligible == 0:
            raise ArgumentError(
                "domains",
                f"domain '{name}' would have {active} users and {eligible} items. Give fewer domains, or more users "
                "and items.",
            )
    worst = int(np.argmax(users / settings.domain_shares))
    if sizes[worst] < users[worst]:
        needed = math.ceil(users[worst] / settings.domain_shares[worst])
        raise ArgumentError(
            "interactions",
            f"domain '{names[worst]}' would have {sizes[worst]} clicks for {users[worst]} users. "
            f"Give {needed} or more interactions, or fewer users.",
        )
    for name, clicks, active, eligible in zip(names, sizes, users, items, strict=True):
        if clicks > active * eligible / 5:
            raise ArgumentError(
                "interactions",
                f"domain '{name}' would have {clicks / active:.0f} clicks for each user, of {eligible} items; one in "
                "five is the most. Give fewer interactions, or more items or users.",
            )


class _Parts:
    """Parquet files that grow block by block: one writer for each table; the log continues in further files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[str, tuple[str, pq.ParquetWriter]] = {}

    def __enter__(self) -> "_Parts":
        return self

    def __exit__(self, *_: object) -> None:
        for _name, writer in self._writers.values():
            writer.close()

    def append(self, name: str, table: pa.Table) -> None:
        """Add a row group to the file `name`; a name with the same text before its hyphen closes the file before."""
        series = name.split("-")[0]
        current, writer = self._writers.get(series, ("", None))
        if current != name:
            if writer is not None:
                writer.close()
            path = self._folder / name
            path.parent.mkdir(exist_ok=True)
            writer = pq.ParquetWriter(path, table.schema)
            self._writers[series] = (name, writer)
        writer.write_table(table, row_group_size=max(1, table.num_rows))


def _log_table(settings: Marketplace, clicks: Clicks) -> pa.Table:
    return pa.table(
        {
            "user_id": clicks.user + 1,
            "item_id": clicks.item + 1,
            "domain": named(settings.domain_names, clicks.domain),
            "ts": pa.array(FIRST_DAY + clicks.time).view(pa.timestamp("us")),
            "hour": (clicks.time // HOUR % 24).astype(np.int8),
        }
    )
