"""What happened in a workspace, in order: `steps` reads it, `timeline_page` draws it."""
