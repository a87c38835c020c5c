"""Putting the parts together as the settings say; nothing else reads them but the command line."""
