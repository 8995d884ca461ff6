"""The schema.yaml of a simulated marketplace."""

import numpy as np
import yaml

from adi.marketplace.clock import DAY, FIRST_DAY, HOUR
from adi.marketplace.facets import facet_names
from adi.marketplace.settings import Marketplace

TEST_HOURS = 8
"""Hours at the end of the log that are the test where there are trends."""


COUNTERS = {
    "half_lives": ["1h", "4h", "16h", "2d"],
    "delay": "1m",
    "co_clicks": {"half_lives": ["8h", "2d"]},
    "audience": {"half_lives": ["8h"]},
}
"""Clicks by time in a marketplace with trends, whose items have half-lives of 2 to 24 hours."""


def schema_text(settings: Marketplace) -> str:
    """The schema of the tables that `adi.marketplace.simulation` writes, as YAML."""

    def feature(name: str, kind: str, table: str | None = None, **more: object) -> dict[str, object]:
        return {"name": name, "kind": kind, **({"table": table} if table else {}), **more}

    names = facet_names(settings)
    content = {
        "domains": {"column": "domain", "values": list(settings.domain_names)},
        "interactions": {"path": "interactions/*.parquet", "user": "user_id", "item": "item_id", "time": "ts"},
        "tables": {
            "users": {"path": "users.parquet", "key": "user_id"},
            "items": {"path": "items.parquet", "key": "item_id"},
            "user_domain": {"path": "user_domain.parquet", "key": ["user_id", "domain"]},
            "item_domain": {"path": "item_domain.parquet", "key": ["item_id", "domain"]},
        },
        "features": {
            "user": [
                feature("history", "behaviours", length=50),
                feature("history_here", "behaviours", length=20, domain="same"),
                feature("age_band", "categorical", "users"),
                feature("city", "categorical", "users"),
                feature("segments", "multi", "users"),
                feature("user_past_clicks", "numeric", "user_domain", column="past_clicks"),
                *(feature(f"user_{name}", "categorical", "users", column=name) for name in names),
            ],
            "item": [
                feature("item_id", "id"),
                feature("category", "categorical", "items"),
                feature("advertiser", "categorical", "items"),
                feature("tags", "multi", "items"),
                feature("price", "numeric", "items"),
                feature("bid", "numeric", "item_domain"),
                feature("past_impressions", "numeric", "item_domain"),
                feature("past_clicks", "numeric", "item_domain"),
                feature("past_ctr", "numeric", "item_domain"),
                *(feature(name, "categorical", "items") for name in names),
            ],
            "context": [feature("hour", "categorical")],
        },
        "corpus": {"path": "item_domain.parquet", "item": "item_id", "domain": "domain"},
        "split": {"kind": "last"} if settings.trends == 0 else {"kind": "time", "at": _test_start(settings)},
    }
    if settings.trends:
        content["trend"] = COUNTERS
    heading = (
        "# Written by adi simulate: a simulated marketplace. truth/ holds what is true in it; no feature reads it.\n"
    )
    return heading + yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=120)


def _test_start(settings: Marketplace) -> str:
    start = np.datetime64(FIRST_DAY + settings.days * DAY - TEST_HOURS * HOUR, "us")
    return str(start.astype("datetime64[s]"))
