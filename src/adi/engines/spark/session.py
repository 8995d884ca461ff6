"""The Spark session of a preparation, and what is said where there can be none."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from os import environ
from shutil import which
from typing import TYPE_CHECKING

from adi.errors import AdiError, ArgumentError
from adi.machine import available_cores

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SPARK = "spark"
MASTER = re.compile(r"spark://.+|k8s://.+|yarn|local(\[(\*|\d+)(, *\d+)?\])?")

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(1 << 17),
    "spark.sql.ansi.enabled": "true",
}
"""Settings of the session that a preparation needs, set for its time alone."""


@contextmanager
def spark_session(engine: str, memory: str) -> Iterator["SparkSession"]:
    """The session for ``spark`` or the address of a cluster; one that there is already is used, and stays.

    A session on this machine that is started here has `memory`, such as ``2GB``, and four partitions for each core.

    Raises `ArgumentError` for another name, and `AdiError` where PySpark or Java is not installed.
    """
    if engine != SPARK and not MASTER.fullmatch(engine):
        raise ArgumentError(
            "engine",
            f"'{engine}' is no engine: duckdb, spark, or a Spark master such as spark://host:7077 or local[4].",
        )
    try:
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise AdiError("Spark is not installed. Run: pip install 'adi-retrieval[spark]'") from None
    active = SparkSession.getActiveSession()
    if active is None and which("java") is None and "JAVA_HOME" not in environ:
        raise AdiError(
            "Spark needs Java, version 17 or newer, and there is none: apt-get install openjdk-17-jre-headless"
        )
    builder = SparkSession.builder.appName("adi prepare")
    if engine == SPARK and "MASTER" not in environ and "SPARK_ENV_LOADED" not in environ:
        engine = "local[*]"
    if engine != SPARK:
        builder = builder.master(engine)
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    if engine.startswith("local"):
        builder = builder.config("spark.ui.enabled", "false").config("spark.driver.host", "localhost")
        builder = builder.config("spark.sql.shuffle.partitions", 4 * available_cores())
        builder = builder.config("spark.driver.memory", re.sub(r"i?B$", "", memory.replace(" ", "")))
        environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else `python3`, which need not have adi
    try:
        session = active or builder.getOrCreate()
    except (PySparkException, RuntimeError) as error:
        raise AdiError(f"Spark does not start: {str(error).splitlines()[0]}") from error
    before = {name: session.conf.get(name, None) for name in SETTINGS}
    try:
        for name, value in SETTINGS.items():
            session.conf.set(name, value)
        yield session
    finally:
        for name, earlier in before.items():
            if earlier is None:
                session.conf.unset(name)
            else:
                session.conf.set(name, earlier)
        if active is None:
            session.stop()
