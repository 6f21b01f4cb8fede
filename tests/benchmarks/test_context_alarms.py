from __future__ import annotations

import numpy as np
from context_alarms import PROPERTIES, alarms_to_figures, values_to_alarms


def test_pictures_of_one_kind_are_seldom_told_apart_and_properties_go_together():
    generator = np.random.default_rng(0)
    apart = generator.normal(size=(300, len(PROPERTIES)))
    together = np.repeat(generator.normal(size=(300, 1)), len(PROPERTIES), axis=1)
    alarms = [values_to_alarms(values, (30, 15), 60) for values in (apart, together)]
    assert alarms[0].shape == (60, 2, len(PROPERTIES))
    assert 0.01 < alarms[0].mean() < 0.09
    found = [{one.what: one.value for one in alarms_to_figures(one)} for one in alarms]
    spread = "of 22 of a model: standard deviation"
    assert found[1][spread] > 2 * found[0][spread]
    assert (alarms[1].all(axis=2) == alarms[1].any(axis=2)).all()
