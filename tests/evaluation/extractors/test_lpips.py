"""LPIPS against its definition, against the published program where it is there, and refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline_lib.evaluation.extractors.entries import ExtractorCard, is_published_lpips
from pipeline_lib.evaluation.extractors.fetching import fetch_extractor
from pipeline_lib.evaluation.extractors.loading import load_extractor
from pipeline_lib.evaluation.extractors.lpips import (
    images_at_once,
    images_to_vectors,
    load_lpips,
)
from pipeline_lib.evaluation.extractors.lpips_network import (
    CHANNELS,
    SMALLEST_SIDE,
    LpipsNetwork,
)
from pipeline_lib.settings.base import UserError
from pipeline_lib.settings.extractors import (
    LPIPS_FILES,
    LPIPS_HEADS,
    LPIPS_NETWORK,
    ExtractorEntry,
)
from tests.evaluation.extractors.published_layout import LPIPS_SHAPES
from tests.evaluation.extractors.toy_extractors import build_lpips
from tests.evaluation.shards import draw_fields


def fetch(folder, sha256=None):
    entry = ExtractorEntry(family="lpips", kind="folder", path=str(folder), sha256=sha256)
    return fetch_extractor("lpips-toy", entry, folder, folder, no_download)


def no_download(*given):
    raise AssertionError("nothing is to be downloaded")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Both files of the published layout with random content."""
    folder = tmp_path_factory.mktemp("lpips")
    build_lpips(folder)
    return folder


@pytest.fixture(scope="module")
def weights(folder):
    return {
        name: values.detach()
        for file in LPIPS_FILES
        for name, values in torch.load(folder / file, weights_only=True).items()
    }


@pytest.fixture(scope="module")
def network(folder):
    return load_lpips(fetch(folder))


def distance(network, first, second):
    """Return LPIPS of two stacks, image by image."""
    x, y = (images_to_vectors(network, one).astype(np.float64) for one in (first, second))
    return np.square(x - y).sum(axis=1)


def to_colours(images):
    """Return (B, 3, Y, X) between -1 and 1."""
    return torch.from_numpy(images)[:, None].repeat(1, 3, 1, 1) / 127.5 - 1


def slow_distance(weights, first, second):
    """LPIPS by its definition: two images side by side through AlexNet, layer by layer."""
    maps = [to_colours(one) for one in (first, second)]
    shift, scale = (
        torch.tensor(values)[:, None, None]
        for values in ((-0.030, -0.088, -0.188), (0.458, 0.448, 0.450))
    )
    maps = [(one - shift) / scale for one in maps]
    total = 0
    for place, layer in enumerate((0, 3, 6, 8, 10)):
        taken = [weights[f"features.{layer}.{part}"] for part in ("weight", "bias")]
        if layer in (3, 6):
            maps = [functional.max_pool2d(one, 3, 2) for one in maps]
        step, rim = (4, 2) if layer == 0 else (1, taken[0].shape[-1] // 2)
        maps = [
            functional.conv2d(one, *taken, stride=step, padding=rim).clamp(min=0) for one in maps
        ]
        unit = [one / (one.square().sum(1, keepdim=True).sqrt() + 1e-10) for one in maps]
        heads = weights[f"lin{place}.model.1.weight"]
        total = total + functional.conv2d((unit[0] - unit[1]) ** 2, heads).mean(dim=(1, 2, 3))
    return total.numpy()


def test_the_squared_distance_of_vectors_is_lpips(network, weights):
    first, second = draw_fields(0, 3, 64), draw_fields(1, 3, 64)
    expected = slow_distance(weights, first, second)
    assert distance(network, first, second) == pytest.approx(expected, rel=1e-4)
    assert (expected > 0.01).all()
    assert distance(network, first, first) == pytest.approx(0, abs=0)


def test_images_keep_their_resolution(network):
    for side, grids in ((64, (15, 7, 3)), (32, (7, 3, 1)), (SMALLEST_SIDE, (7, 3, 1))):
        length = 64 * grids[0] ** 2 + 192 * grids[1] ** 2 + (384 + 256 + 256) * grids[2] ** 2
        assert images_to_vectors(network, draw_fields(2, 1, side)).shape == (1, length)
    assert images_to_vectors(network, draw_fields(2, 1, 64)[:, :40]).dtype == np.float32


def test_names_shapes_and_number_of_parameters_are_the_published_ones(network):
    found = {name: tuple(values.shape) for name, values in network.state_dict().items()}
    assert found == LPIPS_SHAPES[LPIPS_NETWORK]
    # torchvision's 61,100,840 less the classifier's 58,631,144
    assert sum(values.numel() for values in network.parameters()) == 2_469_696
    assert list(LPIPS_SHAPES) == list(LPIPS_FILES)


def test_images_that_share_no_channel_are_apart_by_the_sum_of_their_channels_weights():
    """Of white only the first channel of each layer is above 0, of black only the second."""
    heads = [
        torch.rand(width, generator=torch.Generator().manual_seed(place))
        for place, width in enumerate(CHANNELS)
    ]
    network = LpipsNetwork(heads).requires_grad_(False)
    for name, layer in network.features.items():
        centre = layer.kernel_size[0] // 2
        layer.weight.zero_()
        layer.bias.zero_()
        for channel, sign in ((0, 1), (1, -1 if name == "0" else 1)):
            layer.weight[channel, 0 if name == "0" else channel, centre, centre] = sign
    black, white = np.zeros((1, 64, 64), np.uint8), np.full((1, 64, 64), 255, np.uint8)
    expected = sum(float(one[:2].sum()) for one in heads)
    assert distance(network, black, white) == pytest.approx(expected, rel=1e-5)


@pytest.mark.filterwarnings("ignore")
def test_distances_are_those_of_the_published_program(tmp_path):
    published = pytest.importorskip("lpips")
    model = published.LPIPS(net="alex", pnet_rand=True, verbose=False)
    layers = {
        str(layer): part for part in model.net.children() for layer, part in part.named_children()
    }
    convolutions = {
        f"features.{name}.{part}": getattr(layer, part).data
        for name, layer in layers.items()
        for part in ("weight", "bias")
        if hasattr(layer, part)
    }
    torch.save(convolutions, tmp_path / LPIPS_NETWORK)
    heads = {name: values for name, values in model.state_dict().items() if name.startswith("lin")}
    torch.save(heads, tmp_path / LPIPS_HEADS)
    images = draw_fields(4, 6, 96)
    with torch.inference_mode():
        expected = model(to_colours(images[:3]), to_colours(images[3:])).flatten().numpy()
    network = load_lpips(fetch(tmp_path))
    assert distance(network, images[:3], images[3:]) == pytest.approx(expected, rel=1e-4)


def test_only_published_weights_make_it_div(folder):
    card = fetch(folder)
    assert not is_published_lpips(card.files)
    assert is_published_lpips(LPIPS_FILES) and not is_published_lpips({})
    assert LPIPS_FILES[LPIPS_NETWORK].startswith(LPIPS_NETWORK[-12:-4])
    with pytest.raises(UserError, match=rf"needed is {LPIPS_FILES[LPIPS_NETWORK]}"):
        fetch(folder, LPIPS_FILES[LPIPS_NETWORK])


def test_a_call_takes_fewer_large_images():
    assert (images_at_once(128, 128), images_at_once(512, 512)) == (128, 8)
    assert images_at_once(10_000, 10_000) == images_at_once(2_000, 1_000) == 1


# --- what is refused ------------------------------------------------------------------------------


def spoil(folder, file, **changes):
    """Save a file of the published layout with some of its tensors replaced, or taken out."""
    weights = build_lpips(folder)
    names = LPIPS_SHAPES[file]
    kept = {name: values for name, values in weights.items() if name in names} | changes
    torch.save({name: values for name, values in kept.items() if values is not None}, folder / file)


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        (LPIPS_NETWORK, {"features.8.bias": None}, r"of features\.8\.bias found nothing.*\(256,\)"),
        (LPIPS_NETWORK, {"features.0.weight": torch.zeros(64, 3, 7, 7)}, r"found \(64, 3, 7, 7\)"),
        (LPIPS_HEADS, {"lin2.model.1.weight": torch.zeros(1, 256, 1, 1)}, r"lin2.*found \(1, 256"),
        (LPIPS_HEADS, {"lin4.model.1.weight": None}, r"lin4.*take alexnet-owt-7be5be79\.pth as"),
        (LPIPS_HEADS, {"lin1.model.1.weight": -torch.ones(1, 192, 1, 1)}, r"lin1.*below 0"),
    ],
)
def test_weights_of_other_networks_are_refused(file, change, words, tmp_path):
    spoil(tmp_path, file, **change)
    with pytest.raises(UserError, match=words):
        load_lpips(fetch(tmp_path))


def test_missing_and_changed_files_are_refused(folder, tmp_path):
    with pytest.raises(UserError, match=r"nowhere does not exist; put .* \(alexnet-owt-7be5be79"):
        fetch(tmp_path / "nowhere")
    build_lpips(tmp_path)
    card = fetch(tmp_path)
    (tmp_path / LPIPS_HEADS).write_bytes(b"other")
    with pytest.raises(UserError, match=rf"needed is {card.files[LPIPS_HEADS]}"):
        load_lpips(card)
    with pytest.raises(UserError, match="no file of weights of PyTorch"):
        load_lpips(fetch(tmp_path))
    (tmp_path / LPIPS_HEADS).unlink()
    with pytest.raises(UserError, match=r"has no alex\.pth; needed are .* package lpips"):
        fetch(tmp_path)


def test_a_pinned_revision_of_the_hub_serves_as_well(folder):
    revision = "0" * 40
    entry = {"family": "lpips", "kind": "hub", "repository": "a/b", "revision": revision}
    entry = ExtractorEntry(**entry, files=tuple(LPIPS_FILES))
    card = fetch_extractor("pairs", entry, folder, folder, lambda *given: folder)
    assert (card.revision, card.files) == (revision, fetch(folder).files)
    assert list(load_lpips(card).state_dict()) == list(LPIPS_SHAPES[LPIPS_NETWORK])


def test_features_and_distances_are_not_taken_for_each_other(folder):
    with pytest.raises(UserError, match="gives distances of pairs of images"):
        load_extractor(fetch(folder))
    with pytest.raises(UserError, match="of family `dino` gives no LPIPS"):
        load_lpips(ExtractorCard(name="toy", family="dino", weights=str(folder)))


def test_images_that_the_network_cannot_see_are_refused(network):
    assert isinstance(network, LpipsNetwork)
    with pytest.raises(UserError, match="8-bit grey images"):
        images_to_vectors(network, np.zeros((1, 64, 64)))
    with pytest.raises(UserError, match="at least 31 pixels a side, found 30 x 64"):
        images_to_vectors(network, np.zeros((1, 30, 64), np.uint8))
