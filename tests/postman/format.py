"""The collection format v2.1, as far as an export uses it: anything else is a mistake of ours."""

from __future__ import annotations

from typing import Literal

import msgspec


class Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A part of a collection that may say nothing beyond what is declared here."""


class Script(Strict):
    type: Literal["text/javascript"]
    exec: list[str]


class Event(Strict):
    listen: Literal["prerequest", "test"]
    script: Script


class Variable(Strict):
    key: str
    value: str
    type: Literal["string"]


class Header(Strict):
    key: str
    value: str


class QueryParameter(Strict):
    key: str
    value: str
    description: str
    disabled: bool = False


class Url(Strict):
    raw: str
    host: list[str]
    path: list[str]
    query: list[QueryParameter] = []


class Request(Strict):
    method: Literal["POST", "PUT", "DELETE"]
    header: list[Header]
    url: Url
    description: str = ""


class Response(Strict):
    name: str
    originalRequest: Request  # noqa: N815 the format's own name
    status: str
    code: int
    _postman_previewlanguage: Literal["json", "html", "text"]
    header: list[Header]
    cookie: list[str]
    body: str


class Item(Strict):
    name: str
    event: list[Event]
    request: Request
    response: list[Response]


class Folder(Strict):
    name: str
    item: list[Item]


class Info(Strict):
    _postman_id: str
    name: str
    description: str
    schema: Literal["https://schema.getpostman.com/json/collection/v2.1.0/collection.json"]


class Collection(Strict):
    info: Info
    item: list[Folder]
    variable: list[Variable]
    event: list[Event] = []
