"""What small families are made of: tokenizers, text encoders and autoencoders, each from its own class."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    AutoencoderKLLTXVideo,
    AutoencoderKLQwenImage,
    AutoencoderKLWan,
)
from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig, ChatGLMModel
from diffusers.pipelines.kolors.tokenizer import ChatGLMTokenizer
from sentencepiece import SentencePieceTrainer
from tokenizers import Tokenizer, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import (
    CLIPTextConfig,
    CLIPTokenizer,
    Gemma2Config,
    Gemma2Model,
    GemmaTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    Mistral3Config,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3VLConfig,
    Qwen3VLModel,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

SENTENCES = ["a red square", "a blue square", "a green square", "a yellow square", "a drawing of a cat and a rose"]


def clip_tokenizer() -> CLIPTokenizer:
    """Letter by letter."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab=_numbered(tokens), merges=[], model_max_length=77)


def clip_config(tokenizer: CLIPTokenizer, **options: Any) -> CLIPTextConfig:
    """With the tokenizer's own ids: the pooled output is taken at the end of the text."""
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **options,
    )


def t5_tokenizer() -> T5Tokenizer:
    """Whole words of the sentences, and letters for all others."""
    words = {f"▁{word}" for sentence in SENTENCES for word in sentence.split()}
    letters = set("▁abcdefghijklmnopqrstuvwxyz.,:'")
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -5.0) for piece in sorted(words | letters))]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=512)


def t5_encoder(tokenizer: T5Tokenizer, *, width: int = 32) -> T5EncoderModel:
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def umt5_encoder(tokenizer: T5Tokenizer) -> UMT5EncoderModel:
    config = UMT5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=2,
        feed_forward_proj="gated-gelu",
    )
    return UMT5EncoderModel(config)


CHAT = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def qwen_tokenizer() -> Qwen2Tokenizer:
    """Letter by letter."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = _numbered([*alphabet, "<|endoftext|>"])
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=[], model_max_length=1024, chat_template=CHAT)
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    return tokenizer


def qwen3_config(tokenizer: Qwen2Tokenizer, *, width: int = 32, num_layers: int = 2) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=37,
        num_hidden_layers=num_layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=16,
    )


def qwen25_vl(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLForConditionalGeneration:
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        },
        vision_config={
            "depth": 1,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
        },
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def qwen3_vl(tokenizer: Qwen2Tokenizer) -> Qwen3VLModel:
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "rope_scaling": {"rope_type": "default", "mrope_section": [2, 1, 1], "mrope_interleaved": True},
    }
    vision = {
        "depth": 1,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_heads": 2,
        "out_hidden_size": 16,
        "deepstack_visual_indexes": [0],
    }
    return Qwen3VLModel(Qwen3VLConfig(text_config=text, vision_config=vision))


INSTRUCTIONS = (
    "{{ bos_token }}{% for message in messages %}{% for part in message.content %}"
    "[{{ message.role }}] {{ part.text }} {% endfor %}{% endfor %}"
)


def llama(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    return LlamaForCausalLM(config)


def word_tokenizer() -> PreTrainedTokenizerFast:
    """Whole words of the sentences; all others are unknown."""
    words = {word for sentence in SENTENCES for word in sentence.split()}
    vocabulary = _numbered(["<unk>", "<s>", "</s>", "<pad>", *sorted(words)])
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        model_max_length=1024,
        chat_template=INSTRUCTIONS,
    )


def mistral3_config(tokenizer: PreTrainedTokenizerFast, *, num_layers: int) -> Mistral3Config:
    text = {
        "model_type": "mistral",
        "vocab_size": len(tokenizer),
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": num_layers,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": 8,
    }
    vision = {
        "model_type": "pixtral",
        "hidden_size": 8,
        "intermediate_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "head_dim": 8,
    }
    return Mistral3Config(text_config=text, vision_config=vision)


def gemma_tokenizer() -> GemmaTokenizer:
    """Letter by letter."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "▁", *map(chr, range(33, 127)), "\n"]
    return GemmaTokenizer(vocab=_numbered(tokens), merges=[], model_max_length=4096)


def gemma_model(tokenizer: GemmaTokenizer) -> Gemma2Model:
    config = Gemma2Config(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=37,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
    )
    return Gemma2Model(config)


def _numbered(tokens: Sequence[str]) -> dict[str, int]:
    return {token: place for place, token in enumerate(tokens)}


def image_vae(*, latent_channels: int, **options: Any) -> AutoencoderKL:
    """Shrinks pictures 8 times, as the published ones do: some pipelines take that for granted."""
    return AutoencoderKL(
        block_out_channels=(4, 4, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=latent_channels,
        norm_num_groups=2,
        sample_size=64,
        **options,
    )


def chatglm_tokenizer() -> ChatGLMTokenizer:
    """Letter by letter; it keeps reading the file that it was made from."""
    letters = {letter for sentence in SENTENCES for letter in sentence}
    path = Path(mkdtemp(), "tokenizer.model")
    with path.open("wb") as file:
        SentencePieceTrainer.train(
            sentence_iterator=iter(SENTENCES),
            model_writer=file,
            model_type="char",
            vocab_size=len(letters) + 3,
            minloglevel=2,
        )
    return ChatGLMTokenizer(str(path))


def chatglm(tokenizer: ChatGLMTokenizer) -> ChatGLMModel:
    config = ChatGLMConfig(
        num_layers=2,
        padded_vocab_size=tokenizer.vocab_size,
        hidden_size=16,
        ffn_hidden_size=24,
        kv_channels=8,
        num_attention_heads=2,
        multi_query_attention=True,
        add_qkv_bias=True,
        original_rope=True,
    )
    model = ChatGLMModel(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model


def qwen_vae() -> AutoencoderKLQwenImage:
    return AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.1, -0.2, 0.3, 0.4],
        latents_std=[0.9, 1.1, 1.2, 0.8],
    )


def wan_vae() -> AutoencoderKLWan:
    return AutoencoderKLWan(
        base_dim=4,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.1, -0.2, 0.3, 0.4],
        latents_std=[0.9, 1.1, 1.2, 0.8],
    )


def wan_vae_by_sixteen() -> AutoencoderKLWan:
    """As that of Wan 2.2, which reads squares of 2 x 2 pixels as one."""
    return AutoencoderKLWan(
        base_dim=4,
        decoder_base_dim=4,
        z_dim=6,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.1, -0.2, 0.3, 0.4, 0.0, -0.1],
        latents_std=[0.9, 1.1, 1.2, 0.8, 1.0, 0.7],
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
    )


def flux2_vae() -> AutoencoderKLFlux2:
    vae = AutoencoderKLFlux2(
        block_out_channels=(4, 4, 8, 8), latent_channels=4, norm_num_groups=2, layers_per_block=1, sample_size=64
    )
    vae.bn.running_mean.normal_()
    vae.bn.running_var.uniform_(0.5, 2)
    return vae


def ltx_vae() -> AutoencoderKLLTXVideo:
    vae = AutoencoderKLLTXVideo(
        latent_channels=4,
        block_out_channels=(4, 4, 4, 4),
        decoder_block_out_channels=(4, 4, 4, 4),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        timestep_conditioning=True,
    )
    vae.latents_mean.normal_()
    vae.latents_std.uniform_(0.5, 2)
    return vae
