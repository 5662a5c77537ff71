"""The former place of the tools that forget a conversation, for YAML written before version 0.2."""

import warnings

from tools.privacy.tools import confirm_forgetting, forget_conversation

__all__ = ["confirm_forgetting", "forget_conversation"]

warnings.warn("in YAML, write tools.privacy.tools instead of tools.forget.tools", FutureWarning, stacklevel=2)
