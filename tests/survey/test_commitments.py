from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.survey.commitments import commitments_to_identity, position_to_commitment


def hmac_by_hand(secret: bytes, message: bytes) -> str:
    """RFC 2104, for a secret no longer than a block."""
    block = secret.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + message).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()


@given(secret=st.binary(min_size=32, max_size=32), trial=st.integers(1, 999))
def test_a_commitment_is_an_hmac_of_trial_and_position(secret, trial):
    found = [position_to_commitment(secret.hex(), trial, position) for position in (1, 2, 3, 4)]
    assert found == [hmac_by_hand(secret, f"{trial}:{place}".encode()) for place in (1, 2, 3, 4)]
    assert len(set(found)) == 4


def test_a_name_follows_every_commitment_and_their_order():
    names = {
        commitments_to_identity(2, ["a", "b"]),
        commitments_to_identity(4, ["a", "b"]),
        commitments_to_identity(2, ["b", "a"]),
        commitments_to_identity(2, ["a"]),
    }
    assert len(names) == 4
    assert all(name.startswith("survey-") and len(name) == 23 for name in names)
