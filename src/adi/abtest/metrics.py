"""The metrics of a test: ratios of two sums over users, of which one user is one observation."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A ratio of two columns of the users' totals (`adi.abtest.totals`), times `scale`.

    `before` are the columns of the period before the test that correspond to the two, for CUPED; None: there are none.
    `decimals` and `percent` say how it is shown.
    """

    name: str
    title: str
    numerator: str
    denominator: str
    scale: float = 1.0
    before: tuple[str, str] | None = None
    needs_charge: bool = False
    percent: bool = False

    def text(self, value: float | None) -> str:
        """A value as it is shown."""
        if value is None:
            return "–"
        return f"{value:.2%}" if self.percent else f"{value:,.4g}"


METRICS = {
    metric.name: metric
    for metric in (
        Metric(
            name="rpm",
            title="RPM",
            numerator="charge",
            denominator="exposures",
            scale=1000.0,
            before=("charge_before", "exposures_before"),
            needs_charge=True,
        ),
        Metric(
            name="ppc",
            title="PPC",
            numerator="charge",
            denominator="clicks",
            before=("charge_before", "clicks_before"),
            needs_charge=True,
        ),
        Metric(
            name="ctr",
            title="CTR",
            numerator="clicks",
            denominator="exposures",
            before=("clicks_before", "exposures_before"),
            percent=True,
        ),
        Metric(name="retention", title="Retention", numerator="retained", denominator="eligible", percent=True),
    )
}
"""RPM: charges per thousand exposures. PPC: charge per click. CTR: clicks per exposure. Retention: the share of users
who come again. An exposure is a list that was served."""
