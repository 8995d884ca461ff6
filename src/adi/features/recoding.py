"""Prepared data read by the coding of a run: the codes of its features are the rows of the run's embedding tables.

The data may have been prepared later than that of the training: with other rows, users and items, in another order and
numbered anew. A value that the run does not know has the code of an unseen value.
"""

from collections.abc import Sequence
from pathlib import Path

from adi.data.coding import Codes, Coding, Recoding
from adi.data.dataset import Dataset
from adi.data.manifest import FeatureInfo
from adi.errors import AdiError, suggestion
from adi.features.kinds import KINDS


def open_recoded(folder: str | Path, coding: Coding, *, all_rows: bool = False) -> Dataset:
    """Open a prepared dataset by another coding; with `all_rows`, its validation rows count as training rows.

    Raises `AdiError` for a domain that the coding lacks, and for a feature of the coding that the dataset lacks, has
    with another side or kind, or has stored in a form from which the other codes cannot be had; also for other trends.
    """
    dataset = Dataset(folder)
    check_domains(dataset, coding.domains)
    check_trend(dataset, coding, audience=False)
    stored = {feature.name: feature for feature in dataset.manifest.features}
    codes: dict[str, Codes] = {}
    for feature in coding.features:
        if feature.name not in stored:
            raise AdiError(
                f"{folder}: feature '{feature.name}', which the run was trained with, is missing "
                f"({', '.join(stored)}).{suggestion(feature.name, stored)} Add it to the schema and prepare again."
            )
        codes |= _recoded(dataset, stored[feature.name], coding, feature)
    return Dataset(folder, Recoding(coding, codes), all_rows=all_rows)


def check_domains(dataset: Dataset, known: Sequence[str]) -> None:
    """Raise `AdiError` for a domain of the dataset that a run with the domains `known` does not have."""
    for name in dataset.domains:
        if name not in known:
            raise AdiError(
                f"{dataset.folder}: domain '{name}' is unknown to the run ({', '.join(known)})."
                f"{suggestion(name, known)} Train a run with this domain, or prepare the data without it."
            )


def check_trend(dataset: Dataset, coding: Coding, *, audience: bool = True) -> None:
    """Raise `AdiError` if a run has trends and the dataset counts clicks in another way; its log may have gone on.

    Without `audience`, audiences may differ: no dataset stores them, and one that is read by the coding has the run's.
    """
    then, now = coding.manifest.trend, dataset.manifest.trend
    if then is None:
        return
    given = {"span": then.span} | ({} if audience else {"audience": then.audience})
    if now is None or now.model_copy(update=given) != then:
        raise AdiError(
            f"{dataset.folder}: trend is {now or 'missing'}, and it was {then} in the data that the run was trained "
            "on. Give the schema the trend that it had then, and prepare again."
        )


def _recoded(dataset: Dataset, stored: FeatureInfo, coding: Coding, feature: FeatureInfo) -> dict[str, Codes]:
    """The arrays of a feature whose codes differ between the dataset, where it is `stored`, and the coding, by name."""
    kind = KINDS[feature.kind]
    for trait in ("side", "kind", "by_domain"):
        then, now = getattr(feature, trait), getattr(stored, trait)
        if now != then:
            raise AdiError(
                f"{dataset.folder}: feature '{feature.name}': {trait} is {now}, and it was {then} in the data that "
                "the run was trained on. Mend the schema and prepare again, or train a run on this data."
            )
    names, encoding = kind.arrays(feature), kind.encoding(feature, coding)
    if not names or kind.encoding(stored, dataset.coding) == encoding:
        return {}
    return {name: kind.recoded(stored, encoding, dataset, name) for name in names}
