"""The OpenAPI text, taken at its word: whatever it allows is sent, whatever comes back is as told.

Every call is made with generated values, often those that no client would think of. No answer is a
crash, each status and each body is documented, and the session that all this is done to lives on.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.app import create_app
from server.config.settings import Settings
from tests.server_fixtures import KEY, FakeServer

EXAMPLES = 12
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def as_text(_: Any, value: Any) -> bytes:
    """Neither is a media type that the library knows how to write."""
    return str(value).encode("utf-8", "replace")


schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")(as_text)

MEANT = {501, 502, 503, 507}  # documented refusals, not crashes
ENDS_THE_SESSION = {("DELETE", "/v1/sessions/{session_id}"), ("DELETE", "/v1/whip/{session_id}")}
TEXT = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS = {found.ok().label: found.ok() for found in TEXT.get_all_operations()}


@pytest.fixture
def session_id(fake_server: FakeServer) -> Iterator[str]:
    """A session to make the calls to; one that nobody connects to ends after a minute."""
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=fake_server.url, headers=headers, timeout=30) as client:
        answer = client.post("/v1/sessions", json={"avatar_id": "anna"})
        assert answer.status_code == 201, answer.text
        found: str = answer.json()["id"]
        yield found
        assert client.get(f"/v1/sessions/{found}").status_code == 200, "the session did not live on"
        assert client.delete(f"/v1/sessions/{found}").status_code == 204


@pytest.mark.parametrize("label", sorted(OPERATIONS))
def test_an_operation_answers_as_documented(
    label: str, fake_server: FakeServer, session_id: str
) -> None:
    operation = OPERATIONS[label]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), known=st.integers(0, 9))
    def check(case: Any, known: int) -> None:
        use_known_ids(case, session_id if known > 1 else None)
        answer = case.call(base_url=fake_server.url, headers={"Authorization": f"Bearer {KEY}"})
        end_what_it_started(fake_server, answer)
        checks = [c for c in CHECKS if answer.status_code not in MEANT or c is not CHECKS[0]]
        case.validate_response(answer, checks=checks)

    check()


def use_known_ids(case: Any, session_id: str | None) -> None:
    """Most generated ids name nothing; with the right ones the rest of the call is reached."""
    if (case.method, case.path) in ENDS_THE_SESSION or session_id is None:
        return
    if "session_id" in case.path_parameters:
        case.path_parameters["session_id"] = session_id
    if "avatar_id" in case.path_parameters:
        case.path_parameters["avatar_id"] = "anna"
    if "avatar_id" in (case.query or {}):
        case.query["avatar_id"] = "anna"
    if isinstance(case.body, dict) and "avatar_id" in case.body:
        case.body["avatar_id"] = "anna"


def end_what_it_started(server: FakeServer, answer: Any) -> None:
    """Places are few."""
    if answer.status_code == 201 and answer.request.url.endswith("/v1/sessions"):
        headers = {"Authorization": f"Bearer {KEY}"}
        httpx.delete(f"{server.url}/v1/sessions/{answer.json()['id']}", headers=headers)
