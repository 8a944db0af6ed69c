"""What software cannot know, read from `governance.toml`; the gates that stand on it; the model card."""
