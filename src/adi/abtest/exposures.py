"""The exposures of an experiment: the lists that its arms served to users whom the hash divides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq

from adi.abtest.database import Connection, count
from adi.abtest.faults import Fault
from adi.errors import AdiError, ArgumentError, suggestion

COLUMNS = ("time", "user", "experiment", "arm", "assignment", "version", "place", "domain", "items")
"""The columns of the server's exposure log (docs/experiments.md) that an analysis reads."""


@dataclass(frozen=True, kw_only=True)
class Exposures:
    """The experiment's lists, in the table ``lists`` (list, user_id, domain, arm, time) of the working database.

    `start` and `end` are the times of the first and the last list; `versions` are the bundles of each arm.
    """

    experiment: str
    control: str
    arms: tuple[str, ...]
    start: datetime
    end: datetime
    versions: Mapping[str, tuple[str, ...]]
    faults: tuple[Fault, ...]

    @property
    def days(self) -> float:
        """The time from the first to the last list in days."""
        return (self.end - self.start).total_seconds() / 86_400.0


def read_exposures(
    connection: Connection, folder: Path, *, experiment: str | None, control: str | None, arms: tuple[str, ...] | None
) -> Exposures:
    """Read the exposures of an experiment into the working database.

    Args:
        folder: of Parquet files as `adi serve --exposures` writes them.
        experiment: its name; None: the only one of the folder.
        control: the arm that the others are compared with; None: ``control``.
        arms: the arms that it should have; None: those of the folder.

    Raises `AdiError` for a folder without such files, for an experiment that is not there or not the only one, and for
    an arm without traffic.
    """
    open_log(connection, folder)
    name = _experiment(connection, folder, experiment)
    faults = _select(connection, name)
    served = [arm for (arm,) in connection.execute("SELECT DISTINCT arm FROM lists ORDER BY arm").fetchall()]
    control = _check_arms(folder, name, served, control or "control", arms)
    faults.append(_leave_out_users_of_both(connection))
    remaining = {arm for (arm,) in connection.execute("SELECT DISTINCT arm FROM lists").fetchall()}
    if emptied := [arm for arm in served if arm not in remaining]:
        raise AdiError(
            f"{folder}: every user of arm '{emptied[0]}' was also in another arm of '{name}', so that none can be "
            "compared. Serve the experiment with one salt and the same weights throughout."
        )
    span = connection.execute("SELECT min(time), max(time) FROM lists").fetchone()
    assert span is not None
    versions = dict(
        connection.execute("SELECT arm, list(DISTINCT version ORDER BY version) FROM lists GROUP BY arm").fetchall()
    )
    return Exposures(
        experiment=name,
        control=control,
        arms=(control, *(arm for arm in served if arm != control)),
        start=span[0],
        end=span[1],
        versions={arm: tuple(versions[arm]) for arm in served},
        faults=tuple(fault for fault in faults if fault.rows),
    )


def open_log(connection: Connection, folder: Path) -> None:
    """Make the view ``log`` of a folder of exposures; each row has the key (filename, file_row_number)."""
    files = sorted(folder.glob("*.parquet")) if folder.is_dir() else []
    if not files:
        raise ArgumentError(
            "logs", f"{folder}: no folder with Parquet files. Name the folder of adi serve --exposures."
        )
    for file in files:
        try:
            names = pq.read_schema(file).names
        except (OSError, ValueError) as error:
            raise AdiError(f"{file}: cannot be read as Parquet ({error}). Remove it, or restore it.") from None
        if missing := [column for column in COLUMNS if column not in names]:
            raise AdiError(
                f"{file}: lacks column '{missing[0]}', and is no file of exposures. Name the folder of adi serve "
                "--exposures, which holds no other Parquet files."
            )
    paths = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    connection.execute(f"""
        CREATE VIEW log AS
        SELECT *, "time"::TIMESTAMP AS served, "user" AS user_id
        FROM read_parquet([{paths}], filename = true, file_row_number = true)""")


def _experiment(connection: Connection, folder: Path, experiment: str | None) -> str:
    rows = connection.execute(
        "SELECT DISTINCT experiment FROM log WHERE experiment IS NOT NULL ORDER BY experiment"
    ).fetchall()
    names = [name for (name,) in rows]
    if experiment is not None:
        if experiment not in names:
            raise ArgumentError(
                "experiment",
                f"'{experiment}' has no exposures in {folder} ({', '.join(names) or 'no experiment'} has)."
                f"{suggestion(experiment, names)}",
            )
        return experiment
    if len(names) != 1:
        listed = f"of {len(names)} experiments ({', '.join(names)})" if names else "of no experiment"
        raise ArgumentError("experiment", f"{folder} has exposures {listed}. Name the experiment to analyse.")
    return str(names[0])


def _select(connection: Connection, experiment: str) -> list[Fault]:
    """Make the table ``lists`` of the experiment's lists by hash, each once; returns what was left out."""
    total = count(connection, "SELECT count(*) FROM log")
    of_it = count(connection, "SELECT count(*) FROM log WHERE experiment = ?", [experiment])
    by_way = dict(
        connection.execute(
            "SELECT coalesce(assignment, 'none'), count(*) FROM log WHERE experiment = ? GROUP BY 1", [experiment]
        ).fetchall()
    )
    unusable = "user_id IS NULL OR user_id = '' OR served IS NULL OR arm IS NULL OR domain IS NULL"
    of_hash = "experiment = ? AND assignment = 'hash'"
    missing = count(connection, f"SELECT count(*) FROM log WHERE {of_hash} AND ({unusable})", [experiment])
    connection.execute(
        f"""
        CREATE TABLE lists AS
        SELECT filename, file_row_number, user_id, domain, arm, version, served AS time,
               row_number() OVER (ORDER BY served, user_id, domain, place) AS list
        FROM log WHERE {of_hash} AND NOT ({unusable})
        QUALIFY row_number() OVER (PARTITION BY user_id, served, place, domain, arm
                                   ORDER BY filename, file_row_number) = 1""",
        [experiment],
    )
    compared = int(by_way.get("hash", 0))
    duplicates = compared - missing - count(connection, "SELECT count(*) FROM lists")
    if not compared:
        raise ArgumentError("experiment", f"'{experiment}' has no exposures whose assignment is hash: none to compare.")

    def fault(name: str, rows: int, of: int, treatment: str, doubtful: bool = False) -> Fault:
        return Fault(name=name, rows=rows, of=of, what="exposures", treatment=treatment, doubtful=doubtful)

    return [
        fault("of another experiment, or of none", total - of_it, total, "left out"),
        fault("of nobody (assignment none)", int(by_way.get("none", 0)), of_it, "left out"),
        fault("chosen by header (assignment header)", int(by_way.get("header", 0)), of_it, "left out"),
        fault("exposures without user, time, arm or domain", missing, compared, "left out", doubtful=True),
        fault("duplicate exposures", duplicates, compared, "counted once"),
    ]


def _check_arms(folder: Path, name: str, served: list[str], control: str, arms: tuple[str, ...] | None) -> str:
    """The control; raises `AdiError` for an arm without traffic, and for one that the experiment does not have."""
    if arms is not None:
        if silent := [arm for arm in arms if arm not in served]:
            raise AdiError(
                f"{folder}: arm '{silent[0]}' of '{name}' has no exposure by hash. Check its bundle and its weight."
            )
        if strange := [arm for arm in served if arm not in arms]:
            raise AdiError(f"{folder}: arm '{strange[0]}' is not one of '{name}' ({', '.join(arms)}): other files.")
    if control not in served:
        raise ArgumentError("control", f"'{control}' is not an arm with exposures ({', '.join(served)}). Name another.")
    if len(served) < 2:
        raise AdiError(f"{folder}: '{name}' has exposures of the arm '{control}' alone. Two arms are compared.")
    return control


def _leave_out_users_of_both(connection: Connection) -> Fault:
    """Remove the users whom several arms served."""
    users = count(connection, "SELECT count(DISTINCT user_id) FROM lists")
    connection.execute(
        "CREATE TABLE in_both AS SELECT user_id FROM lists GROUP BY user_id HAVING count(DISTINCT arm) > 1"
    )
    both = count(connection, "SELECT count(*) FROM in_both")
    first = connection.execute("SELECT min(user_id) FROM in_both").fetchone()
    connection.execute("DELETE FROM lists WHERE user_id IN (SELECT user_id FROM in_both)")
    return Fault(
        name="users in more than one arm",
        rows=both,
        of=users,
        what="users",
        treatment="left out of all arms",
        first=None if not both or first is None else f"'{first[0]}'",
        doubtful=True,
    )
