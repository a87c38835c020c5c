"""Tools for agents: the API by tasks, over the Model Context Protocol."""
