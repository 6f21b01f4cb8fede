from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline_lib.evaluation.extractors.contract import images_to_features, place_extractor
from pipeline_lib.evaluation.extractors.entries import INCEPTION_FILE, INCEPTION_SHA256, is_real_fid
from pipeline_lib.evaluation.extractors.inception_fid import load_inception_fid
from pipeline_lib.evaluation.extractors.inception_network import (
    Convolution,
    InceptionNetwork,
    Layer,
    block_8,
    block_17,
    block_17_to_8,
    block_35,
    block_35_to_17,
    halving_pool,
    maximum_pool,
    mean_pool,
)
from pipeline_lib.files import file_to_sha256
from pipeline_lib.settings.base import UserError
from tests.evaluation.extractors.published_layout import published_shapes
from tests.evaluation.shards import draw_fields


def draw_weights(shapes, seed=0):
    """Return random tensors of a state dict's names, wide enough for every layer to matter."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        drawn = torch.randn(shape, generator=generator)
        if name.endswith(("bn.weight", "running_var")):
            drawn = 1 + 0.2 * torch.rand(shape, generator=generator)
        elif len(shape) == 4:
            drawn *= math.sqrt(2 / math.prod(shape[1:]))
        else:
            drawn *= 0.1
        weights[name] = drawn
    return weights


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of the published layout with random content."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save(draw_weights(published_shapes()), path)
    return path


@pytest.fixture(scope="module")
def extractor(file):
    return place_extractor(load_inception_fid("inception-fid", file), "cpu")


def test_names_and_shapes_are_those_of_the_published_state_dict():
    found = {
        name: tuple(values.shape)
        for name, values in InceptionNetwork().state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    assert found == published_shapes()
    assert len(found) == 94 * 5 + 2


def test_parameters_are_as_many_as_those_of_inception_v3_with_1008_classes():
    # 21,785,568 before the classifier, as published for the network without auxiliary head.
    count = sum(values.numel() for values in InceptionNetwork().parameters())
    assert count == 21_785_568 + 2048 * 1008 + 1008


def test_the_pinned_hash_begins_as_the_published_file_s_name_says():
    assert len(INCEPTION_SHA256) == 64
    assert INCEPTION_SHA256[:8] == INCEPTION_FILE.removesuffix(".pth").rsplit("-", 1)[1]


def test_the_file_s_values_arrive_under_their_names(file, extractor):
    weights = torch.load(file, weights_only=True)
    loaded = extractor.network.state_dict()
    assert all(torch.equal(loaded[name], values) for name, values in weights.items())


def test_files_of_newer_releases_load_too(tmp_path):
    path = tmp_path / "newer.pth"
    torch.save(InceptionNetwork().state_dict(), path)
    assert load_inception_fid("inception-fid", path).dimensions == 2048


def test_features_are_2048_a_picture_and_the_classifier_takes_them(extractor):
    images = draw_fields(0, 3, 64)
    features = images_to_features(extractor, images)
    assert features.shape == (3, extractor.dimensions) == (3, 2048)
    assert features.dtype == np.float32
    assert features.std(axis=0).mean() > 1e-3
    assert extractor.network.fc(torch.from_numpy(features)).shape == (3, 1008)
    assert "299 x 299" in extractor.preprocessing


def test_neither_batches_nor_chance_change_features(extractor):
    images = draw_fields(1, 3, 64)
    whole = images_to_features(extractor, images, batch_size=3)
    assert np.array_equal(images_to_features(extractor, images, batch_size=3), whole)
    assert images_to_features(extractor, images, batch_size=2) == pytest.approx(whole, abs=1e-4)


def test_features_are_those_of_a_slow_plain_network(file, extractor):
    images = draw_fields(2, 1, 64)
    prepared = extractor.prepare(torch.from_numpy(images))
    weights = torch.load(file, weights_only=True)
    with torch.inference_mode():
        expected = slow_network(weights, prepared).numpy()
    assert images_to_features(extractor, images) == pytest.approx(expected, abs=1e-4)


def test_grids_are_35_17_and_8(extractor):
    sides = []
    names = ("Mixed_5b", "Mixed_5d", "Mixed_6a", "Mixed_6e", "Mixed_7a", "Mixed_7c")
    hooks = [
        extractor.network.get_submodule(name).register_forward_hook(
            lambda module, given, made: sides.append(tuple(made.shape[1:]))
        )
        for name in names
    ]
    images_to_features(extractor, draw_fields(3, 1, 64))
    for hook in hooks:
        hook.remove()
    assert sides == [
        (256, 35, 35),
        (288, 35, 35),
        (768, 17, 17),
        (768, 17, 17),
        (1280, 8, 8),
        (2048, 8, 8),
    ]


# --- the network a second time, as a list of steps over plain tensors -----------------------------


def slow_convolution(weights, name, images, stride=1, padding=(0, 0)):
    """Convolution, normalisation by the running values, rectifier."""
    made = functional.conv2d(images, weights[f"{name}.conv.weight"], stride=stride, padding=padding)
    mean, variance, scale, shift = (
        weights[f"{name}.bn.{part}"][:, None, None]
        for part in ("running_mean", "running_var", "weight", "bias")
    )
    return ((made - mean) / torch.sqrt(variance + 1e-3) * scale + shift).clamp(min=0)


def slow_same(weights, name, images):
    """A convolution that keeps the picture's size."""
    rows, columns = weights[f"{name}.conv.weight"].shape[2:]
    return slow_convolution(weights, name, images, padding=(rows // 2, columns // 2))


def slow_chain(weights, block, names, images):
    """Convolutions one after the other."""
    for name in names.split():
        images = slow_same(weights, f"{block}.{name}", images)
    return images


def slow_pool(images, kind):
    """3 x 3 pool of step 1 over the places inside the picture, by its nine shifts."""
    height, width = images.shape[2:]
    filler = 0.0 if kind == "mean" else -math.inf
    padded = functional.pad(images, (1, 1, 1, 1), value=filler)
    inside = functional.pad(torch.ones(1, 1, height, width), (1, 1, 1, 1))
    cuts = [(slice(y, y + height), slice(x, x + width)) for y in range(3) for x in range(3)]
    shifted = torch.stack([padded[:, :, y, x] for y, x in cuts])
    if kind == "maximum":
        return shifted.amax(dim=0)
    return shifted.sum(dim=0) / sum(inside[:, :, y, x] for y, x in cuts)


def slow_halving(images):
    """Maximum of 3 x 3 places, every second one."""
    height, width = images.shape[2] - 2, images.shape[3] - 2
    shifts = [
        images[:, :, y : y + height : 2, x : x + width : 2] for y in range(3) for x in range(3)
    ]
    return torch.stack(shifts).amax(dim=0)


def slow_35(weights, block, images):
    return [
        slow_chain(weights, block, "branch1x1", images),
        slow_chain(weights, block, "branch5x5_1 branch5x5_2", images),
        slow_chain(weights, block, "branch3x3dbl_1 branch3x3dbl_2 branch3x3dbl_3", images),
        slow_chain(weights, block, "branch_pool", slow_pool(images, "mean")),
    ]


def slow_35_to_17(weights, block, images):
    double = slow_chain(weights, block, "branch3x3dbl_1 branch3x3dbl_2", images)
    return [
        slow_convolution(weights, f"{block}.branch3x3", images, stride=2),
        slow_convolution(weights, f"{block}.branch3x3dbl_3", double, stride=2),
        slow_halving(images),
    ]


def slow_17(weights, block, images):
    long = " ".join(f"branch7x7dbl_{number}" for number in range(1, 6))
    return [
        slow_chain(weights, block, "branch1x1", images),
        slow_chain(weights, block, "branch7x7_1 branch7x7_2 branch7x7_3", images),
        slow_chain(weights, block, long, images),
        slow_chain(weights, block, "branch_pool", slow_pool(images, "mean")),
    ]


def slow_17_to_8(weights, block, images):
    short = slow_chain(weights, block, "branch3x3_1", images)
    long = slow_chain(weights, block, "branch7x7x3_1 branch7x7x3_2 branch7x7x3_3", images)
    return [
        slow_convolution(weights, f"{block}.branch3x3_2", short, stride=2),
        slow_convolution(weights, f"{block}.branch7x7x3_4", long, stride=2),
        slow_halving(images),
    ]


def slow_8(weights, block, images, kind):
    short = slow_chain(weights, block, "branch3x3_1", images)
    double = slow_chain(weights, block, "branch3x3dbl_1 branch3x3dbl_2", images)
    return [
        slow_chain(weights, block, "branch1x1", images),
        slow_chain(weights, block, "branch3x3_2a", short),
        slow_chain(weights, block, "branch3x3_2b", short),
        slow_chain(weights, block, "branch3x3dbl_3a", double),
        slow_chain(weights, block, "branch3x3dbl_3b", double),
        slow_chain(weights, block, "branch_pool", slow_pool(images, kind)),
    ]


def slow_network(weights, images):
    """The network's features, step by step."""
    images = slow_convolution(weights, "Conv2d_1a_3x3", images, stride=2)
    images = slow_convolution(weights, "Conv2d_2a_3x3", images)
    images = slow_halving(slow_same(weights, "Conv2d_2b_3x3", images))
    images = slow_convolution(weights, "Conv2d_3b_1x1", images)
    images = slow_halving(slow_convolution(weights, "Conv2d_4a_3x3", images))
    for name in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        images = torch.cat(slow_35(weights, name, images), 1)
    images = torch.cat(slow_35_to_17(weights, "Mixed_6a", images), 1)
    for name in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        images = torch.cat(slow_17(weights, name, images), 1)
    images = torch.cat(slow_17_to_8(weights, "Mixed_7a", images), 1)
    images = torch.cat(slow_8(weights, "Mixed_7b", images, "mean"), 1)
    images = torch.cat(slow_8(weights, "Mixed_7c", images, "maximum"), 1)
    return images.flatten(2).sum(dim=2) / (images.shape[2] * images.shape[3])


BLOCKS = {
    "35": (block_35(6, pooled=5), slow_35),
    "35 to 17": (block_35_to_17(6), slow_35_to_17),
    "17": (block_17(6, narrow=4), slow_17),
    "17 to 8": (block_17_to_8(6), slow_17_to_8),
    "8, mean": (block_8(6, mean_pool), lambda *given: slow_8(*given, "mean")),
    "8, maximum": (block_8(6, maximum_pool), lambda *given: slow_8(*given, "maximum")),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_single_blocks_equal_their_slow_reference(name):
    block, slow = BLOCKS[name]
    shapes = {
        key: tuple(values.shape)
        for key, values in block.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    weights = draw_weights(shapes, seed=1)
    block.eval().load_state_dict(weights)
    images = torch.rand((2, 6, 9, 11), generator=torch.Generator().manual_seed(0))
    parts = slow({f"here.{key}": values for key, values in weights.items()}, "here", images)
    with torch.inference_mode():
        made = block(images)
    assert made.shape[1] == block.channels == sum(part.shape[1] for part in parts)
    assert made.numpy() == pytest.approx(torch.cat(parts, 1).numpy(), abs=1e-5)


def test_mean_pools_leave_the_padding_out_of_the_mean():
    ones = torch.ones((1, 1, 5, 5))
    assert mean_pool(ones).unique().tolist() == [1]  # counted in, a corner would be 4 / 9
    images = torch.arange(25, dtype=torch.float32).reshape(1, 1, 5, 5)
    assert mean_pool(images)[0, 0, 0, 0].item() == (0 + 1 + 5 + 6) / 4
    assert mean_pool(images)[0, 0, 2, 0].item() == pytest.approx((5 + 6 + 10 + 11 + 15 + 16) / 6)
    assert mean_pool(images).numpy() == pytest.approx(slow_pool(images, "mean").numpy())


def test_maximum_pools_see_no_padding():
    assert maximum_pool(-torch.ones((1, 1, 5, 5))).unique().tolist() == [-1]
    assert halving_pool(torch.rand(1, 1, 71, 71)).shape[2:] == (35, 35)


def test_the_last_block_takes_a_maximum_where_the_one_before_takes_a_mean():
    network = InceptionNetwork()
    pools = [network.get_submodule(f"Mixed_7{letter}").branches[-1].pool for letter in "bc"]
    images = torch.arange(25, dtype=torch.float32).reshape(1, 1, 5, 5)
    assert [pool(images)[0, 0, 0, 0].item() for pool in pools] == [3, 6]


def test_normalisation_adds_a_thousandth_to_the_variance():
    layer = Convolution(1, Layer(1, (1, 1))).eval()
    weights = {
        "conv.weight": torch.ones(1, 1, 1, 1),
        "bn.weight": torch.ones(1),
        "bn.bias": torch.zeros(1),
        "bn.running_mean": torch.zeros(1),
        "bn.running_var": torch.zeros(1),
    }
    layer.load_state_dict(weights)
    with torch.inference_mode():
        made = layer(torch.tensor([[[[2.0, -2.0]]]]))
    assert made.flatten().tolist() == pytest.approx([2 / math.sqrt(0.001), 0])


# --- what is refused ------------------------------------------------------------------------------


def test_only_the_published_weights_make_it_fid(file, extractor):
    assert extractor.weights_sha256 == file_to_sha256(file)
    assert not is_real_fid(extractor.family, extractor.weights_sha256)
    assert not is_real_fid("plug-in", INCEPTION_SHA256)
    assert is_real_fid("inception-fid", INCEPTION_SHA256)
    with pytest.raises(UserError, match=rf"needed is {INCEPTION_SHA256}"):
        load_inception_fid("inception-fid", file, INCEPTION_SHA256)


@pytest.mark.parametrize("fault", ["missing", "strange", "shape"])
def test_state_dicts_of_other_networks_are_refused(fault, tmp_path):
    weights = InceptionNetwork().state_dict()
    if fault == "missing":
        del weights["Mixed_6c.branch7x7_2.conv.weight"]
    elif fault == "strange":
        weights["AuxLogits.fc.weight"] = torch.zeros(2)
    else:
        weights["fc.weight"] = torch.zeros(1000, 2048)
    path = tmp_path / "weights.pth"
    torch.save(weights, path)
    with pytest.raises(UserError, match=r"no state dict of FID's Inception v3"):
        load_inception_fid("inception-fid", path)


def test_files_that_hold_no_tensors_are_refused(tmp_path):
    with pytest.raises(UserError, match="weights are not there"):
        load_inception_fid("inception-fid", tmp_path / "nothing.pth")
    for name, write in (
        ("text.pth", lambda path: path.write_text("<html>not found</html>")),
        ("empty.pth", lambda path: path.write_bytes(b"")),
        ("list.pth", lambda path: torch.save([torch.zeros(2)], path)),
        ("code.pth", lambda path: torch.save({"a": InceptionNetwork}, path)),
    ):
        write(tmp_path / name)
        with pytest.raises(UserError, match=r"no file of weights|no state dict"):
            load_inception_fid("inception-fid", tmp_path / name)
