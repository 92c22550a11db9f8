"""The route table. A resource is a small file under `resources/`: functions declared with their method and path."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from connect.testing import errors, lists
from connect.testing.call import Call
from connect.testing.store import StripeObject

Action: TypeAlias = Callable[[Call], StripeObject]
View: TypeAlias = Callable[[Call, StripeObject], StripeObject]
Job: TypeAlias = Callable[[Call, StripeObject], object]


@dataclass(frozen=True)
class Route:
    """`operation` names the SDK's type of the parameters; None where the real API documents none."""

    method: str
    segments: tuple[str, ...]
    action: Action
    operation: str | None

    def match(self, segments: tuple[str, ...]) -> dict[str, str] | None:
        named = {}
        for mine, theirs in zip(self.segments, segments, strict=True):
            if mine.startswith("{"):
                named[mine[1:-1]] = theirs
            elif mine != theirs:
                return None
        return named


ROUTES: dict[tuple[str, int], list[Route]] = {}
# What is computed when an object is shown rather than stored: `status` of a balance transaction, and the like.
VIEWS: dict[str, View] = {}
# What happens by itself when the clock reaches a moment: (object, function), by name.
JOBS: dict[str, tuple[str, Job]] = {}


def route(method: str, path: str, operation: str | None) -> Callable[[Action], Action]:
    def declare(action: Action) -> Action:
        segments = tuple(path.strip("/").split("/"))
        ROUTES.setdefault((method, len(segments)), []).append(
            Route(method, segments, action, operation)
        )
        return action

    return declare


def view(noun: str) -> Callable[[View], View]:
    def declare(function: View) -> View:
        VIEWS[noun] = function
        return function

    return declare


def job(name: str, noun: str) -> Callable[[Job], Job]:
    def declare(function: Job) -> Job:
        JOBS[name] = (noun, function)
        return function

    return declare


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Raises Refused (404) for what is not declared."""
    segments = tuple(path.strip("/").split("/"))
    for candidate in ROUTES.get((method, len(segments)), ()):
        named = candidate.match(segments)
        if named is not None:
            return candidate, named
    raise errors.unrecognized_url(method, path)


@dataclass(frozen=True)
class Noun:
    """The plain operations of an object, for a resource file to declare the ones that Stripe has."""

    name: str
    path: str
    sdk: str

    def create(self, action: Action) -> Action:
        return route("POST", self.path, self._operation("Create"))(action)

    def retrieve(self) -> None:
        def retrieve(call: Call) -> StripeObject:
            id_ = call.path["id"]
            if call.world.store.is_deleted(call.account, self.name, id_):
                return {"id": id_, "object": self.name, "deleted": True}
            return call.get(self.name, id_)

        route("GET", f"{self.path}/{{id}}", self._operation("Retrieve"))(retrieve)

    def list(self, *filters: str) -> None:
        """`filters` are parameters that must equal the field of the same name; `created` needs no mention."""

        def list_(call: Call) -> StripeObject:
            wanted = {
                name: call.params[name] for name in filters if call.params.get(name) is not None
            }

            def keep(obj: StripeObject) -> bool:
                return all(obj.get(name) == value for name, value in wanted.items())

            return lists.page(call, self.name, self.path, keep)

        route("GET", self.path, self._operation("List"))(list_)

    def update(
        self,
        *fields: str,
        event: str | None = None,
        also: Callable[[Call], StripeObject] | None = None,
    ) -> None:
        """`fields` are taken over as they come, metadata always; `also` may compute others."""

        def update(call: Call) -> StripeObject:
            obj = call.get(self.name, call.path["id"])
            changes: dict[str, Any] = {
                name: call.params[name] for name in fields if name in call.params
            }
            if "metadata" in call.params:
                changes["metadata"] = call.metadata(obj)
            if also is not None:
                changes |= also(call)
            return call.change(obj, changes, *([event] if event else []))

        self.update_with(update)

    def update_with(self, action: Action) -> Action:
        return route("POST", f"{self.path}/{{id}}", self._operation("Update"))(action)

    def delete_with(self, action: Action) -> Action:
        return route("DELETE", f"{self.path}/{{id}}", self._operation("Delete"))(action)

    def delete(self, *, event: str) -> None:
        def delete(call: Call) -> StripeObject:
            return call.delete(call.get(self.name, call.path["id"]), event)

        self.delete_with(delete)

    def action(self, name: str) -> Callable[[Action], Action]:
        """A verb on one object: `POST /v1/payment_intents/{id}/capture`."""
        return route("POST", f"{self.path}/{{id}}/{name}", self._operation(name.capitalize()))

    def _operation(self, verb: str) -> str:
        return f"{self.sdk}{verb}Params"
