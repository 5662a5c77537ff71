"""File-search stores: uploaded documents, which the tool `file_search` searches."""
