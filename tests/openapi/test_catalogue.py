"""The schemas of the whole catalogue take whatever its events may be; that these come back as they were is
`tests/dialect/test_typed.py`'s."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from listenkey.dialect.typed import Typed
from listenkey.reference.payload import event_schema
from tests.dialect.test_typed import EVENTS, drawn


@pytest.mark.parametrize("name", EVENTS)
def test_every_sample_fits_its_schema(name):
    """A program made from the documents takes the venue's own example, before and after it was read here."""
    event = EVENTS[name]
    validator = Draft202012Validator(event_schema(event))
    Draft202012Validator.check_schema(validator.schema)
    typed = Typed(event)
    for payload in (event.sample.encode(), typed.write(typed.read(event.sample.encode()))):
        assert [error.message for error in validator.iter_errors(json.loads(payload))] == []


@pytest.mark.parametrize("name", EVENTS)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=8)
@given(data=st.data())
def test_every_event_fits_its_schema(name, data):
    """Also with other values, with fields that lack, and with null where that may be."""
    event, payload = data.draw(drawn(EVENTS[name]))
    named = json.loads(payload) | {"e": event.type}
    validator = Draft202012Validator(event_schema(event))
    assert [error.message for error in validator.iter_errors(named)] == []
