"""The dispatcher: asks the servers of each domain at once, and puts their answers together."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import httpx
import orjson

from adi.errors import suggestion
from adi.router.merge import DifferentAnswersError, Result, check_alike, join_domains, merge_shards
from adi.router.metrics import RouterMetrics
from adi.router.replicas import Client, NoAnswerError
from adi.router.table import RoutingTable, Servers
from adi.serving.problems import CANNOT_ANSWER, NO_EVENT_STORE, Failure, ProblemError
from adi.serving.requests import SHARD_HEADER, RetrieveCall, RetrieveRequest

NO_SERVER = Failure(503, "No server answers", {"Retry-After": "1"})
ANSWERS_DIFFER = Failure(503, "Answers differ", {"Retry-After": "1"})

PAUSES = (0.1, 0.2, 0.4, 0.8)
"""Seconds before each further try, where the answers to a request do not fit together: a swap ends soon."""

PATH = "/v1/retrieve"


class Answer(NamedTuple):
    """The result that a server has for its part of a request."""

    server: str
    result: Result


class Question(NamedTuple):
    """A request, and the domains that it asks for."""

    request: RetrieveRequest
    domains: tuple[str, ...]


class Dispatcher:
    """Answers calls from the servers of a routing table.

    Of each request, every group of servers is asked for its domains, and each shard of a group for its items. The
    requests of one call travel together. A request fails if one of its servers does, and does not fail the others.
    """

    def __init__(self, table: RoutingTable, client: Client, metrics: RouterMetrics) -> None:
        self.table, self.client, self.metrics = table, client, metrics

    async def answer(self, call: RetrieveCall, headers: Mapping[str, str]) -> dict[str, Any]:
        """Answer a call with the content of a `RetrieveResponse`; a request that fails has its problem as its result.

        Answers of different versions are not merged: the servers are asked again, for about a second and a half.

        Args:
            headers: passed on to the servers.

        Raises the `ProblemError` of the first request if all fail.
        """
        outcomes: dict[int, dict[str, Any] | ProblemError] = {}
        questions: dict[int, Question] = {}
        for number, request in enumerate(call.requests):
            try:
                questions[number] = Question(request, self._domains_of(request))
            except ProblemError as problem:
                outcomes[number] = problem
        for pause in (*PAUSES, None):
            outcomes |= await self._attempt(questions, headers)
            questions = {number: asked for number, asked in questions.items() if _differs(outcomes[number])}
            self.metrics.answers_differed.inc(len(questions))
            if not questions or pause is None:
                break
            await asyncio.sleep(pause)
        results = [outcomes[number] for number in range(len(call.requests))]
        if all(isinstance(result, ProblemError) for result in results):
            assert isinstance(results[0], ProblemError)
            raise results[0]
        return {"results": [result.body() if isinstance(result, ProblemError) else result for result in results]}

    def _domains_of(self, request: RetrieveRequest) -> tuple[str, ...]:
        """The distinct domains of a request; raises `ProblemError` for one that is not in the table."""
        known = self.table.domains
        for name in request.domains or ():
            if name not in known:
                detail = f"domain '{name}' is not one of {', '.join(known)}.{suggestion(name, known)}"
                raise ProblemError(CANNOT_ANSWER, detail)
        return tuple(dict.fromkeys(request.domains or known))

    async def _attempt(
        self, questions: Mapping[int, Question], headers: Mapping[str, str]
    ) -> dict[int, dict[str, Any] | ProblemError]:
        """Ask all servers of some requests once, and merge what they answer."""
        numbers_of: dict[Servers, list[int]] = {}
        for number, question in questions.items():
            for servers in dict.fromkeys(self.table.domains[name] for name in question.domains):
                numbers_of.setdefault(servers, []).append(number)
        parts = [(servers, shard) for servers in numbers_of for shard in range(len(servers.shards))]
        replies = await asyncio.gather(
            *(
                self._ask(
                    servers, shard, [self._body(questions[number], servers) for number in numbers_of[servers]], headers
                )
                for servers, shard in parts
            )
        )
        answers: dict[int, dict[Servers, list[Answer | ProblemError]]] = {number: {} for number in questions}
        for (servers, _), reply in zip(parts, replies, strict=True):
            for number, answer in zip(numbers_of[servers], reply, strict=True):
                answers[number].setdefault(servers, []).append(answer)
        return {number: self._merged(question, answers[number]) for number, question in questions.items()}

    def _body(self, question: Question, servers: Servers) -> dict[str, Any]:
        """The content of a request for the domains of one group of servers."""
        domains = [name for name in question.domains if self.table.domains[name] == servers]
        return question.request.model_dump(mode="json", exclude_unset=True) | {"domains": domains}

    def _merged(
        self, question: Question, answers: Mapping[Servers, Sequence[Answer | ProblemError]]
    ) -> dict[str, Any] | ProblemError:
        """The result of a request, or the problem of the first server that has one."""
        parts: list[Answer] = []
        for answer in (answer for shards in answers.values() for answer in shards):
            if isinstance(answer, ProblemError):
                return answer
            parts.append(answer)
        results = [answer.result for answer in parts]
        try:
            check_alike(results, [answer.server for answer in parts])
        except DifferentAnswersError as error:
            return ProblemError(ANSWERS_DIFFER, f"{error}. They cannot be merged. Retry in a second.")
        ranked = {}
        for name in question.domains:
            shards = [answer.result for answer in answers[self.table.domains[name]] if isinstance(answer, Answer)]
            ranked[name] = merge_shards([result["domains"][name] for result in shards], question.request.k)
        return join_domains(results, ranked)

    async def _ask(
        self, servers: Servers, shard: int, bodies: Sequence[dict[str, Any]], headers: Mapping[str, str]
    ) -> list[Answer | ProblemError]:
        """Ask one shard's servers about several requests; of those that are refused together, each half by itself."""
        name = servers.shard_of(shard)
        try:
            response = await self.client.ask(
                servers.shards[shard],
                PATH,
                orjson.dumps({"requests": bodies}),
                headers,
                fault=lambda response: _fault(response, name),
            )
        except NoAnswerError as error:
            if error.unavailable is None:
                of = "" if name is None else f"shard {name} of "
                detail = f"No server of {of}domain {bodies[0]['domains'][0]} answers: {error}. Retry in a second."
                return [ProblemError(NO_SERVER, detail)] * len(bodies)
            problem = problem_of(error.unavailable)
        else:
            if response.status_code == 200:
                server = str(response.url).removesuffix(PATH)
                return [Answer(server, result) for result in orjson.loads(response.content)["results"]]
            problem = problem_of(response)
        one_fails = problem.failure.status < 500 or problem.failure.title == NO_EVENT_STORE.title
        if len(bodies) == 1 or not one_fails:
            return [problem] * len(bodies)
        middle = len(bodies) // 2
        halves = [self._ask(servers, shard, half, headers) for half in (bodies[:middle], bodies[middle:])]
        return [answer for answers in await asyncio.gather(*halves) for answer in answers]


def problem_of(response: httpx.Response) -> ProblemError:
    """The problem of an answer whose status is an error."""
    headers = error_headers(response)
    try:
        body = orjson.loads(response.content)
        title, detail = str(body["title"]), str(body["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):  # not from a server of adi, but from something before it
        title, detail = "Server error", f"{response.url} answers with status {response.status_code} and no problem."
    return ProblemError(Failure(response.status_code, title, headers), detail)


def error_headers(response: httpx.Response) -> dict[str, str]:
    """The headers of an error that a client needs."""
    return {name: response.headers[name] for name in ("Retry-After", "WWW-Authenticate") if name in response.headers}


def _fault(response: httpx.Response, shard: str | None) -> str | None:
    """Say what is wrong with an answer that is no error; None if nothing is."""
    if response.status_code != 200:
        return f"status {response.status_code}"
    answered = response.headers.get(SHARD_HEADER)
    if (answered or "1/1") != (shard or "1/1"):
        return f"has shard {answered or '1/1'}, and {shard or '1/1'} in the routing file"
    return None


def _differs(outcome: dict[str, Any] | ProblemError) -> bool:
    return isinstance(outcome, ProblemError) and outcome.failure is ANSWERS_DIFFER
