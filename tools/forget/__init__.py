"""The former place of `tools.privacy`, for YAML written before version 0.2. Version 0.3 removes it."""
