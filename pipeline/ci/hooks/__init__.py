"""What git is asked to refuse before a change of what judges becomes a commit."""
