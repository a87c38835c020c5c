"""Who may come in: where requests come from, what they present, and how often they may be wrong."""
