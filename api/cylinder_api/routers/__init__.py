"""The routes, one file per thing you can ask about."""
