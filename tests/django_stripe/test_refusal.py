"""What is refused unasked is what PostgreSQL refuses."""

import pytest
from django.db import DataError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from django_stripe.refusal import certain_refusal

PIECES = [
    *(r"\u0000", r"\U0000", r"\u0001", r"\u00e9", r"\uFFFF", r"\u000", "0", "d800", "u0000"),
    *(r"\ud83d", r"\uD83D", r"\ude00", r"\uDE00", r"\udfff", r"\ud800", r"\udbff", r"\udc00"),
    *("\\\\", "\\", r"\n", r"\"", "a", " ", "é", "😀", "\n"),
]


def is_refused(text):
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT %s::jsonb", [text])
    except DataError:
        return True
    return False


@pytest.mark.django_db
@given(st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
def test_what_is_refused_unasked_postgresql_refuses_too(text):
    for payload in (f'{{"a": "{text}"}}', f'{{"{text}": 1}}'):
        if certain_refusal(payload):
            assert is_refused(payload)


CERTAIN = [r"\u0000", r"\ud800", r"\udc00", r"a\\\u0000", r"\ud83d\ud83d\ude00", r"\ud83d \ude00"]
STORABLE = [r"\\u0000", r"\\ud800", r"\ud83d\ude00", r"\uD83D\uDE00", r"\\\\u0000", r"\n\u00e9"]


@pytest.mark.django_db
@pytest.mark.parametrize("text", [*CERTAIN, *STORABLE])
def test_no_nul_and_no_half_of_a_pair_is_missed(text):
    payload = f'{{"a": "{text}"}}'
    assert bool(certain_refusal(payload)) == is_refused(payload) == (text in CERTAIN)
