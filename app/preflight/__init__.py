"""What would become of a campaign: everything that can be found out before it is created."""
