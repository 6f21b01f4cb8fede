import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_lib.reporting.object_figures import panels_to_png
from pipeline_lib.reporting.objects import (
    BINS,
    counts_to_sentence,
    objects_to_panels,
    panels_to_sentence,
    values_to_edges,
    values_to_histogram,
)
from tests.reporting.conftest import write_counts, write_objects


@pytest.fixture
def objects(tmp_path):
    write_objects(tmp_path / "objects.csv", ("cells", "debris"))
    return pd.read_csv(tmp_path / "objects.csv")


def test_panels_hold_the_concepts_objects_that_are_known(objects):
    panels = objects_to_panels(objects, "cells")
    assert [panel.words for panel in panels] == [
        "diameter",
        "eccentricity",
        "distance to the nearest neighbour",
    ]
    assert [panel.unit for panel in panels] == ["µm", "", "µm"]
    assert panels[0].axis_words == "diameter (µm)" and "round" in panels[1].axis_words
    assert all(list(panel.sets) == ["holdout", "tuned", "untuned"] for panel in panels)
    own = objects[objects["concept"] == "cells"]
    for name, panel in zip(("diameter", "eccentricity", "nearest_neighbour"), panels, strict=True):
        for chosen, histogram in panel.sets.items():
            wanted = own[(own["set"] == chosen) & (~own["rim"] | (name == "nearest_neighbour"))]
            values = wanted[name].dropna()
            assert histogram.objects == len(values)
            assert histogram.median == pytest.approx(values.median())
            expected = np.histogram(values, panel.edges)[0] / len(values)
            np.testing.assert_allclose(histogram.shares, expected)


def test_a_table_without_objects_has_no_panels():
    assert objects_to_panels(pd.DataFrame({"set": [], "concept": []}), "cells") == []


def test_densities_and_coverage_are_said(tmp_path):
    write_counts(tmp_path / "counts.csv", ("cells", "debris"))
    counts = pd.read_csv(tmp_path / "counts.csv")
    assert counts_to_sentence(counts, "cells") == (
        "Objects in a square millimetre: 1,000 in real images, covering 10 %; 1,500 in synthetic "
        "ones, covering 15 %; 400 in those of the untuned base, covering 4 %."
    )
    pixels = counts[counts["set"] == "holdout"].assign(density_unit="megapixel")
    assert counts_to_sentence(pixels, "cells").startswith("Objects in a million pixels: 1,000 in")
    assert counts_to_sentence(counts, "yeast") == ""


def test_larger_objects_are_said(objects):
    words = panels_to_sentence(objects_to_panels(objects, "cells"))
    real, synthetic = (
        objects.query("concept == 'cells' and set == @name and not rim")["diameter"].median()
        for name in ("holdout", "tuned")
    )
    assert f"diameter {real:.3g} and {synthetic:.3g} µm; eccentricity" in words


def test_properties_and_sets_without_objects_are_left_out(objects):
    lonely = objects.assign(nearest_neighbour=np.nan)
    assert len(objects_to_panels(lonely, "cells")) == 2
    real = objects[objects["set"] == "holdout"]
    assert [list(panel.sets) for panel in objects_to_panels(real, "cells")] == [["holdout"]] * 3
    assert panels_to_sentence(objects_to_panels(real, "cells")) == ""
    assert objects_to_panels(objects, "yeast") == []
    in_pixels = objects.assign(unit="px")
    assert objects_to_panels(in_pixels, "cells")[0].unit == "pixels"
    assert len(panels_to_png(objects_to_panels(real, "cells"))) > 1000


@given(st.lists(st.floats(0, 50), min_size=1, max_size=60), st.integers(1, 9))
def test_bins_are_equal_and_shares_are_those_of_all_objects(numbers, count):
    values = np.array(numbers)
    edges = values_to_edges({"one": values})
    assert len(edges) == BINS + 1
    np.testing.assert_allclose(np.diff(edges), np.diff(edges)[0], rtol=1e-6)
    histogram = values_to_histogram(values, np.arange(len(values)) % count, edges)
    np.testing.assert_allclose(histogram.shares, np.histogram(values, edges)[0] / len(values))
    assert 0 < histogram.shares.sum() <= 1 + 1e-9
    assert not np.isnan(histogram.deviations).any()


def test_a_few_merged_objects_do_not_stretch_the_axis():
    values = np.concatenate([np.linspace(5, 10, 1000), [4000.0]])
    edges = values_to_edges({"one": values})
    assert edges[0] == 5 and edges[-1] < 11


def test_the_error_is_that_of_drawing_images_anew():
    """Against drawing many sets of images, whose objects are alike within an image."""
    generator = np.random.default_rng(0)
    edges = np.array([0.0, 0.5, 1.0])

    def draw():
        counts = generator.poisson(8, 40) + 1
        shares = np.repeat(generator.beta(2, 2, 40), counts)
        values = np.where(generator.random(len(shares)) < shares, 0.2, 0.8)
        return values_to_histogram(values, np.repeat(np.arange(40), counts), edges)

    drawn = [draw() for _ in range(400)]
    spread = np.std([one.shares[0] for one in drawn])
    said = np.mean([one.deviations[0] for one in drawn])
    assert said == pytest.approx(spread, rel=0.12)
    independent = np.sqrt(0.25 / np.mean([one.objects for one in drawn]))
    assert said > 1.3 * independent


def test_one_image_tells_no_error():
    histogram = values_to_histogram(np.array([1.0, 2.0]), np.zeros(2), np.array([0.0, 1.5, 3.0]))
    assert np.isinf(histogram.deviations).all()
