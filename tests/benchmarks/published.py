"""Arguments of denoisers' classes in diffusers, as publishers configured them where that differs from the defaults."""

SD1X = {"cross_attention_dim": 768}
SD2X = {"cross_attention_dim": 1024, "attention_head_dim": (5, 10, 20, 20), "use_linear_projection": True}
SDXL = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (320, 640, 1280),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
REFINER = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (384, 768, 1536, 1536),
    "transformer_layers_per_block": 4,
    "attention_head_dim": (6, 12, 24, 24),
    "cross_attention_dim": 1280,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2560,
}
KOLORS = {
    **SDXL,
    "encoder_hid_dim": 4096,
    "encoder_hid_dim_type": "text_proj",
    "projection_class_embeddings_input_dim": 5632,
}
FLUX_DEV = {"guidance_embeds": True}
KLEIN_4B = {
    "num_layers": 5,
    "num_single_layers": 20,
    "num_attention_heads": 24,
    "joint_attention_dim": 7680,
    "guidance_embeds": False,
}
KLEIN_9B = {
    "num_layers": 8,
    "num_single_layers": 24,
    "num_attention_heads": 32,
    "joint_attention_dim": 12288,
    "guidance_embeds": False,
}
SD35_MEDIUM = {
    "num_layers": 24,
    "num_attention_heads": 24,
    "caption_projection_dim": 1536,
    "pos_embed_max_size": 384,
    "dual_attention_layers": tuple(range(13)),
    "qk_norm": "rms_norm",
}
SD35_LARGE = {
    "num_layers": 38,
    "num_attention_heads": 38,
    "caption_projection_dim": 2432,
    "pos_embed_max_size": 192,
    "qk_norm": "rms_norm",
}
PIXART_600M = {"norm_type": "ada_norm_single", "caption_channels": 4096, "use_additional_conditions": False}
PIXART_900M = {**PIXART_600M, "num_layers": 42}
SANA_600M = {
    "num_layers": 28,
    "num_attention_heads": 36,
    "num_cross_attention_heads": 16,
    "cross_attention_head_dim": 72,
    "cross_attention_dim": 1152,
}
SANA15_1600M = {"qk_norm": "rms_norm_across_heads"}
SANA15_4800M = {"num_layers": 60, "qk_norm": "rms_norm_across_heads"}
AURAFLOW = {"pos_embed_max_size": 9216}
LUMINA2 = {"cap_feat_dim": 2304}
HIDREAM = {
    "patch_size": 2,
    "in_channels": 16,
    "caption_channels": [4096, 4096],
    "axes_dims_rope": (64, 32, 32),
    "max_resolution": (128, 128),
    "llama_layers": [*range(32), *[31] * 16],
}
# The 17th channel is the padding mask, which the class would put there itself by torchvision.
COSMOS_2B = {
    "in_channels": 17,
    "concat_padding_mask": False,
    "num_attention_heads": 16,
    "max_size": (128, 240, 240),
    "rope_scale": (1.0, 4.0, 4.0),
    "extra_pos_embed_type": None,
}
COSMOS_14B = {**COSMOS_2B, "num_attention_heads": 40, "num_layers": 36}
KANDINSKY5 = {
    "in_visual_dim": 16,
    "out_visual_dim": 16,
    "model_dim": 2560,
    "ff_dim": 10240,
    "num_visual_blocks": 50,
    "axes_dims": (32, 48, 48),
}
LONGCAT = {"num_layers": 10, "num_single_layers": 20}
CASCADE = {
    "conditioning_dim": 2048,
    "clip_text_in_channels": 1280,
    "clip_text_pooled_in_channels": 1280,
    "clip_image_in_channels": 768,
    "switch_level": (False,),
}
CASCADE_LITE = {
    **CASCADE,
    "conditioning_dim": 1536,
    "block_out_channels": (1536, 1536),
    "num_attention_heads": (24, 24),
    "down_num_layers_per_block": (4, 12),
    "up_num_layers_per_block": (12, 4),
}
_IF = {
    "in_channels": 3,
    "out_channels": 6,
    "act_fn": "gelu",
    "addition_embed_type": "text",
    "addition_embed_type_num_heads": 64,
    "attention_head_dim": 64,
    "cross_attention_norm": "group_norm",
    "down_block_types": ("ResnetDownsampleBlock2D", *("SimpleCrossAttnDownBlock2D",) * 3),
    "up_block_types": (*("SimpleCrossAttnUpBlock2D",) * 3, "ResnetUpsampleBlock2D"),
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "mid_block_scale_factor": 1.4142135623730951,
    "encoder_hid_dim": 4096,
    "layers_per_block": 3,
    "only_cross_attention": False,
    "resnet_skip_time_act": True,
    "resnet_time_scale_shift": "scale_shift",
    "time_embedding_act_fn": "gelu",
}
IF_M = {**_IF, "block_out_channels": (192, 384, 576, 768), "cross_attention_dim": 768}
IF_L = {**_IF, "block_out_channels": (320, 640, 960, 1280), "cross_attention_dim": 1280}
IF_XL = {**_IF, "block_out_channels": (704, 1408, 2112, 2816), "cross_attention_dim": 2816}

OMNIGEN = {"rope_scaling": {"type": "su", "short_factor": [1.0] * 48, "long_factor": [1.0] * 48}}
WAN_1300M = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
WAN_I2V_14B = {"in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 5120}
WAN22_I2V_14B = {"in_channels": 36}
WAN_5B = {
    "num_attention_heads": 24,
    "in_channels": 48,
    "out_channels": 48,
    "ffn_dim": 14336,
    "num_layers": 30,
}
