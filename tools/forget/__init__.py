"""The former place of `tools.privacy`, for YAML written before version 0.2. It goes with version 0.3."""
