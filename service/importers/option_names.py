"""The options that config.json files of the existing command line can hold, whether or not they are acted on here."""

from domain.config.training import TrainingConfig

_NAMES = """
accelerate_config accelerate_extra_args accelerator_cache_clear_interval acestep_lora_target adam_beta1 adam_beta2
adam_epsilon adam_weight_decay allow_dataset_oversubscription aspect_bucket_alignment aspect_bucket_disable_rebuild
aspect_bucket_rounding aspect_bucket_worker_count assistant_lora_inference_strength assistant_lora_path
assistant_lora_strength attention_mechanism audio_channels audio_duration_interval audio_flow_schedule_shift
audio_max_duration_seconds audio_min_duration_seconds audio_truncation_mode aws_max_pool_connections
base_model_default_dtype base_model_precision cache_dir cache_dir_text cache_dir_vae caption_dropout_probability
caption_strategy checkpoint_epoch_interval checkpoint_step_interval checkpointing_rolling_steps
checkpointing_use_tempdir checkpoints_rolling_total_limit checkpoints_total_limit compress_disk_cache
conditioning_multidataset_sampling configs_dir context_parallel_comm_strategy context_parallel_size control
controlnet controlnet_custom_config controlnet_model_name_or_path cosmos3_generator_component
cosmos3_reasoner_component crepa_adjacent_distance crepa_adjacent_tau crepa_block_index crepa_cutoff_step
crepa_decay_steps crepa_drop_vae_encoder crepa_enabled crepa_encoder crepa_encoder_frames_batch_size
crepa_encoder_image_size crepa_feature_source crepa_lambda crepa_lambda_end crepa_normalize_by_frames
crepa_normalize_neighbour_sum crepa_power crepa_scheduler crepa_self_flow crepa_self_flow_mask_ratio
crepa_similarity_ema_decay crepa_similarity_threshold crepa_spatial_align crepa_teacher_block_index
crepa_threshold_mode crepa_use_backbone_features crepa_use_tae crepa_warmup_steps
custom_text_encoder_intermediary_layers custom_tracker data_aesthetic_score data_backend_config
data_backend_sampling dataloader_prefetch dataloader_prefetch_qlen debug_aspect_buckets debug_dataset_loader
deepfloyd_validation_pipeline_mode deepfloyd_validation_stage1_guidance deepfloyd_validation_stage1_model
deepfloyd_validation_stage1_num_inference_steps deepfloyd_validation_stage2_guidance
deepfloyd_validation_stage2_model deepfloyd_validation_stage2_num_inference_steps
deepfloyd_validation_stage3_guidance deepfloyd_validation_stage3_mode deepfloyd_validation_stage3_model
deepfloyd_validation_stage3_noise_level deepspeed_config delete_invalid_checkpoints delete_model_after_load
delete_nsfw_images delete_problematic_images delete_unwanted_images diff2flow_enabled diff2flow_loss
diffusion_blocks_config disable_assistant_lora disable_benchmark disable_bucket_pruning disable_multiline_split
disable_segmented_timestep_sampling disable_tf32 disk_low_action disk_low_script disk_low_threshold
distillation_config distillation_method dynamo_backend dynamo_dynamic dynamo_fullgraph dynamo_mode
dynamo_use_regional_compilation ema_cpu_only ema_decay ema_device ema_foreach_disable ema_update_interval
ema_validation ema_warmup_steps enable_chunked_feed_forward enable_group_offload enable_multiprocessing
enable_nsfw_check enable_watermark eval_dataset_id eval_dataset_pooling eval_epoch_interval eval_loss_disable
eval_steps_interval eval_timesteps evaluation_type feed_forward_chunk_size find_unused_parameters
flow_beta_schedule_alpha flow_beta_schedule_beta flow_cubic_schedule_weights flow_custom_timesteps
flow_schedule_auto_shift flow_schedule_shift flow_sigmoid_scale flow_timesteps_mode flow_use_beta_schedule
flow_use_uniform_schedule flux_attention_masked_training flux_fast_schedule flux_guidance_max flux_guidance_min
flux_guidance_mode flux_guidance_value flux_lora_target framerate freeze_encoder_after freeze_encoder_before
freeze_encoder_strategy fsdp_activation_checkpointing fsdp_auto_wrap_policy fsdp_cpu_offload
fsdp_cpu_ram_efficient_loading fsdp_enable fsdp_limit_all_gathers fsdp_reshard_after_forward fsdp_state_dict_type
fsdp_transformer_layer_cls_to_wrap fsdp_version fully_unload_text_encoder fuse_optimizer fused_qkv_projections
grad_clip_method gradient_accumulation_steps gradient_checkpointing gradient_checkpointing_backend
gradient_checkpointing_interval gradient_checkpointing_offload_attention
gradient_checkpointing_offload_pin_memory_max_buckets gradient_checkpointing_offload_prefetch
gradient_checkpointing_segment_stride gradient_precision group_offload_blocks_per_group group_offload_text_encoder
group_offload_to_disk_path group_offload_type group_offload_use_stream group_offload_vae
hidream_load_balancing_loss_weight hidream_use_load_balancing_loss hub_model_id huber_c huber_schedule
i_know_what_i_am_doing ideogram_auto_json ideogram_fp8_base_upcast ideogram_load_unconditional_transformer
ideogram_prompt_enhancer_head_id ideogram_prompt_upsample ideogram_schedule_mu ideogram_schedule_std
ideogram_uncond_ramtorch ideogram_validation ignore_missing_files image_processing_batch_size
inference_scheduler_timestep_spacing init_lokr_norm init_lora init_lora_ema init_lora_step input_perturbation
input_perturbation_steps instance_prompt internal_guidance_block_index internal_guidance_enabled
internal_guidance_loss_weight irepa_enabled irepa_projector_kernel_size irepa_spatial_norm_alpha keep_vae_loaded
krea2_reference_latents layer_freeze_strategy layersync_enabled layersync_lambda layersync_student_block
layersync_teacher_block learning_rate local_rank logging_dir lora_alpha lora_dropout lora_format lora_init_type
lora_rank lora_type loss_type lr_end lr_num_cycles lr_power lr_scale lr_scale_sqrt lr_scheduler lr_warmup_steps
ltx2_first_frame_conditioning_probability ltx2_intrinsic_conditioning ltx2_mask_conditioning_probability
ltx2_prefix_conditioning_frames ltx2_prefix_conditioning_probability ltx2_reference_spatial_scale_factor
ltx2_reference_temporal_scale_factor ltx2_suffix_conditioning_frames ltx2_suffix_conditioning_probability
ltx2_validation_audio_guidance ltx2_validation_pipeline_mode ltx2_validation_spatial_upsampler_filename
ltx2_validation_spatial_upsampler_model ltx_i2v_prob ltx_partial_noise_fraction ltx_protect_first_frame
ltx_train_mode lycoris_config lyrics_embedder_lr lyrics_embedder_lr_scheduler lyrics_embedder_optimizer
lyrics_embedder_train machine_rank main_process_ip main_process_port masked_loss_probability max_grad_norm
max_grounding_entities max_train_steps max_upscale_threshold max_workers maximum_image_size merge_environment_config
metadata_update_interval minimax_h3_reference_mode minimax_h3_sparse_attention minimax_h3_sparse_block_shape
minimax_h3_sparse_share_heads minimax_h3_sparse_start_layer minimax_h3_sparse_video_kv_fraction
minimax_h3_target_mode minimax_music_lm_adapter minimax_music_lm_adapter_strength minimax_music_lm_max_frames
minimax_music_lm_precache_mode minimax_music_train_component minimum_image_size mixed_precision mixflow_enabled
mixflow_gamma model_card_note model_card_private model_card_safe_for_work model_family model_flavour model_type
modelspec_comment musubi_block_swap_device musubi_blocks_to_swap nextlat_block_index nextlat_enabled
nextlat_kl_weight nextlat_state_loss nextlat_weight noise_offset noise_offset_probability nsfw_check_backend_types
nsfw_check_min_votes nsfw_check_models nsfw_check_sample_types nsfw_check_video_frame_count
nsfw_check_video_frame_selection nsfw_check_video_min_flagged_frames num_eval_images num_machines num_processes
num_train_epochs num_validation_images offload_during_save offload_during_startup offload_param_path offset_noise
only_instance_prompt optimizer optimizer_beta1 optimizer_beta2 optimizer_config optimizer_cpu_offload_method
optimizer_offload_gradients optimizer_release_gradients output_dir override_dataset_config parquet_caption_column
parquet_filename_column peft_lora_mode peft_lora_target_modules pixart_validation_pipeline_mode
pixart_validation_stage1_model pixart_validation_stage2_model post_checkpoint_script post_upload_script
prediction_type prepend_instance_prompt preserve_data_backend_cache pretrained_evaluation_model_name_or_path
pretrained_gemma_model_name_or_path pretrained_grounding_model_name_or_path pretrained_model_name_or_path
pretrained_t5_model_name_or_path pretrained_transformer_model_name_or_path pretrained_transformer_subfolder
pretrained_unet_model_name_or_path pretrained_unet_subfolder pretrained_vae_model_name_or_path print_filenames
print_sampler_statistics prodigy_steps publishing_config push_checkpoints_to_hub push_to_hub push_to_hub_background
quantization_config quantize_activations quantize_via qwen_text_encoder_model_name_or_path ramtorch
ramtorch_controlnet ramtorch_disable_extensions ramtorch_disable_sync_hooks ramtorch_target_modules
ramtorch_text_encoder ramtorch_text_encoder_percent ramtorch_transformer_percent ramtorch_vae read_batch_size
refiner_training refiner_training_invert_schedule refiner_training_strength report_to rescale_betas_zero_snr
resolution resolution_type resume_from_checkpoint revision sageattention_usage same_network
sana_complex_human_instruction save_text_encoder scheduled_sampling_max_step_offset scheduled_sampling_order
scheduled_sampling_prob_end scheduled_sampling_prob_start scheduled_sampling_probability
scheduled_sampling_ramp_shape scheduled_sampling_ramp_steps scheduled_sampling_reflexflow
scheduled_sampling_reflexflow_alpha scheduled_sampling_reflexflow_beta1 scheduled_sampling_reflexflow_beta2
scheduled_sampling_sampler scheduled_sampling_start_step scheduled_sampling_strategy sd3_clip_uncond_behaviour
sd3_t5_uncond_behaviour sdnq_compile_mode sdnq_dequantize_fp32 sdnq_group_size sdnq_hadamard_group_size
sdnq_modules_dtype_dict sdnq_modules_quant_config sdnq_modules_to_not_convert sdnq_modules_to_not_use_matmul
sdnq_quantized_matmul_dtype sdnq_svd_rank sdnq_svd_steps sdnq_use_hadamard sdnq_use_quantized_matmul
sdnq_use_static_quantization sdnq_use_stochastic_rounding sdnq_use_svd sdnq_weights_dtype
sdxl_refiner_uses_full_range sdxl_validation_pipeline_mode sdxl_validation_stage1_model sdxl_validation_stage2_model
seed seed_for_each_device set_grads_to_none singlora_ramp_up_steps skip_file_discovery sla_config slider_lora_target
snr_gamma snr_weight soft_min_snr_sigma_data strict_epoch_limit t5_padding target_downsample_size text_cache_disable
text_cache_ondemand text_embed_full_cache text_encoder_1_precision text_encoder_2_precision text_encoder_3_precision
text_encoder_4_precision text_encoder_batch_size text_encoder_limit text_encoder_lr timestep_bias_begin
timestep_bias_end timestep_bias_multiplier timestep_bias_portion timestep_bias_strategy tokenizer_max_length
torch_num_threads tracker_image_layout tracker_project_name tracker_run_name train_batch_size train_text_encoder
training_scheduler_timestep_spacing tread_config trust_remote_code twinflow_enabled twinflow_target_step_count
unet_attention_slice urepa_cutoff_step urepa_decay_steps urepa_enabled urepa_encoder_image_size urepa_lambda
urepa_lambda_end urepa_manifold_weight urepa_model urepa_power urepa_scheduler urepa_similarity_ema_decay
urepa_similarity_threshold urepa_threshold_mode urepa_use_tae urepa_warmup_steps use_dora use_ema use_soft_min_snr
user_prompt_library vae_batch_size vae_cache_disable vae_cache_ondemand vae_cache_scan_behaviour vae_dtype
vae_enable_patch_conv vae_enable_slicing vae_enable_temporal_roll vae_enable_tiling validate_after_epoch
validate_after_step validation_adapter_config validation_adapter_mode validation_adapter_name
validation_adapter_path validation_adapter_strength validation_audio_duration validation_audio_only
validation_disable validation_disable_unconditional validation_epoch_interval validation_external_background
validation_external_script validation_guidance validation_guidance_real validation_guidance_rescale
validation_guidance_skip_layers validation_guidance_skip_layers_start validation_guidance_skip_layers_stop
validation_guidance_skip_scale validation_image_format validation_image_quality validation_input
validation_internal_guidance_scale validation_ltx2_video_conditioning validation_lycoris_strength validation_lyrics
validation_method validation_multigpu validation_negative_prompt validation_no_cfg_until_timestep
validation_noise_scheduler validation_num_inference_steps validation_num_video_frames validation_on_startup
validation_preview validation_preview_steps validation_prompt validation_prompt_library validation_randomize
validation_resolution validation_seed validation_seed_source validation_step_interval
validation_stitch_input_location validation_using_datasets variant wan_force_2_1_time_embedding
wan_validation_load_other_stage webhook_config webhook_reporting_interval write_batch_size xm_block_size
xm_candidate_count xm_enabled xm_selection_scope xm_training_target
"""

OPTION_NAMES = frozenset(_NAMES.split()) | frozenset(TrainingConfig.model_fields)

DATASET_KEYS = frozenset(
    [
        "id",
        "type",
        "dataset_type",
        "disabled",
        "disable",
        "default",
        "cache_dir",
        "cache_dir_vae",
        "text_embeds",
        "image_embeds",
        "conditioning_image_embeds",
        "train_batch_size",
        "write_batch_size",
        "read_batch_size",
        "text_encoder_batch_size",
        "image_processing_batch_size",
        "vae_batch_size",
        "instance_data_dir",
        "resolution",
        "resolution_type",
        "minimum_image_size",
        "maximum_image_size",
        "target_downsample_size",
        "minimum_aspect_ratio",
        "maximum_aspect_ratio",
        "max_upscale_threshold",
        "crop",
        "crop_style",
        "crop_aspect",
        "crop_aspect_buckets",
        "caption_strategy",
        "instance_prompt",
        "prepend_instance_prompt",
        "only_instance_prompt",
        "disable_multiline_split",
        "caption_shuffle",
        "caption_filter_list",
        "metadata_backend",
        "metadata_update_interval",
        "parquet",
        "probability",
        "repeats",
        "max_num_samples",
        "start_epoch",
        "start_step",
        "end_epoch",
        "end_step",
        "is_regularisation_data",
        "is_regularization_data",
        "is_i2v",
        "slider_strength",
        "timestep_sampling_offset",
        "vae_cache_clear_each_epoch",
        "vae_cache_ondemand",
        "vae_cache_disable",
        "text_cache_ondemand",
        "text_cache_disable",
        "skip_file_discovery",
        "preserve_data_backend_cache",
        "scan_for_errors",
        "delete_unwanted_images",
        "delete_problematic_images",
        "delete_nsfw_images",
        "ignore_missing_files",
        "conditioning",
        "conditioning_data",
        "conditioning_type",
        "source_dataset_id",
        "grounding",
        "aws_bucket_name",
        "aws_endpoint_url",
        "aws_access_key_id",
        "aws_secret_access_key",
        "aws_region_name",
        "aws_data_prefix",
        "aws_session_token",
        "aws_max_pool_connections",
        "csv_file",
        "csv_cache_dir",
        "csv_caption_column",
        "csv_url_column",
        "shorten_filenames",
        "dataset_name",
        "split",
        "revision",
        "dataset_config",
        "image_column",
        "video_column",
        "caption_column",
        "huggingface",
        "source",
        "metadata",
        "shard_cache_gb",
        "parallel_downloads",
        "webshart_optimize_captions",
        "memory_filesystem_path",
        "memory_filesystem_size",
        "memory_filesystem_sudo",
        "video",
        "audio",
    ]
)
"""The keys that an entry of multidatabackend.json can hold."""
