"""The portraits that the worker knows, as the server keeps account of them."""

import asyncio
import itertools
from collections import OrderedDict

from liveportrait.output import OutputError
from models.errors import PortraitError, VisavisError
from server.engine.client import EngineClient, EngineUnavailableError
from server.engine.messages import (
    ForgetPortrait,
    PortraitFacts,
    PortraitPlan,
    PortraitPrepared,
    PortraitRefused,
    PreparePortrait,
)

KEPT_PORTRAITS = 64  # in the worker, a few MB each; the least used is forgotten first
PREPARE_LIMIT_S = 120.0  # the slowest renderer on the slowest machine takes some seconds


class PreparedPortraits:
    """Asks the worker for portraits, each once."""

    def __init__(self, client: EngineClient, limit_s: float = PREPARE_LIMIT_S) -> None:
        self._client = client
        self._limit_s = limit_s
        self._requests = itertools.count(1)
        self._asked: dict[int, str] = {}  # portrait id by request
        self._under_way: dict[str, asyncio.Future[PortraitFacts]] = {}  # by portrait id
        self._prepared: OrderedDict[str, PortraitFacts] = OrderedDict()  # by portrait id

    async def prepare(self, plan: PortraitPlan) -> PortraitFacts:
        """Make the worker know a portrait. Who asks for one that is under way waits for that.

        Raises PortraitError, OutputError, EngineUnavailableError.
        """
        if not self._client.ready:
            raise EngineUnavailableError("the engine is starting; try again in a few seconds")
        portrait_id = plan.portrait_id
        if portrait_id in self._prepared:
            self._prepared.move_to_end(portrait_id)
            return self._prepared[portrait_id]
        answer = self._under_way.get(portrait_id) or self._ask(plan)
        # one who gives up waiting must not take the answer from the others
        await asyncio.wait({answer}, timeout=self._limit_s)
        if not answer.done():
            self._refuse(portrait_id, f"no portrait within {self._limit_s:g} s; try again")
        return answer.result()

    def take(self, reply: PortraitPrepared | PortraitRefused) -> None:
        """The worker has answered."""
        portrait_id = self._asked.pop(reply.request_id, "")
        answer = self._under_way.pop(portrait_id, None)
        if answer is None:
            return
        if isinstance(reply, PortraitRefused):
            _fail(answer, portrait_error(reply.code, reply.message))
            return
        answer.set_result(reply.facts)
        self._prepared[portrait_id] = reply.facts
        while len(self._prepared) > KEPT_PORTRAITS:
            oldest, _ = self._prepared.popitem(last=False)
            self._client.send(ForgetPortrait(oldest))

    def forget(self, avatar_id: str) -> None:
        """No new session will have this avatar; those that run keep their portrait."""
        for portrait_id in list(self._prepared):
            if portrait_id.startswith(f"{avatar_id}/"):
                del self._prepared[portrait_id]
                self._client.send(ForgetPortrait(portrait_id))

    def doubt(self, plan: PortraitPlan) -> None:
        """A session with this portrait failed: the next one asks for it anew."""
        self._prepared.pop(plan.portrait_id, None)

    def lose_all(self) -> None:
        """The worker died, and its memory with it."""
        self._prepared.clear()
        self._asked.clear()
        for portrait_id in list(self._under_way):
            self._refuse(portrait_id, "the engine was restarted; try again in a few seconds")

    def _ask(self, plan: PortraitPlan) -> "asyncio.Future[PortraitFacts]":
        request_id, portrait_id = next(self._requests), plan.portrait_id
        answer: asyncio.Future[PortraitFacts] = asyncio.get_running_loop().create_future()
        self._asked[request_id], self._under_way[portrait_id] = portrait_id, answer
        self._client.send(PreparePortrait(request_id, portrait_id, plan.image, plan.output))
        return answer

    def _refuse(self, portrait_id: str, why: str) -> None:
        if answer := self._under_way.pop(portrait_id, None):
            _fail(answer, EngineUnavailableError(why))


def _fail(answer: "asyncio.Future[PortraitFacts]", error: VisavisError) -> None:
    answer.set_exception(error)
    answer.exception()  # who asked may be gone: an error that nobody fetches is not logged


def portrait_error(code: str, message: str) -> VisavisError:
    """The named error of a refusal that came over the pipe."""
    kinds: list[type[VisavisError]] = [*PortraitError.__subclasses__(), PortraitError, OutputError]
    for kind in kinds:
        if kind.code == code:
            return kind(message)
    return VisavisError(message)
