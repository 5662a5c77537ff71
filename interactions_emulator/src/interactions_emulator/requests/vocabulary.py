"""The names that requests may use: fields, types and values, as the SDKs know them.

`pytest interactions_emulator/tests/schema -m nightly` compares these tables with the newest SDKs.
"""

from __future__ import annotations

GENERATION_CONFIG_FIELDS = {
    "image_config",
    "max_output_tokens",
    "seed",
    "speech_config",
    "stop_sequences",
    "temperature",
    "thinking_level",
    "thinking_summaries",
    "tool_choice",
    "top_k",  # in no SDK, but the service accepts it (vercel/ai#17937)
    "top_p",
    "transcription_config",
    "video_config",
}
GENERATION_CONFIG_RANGES: dict[str, tuple[type, float, float]] = {
    "temperature": (float, 0, 2),
    "top_p": (float, 0, 1),
    "top_k": (float, 0, float("inf")),
    "max_output_tokens": (int, 1, float("inf")),
    "seed": (int, float("-inf"), float("inf")),
}
"""Maps fields to the type of their number and its limits."""
PENALTIES = ("presence_penalty", "frequency_penalty")
"""Fields of generation_config that the older API has and this one refuses."""
TOOL_FIELDS: dict[str, set[str]] = {
    "function": {"name", "description", "parameters", "defer_loading", "short_description"},
    "google_search": {"search_types"},
    "url_context": set(),
    "code_execution": set(),
    "file_search": {"file_search_store_names", "metadata_filter", "top_k"},
    "google_maps": {"enable_widget", "latitude", "longitude"},
    "computer_use": {
        "environment",
        "disabled_safety_policies",
        "enable_prompt_injection_detection",
        "excluded_predefined_functions",
    },
    "mcp_server": {"name", "url", "headers", "allowed_tools", "defer_loading"},
    "retrieval": {
        "retrieval_types",
        "exa_ai_search_config",
        "parallel_ai_search_config",
        "rag_store_config",
        "vertex_ai_search_config",
    },
    "tool_search": {"execution", "name", "description", "parameters"},
}
"""Maps types of tools to their fields, without `type`."""
RESPONSE_FORMAT_FIELDS: dict[str, set[str]] = {
    "text": {"mime_type", "schema"},
    "image": {"mime_type", "aspect_ratio", "image_size", "delivery"},
    "audio": {"mime_type", "bit_rate", "sample_rate", "delivery"},
    "video": {"aspect_ratio", "resolution", "duration", "delivery", "gcs_uri"},
}
AGENT_CONFIG_FIELDS: dict[str, set[str]] = {
    "deep-research": {"thinking_summaries", "visualization", "collaborative_planning", "enable_bigquery_tool"},
    "antigravity": {"model", "max_total_tokens"},
    "code-mender": {"model", "session_id", "session_config", "find_request", "fix_request"},
    "dynamic": set(),
}
AGENT_CONFIG_VALUES: dict[str, dict[str, tuple[str | bool, ...]]] = {
    "deep-research": {
        "thinking_summaries": ("auto", "none"),
        "visualization": ("auto", "off"),
        "collaborative_planning": (True, False),
        "enable_bigquery_tool": (True, False),
    }
}
ENVIRONMENT_FIELDS = {"type", "mode", "environment_id", "sources", "network", "env", "custom_config"}
WEBHOOK_CONFIG_FIELDS = {"uris", "user_metadata"}

SERVICE_TIERS = ("flex", "standard", "priority", "deferred")
MODALITIES = ("text", "image", "audio", "video", "document")
THINKING_VALUES = {
    "thinking_level": ("minimal", "low", "medium", "high", "xhigh"),
    "thinking_summaries": ("auto", "none"),
}
JSON_TYPES = ("object", "array", "string", "number", "integer", "boolean", "null")
TOOL_CHOICES = ("auto", "any", "none", "validated")
MODELS = {
    "gemini-2.5-flash",
    "gemini-2.5-flash-image",
    "gemini-2.5-flash-lite",
    "gemini-2.5-pro",
    "gemini-3-flash-preview",
    "gemini-3-pro-image",
    "gemini-3.1-flash-image",
    "gemini-3.1-flash-lite",
    "gemini-3.1-flash-lite-image",
    "gemini-3.1-flash-tts-preview",
    "gemini-3.1-pro-preview",
    "gemini-3.1-pro-preview-customtools",
    "gemini-3.5-flash",
    "gemini-3.5-flash-lite",
    "gemini-3.5-transcribe",
    "gemini-3.6-flash",
    "gemini-3.7-flash",
    "gemini-3.8-flash",
    "gemini-3.8-flash-lite-tts",
    "gemini-3.8-flash-tts",
    "gemini-4-argon",
    "gemini-4-carbon",
    "gemini-4-hydrogen",
    "gemini-4-neon",
    "gemini-flash-latest",
    "gemini-flash-lite-latest",
    "gemini-nano-banana-2.1",
    "gemini-omni-1.1-flash",
    "gemini-omni-1.2-flash",
    "gemini-omni-flash-preview",
    "gemini-pro-latest",
    "gemini-robotics-er-1.6-preview",
    "gemini-robotics-er-2-preview",
    "gemma-4-26b-a4b-it",
    "gemma-4-31b-it",
    "lyria-3-clip-preview",
    "lyria-3-pro-preview",
    "lyria-3.5",
    "nano-banana-pro-preview",
}
"""Models that the SDKs name. Any other name is accepted too, with a warning."""
AGENTS = {
    "antigravity-preview-05-2026",
    "antigravity-preview-09-2026",
    "deep-research-max-preview-04-2026",
    "deep-research-preview-04-2026",
    "deep-research-pro-preview-12-2025",
}


CONTENT_FIELDS: dict[str, set[str]] = {
    "text": {"text", "annotations"},
    "image": {"mime_type", "data", "uri", "resolution"},
    "audio": {"mime_type", "data", "uri", "channels", "sample_rate", "processing"},
    "video": {"mime_type", "data", "uri", "resolution", "processing", "name"},
    "document": {"mime_type", "data", "uri", "resolution", "processing"},
}
"""Maps types of content to their fields, without `type`."""
STEP_FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "user_input": {"content": (list,)},
    "model_output": {},
    "thought": {},
    "function_call": {"id": (str,), "name": (str,), "arguments": (dict,)},
    "function_result": {"call_id": (str,), "result": (dict, str, list)},
    "google_search_call": {"id": (str,), "arguments": (dict,)},
    "google_search_result": {"call_id": (str,), "result": (list,)},
    "url_context_call": {"id": (str,), "arguments": (dict,)},
    "url_context_result": {"call_id": (str,), "result": (list,)},
    "code_execution_call": {"id": (str,), "arguments": (dict,)},
    "code_execution_result": {"call_id": (str,), "result": (str, dict)},
    "file_search_call": {"id": (str,)},
    "file_search_result": {"call_id": (str,)},
    "google_maps_call": {"id": (str,)},
    "google_maps_result": {"call_id": (str,), "result": (list,)},
    "mcp_server_tool_call": {"id": (str,), "server_name": (str,), "name": (str,), "arguments": (dict,)},
    "mcp_server_tool_result": {"call_id": (str,), "result": (dict, str, list)},
    "retrieval_call": {"id": (str,), "arguments": (dict,)},
    "retrieval_result": {"call_id": (str,)},
    "processing_call": {"id": (str,)},
    "processing_result": {"call_id": (str,)},
    "tool_search_call": {"id": (str,), "arguments": (dict,)},
    "tool_search_result": {"call_id": (str,)},
}
"""Types of steps, with the required fields of each and their types."""
OPTIONAL_STEP_FIELDS: dict[str, set[str]] = {
    "user_input": set(),
    "model_output": {"content", "error"},
    "thought": {"signature", "summary"},
    "function_call": {"signature"},  # SDKs from 2.34 on have it on the thought before; older clients send it here
    "function_result": {"name", "is_error", "signature"},
    "google_search_call": {"search_type", "signature"},
    "google_search_result": {"is_error", "signature"},
    "url_context_call": {"signature"},
    "url_context_result": {"is_error", "signature"},
    "code_execution_call": {"signature"},
    "code_execution_result": {"is_error", "signature"},
    "file_search_call": {"signature"},
    "file_search_result": {"result", "signature"},
    "google_maps_call": {"arguments", "signature"},
    "google_maps_result": {"signature"},
    "mcp_server_tool_call": set(),
    "mcp_server_tool_result": {"name", "server_name"},
    "retrieval_call": {"retrieval_type", "signature"},
    "retrieval_result": {"is_error", "signature"},
    "processing_call": {"signature"},
    "processing_result": {"signature"},
    "tool_search_call": {"signature"},
    "tool_search_result": {"result", "signature"},
}
"""The other fields of each type of step, without `type`."""
