from __future__ import annotations

from pipeline_lib.optics.keys import key_to_generator


def test_streams_depend_on_key_and_purpose_alone():
    def first(key, purpose):
        return key_to_generator(key, purpose).integers(0, 2**62, 4).tolist()

    assert first(7, "camera") == first(7, "camera") == first((7,), "camera")
    streams = [
        first(7, "camera"),
        first(8, "camera"),
        first(7, "objects"),
        first((7, 0, 1), "camera"),
        first((0, 7), "camera"),
    ]
    assert len({tuple(stream) for stream in streams}) == len(streams)
