from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline_lib.randomness import key_of, key_to_noise, keys_to_noise

STREAM_OF_KEY_7 = [-0.2933390140533447, 1.703830599784851, 1.5391918420791626]


def test_keys_fit_64_bits_and_do_not_meet():
    keys = [
        key_of(stage, seed, name, index)
        for stage in ("prior", "sample")
        for seed in (0, 1)
        for name in ("subject", "edge")
        for index in range(2000)
    ]
    assert len(set(keys)) == len(keys)
    assert min(keys) >= 0 and max(keys) < 2**64


def test_parts_are_not_run_together():
    assert key_of("sample", 1, 23) != key_of("sample", 12, 3)
    assert key_of("sample", 0, "a", "b") != key_of("sample", 0, "ab")
    assert key_of("sample", 0, "1") != key_of("sample", 0, 1)


def test_noise_is_standard_normal():
    noise = key_to_noise(key_of("test", 0), (200_000,))
    assert noise.dtype == np.float32
    assert stats.kstest(noise, "norm").pvalue > 0.01
    other = key_to_noise(key_of("test", 1), (200_000,))
    assert abs(np.corrcoef(noise, other)[0, 1]) < 0.01


@given(keys=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4))
def test_item_k_depends_on_key_k_alone(keys):
    together = keys_to_noise(keys, (3, 2))
    for key, item in zip(keys, together, strict=True):
        np.testing.assert_array_equal(item, key_to_noise(key, (3, 2)))


def test_the_stream_is_the_one_that_published_images_were_made_from():
    """NumPy may change its normal sampler; images of older keys could then not be made again."""
    np.testing.assert_array_equal(
        key_to_noise(7, (3,)), np.array(STREAM_OF_KEY_7, dtype=np.float32)
    )
