"""Records the answers of the real service and replays them."""
