"""Files for ComfyUI: which of its weights an adapter is added to, and that the sum is what diffusers has."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.loaders import single_file_utils
from peft import LoraConfig, get_peft_model_state_dict, inject_adapter_in_model
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file
from torch import Tensor

from domain.config.training import TrainingConfig
from domain.families.registry import FAMILIES as KNOWN
from tests.trainer.runs import SMALL_MODEL
from tests.trainer.small_families import SMALL, save_small
from trainer.errors import TrainingError
from trainer.families.family import BaseModel
from trainer.families.registry import FAMILIES
from trainer.trained.lora import Lora
from trainer.trained.lora_names import LoraNames
from trainer.trained.lycoris import Lycoris

# Of layers in diffusers: the key in the file, and the weight in ComfyUI that it is added to, with the rows that are theirs.
# = is the layer's name. ComfyUI adds to those rows alone, except where several layers have one key.
TARGETS = {
    "sdxl": """
        down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q input_blocks.3.1.transformer_blocks.0.attn1.to_q
        mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0 lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_out_0 middle_block.1.transformer_blocks.0.attn2.to_out.0
        up_blocks.0.resnets.0.conv1 lora_unet_up_blocks_0_resnets_0_conv1 output_blocks.0.0.in_layers.2
        up_blocks.0.attentions.0.transformer_blocks.0.ff.net.0.proj lora_unet_up_blocks_0_attentions_0_transformer_blocks_0_ff_net_0_proj output_blocks.0.1.transformer_blocks.0.ff.net.0.proj
        add_embedding.linear_1 lora_unet_add_embedding_linear_1 label_emb.0.0
    """,
    "flux": """
        transformer_blocks.0.attn.to_q transformer.= double_blocks.0.img_attn.qkv 0:32
        transformer_blocks.0.attn.to_k transformer.= double_blocks.0.img_attn.qkv 32:64
        transformer_blocks.0.attn.to_v transformer.= double_blocks.0.img_attn.qkv 64:96
        transformer_blocks.0.attn.to_out.0 transformer.= double_blocks.0.img_attn.proj
        transformer_blocks.0.attn.add_q_proj transformer.= double_blocks.0.txt_attn.qkv 0:32
        transformer_blocks.0.attn.add_k_proj transformer.= double_blocks.0.txt_attn.qkv 32:64
        transformer_blocks.0.attn.add_v_proj transformer.= double_blocks.0.txt_attn.qkv 64:96
        transformer_blocks.0.ff.net.0.proj transformer.= double_blocks.0.img_mlp.0
        single_transformer_blocks.0.attn.to_q transformer.= single_blocks.0.linear1 0:32
        single_transformer_blocks.0.attn.to_k transformer.= single_blocks.0.linear1 32:64
        single_transformer_blocks.0.attn.to_v transformer.= single_blocks.0.linear1 64:96
        single_transformer_blocks.0.proj_mlp transformer.= single_blocks.0.linear1 96:224
        single_transformer_blocks.0.proj_out transformer.= single_blocks.0.linear2
    """,
    "sd3": """
        transformer_blocks.1.attn.to_q transformer.= joint_blocks.1.x_block.attn.qkv 0:32
        transformer_blocks.1.attn.to_k transformer.= joint_blocks.1.x_block.attn.qkv 32:64
        transformer_blocks.1.attn.to_v transformer.= joint_blocks.1.x_block.attn.qkv 64:96
        transformer_blocks.0.attn.add_q_proj transformer.= joint_blocks.0.context_block.attn.qkv 0:32
        transformer_blocks.0.attn.add_k_proj transformer.= joint_blocks.0.context_block.attn.qkv 32:64
        transformer_blocks.0.attn.add_v_proj transformer.= joint_blocks.0.context_block.attn.qkv 64:96
        transformer_blocks.0.attn.to_out.0 transformer.= joint_blocks.0.x_block.attn.proj
        transformer_blocks.0.ff.net.2 transformer.= joint_blocks.0.x_block.mlp.fc2
    """,
    "z_image": """
        layers.0.attention.to_q diffusion_model.= layers.0.attention.qkv 0:32
        layers.0.attention.to_k diffusion_model.= layers.0.attention.qkv 32:64
        layers.0.attention.to_v diffusion_model.= layers.0.attention.qkv 64:96
        layers.0.attention.to_out.0 diffusion_model.= layers.0.attention.out
        noise_refiner.0.feed_forward.w1 diffusion_model.= =
    """,
    "z_image_omni": """
        layers.0.attention.to_v diffusion_model.= layers.0.attention.qkv 64:96
        siglip_refiner.0.attention.to_q diffusion_model.siglip_refiner.0.attention.qkv siglip_refiner.0.attention.qkv 0:32
        siglip_refiner.0.attention.to_k diffusion_model.siglip_refiner.0.attention.qkv siglip_refiner.0.attention.qkv 32:64
        siglip_refiner.0.attention.to_v diffusion_model.siglip_refiner.0.attention.qkv siglip_refiner.0.attention.qkv 64:96
        siglip_refiner.0.attention.to_out.0 diffusion_model.siglip_refiner.0.attention.out siglip_refiner.0.attention.out
    """,
    "qwen_image": """
        transformer_blocks.1.attn.to_q diffusion_model.= =
        transformer_blocks.0.attn.to_out.0 diffusion_model.= =
        transformer_blocks.0.img_mlp.net.0.proj diffusion_model.= =
    """,
    "flux2": """
        transformer_blocks.0.attn.to_q transformer.= double_blocks.0.img_attn.qkv 0:32
        transformer_blocks.0.attn.to_k transformer.= double_blocks.0.img_attn.qkv 32:64
        transformer_blocks.0.attn.to_v transformer.= double_blocks.0.img_attn.qkv 64:96
        transformer_blocks.0.attn.to_out.0 transformer.= double_blocks.0.img_attn.proj
        transformer_blocks.0.ff_context.linear_out transformer.= double_blocks.0.txt_mlp.2
        single_transformer_blocks.0.attn.to_qkv_mlp_proj transformer.= single_blocks.0.linear1
        single_transformer_blocks.0.attn.to_out transformer.= single_blocks.0.linear2
    """,
    "chroma": """
        transformer_blocks.0.attn.to_k transformer.= double_blocks.0.img_attn.qkv 32:64
        transformer_blocks.0.attn.to_add_out transformer.= double_blocks.0.txt_attn.proj
        single_transformer_blocks.0.attn.to_v transformer.= single_blocks.0.linear1 64:96
    """,
    "pixart": """
        transformer_blocks.0.attn1.to_q transformer.= blocks.0.attn.qkv 0:32
        transformer_blocks.0.attn1.to_k transformer.= blocks.0.attn.qkv 32:64
        transformer_blocks.0.attn1.to_v transformer.= blocks.0.attn.qkv 64:96
        transformer_blocks.0.attn1.to_out.0 transformer.= blocks.0.attn.proj
        transformer_blocks.1.attn2.to_q transformer.= blocks.1.cross_attn.q_linear
        transformer_blocks.1.attn2.to_k transformer.= blocks.1.cross_attn.kv_linear 0:32
        transformer_blocks.1.attn2.to_v transformer.= blocks.1.cross_attn.kv_linear 32:64
        transformer_blocks.1.attn2.to_out.0 transformer.= blocks.1.cross_attn.proj
    """,
    "auraflow": """
        joint_transformer_blocks.0.attn.to_q transformer.= double_layers.0.attn.w2q
        joint_transformer_blocks.0.attn.add_k_proj transformer.= double_layers.0.attn.w1k
        joint_transformer_blocks.0.attn.to_add_out transformer.= double_layers.0.attn.w1o
        single_transformer_blocks.0.attn.to_out.0 transformer.= single_layers.0.attn.w1o
        single_transformer_blocks.0.ff.linear_1 transformer.= single_layers.0.mlp.c_fc1
    """,
    "lumina2": """
        layers.0.attn.to_q diffusion_model.layers.0.attention.qkv layers.0.attention.qkv 0:24
        layers.0.attn.to_k diffusion_model.layers.0.attention.qkv layers.0.attention.qkv 24:32
        layers.0.attn.to_v diffusion_model.layers.0.attention.qkv layers.0.attention.qkv 32:40
        layers.0.attn.to_out.0 diffusion_model.layers.0.attention.out layers.0.attention.out
        context_refiner.0.feed_forward.linear_2 diffusion_model.context_refiner.0.feed_forward.w2 context_refiner.0.feed_forward.w2
        noise_refiner.0.norm1.linear diffusion_model.noise_refiner.0.adaLN_modulation.1 noise_refiner.0.adaLN_modulation.1
    """,
    "hidream": """
        double_stream_blocks.0.block.attn1.to_k diffusion_model.= =
        single_stream_blocks.0.block.attn1.to_out diffusion_model.= =
    """,
    "cosmos": """
        transformer_blocks.0.attn1.to_q diffusion_model.blocks.0.self_attn.q_proj blocks.0.self_attn.q_proj
        transformer_blocks.0.attn1.to_out.0 diffusion_model.blocks.0.self_attn.output_proj blocks.0.self_attn.output_proj
        transformer_blocks.0.attn2.to_v diffusion_model.blocks.0.cross_attn.v_proj blocks.0.cross_attn.v_proj
        transformer_blocks.0.ff.net.0.proj diffusion_model.blocks.0.mlp.layer1 blocks.0.mlp.layer1
        transformer_blocks.0.ff.net.2 diffusion_model.blocks.0.mlp.layer2 blocks.0.mlp.layer2
        transformer_blocks.0.norm2.linear_1 diffusion_model.blocks.0.adaln_modulation_cross_attn.1 blocks.0.adaln_modulation_cross_attn.1
        time_embed.t_embedder.linear_2 diffusion_model.t_embedder.1.linear_2 t_embedder.1.linear_2
        norm_out.linear_1 diffusion_model.final_layer.adaln_modulation.1 final_layer.adaln_modulation.1
    """,
    "wan": """
        blocks.1.attn1.to_q diffusion_model.blocks.1.self_attn.q blocks.1.self_attn.q
        blocks.1.attn1.to_out.0 diffusion_model.blocks.1.self_attn.o blocks.1.self_attn.o
        blocks.0.attn2.to_v diffusion_model.blocks.0.cross_attn.v blocks.0.cross_attn.v
        blocks.0.ffn.net.0.proj diffusion_model.blocks.0.ffn.0 blocks.0.ffn.0
        blocks.0.ffn.net.2 diffusion_model.blocks.0.ffn.2 blocks.0.ffn.2
        condition_embedder.text_embedder.linear_2 diffusion_model.text_embedding.2 text_embedding.2
        proj_out diffusion_model.head.head head.head
    """,
    "ltxvideo": """
        transformer_blocks.0.attn1.to_q diffusion_model.= =
        transformer_blocks.0.attn2.to_out.0 diffusion_model.= =
        time_embed.linear diffusion_model.adaln_single.linear adaln_single.linear
        proj_in diffusion_model.patchify_proj patchify_proj
    """,
    "ernie": """
        layers.0.self_attention.to_q diffusion_model.= =
        layers.0.self_attention.to_out.0 diffusion_model.= =
    """,
    "kandinsky5_image": """
        text_transformer_blocks.0.self_attention.to_query diffusion_model.= =
        visual_transformer_blocks.0.cross_attention.to_value diffusion_model.= =
    """,
    "krea2": """
        transformer_blocks.0.attn.to_q diffusion_model.= blocks.0.attn.wq
        transformer_blocks.0.attn.to_k diffusion_model.= blocks.0.attn.wk
        transformer_blocks.0.attn.to_out.0 diffusion_model.= blocks.0.attn.wo
        transformer_blocks.0.ff.down diffusion_model.= blocks.0.mlp.down
        text_fusion.refiner_blocks.0.attn.to_v diffusion_model.= txtfusion.refiner_blocks.0.attn.wv
    """,
    "longcat_image": """
        transformer_blocks.0.attn.to_q transformer.= double_blocks.0.img_attn.qkv 0:32
        single_transformer_blocks.0.proj_mlp transformer.= single_blocks.0.linear1 96:224
    """,
}

CONVERTERS: dict[str, Callable[[dict[str, Tensor]], dict[str, Tensor]]] = {
    "z_image": single_file_utils.convert_z_image_transformer_checkpoint_to_diffusers,
    "flux2": single_file_utils.convert_flux2_transformer_checkpoint_to_diffusers,
    "cosmos": single_file_utils.convert_cosmos_transformer_checkpoint_to_diffusers,
    "wan": single_file_utils.convert_wan_transformer_to_diffusers,
    "ltxvideo": single_file_utils.convert_ltx_transformer_checkpoint_to_diffusers,
    "krea2": single_file_utils.convert_krea2_transformer_checkpoint_to_diffusers,
    "ernie": single_file_utils.convert_ernie_image_transformer_checkpoint_to_diffusers,
    "hidream": single_file_utils.convert_hidream_transformer_to_diffusers,
}
"""How diffusers reads the weights that ComfyUI has, where it takes them in any size."""

SCALE = 0.75


def denoiser_of(key: str) -> Any:
    torch.manual_seed(0)
    pipeline = SMALL[key].build()
    return pipeline.components.get("unet") or pipeline.transformer


def with_adapter(key: str, layers: list[str]) -> Any:
    """A small denoiser with an adapter of rank 3 beside these layers."""
    network = denoiser_of(key)
    settings = LoraConfig(r=3, lora_alpha=3 * SCALE, target_modules=layers, init_lora_weights=False)
    return inject_adapter_in_model(settings, network)


def read_table(key: str) -> list[tuple[str, str, str, slice]]:
    lines = [line.split() for line in TARGETS[key].strip().splitlines()]
    rows = [slice(*map(int, rest[0].split(":"))) if rest else slice(None) for _, _, _, *rest in lines]
    return [
        (layer, name.replace("=", layer), weight.replace("=", layer), own)
        for (layer, name, weight, *_), own in zip(lines, rows, strict=True)
    ]


def as_comfyui_adds(
    file: dict[str, Tensor], weights: dict[str, Tensor], table: list[tuple[str, str, str, slice]]
) -> None:
    """W[rows] += alpha / rank * up @ down (ComfyUI's comfy/weight_adapter/lora.py)."""
    by_name: dict[str, list[tuple[str, slice]]] = {}
    for _, name, weight, rows in table:
        by_name.setdefault(name, []).append((weight, rows))
    for name, targets in by_name.items():
        weight, rows = targets[0] if len(targets) == 1 else (targets[0][0], slice(None))
        ends = [("lora_down.weight", "lora_up.weight"), ("lora_A.weight", "lora_B.weight")]
        down, up = next((file.pop(f"{name}.{a}"), file.pop(f"{name}.{b}")) for a, b in ends if f"{name}.{a}" in file)
        change = file.pop(f"{name}.alpha") / len(down) * up.flatten(1) @ down.flatten(1)
        weights[weight][rows] += change.view_as(weights[weight][rows])


@pytest.mark.parametrize("key", TARGETS)
def test_sum_in_comfyui_is_the_layer_of_diffusers_with_its_adapter(key: str) -> None:
    table = read_table(key)
    network = with_adapter(key, [layer for layer, *_ in table])
    layers = {layer: network.get_submodule(layer) for layer, *_ in table}
    weights: dict[str, Tensor] = {}
    for layer, _, weight, rows in table:
        own = layers[layer].get_base_layer().weight.detach()
        height = max([rows.stop or len(own)] + [each.stop or 0 for _, _, name, each in table if name == weight])
        whole = weights.setdefault(weight, torch.zeros(height, *own.shape[1:]))
        whole[rows] = own
    comfy_names = FAMILIES[key].comfy_names  # type: ignore[index]
    file = LoraNames(comfy_names).to_file("unet", get_peft_model_state_dict(network), scale=SCALE)
    as_comfyui_adds(file, weights, table)
    assert file == {}
    converted = CONVERTERS[key]({f"{name}.weight": each for name, each in weights.items()}) if key in CONVERTERS else {}
    for layer, _, weight, rows in table:
        expected = layers[layer].get_base_layer().weight + layers[layer].get_delta_weight("default")
        torch.testing.assert_close(converted.get(f"{layer}.weight", weights[weight][rows]), expected)
        assert key not in CONVERTERS or f"{layer}.weight" in converted


@pytest.mark.parametrize("key", TARGETS)
def test_file_for_comfyui_is_read_as_it_was_written(key: str) -> None:
    """Of the layers that get an adapter when nothing is said."""
    network = denoiser_of(key)
    family = FAMILIES[key]  # type: ignore[index]
    settings = LoraConfig(r=2, target_modules=list(KNOWN[key].lora_targets), init_lora_weights=False)
    weights = get_peft_model_state_dict(inject_adapter_in_model(settings, network))
    adapted = [name for name, layer in network.named_modules() if isinstance(layer, LoraLayer)]
    assert family.comfy_names is not None
    assert family.comfy_names.problem_of(adapted) is None
    names = LoraNames(family.comfy_names)
    file = names.to_file("unet", weights, scale=SCALE)
    again = names.from_file("unet", file, like=weights)
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[name], weights[name]) for name in weights)
    assert names.scales("unet", file, like=weights) == {SCALE}


@pytest.mark.parametrize(
    ("key", "part", "prefix"),
    [("sd1x", "text_encoder", "te"), ("sdxl", "text_encoder", "te1"), ("sdxl", "text_encoder_2", "te2")],
)
@pytest.mark.parametrize("within", ["", "text_model."], ids=["transformers-5", "transformers-4"])
def test_text_encoders_have_the_names_of_kohyas_scripts(key: str, part: str, prefix: str, within: str) -> None:
    layer = f"{within}encoder.layers.0.self_attn.q_proj"
    weights = {f"{layer}.lora_A.weight": torch.zeros(2, 8), f"{layer}.lora_B.weight": torch.zeros(8, 2)}
    file = LoraNames(FAMILIES[key].comfy_names).to_file(part, weights, scale=1)  # type: ignore[index]
    name = f"lora_{prefix}_text_model_encoder_layers_0_self_attn_q_proj"
    assert set(file) == {f"{name}.lora_down.weight", f"{name}.lora_up.weight", f"{name}.alpha"}


def test_families_with_names_are_those_that_comfyui_has() -> None:
    named = {key for key, family in FAMILIES.items() if family.comfy_names is not None}
    assert named == {key for key, family in KNOWN.items() if family.has_comfyui_names}
    joined = {key for key in named if FAMILIES[key].comfy_names.joined}  # type: ignore[union-attr]
    assert joined == {key for key, family in KNOWN.items() if family.joined_in_comfyui}
    assert set(FAMILIES) - named == {"sana", "kolors"}
    assert named - {"sd1x", "sd2x"} == set(TARGETS)


def test_layers_without_a_name_and_parts_of_a_layer_are_told() -> None:
    flux2, lumina2 = FAMILIES["flux2"].comfy_names, FAMILIES["lumina2"].comfy_names
    assert flux2 is not None
    assert lumina2 is not None
    assert flux2.problem_of(["proj_out", "single_stream_modulation.linear"]) == (
        "which has no name for the layer single_stream_modulation.linear"
    )
    assert lumina2.problem_of(["layers.0.attn.to_q", "layers.0.attn.to_v"]) == (
        "which has layers.0.attn.to_q and its neighbours as one layer (diffusion_model.layers.0.attention.qkv), and not "
        "all of them are chosen"
    )


# ---- LyCORIS -----------------------------------------------------------------------------------------------------------


def lycoris_change(weights: dict[str, Tensor], base: Tensor) -> Tensor:
    """What ComfyUI adds to a weight for one layer of a file (its comfy/weight_adapter: lora, loha, lokr, oft, boft)."""
    alpha = weights["alpha"].item()
    if "lora_up.weight" in weights:
        up, down = weights["lora_up.weight"], weights["lora_down.weight"]
        scale = alpha / len(down)
        if "lora_mid.weight" in weights:
            down = torch.einsum("mnhw,ni->mihw", weights["lora_mid.weight"], down.flatten(1))
        return scale * (up.flatten(1) @ down.flatten(1)).view_as(base)
    if "hada_w1_a" in weights:
        first, second = (weights[f"hada_w{place}_a"] @ weights[f"hada_w{place}_b"] for place in (1, 2))
        return alpha / len(weights["hada_w1_b"]) * (first * second).view_as(base)
    if "oft_blocks" in weights:
        return turned(weights, base, bound=alpha) - base
    factors, rank = [], None
    for place in (1, 2):
        factor = weights.get(f"lokr_w{place}")
        if factor is None:
            rank = len(weights[f"lokr_w{place}_b"])
            factor = weights[f"lokr_w{place}_a"] @ weights[f"lokr_w{place}_b"]
        factors.append(factor)
    return (alpha / rank if rank else 1) * torch.kron(*factors).view_as(base)


def turned(weights: dict[str, Tensor], base: Tensor, *, bound: float) -> Tensor:
    blocks = weights["oft_blocks"]
    skew = blocks - blocks.transpose(-1, -2)
    if bound > 0 and torch.norm(skew) + 1e-8 > bound:
        skew = skew * bound / (torch.norm(skew) + 1e-8)
    one = torch.eye(blocks.shape[-1])
    rotations = (one + skew) @ (one - skew).inverse()
    if blocks.ndim == 3:
        return torch.einsum("knm,kni->kmi", rotations, base.view(*blocks.shape[:2], -1)).flatten(0, 1)
    for level, rotation in enumerate(rotations):
        stride = 2**level * (blocks.shape[-1] // 2)
        width = base.shape[1]
        grouped = base.view(-1, 2, stride, width).transpose(1, 2).reshape(-1, blocks.shape[-1], width)
        mixed = torch.einsum("bij,bjc->bic", rotation, grouped)
        base = mixed.reshape(-1, stride, 2, width).transpose(1, 2).flatten(0, 2)
    return base * weights.get("rescale", 1)


@pytest.fixture(scope="module")
def flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small("flux", tmp_path_factory.mktemp("flux"))


LAYERS = ["transformer_blocks.0.attn.to_q", "single_transformer_blocks.0.proj_out"]


def adapted(folder: Path, key: str = "flux", *, is_filled: bool = True, **options: Any) -> Any:
    """What trains beside a small family; is_filled: with random weights in place of those that change nothing."""
    config = {"model_family": key, "lora_format": "comfyui", "lora_rank": 2} | options
    base = BaseModel(
        source=str(folder),
        config=TrainingConfig.model_validate(config),
        device=torch.device("cpu"),
        dtype=torch.float32,
    )
    family = FAMILIES[base.config.model_family].load(base)
    trained = (Lycoris if base.config.lora_type == "lycoris" else Lora).beside(family, base)
    with torch.no_grad():
        for parameter in trained.parameters if is_filled else ():
            parameter.normal_(std=0.3)
    return trained


@pytest.mark.parametrize("key", ["sd2x", "flux"])
def test_diffusers_reads_files_for_comfyui_of_some_families(key: str, flux: Path, tmp_path: Path) -> None:
    """With the strength that they say beside the weights, of the layers that get an adapter when nothing is said."""
    assert KNOWN[key].diffusers_reads_comfyui
    trained = adapted(SMALL_MODEL if key == "sd2x" else flux, key, lora_rank=4, lora_alpha=6.0)
    trained.save(tmp_path, {})
    own = trained.modules[0]
    pipeline: Any = type(trained._family.pipeline)(**trained._family.pipeline.components)
    layers = {name: layer for name, layer in own.named_modules() if isinstance(layer, LoraLayer)}
    pipeline.load_lora_weights(tmp_path, adapter_name="read")
    assert len(layers) > 5
    for layer in layers.values():
        assert float(layer.scaling["read"]) == pytest.approx(1.5)
        torch.testing.assert_close(layer.lora_A["read"].weight, layer.lora_A["default"].weight)
        torch.testing.assert_close(layer.lora_B["read"].weight, layer.lora_B["default"].weight)


@pytest.mark.parametrize(
    "settings",
    [
        {"algo": "locon", "linear_dim": 3, "linear_alpha": 2},
        {"algo": "loha", "linear_dim": 3, "linear_alpha": 2},
        {"algo": "lokr", "linear_dim": 2, "linear_alpha": 3, "factor": 4},
        {"algo": "lokr", "linear_dim": 10000, "factor": 4, "full_matrix": True},
        {"algo": "diag-oft", "linear_dim": 4, "constraint": 0.01},
        {"algo": "boft", "linear_dim": 4, "constraint": 0.01, "rescaled": True},
    ],
    ids=lambda settings: f"{settings['algo']} {settings['linear_dim']}",
)
def test_lycoris_adds_in_comfyui_what_it_adds_here(settings: dict[str, Any], flux: Path, tmp_path: Path) -> None:
    written = settings | {"apply_preset": {"target_name": LAYERS}}
    trained = adapted(flux, lora_type="lycoris", lycoris_config=written)
    file = load_file(trained.save(tmp_path, {}))
    adapters = {adapter.lora_name: adapter.eval() for adapter in trained.modules[1].loras}
    for layer in LAYERS:
        adapter, key = adapters[f"lycoris_{layer.replace('.', '_')}"], f"transformer.{layer}."
        weights = {name.removeprefix(key): file.pop(name) for name in list(file) if name.startswith(key)}
        (adapted_layer,) = adapter.org_module
        base = adapted_layer.weight
        seen = (adapted_layer(torch.eye(base.shape[1])) - adapted_layer.bias).T
        torch.testing.assert_close(base + lycoris_change(weights, base), seen)
    assert file == {}


@pytest.mark.parametrize(
    ("key", "settings", "said"),
    [
        ("flux", {"algo": "diag-oft", "rescaled": True}, "which passes over what rescaled has trained"),
        ("flux", {"algo": "lokr", "dora_wd": True}, "which measures the rows of dora_wd without"),
        ("sd3", {"algo": "boft", "linear_dim": 4}, "which may have the halves of norm_out.linear the other way round"),
        ("lumina2", {"algo": "lokr"}, "as one layer (diffusion_model.layers.0.attention.qkv)"),
    ],
)
def test_lycoris_that_comfyui_would_not_add_is_refused(
    key: str, settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    preset = {
        "apply_preset": {
            "target_name": [r"layers\.0\.attn\.to_.", "norm_out.linear$", "transformer_blocks.0.attn.to_q"]
        }
    }
    with pytest.raises(TrainingError, match=re.escape(said)):
        adapted(save_small(key, tmp_path), key, lora_type="lycoris", lycoris_config=settings | preset)
