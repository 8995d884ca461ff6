"""`adi.serve`: serves a bundle or an experiment over HTTP."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

from pydantic import ValidationError

from adi.bundle.portion import Portion, parse_shard
from adi.bundle.remote import is_remote, local_copy
from adi.errors import ArgumentError
from adi.serving.app import create_app
from adi.serving.events import EventStore, SqliteEventStore
from adi.serving.experiment import load_experiment
from adi.serving.exposures import ExposureLog
from adi.serving.limits import Limits
from adi.serving.listening import listening
from adi.serving.malformed import MalformedEvents
from adi.serving.metrics import Metrics
from adi.serving.mirror import SECONDS, Mirror
from adi.serving.service import Service
from adi.serving.watch import Watcher
from adi.strict import plain_message

Report = Callable[[str], None]


def serve(
    bundle: str | Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    watch: str | Path | None = None,
    domains: Sequence[str] | None = None,
    shard: str | None = None,
    events: str | Path | None = None,
    clicks: str | Path | None = None,
    exposures: str | Path | None = None,
    workers: int = 2,
    waiting: int = 64,
    timeout: float = 5.0,
    token: str | None = None,
    client_rate: float | None = None,
    verify: bool = True,
    report: Report = print,
) -> None:
    """Serve a bundle, or several in an experiment, until SIGINT or SIGTERM; requests at work are answered first.

    Args:
        bundle: a folder that `adi.export` wrote, or its address in an object store (`adi.bundle.remote`); or the YAML
            file of an experiment.
        port: 0 for any free port.
        watch: a folder of bundles, of which the newest goes live (`adi.serving.watch`), or its address in an object
            store.
        domains: those to load and answer; all by default. Requests for others are refused.
        shard: the shard of the items to load and answer from, such as ``1/4``; all items by default. `adi.route` merges
            the answers of all shards.
        events: where to keep users' events: a file or the URL of a Redis server; in memory by default.
        clicks: a folder of Parquet files with clicks, which is watched for new ones; for the counters of bundles with
            trends, beside users' events.
        exposures: a folder for a log of the served lists (`adi.serving.exposures`); no log by default.
        workers, waiting, timeout, token, client_rate: see `adi.serving.limits.Limits`.
        verify: compare every file of the bundle with its digest before the server listens.
        report: called with a message when the server listens, and about swaps and failures.

    Raises `AdiError` for invalid arguments and for bundles that cannot be served, before the server listens.
    """
    limits = _limits(workers=workers, waiting=waiting, timeout=timeout, token=token, client_rate=client_rate)
    portion = Portion(None if domains is None else tuple(domains), None if shard is None else parse_shard(shard))
    metrics = Metrics()
    store = _event_store(events, report, MalformedEvents(metrics, report))
    source = local_copy(str(bundle)) if is_remote(bundle) else Path(bundle)
    log = None if exposures is None else ExposureLog(Path(exposures), metrics, report)
    service = Service(
        load_experiment(source) if source.is_file() else source,
        metrics,
        store,
        log,
        portion=portion,
        clicks=None if clicks is None else Path(clicks),
        verify=verify,
        report=report,
    )
    if clicks is not None and all(live.feed is None for live in service.bundles.values()):
        raise ArgumentError("clicks", f"{bundle} has no trends, so clicks are not counted. Leave this out.")
    watcher = None if watch is None else _watcher(service, watch, report)
    server, socket = listening(create_app(service, limits), host, port, timeout)
    report(f"Serving {bundle}, {_versions(service)}, on http://{host}:{socket.getsockname()[1]}. Ctrl-C ends it.")
    if limits.token is None and not _is_loopback(host):
        report(f"WARNING: whoever reaches {host} may ask for lists and add events. Give a token, or ADI_TOKEN.")
    if watcher is not None:
        watcher.start()
    server.run(sockets=[socket])


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _limits(**values: object) -> Limits:
    try:
        return Limits.model_validate(values)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ArgumentError(str(fault["loc"][0]), f"{plain_message(fault)} (got {fault['input']!r}).") from None


def _watcher(service: Service, watch: str | Path, report: Report) -> Watcher:
    if not is_remote(watch):
        return Watcher(service, Path(watch), report)
    mirror = Mirror(str(watch), service.metrics, report)
    return Watcher(service, mirror.folder, report, seconds=SECONDS, update=mirror.look)


def _event_store(events: str | Path | None, report: Report, malformed: MalformedEvents) -> EventStore:
    if events is None or "://" not in str(events):
        return SqliteEventStore(None if events is None else Path(events), malformed)
    from adi.serving.redis_events import RedisEventStore  # imports a package that files do not need

    return RedisEventStore(str(events), report, malformed)


def _versions(service: Service) -> str:
    """The live version, or of an experiment each arm with its share of the users and its version."""
    if service.experiment is None:
        return f"version {service.bundle().version}"
    shares = service.experiment.shares
    return ", ".join(
        f"{arm} {100 * share:.3g}% (version {service.bundle(arm).version})" for arm, share in shares.items()
    )
