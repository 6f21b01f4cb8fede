from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from pipeline_lib.models.adapters import (
    Adapter,
    adapter_to_update,
    merge_adapters,
    read_adapters,
)
from pipeline_lib.settings.base import UserError


def test_a_linear_update_is_the_product():
    down, up = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[3.0], [-1.0]])
    update = adapter_to_update(Adapter(down, up))
    assert update.tolist() == [[3.0, 6.0, 0.0], [-1.0, -2.0, 0.0]]


@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (3, 1), (3, 2)])
def test_a_merged_convolution_does_what_the_two_did(kernel, stride):
    torch.manual_seed(0)
    down, up = torch.randn(4, 6, kernel, kernel), torch.randn(5, 4, 1, 1)
    pictures, padding = torch.randn(2, 6, 9, 9), kernel // 2
    apart = torch.conv2d(torch.conv2d(pictures, down, None, stride, padding), up)
    update = adapter_to_update(Adapter(down, up))
    together = torch.conv2d(pictures, update, None, stride, padding)
    torch.testing.assert_close(together, apart, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("nested", [False, True])
def test_text_encoders_are_found_with_and_without_their_first_name(nested):
    layer = torch.nn.Linear(3, 2, bias=False)
    encoder = torch.nn.ModuleDict({"fc1": layer})
    module = torch.nn.ModuleDict({"text_model": encoder}) if nested else encoder
    before = layer.weight.detach().clone()
    adapter = Adapter(torch.ones(1, 3), torch.tensor([[1.0], [2.0]]))
    merge_adapters(module, {"text_model.fc1": adapter})
    assert torch.allclose(layer.weight - before, torch.tensor([[1.0] * 3, [2.0] * 3]))


def test_adapters_are_read_by_part_and_layer(tmp_path):
    file = tmp_path / "lora.safetensors"
    down, up = torch.rand(2, 5), torch.rand(3, 2)
    names = ("unet.a.to_out.0", "text_encoder_2.text_model.b.fc1")
    tensors = {f"{name}.lora_A.weight": down.clone() for name in names}
    save_file(tensors | {f"{name}.lora_B.weight": up.clone() for name in names}, file)
    read = read_adapters(file)
    assert set(read) == {"unet", "text_encoder_2"}
    (adapter,) = read["unet"].values()
    assert set(read["unet"]) == {"a.to_out.0"}
    assert set(read["text_encoder_2"]) == {"text_model.b.fc1"}
    assert torch.equal(adapter.down, down)
    assert torch.equal(adapter.up, up)
    assert adapter.rank == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.safetensors does not exist; train the run again"):
        read_adapters(tmp_path / "gone.safetensors")
