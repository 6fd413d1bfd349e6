"""The ONNX cases that are skipped, by the reason: what shoal does not have."""

SKIPPED = {
    "a bias of its own for each row": """
        gemm_default_matrix_bias
    """,
    "arrays without numbers": """
        reshape_allowzero_reordered
    """,
    "averages that count padding, but not what rounding up adds": """
        averagepool_2d_ceil_last_window_starts_on_pad
        averagepool_3d_dilations_large_count_include_pad_is_1_ceil_mode_is_True
    """,
    "averages that leave out padding that differs between the sides": """
        averagepool_2d_same_upper averagepool_2d_same_lower averagepool_2d_ceil
        averagepool_3d_dilations_large_count_include_pad_is_0_ceil_mode_is_True
    """,
    "branches of whole numbers": """
        add_int8 add_int16 add_uint8 add_uint16 add_uint32 add_uint64
    """,
    "gates that look at the cell (peepholes)": """
        lstm_with_peepholes
    """,
    "indices of the maxima as an output": """
        maxpool_with_argmax_2d_precomputed_pads maxpool_with_argmax_2d_precomputed_strides
    """,
    "masks, caches of earlier keys, scores as an output": """
        attention_4d_attn_mask attention_4d_attn_mask_3d attention_4d_attn_mask_3d_causal
        attention_4d_attn_mask_4d attention_4d_attn_mask_4d_causal attention_4d_attn_mask_bool
        attention_4d_attn_mask_bool_4d attention_4d_gqa_attn_mask
        attention_4d_diff_heads_sizes_attn_mask attention_4d_with_past_and_present
        attention_4d_gqa_with_past_and_present attention_4d_gqa_with_past_and_present_fp16
        attention_4d_diff_heads_with_past_and_present
        attention_4d_diff_heads_with_past_and_present_mask3d
        attention_4d_diff_heads_with_past_and_present_mask4d attention_4d_with_qk_matmul
        attention_4d_with_past_and_present_qk_matmul attention_3d_attn_mask
        attention_3d_gqa_attn_mask attention_3d_diff_heads_sizes_attn_mask
        attention_3d_with_past_and_present attention_3d_gqa_with_past_and_present
        attention_3d_diff_heads_with_past_and_present
        attention_3d_with_past_and_present_qk_matmul attention_4d_diff_heads_mask4d_padded_kv
        attention_4d_padded_kv_bf16 attention_4d_causal_padded_kv_bf16
        attention_4d_attn_mask_causal_bf16 attention_4d_gqa_causal_nonpad_decode
        attention_4d_gqa_causal_nonpad_decode_fp16 attention_4d_causal_nonpad_continued_prefill
        attention_4d_causal_with_past_and_present attention_causal_boolmask_nan_robustness
        attention_23_boolmask_fullymasked_row_nan_robustness
        attention_4d_causal_nonpad_negative_offset_structural_empty
        attention_4d_causal_nonpad_attn_mask_composition
        attention_4d_causal_nonpad_batch_prefill
    """,
    "pools of nothing, or of booleans": """
        reduce_max_bool_inputs reduce_max_empty_set reduce_max_empty_set_bool
    """,
    "scores as an output": """
        attention_4d_with_qk_matmul_bias attention_4d_with_qk_matmul_softmax
        attention_4d_with_past_and_present_qk_matmul_bias
        attention_4d_with_past_and_present_qk_matmul_bias_3d_mask
        attention_4d_with_past_and_present_qk_matmul_bias_4d_mask
        attention_4d_with_past_and_present_qk_matmul_bias_3d_mask_causal
        attention_4d_with_past_and_present_qk_matmul_bias_4d_mask_causal
        attention_3d_with_past_and_present_qk_matmul_bias
        attention_3d_with_past_and_present_qk_matmul_softmax
        attention_23_fullymasked_qk_matmul_output_mode3_zero
        attention_24_fullymasked_qk_matmul_output_mode3_zero
        attention_24_qk_matmul_output_mode3_softmax_precision
    """,
    "scores that are capped": """
        attention_4d_softcap attention_4d_gqa_softcap attention_4d_diff_heads_sizes_softcap
        attention_4d_with_qk_matmul_softcap attention_3d_softcap attention_3d_gqa_softcap
        attention_3d_diff_heads_sizes_softcap
        attention_3d_with_past_and_present_qk_matmul_softcap attention_4d_softcap_neginf_mask
        attention_4d_softcap_neginf_mask_poison attention_local_window_gqa_rank4_mask
    """,
    "sequences and optional values": """
        identity_sequence identity_opt
    """,
    "the generator that chose which numbers the reference drops": """
        training_dropout_default training_dropout_default_mask training_dropout
        training_dropout_mask
    """,
    "windows of attention": """
        attention_local_window attention_bidirectional_window
        attention_local_window_rank1_boolean_mask attention_local_window_with_past
        attention_local_window_ext_cache_rank3_head_mask
        attention_local_window_ext_cache_rank4_batch_mask
        attention_local_window_ext_cache_rank2_mask
        attention_local_window_ext_cache_float16_mask attention_3d_local_window
    """,
}
