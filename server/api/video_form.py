"""POST /v1/videos: the form's fields, read and judged."""

from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from server.api.output_schemas import MAX_BACKGROUND_CHARS, OutputBody
from server.api.problems import ApiError
from server.api.schemas import MotionBody

FILES = ("image", "audio")
FIELDS = ("avatar_id", "text", "voice", "output", "motion", "seed")
_PART_BYTES = MAX_BACKGROUND_CHARS + 64 * 1024
MAX_SEED = 2**31 - 1

_Body = TypeVar("_Body", bound=BaseModel)

# the OpenAPI text of a form that is read by hand
FORM_SCHEMA: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "description": "avatar_id or image, and audio or text",
                    "properties": {
                        "avatar_id": {"type": "string", "maxLength": 100},
                        "image": {"type": "string", "format": "binary"},
                        "audio": {"type": "string", "format": "binary"},
                        "text": {"type": "string", "minLength": 1},
                        "voice": {"type": "string", "maxLength": 80},
                        "output": {"type": "string", "description": "JSON, as of a session"},
                        "motion": {"type": "string", "description": "JSON, as of a session"},
                        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
                    },
                }
            }
        },
    }
}


@dataclass(frozen=True, slots=True)
class VideoForm:
    """Of portrait and speech one form each is there; the other one is None."""

    avatar_id: str | None
    image: bytes | None
    audio: bytes | None
    text: str | None
    voice: str | None
    output: OutputBody
    motion: MotionBody
    seed: int | None


async def read_video_form(request: Request) -> VideoForm:
    """Raises ApiError and RequestValidationError, which name what is accepted."""
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise ApiError("invalid_request", "send multipart/form-data: avatar_id or image, and audio")
    limits = {"max_files": len(FILES), "max_fields": len(FIELDS), "max_part_size": _PART_BYTES}
    async with request.form(**limits) as form:
        _check_names(form)
        avatar_id, image = _field(form, "avatar_id", 100), await _file(form, "image")
        text = _field(form, "text", _PART_BYTES)
        audio = await _file(form, "audio")
        voice = _field(form, "voice", 80)
        if (avatar_id is None) == (image is None):
            raise ApiError("invalid_request", "send either avatar_id or a file image")
        if (text is None) == (audio is None):
            raise ApiError("invalid_request", "send either a file audio or text")
        if voice is not None and text is None:
            raise ApiError("invalid_request", "voice belongs to text; a file audio has its own")
        return VideoForm(
            avatar_id,
            image,
            audio,
            text,
            voice,
            _json(form, "output", OutputBody),
            _json(form, "motion", MotionBody),
            _seed(form),
        )


def _check_names(form: FormData) -> None:
    known = (*FILES, *FIELDS)
    for name in form:
        if name not in known:
            accepted = ", ".join(known)
            raise ApiError("invalid_request", f"there is no field {name!r}; accepted: {accepted}")
        if len(form.getlist(name)) > 1:
            raise ApiError("invalid_request", f"{name} is there more than once")


async def _file(form: FormData, name: str) -> bytes | None:
    value = form.get(name)
    if value is None:
        return None
    if not isinstance(value, UploadFile):
        raise ApiError("invalid_request", f"{name} must be a file")
    return await value.read()


def _field(form: FormData, name: str, max_chars: int) -> str | None:
    value = form.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise ApiError("invalid_request", f"{name} must be text, not a file")
    if len(value) > max_chars:
        raise ApiError("invalid_request", f"{name} has more than {max_chars} characters")
    if "\0" in value:
        raise ApiError("invalid_request", f"{name} holds a zero character")
    return value


def _json(form: FormData, name: str, kind: type[_Body]) -> _Body:
    value = _field(form, name, _PART_BYTES)
    try:
        return kind.model_validate_json(value) if value is not None else kind()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError(
            [{**item, "loc": (name, *item["loc"])} for item in found]
        ) from error


def _seed(form: FormData) -> int | None:
    value = _field(form, "seed", 20)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and int(value) <= MAX_SEED):
        raise ApiError("invalid_request", f"seed must be a whole number from 0 to {MAX_SEED}")
    return int(value)
