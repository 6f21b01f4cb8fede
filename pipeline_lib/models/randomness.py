"""Keys and their noise, under the name by which the models' code knows them."""

from __future__ import annotations

from pipeline_lib.randomness import key_of, key_to_noise, keys_to_noise

__all__ = ["key_of", "key_to_noise", "keys_to_noise"]
