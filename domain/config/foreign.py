"""What the existing command line knows and we do not: names only, so that files which hold them can be kept."""

from collections.abc import Mapping

_NAMES: dict[str, str] = {
    "it belongs to other video models, or to a way of training them that this version does not have": (
        "cosmos3_generator_component cosmos3_reasoner_component enable_chunked_feed_forward "
        "feed_forward_chunk_size ltx2_first_frame_conditioning_probability ltx2_intrinsic_conditioning "
        "ltx2_mask_conditioning_probability ltx2_prefix_conditioning_frames ltx2_prefix_conditioning_probability "
        "ltx2_reference_spatial_scale_factor ltx2_reference_temporal_scale_factor ltx2_suffix_conditioning_frames "
        "ltx2_suffix_conditioning_probability ltx2_validation_audio_guidance ltx2_validation_pipeline_mode "
        "ltx2_validation_spatial_upsampler_filename ltx2_validation_spatial_upsampler_model ltx_i2v_prob "
        "ltx_partial_noise_fraction ltx_protect_first_frame ltx_train_mode minimax_h3_reference_mode "
        "minimax_h3_sparse_attention minimax_h3_sparse_block_shape minimax_h3_sparse_share_heads "
        "minimax_h3_sparse_start_layer minimax_h3_sparse_video_kv_fraction minimax_h3_target_mode "
        "nsfw_check_video_frame_count nsfw_check_video_frame_selection nsfw_check_video_min_flagged_frames "
        "vae_enable_temporal_roll validation_ltx2_video_conditioning "
        "wan_force_2_1_time_embedding"
    ),
    "validation of Wan 2.2 draws with both of its networks here": "wan_validation_load_other_stage",
    "it belongs to audio models, and this version trains models of pictures and videos": (
        "acestep_lora_target audio_channels audio_duration_interval audio_flow_schedule_shift "
        "audio_max_duration_seconds audio_min_duration_seconds audio_truncation_mode lyrics_embedder_lr "
        "lyrics_embedder_lr_scheduler lyrics_embedder_optimizer lyrics_embedder_train minimax_music_lm_adapter "
        "minimax_music_lm_adapter_strength minimax_music_lm_max_frames minimax_music_lm_precache_mode "
        "minimax_music_train_component validation_audio_duration validation_audio_only validation_lyrics"
    ),
    "it belongs to an experimental further loss, which this version does not have": (
        "crepa_adjacent_distance crepa_adjacent_tau crepa_block_index crepa_cutoff_step crepa_decay_steps "
        "crepa_drop_vae_encoder crepa_enabled crepa_encoder crepa_encoder_frames_batch_size "
        "crepa_encoder_image_size crepa_feature_source crepa_lambda crepa_lambda_end crepa_normalize_by_frames "
        "crepa_normalize_neighbour_sum crepa_power crepa_scheduler crepa_self_flow crepa_self_flow_mask_ratio "
        "crepa_similarity_ema_decay crepa_similarity_threshold crepa_spatial_align crepa_teacher_block_index "
        "crepa_threshold_mode crepa_use_backbone_features crepa_use_tae crepa_warmup_steps diff2flow_enabled "
        "diff2flow_loss internal_guidance_block_index internal_guidance_enabled internal_guidance_loss_weight "
        "irepa_enabled irepa_projector_kernel_size irepa_spatial_norm_alpha layersync_enabled layersync_lambda "
        "layersync_student_block layersync_teacher_block mixflow_enabled mixflow_gamma nextlat_block_index "
        "nextlat_enabled nextlat_kl_weight nextlat_state_loss nextlat_weight scheduled_sampling_max_step_offset "
        "scheduled_sampling_order scheduled_sampling_prob_end scheduled_sampling_prob_start "
        "scheduled_sampling_probability scheduled_sampling_ramp_shape scheduled_sampling_ramp_steps "
        "scheduled_sampling_reflexflow scheduled_sampling_reflexflow_alpha scheduled_sampling_reflexflow_beta1 "
        "scheduled_sampling_reflexflow_beta2 scheduled_sampling_sampler scheduled_sampling_start_step "
        "scheduled_sampling_strategy twinflow_enabled twinflow_target_step_count urepa_cutoff_step "
        "urepa_decay_steps urepa_enabled urepa_encoder_image_size urepa_lambda urepa_lambda_end "
        "urepa_manifold_weight urepa_model urepa_power urepa_scheduler urepa_similarity_ema_decay "
        "urepa_similarity_threshold urepa_threshold_mode urepa_use_tae urepa_warmup_steps "
        "validation_internal_guidance_scale xm_block_size xm_candidate_count xm_enabled xm_selection_scope "
        "xm_training_target"
    ),
    "it belongs to distillation, which this version does not do": (
        "diffusion_blocks_config distillation_config distillation_method"
    ),
    "it validates through several stages, and this version draws with the trained one alone": (
        "deepfloyd_validation_pipeline_mode deepfloyd_validation_stage1_guidance "
        "deepfloyd_validation_stage1_model deepfloyd_validation_stage1_num_inference_steps "
        "deepfloyd_validation_stage2_guidance deepfloyd_validation_stage2_model "
        "deepfloyd_validation_stage2_num_inference_steps deepfloyd_validation_stage3_guidance "
        "deepfloyd_validation_stage3_mode deepfloyd_validation_stage3_model "
        "deepfloyd_validation_stage3_noise_level pixart_validation_pipeline_mode pixart_validation_stage1_model "
        "pixart_validation_stage2_model sdxl_validation_pipeline_mode sdxl_validation_stage1_model "
        "sdxl_validation_stage2_model"
    ),
    "it belongs to the check of contents, which this version does not do": (
        "data_aesthetic_score delete_nsfw_images enable_nsfw_check enable_watermark nsfw_check_backend_types "
        "nsfw_check_min_votes nsfw_check_models nsfw_check_sample_types"
    ),
    "it steers the program that runs the training, which decides that by itself here": (
        "accelerate_config accelerate_extra_args configs_dir local_rank "
    ),
    "it fine-tunes a library for quantising or attention, which this version leaves to that library": (
        "ramtorch_controlnet ramtorch_disable_extensions ramtorch_disable_sync_hooks sdnq_compile_mode "
        "sdnq_hadamard_group_size sdnq_modules_dtype_dict sdnq_modules_quant_config "
        "sdnq_modules_to_not_use_matmul sdnq_use_hadamard sdnq_use_static_quantization sla_config"
    ),
    "it belongs to ways of running Ideogram that this version does not have": (
        "ideogram_fp8_base_upcast ideogram_load_unconditional_transformer ideogram_prompt_enhancer_head_id "
        "ideogram_prompt_upsample ideogram_uncond_ramtorch ideogram_validation"
    ),
    "it belongs to grounding by boxes, which this version does not do": (
        "max_grounding_entities pretrained_grounding_model_name_or_path"
    ),
    "it prints what went on inside the other tool": (
        "debug_aspect_buckets debug_dataset_loader print_filenames print_sampler_statistics"
    ),
    "this version needs no such setting": (
        "aspect_bucket_disable_rebuild freeze_encoder_after freeze_encoder_before freeze_encoder_strategy "
        "fully_unload_text_encoder gradient_checkpointing_offload_pin_memory_max_buckets "
        "gradient_checkpointing_offload_prefetch text_embed_full_cache text_encoder_limit"
    ),
}

FOREIGN_KEYS: Mapping[str, str] = {key: reason for reason, keys in _NAMES.items() for key in keys.split()}
"""For each key, why it is not used here."""
